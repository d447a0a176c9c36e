package attack

import (
	"cmp"
	"slices"
)

// Cut is the fewest changes, of those that steps name, after which no certain path is left.
type Cut struct {
	Changes []*Cutting
	// Least is how many changes it takes at least: when it is len(Changes), no smaller cut is there.
	Least int
	// Before counts the ways in of which a certain path begins, Left those that no change of what was read
	// closes: each with its best path.
	Before int
	Left   []Path
	// Doubtful are the paths that rest on something that was not seen and that the changes leave.
	Doubtful []Path
	// Spares is set when a change that closes a way in would do, too, and is not taken: fewer of these might do.
	Spares bool
}

// Cutting is a change of a cut, with what it takes away.
type Cutting struct {
	*Change
	// Edges are the steps that cannot be taken any more, of those on the way.
	Edges []int32
}

// Proved says whether it is known that no fewer of the changes that steps name do.
func (c *Cut) Proved() bool { return c.Least == len(c.Changes) }

const (
	// lastWeight is what a change weighs that gives up a purpose: more than all that do not.
	lastWeight = 1 << 20
	// cutBudget is how many branches the search for the fewest changes may try in all: a second or so.
	cutBudget = 300_000
)

// cutter finds a cut.
type cutter struct {
	g              *Graph
	entries, sinks []int32
	// edges are those on certain paths; out lists them by where they begin.
	edges   []int32
	onWay   []bool
	changes []*Cutting
	of      map[int32][]int // by edge, the changes that end it, preferred first
	aside   map[int32]bool  // ways in that no change closes
	sets    [][]int
	refused map[string]bool
}

// Cut finds the fewest changes after which no certain path leads from an entry to a sink. Changes that
// refused names, by their keys, are out of the question.
func (g *Graph) Cut(entries, sinks []int32, refused map[string]bool) *Cut {
	c := newCutter(g, entries, sinks, refused)
	c.relevant()
	c.number()
	cut := &Cut{Before: c.waysIn()}
	cut.Left = c.setAside()
	s := c.fewest()
	for _, i := range s.elements {
		cut.Changes = append(cut.Changes, c.changes[i])
	}
	cut.Spares = slices.ContainsFunc(c.changes, func(c *Cutting) bool { return c.Last }) && !slices.ContainsFunc(cut.Changes, func(c *Cutting) bool { return c.Last })
	cut.Least = s.least/lastWeight + s.least%lastWeight
	slices.SortFunc(cut.Changes, func(a, b *Cutting) int { return compareChanges(a.Change, b.Change) })
	cut.Doubtful = c.doubtful(s.elements)
	return cut
}

func newCutter(g *Graph, entries, sinks []int32, refused map[string]bool) *cutter {
	return &cutter{g: g, entries: entries, sinks: sinks, refused: refused, of: map[int32][]int{}, aside: map[int32]bool{}}
}

// relevant finds the edges that are on any certain path.
func (c *cutter) relevant() {
	g := c.g
	front := g.search(c.entries, fewest, false, nil)
	back := g.search(c.sinks, fewest, true, nil)
	c.onWay = make([]bool, len(g.Edges))
	for i := range g.Edges {
		e := &g.Edges[i]
		if e.Doubt == "" && front.cost[e.From] != unreached && back.cost[e.To] != unreached {
			c.onWay[i] = true
			c.edges = append(c.edges, int32(i)) //nolint:gosec // as in Graph.node
		}
	}
}

// number gives every change of those edges a number, the preferred ones first: those that break less,
// then those that end more steps, then those nearer to a sink.
func (c *cutter) number() {
	index := map[string]*Cutting{}
	near := map[*Cutting]cost{}
	keys := map[*Change]string{} // steps that one right allows share its changes
	back := c.g.search(c.sinks, fewest, true, nil)
	for _, i := range c.edges {
		e := &c.g.Edges[i]
		for k := range e.Changes {
			change := &e.Changes[k]
			key, told := keys[change]
			if !told {
				key = change.Key()
				keys[change] = key
			}
			known := index[key]
			if c.refused[key] {
				continue
			}
			if known == nil {
				known = &Cutting{Change: change}
				index[key] = known
				near[known] = back.cost[e.To]
				c.changes = append(c.changes, known)
			}
			if n := len(known.Edges); n == 0 || known.Edges[n-1] != i {
				known.Edges = append(known.Edges, i)
			}
			near[known] = min(near[known], back.cost[e.To])
		}
	}
	slices.SortFunc(c.changes, func(a, b *Cutting) int {
		return cmp.Or(boolInt(a.Last)-boolInt(b.Last), cmp.Compare(a.Breadth, b.Breadth), len(b.Edges)-len(a.Edges), cmp.Compare(near[a], near[b]), compareChanges(a.Change, b.Change))
	})
	for n, known := range c.changes {
		for _, i := range known.Edges {
			c.of[i] = append(c.of[i], n)
		}
	}
}

