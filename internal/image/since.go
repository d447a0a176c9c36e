package image

import "github.com/coaming/coaming/internal/fact"

// markSince gives each package the lowest layer from which on its file tells of it in that version, without a break.
// A layer above in which the file does not stand has not touched it.
func markSince(list []fact.Package, strata []*stratum) {
	if len(strata) < 2 {
		return
	}
	lists := map[placeInLayer]map[versionAt]bool{}
	for i := range list {
		p := &list[i]
		for n := p.Layer - 1; n >= 0; n-- {
			f := strata[n].found(p.Place)
			if f == nil {
				continue
			}
			if !f.tells(p, placeInLayer{p.Place, n}, lists) {
				break
			}
			p.Since = n
		}
	}
}

type (
	placeInLayer struct {
		place string
		layer int
	}
	versionAt struct{ name, architecture, version string }
)

// tells says whether a file told of a package in its version; lists remembers those of files with many.
func (f *find) tells(p *fact.Package, at placeInLayer, lists map[placeInLayer]map[versionAt]bool) bool {
	known := lists[at]
	if known == nil {
		known = make(map[versionAt]bool, len(f.packages))
		for i := range f.packages {
			q := &f.packages[i]
			known[versionAt{q.Name, q.Architecture, q.Version}] = true
		}
		if len(f.packages) > 8 {
			lists[at] = known
		}
	}
	return known[versionAt{p.Name, p.Architecture, p.Version}]
}
