package attack

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/coaming/coaming/internal/fact"
)

// randomGraph is a graph of a few nodes, of which the first is the internet and the last is
// cluster-admin. Some steps are joints, some doubtful; changes are shared among them.
func randomGraph(r *rand.Rand, nodes, edges, changes int) *Graph {
	name := func(i int) Node {
		switch i {
		case 0:
			return Node{Kind: Internet}
		case nodes - 1:
			return Node{Kind: ClusterAdmin}
		}
		return Account("n", strconv.Itoa(i))
	}
	var pool []Change
	for i := range changes {
		o := &fact.Object{Kind: "Thing", Name: strconv.Itoa(i), Origin: &fact.Origin{File: "f"}}
		pool = append(pool, Change{Object: o, Title: "change " + strconv.Itoa(i), Last: r.IntN(8) == 0, Breadth: Breadth(r.IntN(4))})
	}
	efforts := []Effort{Trivial, Easy, Moderate, Hard}
	var steps []*Step
	for i := range edges {
		t := Taken{From: name(r.IntN(nodes - 1)), To: name(1 + r.IntN(nodes-1)), Joint: r.IntN(6) == 0}
		if r.IntN(8) == 0 {
			t.Doubt = "nobody knows"
		}
		for range r.IntN(4) {
			t.Changes = append(t.Changes, pool[r.IntN(len(pool))])
		}
		steps = append(steps, &Step{
			ID: fmt.Sprintf("step-%02d", i), Effort: efforts[r.IntN(len(efforts))],
			Find: func(_ *World, take func(Taken)) { take(t) },
		})
	}
	return New(NewWorld(Input{Inventory: fact.NewInventory(nil, "1.36", false)}), steps, Ends{Nodes: []Node{name(0), name(nodes - 1)}})
}

// simplePaths yields every path without a circle, edge by edge: the obvious way.
func simplePaths(g *Graph, from, to int32, found func([]int32)) {
	visited := make([]bool, len(g.Nodes))
	var walk func(at int32, edges []int32)
	walk = func(at int32, edges []int32) {
		if at == to {
			found(slices.Clone(edges))
			return
		}
		visited[at] = true
		for i := range g.Edges {
			if e := &g.Edges[i]; e.From == at && !visited[e.To] {
				walk(e.To, append(edges, int32(i)))
			}
		}
		visited[at] = false
	}
	walk(from, nil)
}

// best is the least of a figure, and of a second one among equals.
type best struct{ first, second, any int }

func (b *best) see(first, second int) {
	if b.any == 0 || first < b.first || first == b.first && second < b.second {
		b.first, b.second = first, second
	}
	b.any++
}

// TestPathsAgainstAllPaths compares the paths that are told with all there are, on random graphs.
func TestPathsAgainstAllPaths(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	checked := 0
	for n := range 3000 {
		g := randomGraph(r, 4+r.IntN(5), 4+r.IntN(14), 4)
		from, to := g.OfKind(Internet), g.OfKind(ClusterAdmin)
		if len(from)+len(to) != 2 {
			t.Fatal("the ends are not in the graph")
		}
		shortest, easiest := map[int32]*best{}, map[int32]*best{}
		doubts := map[int32]*best{}
		simplePaths(g, from[0], to[0], func(edges []int32) {
			p := g.path(from[0], to[0], edges)
			first := g.Edges[edges[0]].To
			for _, m := range []map[int32]*best{shortest, easiest, doubts} {
				if m[first] == nil {
					m[first] = &best{}
				}
			}
			if !p.Doubtful {
				shortest[first].see(p.Steps, p.Effort)
				easiest[first].see(p.Effort, p.Steps)
			}
			doubtful := 0
			for _, i := range edges {
				doubtful += boolInt(g.Edges[i].Doubt != "")
			}
			doubts[first].see(doubtful, p.Effort)
		})
		told := map[int32]int{}
		for _, p := range g.Paths(from, to) {
			first := g.Edges[p.Edges[0]].To
			checkPath(t, g, &p)
			switch {
			case p.Shortest && (p.Steps != shortest[first].first || p.Effort != shortest[first].second) && !p.Easiest:
				t.Fatalf("graph %d: the shortest path by %s has %d steps and effort %d, the slow way finds %+v", n, g.Nodes[first], p.Steps, p.Effort, shortest[first])
			case p.Easiest && (p.Effort != easiest[first].first || p.Steps != easiest[first].second) && !p.Shortest:
				t.Fatalf("graph %d: the easiest path by %s has effort %d, the slow way finds %+v", n, g.Nodes[first], p.Effort, easiest[first])
			case p.Doubtful && shortest[first].any > 0:
				t.Fatalf("graph %d: a doubtful path is told by %s beside a certain one", n, g.Nodes[first])
			}
			told[first]++
			checked++
		}
		for first := range doubts {
			if told[first] == 0 {
				t.Fatalf("graph %d: no path by %s is told", n, g.Nodes[first])
			}
		}
	}
	if checked < 1000 {
		t.Errorf("only %d paths were compared", checked)
	}
}

