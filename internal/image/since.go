package image

import "github.com/coaming/coaming/internal/fact"

// markSince gives each package the lowest layer from which on its file tells of it in that version, without a break.
// A layer above in which the file does not stand has not touched it.
func markSince(list []fact.Package, strata []*stratum) {
	type version struct{ place, name, architecture, version string }
	since := map[version]int{} // the layer from which on it is there
	last := map[string]map[version]bool{}
	for n, s := range strata {
		for at, f := range s.finds {
			now := map[version]bool{}
			for i := range f.packages {
				p := &f.packages[i]
				v := version{at, p.Name, p.Architecture, p.Version}
				now[v] = true
				if !last[at][v] {
					since[v] = n
				}
			}
			last[at] = now
		}
	}
	for i := range list {
		p := &list[i]
		if n, ok := since[version{p.Place, p.Name, p.Architecture, p.Version}]; ok {
			p.Since = min(n, p.Layer)
		}
	}
}
