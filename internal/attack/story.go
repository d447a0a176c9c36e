package attack

import (
	"slices"
	"strings"
)

// Story is paths that are told as one: they take the same steps, and come to the sink from the same place.
type Story struct {
	// Path is the one that is told.
	Path
	// Ways are the places of all its paths behind the first step, Ends their sinks; each once, in order.
	Ways, Ends []Node
	// Paths counts them.
	Paths int
}

// Stories groups paths, in their order.
func (g *Graph) Stories(paths []Path) []Story {
	index := map[string]int{}
	var list []Story
	for i := range paths {
		p := &paths[i]
		key := g.plot(p)
		at, known := index[key]
		if !known {
			at = len(list)
			index[key] = at
			list = append(list, Story{Path: *p})
		}
		s := &list[at]
		s.Paths++
		s.Ways = once(s.Ways, g.way(p))
		s.Ends = once(s.Ends, g.Nodes[p.To])
		s.Shortest, s.Easiest = s.Shortest || p.Shortest, s.Easiest || p.Easiest
	}
	return list
}

func once(list []Node, n Node) []Node {
	if slices.Contains(list, n) {
		return list
	}
	return append(list, n)
}

// way is where a path stands after its first step, or where it begins when that is within the cluster.
func (g *Graph) way(p *Path) Node {
	if g.Nodes[p.From].Kind != Internet {
		return g.Nodes[p.From]
	}
	return g.Nodes[g.Edges[p.Edges[0]].To]
}

// plot is equal for paths of one story.
func (g *Graph) plot(p *Path) string {
	var b strings.Builder
	for _, i := range p.Edges {
		if e := &g.Edges[i]; !e.Joint {
			b.WriteString(e.Step.ID + " ")
			if e.Doubt != "" {
				b.WriteByte('?')
			}
		}
	}
	if deeds := g.Deeds(p); len(deeds) > 0 {
		return b.String() + deeds[len(deeds)-1].Source().String()
	}
	return g.Nodes[p.From].String() // joints alone: the sink is a part of it
}