func checkPath(t *testing.T, g *Graph, p *Path) {
	t.Helper()
	at := p.From
	for _, i := range p.Edges {
		if g.Edges[i].From != at {
			t.Fatalf("the steps of a path do not follow each other: %v", p.Edges)
		}
		at = g.Edges[i].To
	}
	if at != p.To || g.Nodes[at].Kind != ClusterAdmin {
		t.Fatalf("a path ends at %s", g.Nodes[at])
	}
}

// leads says whether a certain path is left without some changes and edges.
func leads(g *Graph, from, to int32, gone map[string]bool, aside map[int32]bool) bool {
	left := false
	simplePaths(g, from, to, func(edges []int32) {
		for _, i := range edges {
			e := &g.Edges[i]
			if e.Doubt != "" || aside[i] || slices.ContainsFunc(e.Changes, func(c Change) bool { return gone[c.Key()] }) {
				return
			}
		}
		left = true
	})
	return left
}

// TestCutsAgainstEverySet compares the cut with the lightest of all sets of changes that leaves no path,
// on random graphs: no smaller one is there, none that gives up fewer purposes, and none of its changes
// can be left out.
func TestCutsAgainstEverySet(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	cut, large, uncut, last := 0, 0, 0, 0
	for n := range 2500 {
		const changes = 7
		g := randomGraph(r, 5+r.IntN(4), 8+r.IntN(14), changes)
		from, to := g.OfKind(Internet), g.OfKind(ClusterAdmin)
		c := newCutter(g, from, to, nil)
		c.relevant()
		c.number()
		left := c.setAside()
		got := g.Cut(from, to, nil)
		if len(got.Left) != len(left) {
			t.Fatalf("graph %d: %d paths are left, then %d", n, len(got.Left), len(left))
		}
		uncut += boolInt(len(left) > 0)
		gone := map[string]bool{}
		weight := 0
		weigh := func(ch *Change) int {
			if ch.Last {
				return lastWeight
			}
			return 1
		}
		for _, ch := range got.Changes {
			gone[ch.Key()] = true
			weight += weigh(ch.Change)
			last += boolInt(ch.Last)
		}
		if leads(g, from[0], to[0], gone, c.aside) {
			t.Fatalf("graph %d: the cut leaves a path", n)
		}
		for key := range gone {
			delete(gone, key)
			if !leads(g, from[0], to[0], gone, c.aside) {
				t.Fatalf("graph %d: %q can be left out of the cut", n, key)
			}
			gone[key] = true
		}
		all := c.changes
		for set := range 1 << len(all) {
			some, sum := map[string]bool{}, 0
			for i, ch := range all {
				if set&(1<<i) != 0 {
					some[ch.Key()] = true
					sum += weigh(ch.Change)
				}
			}
			if sum < weight && !leads(g, from[0], to[0], some, c.aside) {
				t.Fatalf("graph %d: the cut weighs %d, and a set of %d leaves no path either", n, weight, sum)
			}
		}
		for _, ch := range got.Changes {
			delete(gone, ch.Key())
			for _, other := range all {
				some := maps.Clone(gone)
				some[other.Key()] = true
				if other.Breadth < ch.Breadth && other.Last == ch.Last && !leads(g, from[0], to[0], some, c.aside) {
					t.Fatalf("graph %d: %q would do in the place of %q, and breaks less", n, other.Title, ch.Title)
				}
			}
			gone[ch.Key()] = true
		}
		if !got.Proved() {
			t.Fatalf("graph %d: the cut of so small a graph is not proved: %d of at least %d", n, len(got.Changes), got.Least)
		}
		cut += boolInt(len(gone) > 0)
		large += boolInt(len(gone) > 1)
	}
	if cut < 300 || large < 100 || uncut < 50 || last < 20 {
		t.Errorf("of the graphs %d were cut, %d by several changes, %d not wholly; %d changes were last ones: the test sees too few", cut, large, uncut, last)
	}
}

// TestHittingAgainstEverySet compares with all sets of elements, on sets that no graph made.
func TestHittingAgainstEverySet(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for n := range 2000 {
		elements := 3 + r.IntN(9)
		h := hitting{budget: 1 << 20}
		for range elements {
			h.weight = append(h.weight, 1+r.IntN(3))
		}
		for range 1 + r.IntN(12) {
			set := r.Perm(elements)[:1+r.IntN(min(4, elements))]
			slices.Sort(set)
			h.sets = append(h.sets, set)
		}
		lightest := 1 << 30
		for some := range 1 << elements {
			sum := 0
			for e := range elements {
				if some&(1<<e) != 0 {
					sum += h.weight[e]
				}
			}
			hitsAll := !slices.ContainsFunc(h.sets, func(set []int) bool {
				return !slices.ContainsFunc(set, func(e int) bool { return some&(1<<e) != 0 })
			})
			if hitsAll {
				lightest = min(lightest, sum)
			}
		}
		got := h.solve()
		if got.weight != lightest || got.least != lightest {
			t.Fatalf("%d: %+v weighs %d (at least %d), the lightest %d", n, got.elements, got.weight, got.least, lightest)
		}
		for _, set := range h.sets {
			if !slices.ContainsFunc(set, func(e int) bool { return slices.Contains(got.elements, e) }) {
				t.Fatalf("%d: %v hits not %v", n, got.elements, set)
			}
		}
	}
}
