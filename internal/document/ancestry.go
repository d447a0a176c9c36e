package document

import "slices"

// Ancestry knows of every value of a document what it stands in, and at which place there. Making it takes time and memory
// in proportion to the document; after that a path takes as long as it is deep, in whatever order values are asked about,
// where Value.Steps looks at all that stands before them.
type Ancestry struct {
	doc    *Doc
	up     []uint32 // by node: what it stands in
	index  []uint32 // by node: its place there
	looked int      // at how many nodes, for tests
}

// NewAncestry looks at every value of a document once.
func NewAncestry(d *Doc) *Ancestry {
	a := &Ancestry{doc: d, up: make([]uint32, len(d.nodes)), index: make([]uint32, len(d.nodes))}
	type open struct{ at, held uint32 }
	var around []open                     // what the node at hand stands in, from the root down, and how many before it
	for i := range uint32(len(d.nodes)) { //nolint:gosec // maxNodes at most
		a.looked++
		for len(around) > 0 && d.nodes[around[len(around)-1].at].next <= i {
			around = around[:len(around)-1]
		}
		if len(around) > 0 {
			in := &around[len(around)-1]
			a.up[i], a.index[i] = in.at, in.held
			in.held++
		}
		if d.nodes[i].next > i+1 {
			around = append(around, open{at: i})
		}
	}
	return a
}

// PathText is what root.PathText answers of the steps from root to a value of the same document; ok is false for one that
// does not stand there.
func (a *Ancestry) PathText(root, to Value) (text string, ok bool) {
	if to.doc != a.doc || root.doc != a.doc || to.i < root.i || to.i >= a.doc.nodes[root.i].next {
		return "", false
	}
	var steps [32]uint32
	chain := steps[:0]
	for at := to.i; at != root.i; at = a.up[at] {
		a.looked++
		chain = append(chain, at)
	}
	var room [256]byte
	b := room[:0]
	for _, at := range slices.Backward(chain) {
		if a.doc.nodes[a.up[at]].kind() == Map {
			b = AppendKey(b, a.doc.key(at))
			continue
		}
		b = append(append(append(b, '['), ItemName(Value{a.doc, at}, int(a.index[at]))...), ']')
	}
	return string(b), true
}
