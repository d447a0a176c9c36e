package fact

import "cmp"

// Image is what an image, or a root directory, holds: what was read, and no more. What could not be
// read is in the coverage beside it.
type Image struct {
	// Name is the image as it was asked for: a path, and of several images in one archive its reference.
	Name string `json:"name"`
	// Reference is the name that the image goes by, "ghcr.io/shop/web:1.4"; "" where it has none.
	Reference string `json:"reference,omitempty"`
	// Form is what was opened: "oci-layout", "docker-archive" or "directory".
	Form string `json:"form"`
	// Digest is that of the image's manifest, "" where there is none.
	Digest string `json:"digest,omitempty"`
	// ID is the digest of the image's configuration; "" where there is none.
	ID string `json:"id,omitempty"`
	// Platform is the one that the image is for, "linux/arm64/v8"; "" where nothing says so.
	Platform string `json:"platform,omitempty"`
	// System is the distribution, as its os-release tells; nil where there is none.
	System *System `json:"system,omitempty"`
	// Base is the image that this one was built on, as far as anything tells; nil when nothing does.
	Base     *Base     `json:"base,omitempty"`
	Layers   []Layer   `json:"layers,omitempty"`
	Packages []Package `json:"packages"`
	// Contents is what rules read; nil where only packages were asked for.
	Contents *Contents `json:"-"`
}

// System is a distribution of an operating system in the words of its os-release file.
type System struct {
	ID       string `json:"id"`
	Version  string `json:"version,omitempty"`  // VERSION_ID
	Codename string `json:"codename,omitempty"` // VERSION_CODENAME
	Name     string `json:"name,omitempty"`     // PRETTY_NAME
	// Edition is what advisories name the release by beyond its number: CPE_NAME on Red Hat's, VERSION on openEuler.
	Edition string `json:"edition,omitempty"`
	// EndOfLife is the day, "2028-06-30", until which the distribution mends the release; "" where the calendar does
	// not know it or it has no releases.
	EndOfLife string `json:"endOfLife,omitempty"`
}

// Base is the image that another one was built on.
type Base struct {
	Name   string `json:"name,omitempty"`
	Digest string `json:"digest,omitempty"`
	// Layers is how many of the lowest layers are the base's, 0 when that is not known.
	Layers int `json:"layers"`
	// By is what tells: "given", "known", "annotation" or "history".
	By string `json:"by"`
}

// Layer is one layer of an image, the lowest first.
type Layer struct {
	// Digest is that of the layer as it is stored; of an archive made by docker save it is that of its tar.
	Digest string `json:"digest"`
	// DiffID is the digest of its tar, whatever it is compressed with; "" where nothing tells.
	DiffID string `json:"diffID,omitempty"`
	// CreatedBy is the command that made the layer, as the image's history tells it.
	CreatedBy string `json:"createdBy,omitempty"`
}

// Package is one package that is installed in an image.
type Package struct {
	// Ecosystem is OSV's, with the release for distributions: "npm", "Debian:12", "Alpine:v3.20". A
	// distribution that OSV does not know is its ID and release; "" where nothing says which it is.
	Ecosystem string `json:"ecosystem"`
	Name      string `json:"name"`
	Version   string `json:"version"`
	// Source and SourceVersion are what the package was built from, where its manager tells: they
	// are what distributions' advisories name.
	Source        string `json:"source,omitempty"`
	SourceVersion string `json:"sourceVersion,omitempty"`
	// Module is the stream of modules that the package came in, in rpm's words "nodejs:18:8090020240101:a75119d5": the
	// same version outside of the module is another package. "" outside of one.
	Module string `json:"module,omitempty"`
	// Kind is "binary" for a program that its own content tells and no package manager knows, else "".
	Kind string `json:"kind,omitempty"`
	// Vendor is who made a distribution's package, in the manager's own words: rpm's tag Vendor, dpkg's field Origin,
	// Vendor or Maintainer.
	Vendor string `json:"vendor,omitempty"`
	// Architecture is the package manager's word for it, "" where it has none.
	Architecture string `json:"architecture,omitempty"`
	// Place is the file that tells of the package, from the root and without a leading slash.
	Place string `json:"place"`
	// Within is the path inside of Place, where that is an archive which holds others: "BOOT-INF/lib/a.jar"; of
	// archives in archives each behind the one that holds it, with "!/" between them.
	Within string `json:"within,omitempty"`
	// Layer is the layer that Place stands in, counted from 0; what a root directory holds is in 0.
	Layer int `json:"layer"`
	// Since is the layer from which on the package is there in this version: a package manager writes its whole list
	// anew in every layer that changes it.
	Since int `json:"since"`
	// Owner is the package of the distribution that brought this one along, "" when none did.
	Owner string `json:"owner,omitempty"`
	// Licence is the licence in the package manager's own words, often an SPDX expression; "" where it tells none.
	Licence string `json:"licence,omitempty"`
	// Files are the files of a distribution's package, from the root and without a leading slash.
	Files []string `json:"files,omitempty"`
	// Needs are the names that must be there for the package to work, of packages or of what these provide, with "|"
	// between those of which one will do. Provides are the names beside its own that it answers to. Both are as the distribution's
	// package manager has them, without versions.
	Needs    []string `json:"needs,omitempty"`
	Provides []string `json:"provides,omitempty"`
	// Size is what the package takes up installed, in bytes, as its manager tells; 0 where it does not.
	Size int64 `json:"size,omitempty"`
}

// Compare orders the packages of an image.
func (p *Package) Compare(q *Package) int {
	return cmp.Or(cmp.Compare(p.Ecosystem, q.Ecosystem), cmp.Compare(p.Name, q.Name), cmp.Compare(p.Version, q.Version),
		cmp.Compare(p.Place, q.Place), cmp.Compare(p.Within, q.Within), cmp.Compare(p.Architecture, q.Architecture))
}
