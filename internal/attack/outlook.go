package attack

// Outlook says of every node at once what it leads to, and whether the internet leads to it: what
// rules ask about thousands of workloads, and what no walk for each of them would answer in time.
type Outlook struct {
	graph *Graph
	// leads is, by goal, where every node stands by what its own rights and mounts allow; reached is
	// whether a path of any kind comes from the internet.
	leads   [goals]closure
	reached closure
}

// Goal is a kind of thing that an attacker is after.
type Goal uint8

// The goals. EverySecret is the secrets of all namespaces.
const (
	ToAdmin Goal = iota
	ToMachine
	ToEverySecret
	ToCloud
	goals
)

// is says whether a node is what the goal means.
func (goal Goal) is(n Node) bool {
	switch goal {
	case ToAdmin:
		return n.Kind == ClusterAdmin
	case ToMachine:
		return n.Kind == Machine
	case ToEverySecret:
		return n == SecretsIn("")
	case ToCloud:
		return n.Kind == CloudIdentity
	case goals: // is their number
	}
	return false
}

// closure is the nodes that certain steps join with a set, and those that doubtful ones may.
type closure struct {
	// via is the edge by which a node was joined, -1 for the set itself, none for others; of sure by
	// certain edges alone, of maybe by any.
	sure, maybe []int32
}

const none = -2

// NewOutlook looks at every node of a graph.
func NewOutlook(g *Graph) *Outlook {
	o := &Outlook{graph: g}
	leftOut := func(e *Edge) bool { return e.Elsewhere && !g.World.Inventory.Live }
	for goal := range goals {
		var set []int32
		for i, n := range g.Nodes {
			if goal.is(n) {
				set = append(set, int32(i)) //nolint:gosec // as in Graph.node
			}
		}
		o.leads[goal] = g.close(set, &g.in, func(e *Edge) int32 { return e.From }, func(e *Edge) bool {
			// What cluster-admin gives beyond itself is no goal of its own.
			return (e.Step == nil || !e.Step.Network) && !leftOut(e) && g.Nodes[e.From].Kind != ClusterAdmin
		})
	}
	var from []int32
	if i, known := g.Find(Node{Kind: Internet}); known {
		from = append(from, i)
	}
	o.reached = g.close(from, &g.out, func(e *Edge) int32 { return e.To }, func(e *Edge) bool { return !leftOut(e) })
	return o
}

// close joins all that edges lead to from a set, in the direction of next.
func (g *Graph) close(set []int32, edges *adjacency, next func(*Edge) int32, walks func(*Edge) bool) closure {
	spread := func(doubtful bool) []int32 {
		via := make([]int32, len(g.Nodes))
		for i := range via {
			via[i] = none
		}
		queue := append([]int32(nil), set...)
		for _, i := range set {
			via[i] = -1
		}
		for len(queue) > 0 {
			at := queue[0]
			queue = queue[1:]
			for _, k := range edges.of(at) {
				e := &g.Edges[k]
				if e.Doubt != "" && !doubtful || !walks(e) {
					continue
				}
				if to := next(e); via[to] == none {
					via[to] = k
					queue = append(queue, to)
				}
			}
		}
		return via
	}
	return closure{spread(false), spread(true)}
}

// Leads says whether a node leads to a goal by what it has there: no step over the network is taken.
// doubt is why it may, where it is not certain.
func (o *Outlook) Leads(n Node, goal Goal) (leads bool, doubt string) {
	i, known := o.graph.Find(n)
	if !known {
		return false, ""
	}
	return o.leads[goal].at(o.graph, i, func(e *Edge) int32 { return e.To })
}

// Reached says whether a path from the internet leads to a node.
func (o *Outlook) Reached(n Node) (reached bool, doubt string) {
	i, known := o.graph.Find(n)
	if !known {
		return false, ""
	}
	return o.reached.at(o.graph, i, func(e *Edge) int32 { return e.From })
}

// at is where a node stands; back is the end of an edge that is nearer to the set.
func (c *closure) at(g *Graph, i int32, back func(*Edge) int32) (in bool, doubt string) {
	switch {
	case c.sure[i] != none:
		return true, ""
	case c.maybe[i] == none:
		return false, ""
	}
	for c.maybe[i] >= 0 {
		e := &g.Edges[c.maybe[i]]
		if e.Doubt != "" {
			return false, e.Doubt
		}
		i = back(e)
	}
	return false, "it rests on what was not seen"
}

// How is the titles of the steps by which a node leads to a goal for certain, those of least number.
func (o *Outlook) How(n Node, goal Goal) []string {
	i, known := o.graph.Find(n)
	if !known {
		return nil
	}
	var titles []string
	via := o.leads[goal].sure
	for via[i] >= 0 {
		e := &o.graph.Edges[via[i]]
		if !e.Joint && e.Step != nil {
			titles = append(titles, e.Step.Title)
		}
		i = e.To
	}
	return titles
}
