package attack

import (
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// places are where the steps of one object stand in it.
type places struct {
	whole bool // anything in the object is about each of them: a binding
	at    map[string][]int32
	paths []string // those of at, in order once they are looked at
	order bool
}

func (p *places) add(path string, edge int32) {
	list, known := p.at[path]
	if !known {
		p.paths, p.order = append(p.paths, path), false
	}
	if n := len(list); n == 0 || list[n-1] != edge { // they come edge by edge
		p.at[path] = append(list, edge)
	}
}

// meet are the steps that a finding at a path is about: they stand there, or one of the places is a part of the
// other and says enough by itself. A step may come several times.
func (p *places) meet(path string) []int32 {
	var edges []int32
	if p.whole {
		for _, at := range p.paths {
			edges = append(edges, p.at[at]...)
		}
		return edges
	}
	edges = append(edges, p.at[path]...)
	for i := range path {
		if path[i] == '.' || path[i] == '[' {
			if above := p.at[path[:i]]; len(above) > 0 && tells(path[:i]) {
				edges = append(edges, above...)
			}
		}
	}
	if !tells(path) {
		return edges
	}
	if !p.order {
		slices.Sort(p.paths)
		p.order = true
	}
	for _, beneath := range []string{path + ".", path + "["} {
		for i, _ := slices.BinarySearch(p.paths, beneath); i < len(p.paths) && strings.HasPrefix(p.paths[i], beneath); i++ {
			edges = append(edges, p.at[p.paths[i]]...)
		}
	}
	return edges
}

// tells says whether a path is one of a thing, and not of a whole template, spec or container, of which
// findings and steps have many that have nothing to do with each other.
func tells(path string) bool {
	last := path[strings.LastIndexByte(path, '.')+1:]
	switch last {
	case "", "spec", "metadata", "template", "securityContext", "capabilities", "labels", "annotations":
		return false
	}
	for _, list := range fact.ContainerFields {
		if strings.HasPrefix(last, list) {
			return false
		}
	}
	return true
}
