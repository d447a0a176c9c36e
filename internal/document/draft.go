package document

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Draft is a document on its way to another one. It is changed as a value; Splices then says how
// its text must change for that, and changes no more of it: comments, order, quotes and indentation
// of everything else stay. Each change is of the place alone that it names: where text is shared by
// anchors, the others keep what they have. Not for concurrent use.
type Draft struct {
	doc  *Doc
	text string // the document's own
	root *draft
	// isJSON is set for a text that is one JSON value.
	isJSON bool
	// alias are the places that an alias or a merge key fills.
	alias []*draft
	defs  map[*spot]*draft
}

// draft is one value of a Draft.
type draft struct {
	spot   *spot // nil for what is not written at this place
	parent *draft
	value  Value // a scalar's
	kind   Kind
	key    string
	at     int  // of an item: its index as it was read, -1 for what is new
	merged bool // it came through a merge key
	// changed is set where the value, or one below, is no longer what was read; fresh where all of
	// it is to be written anew; gone where it was taken out; visit where the text below changes.
	changed, fresh, gone, visit bool
	// unmerge is set for a map that must spell out what came through its merge keys.
	unmerge  bool
	children []*draft // those that are gone included
	lost     int      // how many of them are gone
	byKey    map[string]*draft
}

// Edit begins a draft of a document.
func (d *Doc) Edit() (*Draft, error) {
	if d.duplicate != nil {
		return nil, unplaced(d.duplicate.Message)
	}
	w := &Draft{doc: d, text: d.source.content[d.start:d.end], defs: map[*spot]*draft{}}
	if len(w.text) > maxForeign {
		return nil, unplaced(fmt.Sprintf("it has more than %d MiB", maxForeign>>20))
	}
	if looksJSON(w.text) {
		if whole, err := ParseJSON(w.text); err == nil {
			w.isJSON = true
			w.root = w.grow(layoutJSON(w.text, whole.Root()), whole.Root(), nil)
			return w, nil
		}
	}
	whole, errs := Read(NewText(w.text), 1)
	if len(errs) > 0 || len(whole) != 1 || whole[0].duplicate != nil {
		return nil, unplaced("it is not one whole document")
	}
	s, _, err := layoutYAML(w.text)
	if err != nil {
		return nil, err
	}
	w.root = w.grow(s, whole[0].Root(), nil)
	return w, nil
}

// grow makes the draft of a value and of all below it. s is where it is written, nil for nowhere.
func (w *Draft) grow(s *spot, v Value, parent *draft) *draft {
	n := &draft{spot: s, parent: parent, value: v, kind: v.Kind(), at: -1}
	if s != nil {
		w.defs[s] = n
		if s.form == isAlias {
			w.alias = append(w.alias, n)
			s = nil
		}
	}
	written := map[string]*spot{}
	merges := false
	if s != nil && n.kind == Map {
		for _, c := range s.children {
			if merges = merges || c.merge; !c.merge {
				written[c.key] = c
			}
		}
		if merges {
			w.alias = append(w.alias, n)
		}
	}
	for key, child := range v.Fields() {
		c := w.grow(written[key], child, n)
		c.key, c.merged = key, merges && written[key] == nil
		n.children = append(n.children, c)
	}
	for i, item := range v.Items() {
		var at *spot
		if s != nil && i < len(s.children) {
			at = s.children[i]
		}
		c := w.grow(at, item, n)
		c.at = i
		n.children = append(n.children, c)
	}
	return n
}

// child is the value one step below; nil for none. Indices are those of the list as it was read.
func (n *draft) child(s Step) *draft {
	if n.kind == List && s.Key == "" {
		if s.Index < 0 || s.Index >= len(n.children) || n.children[s.Index].at != s.Index || n.children[s.Index].gone {
			return nil
		}
		return n.children[s.Index]
	}
	if n.kind != Map {
		return nil
	}
	if n.byKey == nil {
		n.byKey = make(map[string]*draft, len(n.children))
		for c := range n.live() {
			n.byKey[c.key] = c
		}
	}
	return n.byKey[s.Key]
}

// live are the entries or items that are there.
func (n *draft) live() iter.Seq[*draft] {
	return func(yield func(*draft) bool) {
		for _, c := range n.children {
			if !c.gone && !yield(c) {
				return
			}
		}
	}
}

// find is the value at a path; nil for none.
func (w *Draft) find(steps []Step) *draft {
	n := w.root
	for _, s := range steps {
		if n = n.child(s); n == nil {
			return nil
		}
	}
	return n
}

// touch notes that a value changed.
func (n *draft) touch() {
	for ; n != nil && !n.changed; n = n.parent {
		n.changed = true
	}
}

// leave notes that a value is no longer written where it was.
func (n *draft) leave() {
	n.gone = true
	for _, c := range n.children {
		c.leave()
	}
}

// Set makes the value at a path; maps that are missing on the way are made.
func (w *Draft) Set(steps []Step, v Value) error {
	n := w.root
	for i, s := range steps {
		if n.kind == Null || n.kind == Missing {
			w.empty(n, Map)
		}
		c := n.child(s)
		if c == nil {
			if n.kind != Map || s.Key == "" {
				return fmt.Errorf("%s is a %s, and has no %s", pathText(steps[:i]), n.kind, stepText(s))
			}
			c = &draft{kind: Null}
			n.add(c, s.Key)
		}
		n = c
	}
	w.become(n, v)
	return nil
}

