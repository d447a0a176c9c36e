package sbom

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/purl"
	"github.com/coaming/coaming/internal/verdict"
)

// conclude makes an image of what was gathered.
func (g *gathering) conclude() (*fact.Image, error) {
	forms := slices.Compact(slices.Sorted(slices.Values(g.forms)))
	switch {
	case len(forms) == 0:
		return nil, errNoBill
	case len(forms) > 1:
		return nil, fmt.Errorf("it says to be %s at once", strings.Join(forms, " and "))
	}
	img := &fact.Image{Name: g.name, Form: g.form}
	urls := g.classify()
	g.link()
	g.about(img, urls)
	layers := map[string]int{}
	for i := range img.Layers {
		layers[img.Layers[i].Digest] = i
	}
	placed := g.placed(img)
	count := 0
	for i := range g.parts {
		if g.parts[i].kind == aPackage {
			count++
		}
	}
	img.Packages = make([]fact.Package, 0, count) // there may be many, and a list that grows holds them twice
	for i := range g.parts {
		if p := &g.parts[i]; p.kind == aPackage {
			f := g.packaged(p, urls[i], img.System)
			f.Layer = layerOf(p, layers, placed[p.ref])
			img.Packages = append(img.Packages, f)
		}
	}
	slices.SortStableFunc(img.Packages, func(a, b fact.Package) int { return a.Compare(&b) })
	g.statements()
	return img, nil
}

// subject is the part that the bill is about, by its reference; 0 when it is about none or several, or when what it is about
// holds nothing: then it is a package itself.
func (g *gathering) subject() uint64 {
	var about uint64
	for _, r := range g.relations {
		_, known := g.refs[r.to]
		if r.kind != describes || !known {
			continue
		}
		if about != 0 && about != r.to {
			return 0
		}
		about = r.to
	}
	for _, r := range g.relations {
		_, known := g.refs[r.to]
		if known && r.from == about && r.to != about && (r.kind == contains || r.kind == depends) {
			return about
		}
	}
	return 0
}

// classify takes the package URLs apart, and finds out which parts are what the bill is about. The result has nil
// where there is no package URL.
func (g *gathering) classify() []*purl.URL {
	subject := g.subject()
	urls := make([]*purl.URL, len(g.parts))
	for i := range g.parts {
		p := &g.parts[i]
		if p.purl != "" {
			u, err := purl.Parse(p.purl)
			if err != nil {
				g.gap(p.at, verdict.GapSyntax, err.Error(), "Mend the package URL.")
			} else {
				urls[i] = &u
			}
		}
		if p.kind != aPackage && p.kind != aProduct {
			continue
		}
		switch u := urls[i]; {
		case u != nil && u.Package().Ecosystem != "":
			p.kind = aPackage // what the bill is about may be a package itself
		case u != nil && (u.Type == "oci" || u.Type == "docker"), subject != 0 && p.ref == subject:
			if p.kind = aProduct; p.digest == "" && u != nil && strings.HasPrefix(u.Version, "sha256:") {
				p.digest = u.Version
			}
		}
	}
	return urls
}

// link resolves who owns what, and the licences that stand apart.
func (g *gathering) link() {
	for _, r := range g.relations {
		from, known := g.refs[r.from]
		if !known || r.kind == describes || r.kind == depends {
			continue
		}
		if r.kind == licensed {
			if text := g.licences[strconv.FormatUint(r.to, 36)]; text != "" {
				g.parts[from].licence = text
			}
			continue
		}
		to, known := g.refs[r.to]
		if !known || from == to || g.parts[from].kind != aPackage || g.parts[to].kind != aPackage {
			continue
		}
		if r.kind == owns || managed(&g.parts[from]) && !managed(&g.parts[to]) {
			g.parts[to].owner = g.parts[from].name
		}
	}
}

func managed(p *part) bool {
	for _, prefix := range []string{"pkg:deb/", "pkg:apk/", "pkg:rpm/"} {
		if strings.HasPrefix(p.purl, prefix) {
			return true
		}
	}
	return false
}

// about finds what the bill is about: its name, its layers, its distribution.
func (g *gathering) about(img *fact.Image, urls []*purl.URL) {
	title := ""
	for i := range g.parts {
		switch p := &g.parts[i]; p.kind {
		case aProduct:
			if title == "" {
				title = p.name
				img.Platform = p.platform
			}
			if img.Digest == "" {
				img.Digest = p.digest
			}
		case aLayer:
			img.Layers = append(img.Layers, fact.Layer{Digest: p.digest})
		case aSystem:
			if img.System == nil && p.name != "" {
				img.System = p.system()
			}
		case aPackage, aFile, aside:
		}
	}
	if title = cmp.Or(title, g.title); title != "" && title != g.name {
		img.Name += " (" + title + ")"
	}
	if img.System == nil {
		img.System = agreed(urls)
	}
	if s := img.System; s != nil && s.Version == "" {
		if told := agreed(urls); told != nil && told.ID == s.ID {
			s.Version = told.Version
		}
	}
}

// agreed is the distribution that all package URLs of distributions name; nil when there is none, or several.
func agreed(urls []*purl.URL) *fact.System {
	var one *fact.System
	for _, u := range urls {
		if u == nil {
			continue
		}
		s := u.System()
		if s == nil || s.Version == "" {
			continue
		}
		if one != nil && *one != *s {
			return nil
		}
		one = s
	}
	return one
}

// placed are the layers of parts by their references, as relations tell.
func (g *gathering) placed(img *fact.Image) map[uint64]int {
	if len(img.Layers) == 0 {
		return nil
	}
	number := map[uint64]int{}
	for i := range g.parts {
		if p := &g.parts[i]; p.kind == aLayer && p.ref != 0 {
			number[p.ref] = len(number)
		}
	}
	placed := map[uint64]int{}
	for _, r := range g.relations {
		if n, found := number[r.from]; found && (r.kind == contains || r.kind == depends) {
			placed[r.to] = n
		}
	}
	return placed
}

// layerOf is the layer of a part: by its digest, or by what relations say.
func layerOf(p *part, byDigest map[string]int, placed int) int {
	if n, found := byDigest[p.layer]; found && p.layer != "" {
		return n
	}
	return placed
}
