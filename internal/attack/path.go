package attack

import (
	"cmp"
	"slices"
	"strconv"
)

// Path is steps from an entry to a sink, one behind the other. Joints are among the edges.
type Path struct {
	From, To int32
	Edges    []int32
	// Steps counts the deeds, Effort is their sum.
	Steps, Effort int
	// Doubtful is set where a step rests on something that was not seen.
	Doubtful bool
	// Shortest and Easiest say what it is the best in, of those between its ends.
	Shortest, Easiest bool
}

func (g *Graph) path(from, to int32, edges []int32) Path {
	p := Path{From: from, To: to, Edges: edges}
	for _, i := range edges {
		e := &g.Edges[i]
		p.Doubtful = p.Doubtful || e.Doubt != ""
		if !e.Joint {
			p.Steps++
			p.Effort += int(e.Effort)
		}
	}
	return p
}

// Deeds yields the edges of a path that are steps, each with the joints before it.
func (g *Graph) Deeds(p *Path) []Deed {
	var list []Deed
	var joints []*Edge
	for _, i := range p.Edges {
		e := &g.Edges[i]
		if e.Joint {
			joints = append(joints, e)
			continue
		}
		list = append(list, Deed{Edge: e, Joints: joints, Index: i})
		joints = nil
	}
	if len(list) > 0 {
		list[len(list)-1].After = joints
	}
	return list
}

// Deed is a step of a path, with what ties it to the one before, and, of the last, to the path's end.
type Deed struct {
	*Edge
	Index         int32
	Joints, After []*Edge
}

// doubt is that of the step, or of a joint beside it.
func (d *Deed) doubt() string {
	for e := range d.edges {
		if e.Doubt != "" && (e == d.Edge || d.Doubt == "") {
			return e.Doubt
		}
	}
	return ""
}

// edges yields the joints before the step, the step, and the joints behind it.
func (d *Deed) edges(yield func(*Edge) bool) {
	for _, e := range d.Joints {
		if !yield(e) {
			return
		}
	}
	if !yield(d.Edge) {
		return
	}
	for _, e := range d.After {
		if !yield(e) {
			return
		}
	}
}

// footholds are the first steps out of an entry that is outside of the cluster; of one within there are none.
func (g *Graph) footholds(entry int32) (first []int32) {
	if g.Nodes[entry].Kind != Internet {
		return nil
	}
	return g.out.of(entry)
}

// Paths are, from every entry, the shortest and the easiest path through each of its ways in to the
// nearest of the sinks, and those to every sink. Where no certain path is there, doubtful ones are,
// those with the fewest doubts.
func (g *Graph) Paths(entries, sinks []int32) []Path {
	f := &finder{g: g, known: map[string]int{}}
	for _, m := range []measure{fewest, least, certain} {
		back := g.search(sinks, m, true, nil)
		for _, entry := range entries {
			f.fromFootholds(entry, m, &back)
			front := g.search([]int32{entry}, m, false, g.behindAdmin(sinks))
			f.toSinks(entry, sinks, m, &front)
		}
	}
	slices.SortStableFunc(f.paths, func(a, b Path) int {
		return cmp.Or(boolInt(a.Doubtful)-boolInt(b.Doubtful), a.Effort-b.Effort, a.Steps-b.Steps)
	})
	return f.paths
}

// behindAdmin leaves out what cluster-admin has where it is a sink itself: a path that comes to it ends there.
func (g *Graph) behindAdmin(sinks []int32) func(edge int32) bool {
	if !slices.ContainsFunc(sinks, func(i int32) bool { return g.Nodes[i].Kind == ClusterAdmin }) {
		return nil
	}
	return func(edge int32) bool { return g.Nodes[g.Edges[edge].From].Kind == ClusterAdmin }
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// finder collects paths, each once.
type finder struct {
	g     *Graph
	paths []Path
	known map[string]int
	// sure are the ends of certain paths: no doubtful one is told beside them.
	sureFrom, sureTo map[int32]bool
}

// fromFootholds adds the best path through every first step out of the entry.
func (f *finder) fromFootholds(entry int32, m measure, back *reached) {
	best := map[int32]int32{} // by where it leads: the cheapest first step
	var order []int32
	for _, i := range f.g.footholds(entry) {
		e := &f.g.Edges[i]
		if m != certain && e.Doubt != "" || back.cost[e.To] == unreached {
			continue
		}
		if m == certain && f.sureFrom[e.To] {
			continue
		}
		known, seen := best[e.To]
		if !seen {
			order = append(order, e.To)
		}
		if !seen || m.of(e) < m.of(&f.g.Edges[known]) {
			best[e.To] = i
		}
	}
	for _, to := range order {
		edges := append([]int32{best[to]}, f.g.rest(back, to)...)
		if f.add(entry, edges, m) && m != certain {
			f.sure(&f.sureFrom, to)
		}
	}
	if f.g.Nodes[entry].Kind != Internet && back.by[entry] >= 0 && (m != certain || !f.sureFrom[entry]) {
		if f.add(entry, f.g.rest(back, entry), m) && m != certain {
			f.sure(&f.sureFrom, entry)
		}
	}
}

// toSinks adds the best path to every sink.
func (f *finder) toSinks(entry int32, sinks []int32, m measure, front *reached) {
	for _, s := range sinks {
		if front.by[s] < 0 || m == certain && f.sureTo[s] {
			continue
		}
		if f.add(entry, f.g.trail(front, s), m) && m != certain {
			f.sure(&f.sureTo, s)
		}
	}
}

func (f *finder) sure(set *map[int32]bool, n int32) {
	if *set == nil {
		*set = map[int32]bool{}
	}
	(*set)[n] = true
}

func (f *finder) add(entry int32, edges []int32, m measure) bool {
	if len(edges) == 0 {
		return false
	}
	var key []byte
	for _, e := range edges {
		key = append(strconv.AppendInt(key, int64(e), 36), ' ')
	}
	i, known := f.known[string(key)]
	if !known {
		i = len(f.paths)
		f.known[string(key)] = i
		f.paths = append(f.paths, f.g.path(entry, f.g.Edges[edges[len(edges)-1]].To, edges))
	}
	f.paths[i].Shortest = f.paths[i].Shortest || m == fewest
	f.paths[i].Easiest = f.paths[i].Easiest || m == least
	return true
}