// empty makes a collection without entries of a value.
func (w *Draft) empty(n *draft, kind Kind) {
	for _, c := range n.children {
		c.leave()
	}
	n.kind, n.value, n.children, n.lost, n.byKey, n.fresh = kind, Value{}, nil, 0, nil, true
	n.touch()
}

// become makes a value of what stands there, and leaves alone what is equal.
func (w *Draft) become(n *draft, v Value) {
	switch {
	case n.kind == Map && v.Kind() == Map:
		for c := range n.live() {
			if !v.Get(c.key).Exists() {
				n.drop(c)
			}
		}
		for key, entry := range v.Fields() {
			if c := n.child(Step{Key: key}); c != nil {
				w.become(c, entry)
			} else {
				n.add(w.grow(nil, entry, n), key)
			}
		}
		return
	case n.kind == List && v.Kind() == List && n.size() <= v.Len() && n.begins(v):
		before := n.size()
		for i, item := range v.Items() {
			if i >= before {
				n.add(w.grow(nil, item, n), "")
			}
		}
		return
	case n.kind == v.Kind() && string(n.appendSorted(nil)) == string(v.AppendSorted(nil)):
		return
	}
	w.empty(n, v.Kind())
	grown := w.grow(nil, v, n.parent)
	n.value, n.children = v, grown.children
	for _, c := range n.children {
		c.parent = n
	}
}

// begins says whether a list holds all items of the draft, in their order, before others.
func (n *draft) begins(v Value) bool {
	i := 0
	for c := range n.live() {
		if string(c.appendSorted(nil)) != string(v.Index(i).AppendSorted(nil)) {
			return false
		}
		i++
	}
	return true
}

func (n *draft) size() int { return len(n.children) - n.lost }

func (n *draft) add(c *draft, key string) {
	c.parent, c.key, c.at, c.fresh = n, key, -1, true
	n.children = append(n.children, c)
	if n.byKey != nil {
		n.byKey[key] = c
	}
	c.changed = true
	n.touch()
}

func (n *draft) drop(c *draft) {
	n.lost++
	delete(n.byKey, c.key)
	c.leave()
	n.touch()
}

// Remove takes out what stands at a path, and says whether there was anything. Indices of other
// paths stay those of the document as it was read.
func (w *Draft) Remove(steps []Step) bool {
	n := w.find(steps)
	if n == nil || n.parent == nil {
		return false
	}
	n.parent.drop(n)
	return true
}

// Append adds an item to the list at a path, made where it is missing.
func (w *Draft) Append(steps []Step, item Value) error {
	n := w.find(steps)
	if n == nil || n.kind == Null {
		doc, err := ParseJSON("[" + string(item.AppendJSON(nil)) + "]")
		if err != nil {
			return err
		}
		return w.Set(steps, doc.Root())
	}
	if n.kind != List {
		return fmt.Errorf("%s is a %s, not a list", pathText(steps), n.kind)
	}
	n.add(w.grow(nil, item, n), "")
	return nil
}

// TakeOut takes the items out of the list at a path that drop names, and says how many are left.
func (w *Draft) TakeOut(steps []Step, drop func(sorted string) bool) (left int) {
	n := w.find(steps)
	if n == nil || n.kind != List {
		return 0
	}
	for c := range n.live() {
		if drop(string(c.appendSorted(nil))) {
			n.drop(c)
		}
	}
	return n.size()
}

// JSON is the value at a path as JSON with sorted keys, "" where there is none.
func (w *Draft) JSON(steps []Step) string {
	n := w.find(steps)
	if n == nil {
		return ""
	}
	return string(n.appendSorted(nil))
}

// Len is the number of entries of the collection at a path; 0 for anything else.
func (w *Draft) Len(steps []Step) int {
	if n := w.find(steps); n != nil {
		return n.size()
	}
	return 0
}

// appendSorted is Value.AppendSorted of what the draft is now.
func (n *draft) appendSorted(dst []byte) []byte {
	switch n.kind { //nolint:exhaustive // of the others there is nothing to do
	case Map:
		entries := slices.Collect(n.live())
		slices.SortFunc(entries, func(a, b *draft) int { return strings.Compare(a.key, b.key) })
		dst = append(dst, '{')
		for i, c := range entries {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = c.appendSorted(append(appendString(dst, c.key), ':'))
		}
		return append(dst, '}')
	case List:
		dst = append(dst, '[')
		first := true
		for c := range n.live() {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = c.appendSorted(dst)
		}
		return append(dst, ']')
	}
	return n.value.AppendJSON(dst)
}

func stepText(s Step) string {
	if s.Key == "" {
		return fmt.Sprintf("[%d]", s.Index)
	}
	return s.Key
}

// pathText is a path as errors show it.
func pathText(steps []Step) string {
	if len(steps) == 0 {
		return "the document"
	}
	var b strings.Builder
	for i, s := range steps {
		if i > 0 && s.Key != "" {
			b.WriteByte('.')
		}
		b.WriteString(stepText(s))
	}
	return b.String()
}

// Scalar is a scalar and where it is written in the source, its quotes included.
type Scalar struct {
	Value      Value
	Start, End int
}

// Scalars are the scalars of the document as it was read, in no order. What an alias stands for is
// found where it is written.
func (w *Draft) Scalars() []Scalar {
	var list []Scalar
	for s, n := range w.defs {
		switch s.form { //nolint:exhaustive // of the others there is nothing to do
		case isWord, isSingle, isDouble, isText:
			list = append(list, Scalar{n.value, int(w.doc.start) + s.start, int(w.doc.start) + s.end})
		}
	}
	return list
}
