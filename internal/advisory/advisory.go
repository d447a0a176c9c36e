// Package advisory knows which vulnerabilities are published for which packages. It makes an index of
// OSV records (ossf.github.io/osv-schema), one immutable file meant to be mapped into memory, and asks
// it about packages. It knows versions of every ecosystem as byte strings whose order is the
// ecosystem's, and it respects statements that a product is not affected (VEX). It reads no file,
// fetches nothing and guesses nothing: what has no advisories is unknown, never clean.
package advisory

import (
	"time"

	"github.com/coaming/coaming/internal/verdict"
)

// Package is one package that is installed somewhere, named as advisories name it.
type Package struct {
	// Ecosystem is OSV's, with the release for distributions: "npm", "Debian:12", "Alpine:v3.20".
	Ecosystem string
	// Name is OSV's: the source package of Debian and Ubuntu, the origin of Alpine, the binary
	// package of rpm distributions, "group:artifact" of Maven.
	Name string
	// Version is that of what Name names: the source package's, where it differs.
	Version string
	// Binary is the installed package's own name where Name is its source's, for statements about it; "" otherwise.
	Binary string
	// BinaryVersion is that of Binary, "" where it is Version.
	BinaryVersion string
	// Module is the module stream that an rpm was built for, "nodejs:18" or its whole label; "" when nothing says so.
	Module string
	// Vendor is who made a distribution's package: rpm's tag Vendor, dpkg's field Origin or Maintainer; "" when nothing says so.
	Vendor string
	// Owner is the package of the distribution that brought this one along, "" when none did. What has
	// an owner is left to the distribution's advisories, which know what was mended in place.
	Owner string
}

// Finding is one vulnerability in one package.
type Finding struct {
	Package       int      // its place in what was asked
	Vulnerability string   // its CVE where it has one, otherwise the advisory's id
	Aliases       []string // its other names
	Advisories    []string // the records that say so, the distribution's or ecosystem's own
	Summary       string
	Severity      verdict.Severity // valid when Rated
	Rated         bool             // whether anybody has rated it
	Score         float64          // CVSS base score, 0 to 10; 0 with Vector "" when there is none
	Vector        string           // the CVSS vector that Score is of
	Exploited     bool             // in CISA's catalogue of exploited vulnerabilities
	Likelihood    float64          // EPSS: the probability of exploitation in 30 days, 0 to 1; below 0 when it is not known
	FixedIn       string           // the lowest version after the installed one that has the fix, "" when none is named
	Published     time.Time        // the day the first of the advisories was published; zero when it is not known
	Unimportant   bool             // the distribution says that it is no matter of security in its package
	Imports       []string         // the packages of a Go module that have it, where the advisories name them: a program may use none of them
	Suppressed    *Statement       // the VEX statement that says it does not apply, nil when none does
}

// Unknown is what could not be answered about packages, and why.
type Unknown struct {
	Ecosystem string // of the packages
	Packages  []int  // their places in what was asked
	Reason    string
}

// Answer is what is known about a list of packages. A package with neither a finding nor an unknown has
// no published vulnerability in the index.
type Answer struct {
	Findings []Finding
	Unknown  []Unknown
	Left     int // how many packages were left to the distribution that owns them
}
