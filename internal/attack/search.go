package attack

// search.go finds the cheapest ways through the graph: Dijkstra's algorithm over costs that are pairs,
// packed into one number, so that fewest steps and least effort are the same search.

// cost is a sum of two figures, the first of which decides; the second breaks ties.
type cost int64

// unreached is the cost of what cannot be reached.
const unreached = cost(-1)

// measure is what a search adds up over edges.
type measure uint8

const (
	fewest  measure = iota // steps, then effort
	least                  // effort, then steps
	certain                // doubtful steps, then effort: for where no certain path is
)

// of is what an edge costs. The figures of a path stay far below 2^31: no path is longer than there are nodes.
func (m measure) of(e *Edge) cost {
	if e.Joint {
		if m == certain && e.Doubt != "" {
			return 1 << 31
		}
		return 0
	}
	switch m {
	case fewest:
		return 1<<31 | cost(e.Effort)
	case certain:
		if e.Doubt != "" {
			return 1<<31 | cost(e.Effort)
		}
		return cost(e.Effort)
	case least:
	}
	return cost(e.Effort)<<31 | 1
}

// reached is what a search found: for every node what it costs, and the edge by which, -1 at the
// beginning and where there is none.
type reached struct {
	cost []cost
	by   []int32
}

// search finds the cheapest ways from any of the nodes to all others, or, backward, from all others to
// any of the nodes, over the edges that are not left out.
func (g *Graph) search(from []int32, m measure, backward bool, leftOut func(edge int32) bool) reached {
	r := reached{make([]cost, len(g.Nodes)), make([]int32, len(g.Nodes))}
	for i := range r.cost {
		r.cost[i], r.by[i] = unreached, -1
	}
	next := &g.out
	if backward {
		next = &g.in
	}
	var q queue
	for _, n := range from {
		if r.cost[n] != 0 {
			r.cost[n] = 0
			q.push(waiting{0, n})
		}
	}
	for len(q) > 0 {
		at := q.pop()
		if at.cost > r.cost[at.node] {
			continue // it was reached cheaper since
		}
		for _, i := range next.of(at.node) {
			e := &g.Edges[i]
			to := e.To
			if backward {
				to = e.From
			}
			if m != certain && e.Doubt != "" || leftOut != nil && leftOut(i) {
				continue
			}
			if c := at.cost + m.of(e); r.cost[to] == unreached || c < r.cost[to] {
				r.cost[to], r.by[to] = c, i
				q.push(waiting{c, to})
			}
		}
	}
	return r
}

// trail is the edges from where a forward search began to a node; nil for one that it did not reach,
// and for where it began.
func (g *Graph) trail(r *reached, to int32) []int32 {
	var edges []int32
	for at := to; r.by[at] >= 0; at = g.Edges[r.by[at]].From {
		edges = append(edges, r.by[at])
	}
	for i, j := 0, len(edges)-1; i < j; i, j = i+1, j-1 {
		edges[i], edges[j] = edges[j], edges[i]
	}
	return edges
}

// rest is the edges from a node to where a backward search began.
func (g *Graph) rest(r *reached, from int32) []int32 {
	var edges []int32
	for at := from; r.by[at] >= 0; at = g.Edges[r.by[at]].To {
		edges = append(edges, r.by[at])
	}
	return edges
}

// waiting is a node to go on from.
type waiting struct {
	cost cost
	node int32
}

// queue is a binary heap, the cheapest first; of equal ones the node that was numbered first.
type queue []waiting

func (a waiting) before(b waiting) bool {
	return a.cost < b.cost || a.cost == b.cost && a.node < b.node
}

func (q *queue) push(w waiting) {
	h := append(*q, w)
	i := len(h) - 1
	for i > 0 && w.before(h[(i-1)/2]) {
		h[i] = h[(i-1)/2]
		i = (i - 1) / 2
	}
	h[i] = w
	*q = h
}

func (q *queue) pop() waiting {
	h := *q
	top, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	*q = h
	if len(h) == 0 {
		return top
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if !h[child].before(last) {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = last
	return top
}