// waysIn counts the first steps of certain paths: the footholds, or the entries within the cluster.
func (c *cutter) waysIn() int {
	first := map[int32]bool{}
	for _, entry := range c.entries {
		for _, i := range c.g.out.of(entry) {
			if !c.onWay[i] {
				continue
			}
			if c.g.Nodes[entry].Kind == Internet {
				first[c.g.Edges[i].To] = true
			} else {
				first[entry] = true
			}
		}
	}
	return len(first)
}

// setAside takes out the ways in whose path no change ends, one by one, and tells each path.
func (c *cutter) setAside() []Path {
	var left []Path
	for {
		p := c.path(func(i int32) bool { return len(c.of[i]) > 0 })
		if p == nil {
			return left
		}
		left = append(left, *p)
		first := slices.IndexFunc(p.Edges, func(i int32) bool { return !c.g.Edges[i].Joint })
		c.aside[p.Edges[max(first, 0)]] = true
	}
}

// path is the shortest path on the way that avoids some edges; nil for none.
func (c *cutter) path(avoid func(i int32) bool) *Path {
	r := c.g.search(c.entries, fewest, false, func(i int32) bool { return !c.onWay[i] || c.aside[i] || avoid(i) })
	best := int32(-1)
	for _, s := range c.sinks {
		if r.by[s] >= 0 && (best < 0 || r.cost[s] < r.cost[best]) {
			best = s
		}
	}
	if best < 0 {
		return nil
	}
	edges := c.g.trail(&r, best)
	p := c.g.path(c.g.Edges[edges[0]].From, best, edges)
	return &p
}

// fewest finds the changes: the lightest that hit all paths known so far, then the paths that these
// leave, until they leave none. What hits some of the paths weighs no more than what hits all, so that
// the last answer is the lightest there is.
func (c *cutter) fewest() solved {
	h := hitting{budget: cutBudget}
	for _, change := range c.changes {
		weight := 1
		if change.Last {
			weight = lastWeight
		}
		h.weight = append(h.weight, weight)
	}
	for {
		h.sets = c.sets
		s := h.solve()
		c.narrow(s.elements)
		if !c.leftBy(s.elements) {
			return s
		}
	}
}

// narrow puts in the place of each change of an answer the one that breaks least of those that hit all that
// no other change of the answer hits. The answer stays as light as it is.
func (c *cutter) narrow(elements []int) {
	chosen := newMembers(len(c.changes))
	for _, e := range elements {
		chosen.add(e)
	}
	for i, e := range elements {
		if c.changes[e].Breadth == OneSubject {
			continue
		}
		best := e
		for _, other := range c.instead(chosen, e) {
			if a, b := c.changes[other], c.changes[best]; a.Last == b.Last && a.Breadth < b.Breadth {
				best = other
			}
		}
		chosen.drop(e)
		chosen.add(best)
		elements[i] = best
	}
}

// instead are the changes in all of the sets that the one hits and no other of those chosen, in order.
func (c *cutter) instead(chosen members, one int) []int {
	var common []int
	for _, set := range c.sets {
		if _, in := slices.BinarySearch(set, one); !in || slices.ContainsFunc(set, func(e int) bool { return e != one && chosen.has(e) }) {
			continue
		}
		if common == nil {
			common = slices.Clone(set)
			continue
		}
		common = slices.DeleteFunc(common, func(e int) bool { _, in := slices.BinarySearch(set, e); return !in })
	}
	return common
}

// leftBy collects the paths that the changes leave, each having no change in common with those before.
func (c *cutter) leftBy(elements []int) bool {
	gone := newMembers(len(c.changes))
	for _, e := range elements {
		gone.add(e)
	}
	found := false
	for {
		p := c.path(func(i int32) bool { return slices.ContainsFunc(c.of[i], gone.has) })
		if p == nil {
			return found
		}
		found = true
		var set []int
		for _, i := range p.Edges {
			set = append(set, c.of[i]...)
		}
		slices.Sort(set)
		set = slices.Compact(set)
		c.sets = append(c.sets, set)
		for _, e := range set {
			gone.add(e)
		}
	}
}

// doubtful are the best doubtful paths that the changes leave.
func (c *cutter) doubtful(elements []int) []Path {
	gone := map[string]bool{}
	for _, e := range elements {
		gone[c.changes[e].Key()] = true
	}
	leftOut := func(i int32) bool {
		if len(gone) == 0 || c.aside[i] {
			return c.aside[i]
		}
		changes := c.g.Edges[i].Changes
		for k := range changes {
			if gone[changes[k].Key()] {
				return true
			}
		}
		return false
	}
	r := c.g.search(c.sinks, certain, true, leftOut)
	f := &finder{g: c.g, known: map[string]int{}}
	for _, entry := range c.entries {
		f.fromFootholds(entry, certain, &r)
	}
	return slices.DeleteFunc(f.paths, func(p Path) bool { return !p.Doubtful || leftOut(p.Edges[0]) })
}

// Leads says whether a certain path leads from an entry to a sink, and answers the steps of one.
func (g *Graph) Leads(entries, sinks []int32) (path []Deed) {
	r := g.search(entries, fewest, false, nil)
	for _, s := range sinks {
		if r.by[s] >= 0 {
			p := g.path(0, s, g.trail(&r, s))
			return g.Deeds(&p)
		}
	}
	return nil
}
