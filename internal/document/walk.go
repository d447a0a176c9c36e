package document

// Walk follows many paths, and remembers in long lists and maps where the last one went: paths to one
// item after the other take time in proportion to the items. The zero Walk is ready.
type Walk struct{ places map[Value]place }

// place is a child of a list or a map, and its index.
type place struct {
	child Value
	index int
}

const (
	long       = 64 // from how many items on a list or map is worth remembering
	mostPlaces = 64
)

// Follow is what v.Follow answers.
func (w *Walk) Follow(v Value, steps ...Step) Value {
	for _, s := range steps {
		v = w.step(v, s)
	}
	return v
}

func (w *Walk) step(v Value, s Step) Value {
	if v.Len() < long {
		return v.Follow([]Step{s})
	}
	last, known := w.places[v]
	var p place
	switch inMap := v.Kind() == Map; {
	case s.Key != "" && !inMap:
		return Value{}
	case inMap:
		p.child = last.child
		if known && p.child.Key() != s.Key {
			p.child = p.child.next(v)
		}
		if !p.child.Exists() || p.child.Key() != s.Key {
			p.child = v.Get(s.Key)
		}
	case known && s.Index < v.Len() && last.index <= s.Index:
		for p = last; p.index < s.Index; p.index++ {
			p.child = p.child.next(v)
		}
	default:
		p = place{v.Index(s.Index), s.Index}
	}
	if !p.child.Exists() {
		return Value{}
	}
	if w.places == nil || len(w.places) >= mostPlaces {
		w.places = map[Value]place{}
	}
	w.places[v] = p
	return p.child
}

// next is what stands behind the value in a list or map; the zero Value behind the last.
func (v Value) next(in Value) Value {
	if i := v.node().next; i < in.node().next {
		return Value{v.doc, i}
	}
	return Value{}
}
