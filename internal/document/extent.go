package document

import "sort"

// Leaf is a scalar as it stands in the source.
type Leaf struct {
	Value Value
	// Key is what it stands under in its map; "" for a list's item.
	Key string
	// Start and End are offsets in the source: of its key, or of itself in a list, and behind it
	// (white space and comments that follow included).
	Start, End int
}

// Extent is where the value's entry stands in the source, from its key to what follows it. ok is
// false for documents whose positions are looked up one by one.
func (v Value) Extent() (start, end int, ok bool) {
	if v.doc == nil || v.doc.source == nil || v.doc.foreign != nil {
		return 0, 0, false
	}
	return v.doc.offset(v.i), v.doc.offset(v.node().next), true
}

// offset is where the node at index i begins in the source; the document's end behind the last.
func (d *Doc) offset(i uint32) int {
	if int(i) >= len(d.nodes) {
		return int(d.end)
	}
	n := &d.nodes[i]
	if n.meta&flagKeySide != 0 { // its place stands behind the decoded key
		at := d.side[int(n.pos)+n.keyLen():]
		return int(at[0]) | int(at[1])<<8 | int(at[2])<<16 | int(at[3])<<24
	}
	return int(n.pos)
}

// Leaves is the scalars of the value that stand between two offsets of the source, the one that
// reaches into the range from before it included.
func (v Value) Leaves(from, to int) []Leaf {
	if _, _, ok := v.Extent(); !ok {
		return nil
	}
	d, last := v.doc, v.node().next
	first := v.i + uint32(sort.Search(int(last-v.i), func(n int) bool { return d.offset(v.i+uint32(n)) >= from }))
	if first > v.i {
		first--
	}
	var leaves []Leaf
	for i := first; i < last && d.offset(i) < to; i++ {
		if k := d.nodes[i].kind(); k != Map && k != List {
			leaves = append(leaves, Leaf{Value{d, i}, d.key(i), d.offset(i), d.offset(i + 1)})
		}
	}
	return leaves
}

// Parent is the map or list that the value stands in; the zero Value for a root.
func (v Value) Parent() Value {
	if v.doc == nil || v.i == 0 {
		return Value{}
	}
	for i := v.i - 1; ; i-- {
		if v.doc.nodes[i].next > v.i {
			return Value{v.doc, i}
		}
	}
}

// Key is what the value stands under in its map; "" for an item of a list or a root.
func (v Value) Key() string {
	if v.doc == nil {
		return ""
	}
	return v.doc.key(v.i)
}
