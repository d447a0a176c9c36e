package attack

import (
	"slices"
	"strings"
)

// Graph is every step that a world allows. Nodes are numbered; the engine thinks in numbers.
type Graph struct {
	World *World
	Nodes []Node
	Edges []Edge

	index map[Node]int32
	// out and in are the edges of each node: of node i those at at[i] to at[i+1].
	out, in adjacency
}

// Edge is a step taken, or what ties two nodes. There are many: it is small, and names its ends by number.
type Edge struct {
	Step      *Step // nil of a joint that no step took
	graph     *Graph
	From, To  int32
	Effort    Effort
	Joint     bool
	Elsewhere bool
	// Evidence, Changes and Doubt, and Elsewhere, are what Taken told of it.
	Evidence []Evidence
	Changes  []Change
	Doubt    string
}

// Source is where it begins.
func (e *Edge) Source() Node { return e.graph.Nodes[e.From] }

// Target is where it leads.
func (e *Edge) Target() Node { return e.graph.Nodes[e.To] }

// adjacency lists edges by node: those of node i are edges[at[i]:at[i+1]].
type adjacency struct{ at, edges []int32 }

func (a *adjacency) of(node int32) []int32 { return a.edges[a.at[node]:a.at[node+1]] }

// New takes every one of the steps in the world. The ends are nodes that are asked about, whether or not
// a step touches them.
func New(w *World, steps []*Step, ends ...Ends) *Graph {
	g := &Graph{World: w, index: map[Node]int32{}}
	for _, e := range ends {
		for _, n := range e.Nodes {
			g.node(n)
		}
	}
	for _, s := range steps {
		s.Find(w, func(t Taken) { g.take(s, t) })
	}
	g.expand()
	g.join()
	g.out = g.adjacent(func(e *Edge) int32 { return e.From })
	g.in = g.adjacent(func(e *Edge) int32 { return e.To })
	return g
}

// node is the number of a node, which is made when it is first named.
func (g *Graph) node(n Node) int32 {
	i, known := g.index[n]
	if !known {
		i = int32(len(g.Nodes)) //nolint:gosec // a graph of 2^31 nodes fits no memory
		g.index[n] = i
		g.Nodes = append(g.Nodes, n)
	}
	return i
}

// Find is the number of a node; ok is false for one that no step touches.
func (g *Graph) Find(n Node) (i int32, ok bool) {
	i, ok = g.index[n]
	return i, ok
}

func (g *Graph) take(s *Step, t Taken) {
	if t.From == t.To {
		return
	}
	e := Edge{
		Step: s, graph: g, From: g.node(t.From), To: g.node(t.To), Effort: s.Effort, Joint: t.Joint,
		Elsewhere: t.Elsewhere, Evidence: t.Evidence, Changes: t.Changes, Doubt: t.Doubt,
	}
	if t.Effort != 0 {
		e.Effort = t.Effort
	}
	if t.Joint {
		e.Effort = Joint
	}
	if e.Doubt == "" {
		e.Doubt = g.stopped(t.To)
	}
	for i := range t.Evidence {
		if o := t.Evidence[i].Object; e.Doubt == "" && o != nil && o.Doubt != "" {
			e.Doubt = title(o) + ": " + o.Doubt
		}
	}
	g.Edges = append(g.Edges, e)
}

// tie adds a joint that no step took.
func (g *Graph) tie(from, to Node) {
	e := Edge{graph: g, From: g.node(from), To: g.node(to), Joint: true}
	if from.Kind != Workload {
		e.Doubt = g.stopped(to)
	}
	g.Edges = append(g.Edges, e)
}

// stopped is the doubt of every step into a workload that has no pods as long as nobody gives it some.
func (g *Graph) stopped(to Node) string {
	if to.Kind != Workload && to.Kind != Container {
		return ""
	}
	list := g.World.named()[Node{Workload, to.Namespace, to.Name, ""}]
	if len(list) == 0 || slices.ContainsFunc(list, func(p *Pods) bool { return !p.Stopped() }) {
		return ""
	}
	return list[0].stopped()
}

