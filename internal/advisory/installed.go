package advisory

import (
	"cmp"
	"strings"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/purl"
)

// sourced are the ecosystems whose advisories name source packages.
var sourced = map[string]bool{"Debian": true, "Ubuntu": true, "Alpine": true, "Alpaquita": true, "Wolfi": true, "Chainguard": true, "MinimOS": true}

// NamesSource says whether the advisories of an ecosystem name the package that others were built from.
func NamesSource(ecosystem string) bool {
	kind, _, _ := strings.Cut(ecosystem, ":")
	return sourced[kind]
}

// Installed is a package of an image as advisories name it.
func Installed(p *fact.Package) Package {
	to := Package{Ecosystem: p.Ecosystem, Name: p.Name, Version: p.Version, Owner: p.Owner}
	if p.Source != "" && NamesSource(p.Ecosystem) {
		to.Name, to.Version = p.Source, cmp.Or(p.SourceVersion, p.Version)
		to.Binary, to.BinaryVersion = p.Name, p.Version
	}
	return to
}

// Named is the package that a package URL names, as advisories name it. An ecosystem that OSV does not have stays
// empty, and so unknown. A distribution's source package comes from the qualifier upstream, where it is given.
func Named(u purl.URL) Package {
	p := u.Package()
	return Installed(&p)
}
