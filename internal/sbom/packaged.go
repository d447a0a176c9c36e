package sbom

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/purl"
	"github.com/coaming/coaming/internal/verdict"
)

// packaged is a part as a package. What it lacks is a gap.
func (g *gathering) packaged(p *part, u *purl.URL, system *fact.System) fact.Package {
	f := fact.Package{
		Name: p.name, Version: p.version, Source: p.source, SourceVersion: p.sourceVersion, Architecture: p.architecture,
		Place: cleanPlace(p.place), Within: p.within, Kind: p.class, Owner: p.owner, Licence: p.licence,
	}
	if p.group != "" && u == nil {
		f.Name = p.group + "/" + p.name
	}
	named := cmp.Or(p.id, p.name, "it")
	if u == nil {
		f.Ecosystem = p.ecosystem
		if p.purl == "" {
			g.gap(p.at, verdict.GapMissing, fmt.Sprintf("%.100q has no package URL: which package of which ecosystem it is, nothing tells", named), "Have the bill made by a tool that names packages by package URLs.")
		}
	} else {
		g.identify(&f, p, u, system)
	}
	if f.Version == "" {
		g.gap(p.at, verdict.GapMissing, fmt.Sprintf("%.100q has no version", named), "Have the bill made where the versions are known, from what was installed.")
	}
	return f
}

// identify gives a package the names that its package URL has for it.
func (g *gathering) identify(f *fact.Package, p *part, u *purl.URL, system *fact.System) {
	named := u.Package()
	version := named.Version
	if version == "" {
		version = p.version
	}
	if f.Ecosystem = named.Ecosystem; f.Ecosystem == "" && u.Type != "deb" && u.Type != "apk" && u.Type != "rpm" && u.Type != "generic" {
		f.Ecosystem = u.Type // OSV has no advisories for it, and says so
	}
	if own := u.System(); own != nil && system != nil && system.ID == own.ID && (own.Version == "" || own.Version == system.Version) {
		f.Ecosystem = purl.Distribution(system)
	}
	// Package URLs fold case, and Python's underscores: the part's own name has it as it is written.
	f.Name, f.Version = named.Name, version
	for _, name := range []string{p.name, p.group + "/" + p.name, p.group + ":" + p.name} {
		folded := name
		if u.Type == "pypi" {
			folded = strings.ReplaceAll(name, "_", "-")
		}
		if strings.EqualFold(folded, named.Name) {
			f.Name = name
		}
	}
	f.Architecture, f.Module = cmp.Or(named.Architecture, p.architecture), cmp.Or(named.Module, p.module)
	switch u.Type {
	case "deb", "apk": // without a word of another, the source is called like the package
		f.Source, f.SourceVersion = cmp.Or(p.source, named.Source, f.Name), cmp.Or(p.sourceVersion, named.SourceVersion, f.Version)
	case "rpm":
		f.Source, f.SourceVersion = cmp.Or(p.source, named.Source), cmp.Or(p.sourceVersion, named.SourceVersion)
	case "generic":
		f.Ecosystem = p.ecosystem
	}
}

var errTwice = errors.New("a bill stands in a bill that stands in a bill")