// expand ties scopes, workloads and classes of nodes that a step names to their members. Scopes of
// scopes come behind those that named them.
func (g *Graph) expand() {
	for i := 0; i < len(g.Nodes); i++ { //nolint:intrange // the list grows meanwhile
		n := g.Nodes[i]
		switch {
		case n.Kind == Workload:
			g.tieContainers(n)
		case n.Kind == ClusterAdmin:
			for _, all := range append(everything(""), AllMachines()) {
				g.tie(n, all)
			}
		case n.Kind == Scope && n.Part != "":
			if machine, found := strings.CutPrefix(n.Part, onMachine); found && n.Name == "pods" {
				g.tieMachine(n, Node{Kind: Machine, Name: machine})
			}
		case n.Kind == Scope && n.Name == Everything("").Name:
			for _, all := range everything(n.Namespace) {
				g.tie(n, all)
			}
		case n.Kind == Scope && n.Name == allMachines.Name:
			for _, m := range g.World.Machines() {
				g.tie(n, m)
			}
		case n.Kind == Scope && n.Namespace == "":
			for _, namespace := range g.World.namespacesOf(n.Name) {
				g.tie(n, Node{Kind: Scope, Namespace: namespace, Name: n.Name})
			}
		case n.Kind == Scope:
			for _, member := range g.World.members(n) {
				g.tie(n, member)
			}
		}
	}
}

func (g *Graph) tieContainers(n Node) {
	for _, p := range g.World.named()[n] {
		for _, b := range p.Containers {
			if b.Runs() {
				g.tie(n, b.Node)
			}
		}
	}
}

// tieMachine ties the pods of a class of nodes to its scope, and the scopes of the classes whose pods may
// run there, too: what asks for nothing is tied once and not to every class.
func (g *Graph) tieMachine(scope, machine Node) {
	for _, p := range g.World.On(machine) {
		g.tie(scope, p.Node)
	}
	for _, class := range g.World.Fitting(machine) {
		g.tie(scope, PodsOn(class))
	}
}

// join ties identities to the groups that the API server puts them in, as far as a step begins there.
func (g *Graph) join() {
	begins := make([]bool, len(g.Nodes))
	for i := range g.Edges {
		begins[g.Edges[i].From] = true
	}
	tie := func(n Node, group string) {
		if i, known := g.index[Group(group)]; known && begins[i] && g.Nodes[i] != n {
			g.tie(n, g.Nodes[i])
		}
	}
	for _, n := range slices.Clone(g.Nodes) {
		switch {
		case n.Kind != Identity:
		case n.Namespace != "":
			tie(n, "system:serviceaccounts")
			tie(n, "system:serviceaccounts:"+n.Namespace)
			tie(n, "system:authenticated")
		case n == User("system:anonymous"):
			tie(n, "system:unauthenticated")
		case n != Group("system:unauthenticated") && n != Group("system:authenticated"):
			tie(n, "system:authenticated")
			if strings.HasPrefix(n.Name, "user:system:node:") {
				tie(n, "system:nodes")
			}
			if namespace, found := strings.CutPrefix(n.Name, "group:system:serviceaccounts:"); found && namespace != "" {
				tie(n, "system:serviceaccounts")
			}
		}
	}
}

// adjacent sorts the edges by one of their ends.
func (g *Graph) adjacent(end func(*Edge) int32) adjacency {
	a := adjacency{at: make([]int32, len(g.Nodes)+1), edges: make([]int32, len(g.Edges))}
	for i := range g.Edges {
		a.at[end(&g.Edges[i])+1]++
	}
	for i := range g.Nodes {
		a.at[i+1] += a.at[i]
	}
	next := slices.Clone(a.at)
	for i := range g.Edges {
		at := end(&g.Edges[i])
		a.edges[next[at]] = int32(i) //nolint:gosec // as in node
		next[at]++
	}
	return a
}

// OfKind is the numbers of the nodes of a kind.
func (g *Graph) OfKind(k Kind) []int32 {
	var list []int32
	for i, n := range g.Nodes {
		if n.Kind == k {
			list = append(list, int32(i)) //nolint:gosec // as in node
		}
	}
	return list
}
