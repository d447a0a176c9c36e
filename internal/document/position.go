package document

import "slices"

// Step is one step of a path: a key of a map, or an index of a list when Key is "".
type Step struct {
	Key   string
	Index int
}

// Steps is the path from the document's root to the value.
func (v Value) Steps() []Step {
	if v.doc == nil {
		return nil
	}
	var steps []Step
	d := v.doc
	at := uint32(0)
	for at != v.i {
		inMap := d.nodes[at].kind() == Map
		index := 0
		child := at + 1
		for d.nodes[child].next <= v.i {
			child = d.nodes[child].next
			index++
		}
		if inMap {
			steps = append(steps, Step{Key: d.key(child)})
		} else {
			steps = append(steps, Step{Index: index})
		}
		at = child
	}
	return steps
}

// Position is where the value's entry begins in the source: the line and column of its key, or of
// the item itself. Both are 0 when that is not known.
func (v Value) Position() (line, column int) {
	switch {
	case v.doc == nil || v.doc.source == nil:
		return 0, 0
	case v.doc.foreign != nil:
		return v.doc.source.Position(v.doc.foreignOffset(v.i))
	default:
		return v.doc.source.Position(v.doc.offset(v.i))
	}
}

// Doc is the document the value belongs to; nil for the zero Value.
func (v Value) Doc() *Doc { return v.doc }

// foreignOffset is where the node at index i begins in a document that the library read. The
// document is read again for it, by the library that keeps positions, when somebody first asks:
// such documents are rare, and only findings ask.
func (d *Doc) foreignOffset(i uint32) int {
	d.foreign.once.Do(func() { d.foreign.offsets = d.locate() })
	return int(d.foreign.offsets[i])
}

// locate finds the offset of every node; what cannot be found stands where its parent stands.
func (d *Doc) locate() []uint32 {
	offsets := slices.Repeat([]uint32{d.start}, len(d.nodes))
	text := d.source.content[d.start:d.end]
	if root := parseNodes(text); root != nil {
		l := locator{doc: d, marks: newMarks(text), offsets: offsets}
		l.walk(0, root, root)
	}
	return offsets
}
