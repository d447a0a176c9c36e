package document

// Lineage is a value with everything that it stands in, as it was last asked for. Going on to what
// stands behind in the same document costs no more than the way between them, where Value.Parent looks
// at all that stands before.
type Lineage struct {
	doc   *Doc
	chain []link // from the root down
}

// link is a node, and the one before it in the same list or map; 0 for the first.
type link struct{ at, before uint32 }

// To makes the lineage that of a value that exists.
func (l *Lineage) To(v Value) {
	if l.doc != v.doc || len(l.chain) == 0 {
		l.doc, l.chain = v.doc, append(l.chain[:0], link{})
	}
	nodes := v.doc.nodes
	var left link
	for len(l.chain) > 1 && !l.top().holds(nodes, v.i) {
		left = l.top()
		l.chain = l.chain[:len(l.chain)-1]
	}
	for l.top().at != v.i {
		next := link{at: l.top().at + 1}
		if left.at != 0 && left.at <= v.i {
			next = left
		}
		for nodes[next.at].next <= v.i {
			next = link{nodes[next.at].next, next.at}
		}
		l.chain = append(l.chain, next)
		left = link{}
	}
}

func (l *Lineage) top() link { return l.chain[len(l.chain)-1] }

func (n link) holds(nodes []node, i uint32) bool { return n.at <= i && i < nodes[n.at].next }

// Len is how many values the lineage has, the value itself among them.
func (l *Lineage) Len() int { return len(l.chain) }

// Up is what stands n above the value: 0 is the value, 1 its parent; the zero Value above the root.
func (l *Lineage) Up(n int) Value {
	if n >= len(l.chain) {
		return Value{}
	}
	return Value{l.doc, l.chain[len(l.chain)-1-n].at}
}

// Before is what stands before the value in its list or map; the zero Value before the first.
func (l *Lineage) Before() Value {
	if len(l.chain) == 0 || l.top().before == 0 {
		return Value{}
	}
	return Value{l.doc, l.top().before}
}
