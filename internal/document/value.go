// Package document reads YAML and JSON text into a compact, read-only tree that remembers where
// every value stood.
//
// A document is one slice of small pointer-free nodes over the text it was read from: scalars are
// sub-strings of that text, so that a hundred thousand objects cost the garbage collector nothing
// and their positions cost nothing either. Scalars mean what they mean to kubectl
// (sigs.k8s.io/yaml: YAML 1.1 booleans, last of two equal keys), and a differential fuzz test
// holds the package to it. It knows nothing of Kubernetes.
//
// What it costs is bounded, whoever wrote the text (TestHostileText, TestLargeTexts; the figures
// are the worst that were found). Time grows with the size of the text and not faster. Memory:
//
//   - Documents keep 20 bytes for each value, at most 14 for each byte of text, and less than one
//     for each byte of real manifests; besides 200 bytes for each document or error. A text has at
//     most 2^20 documents (maxDocuments), a document 2^24 values (maxNodes) in 500 levels (maxDepth).
//   - Reading takes up to 35 bytes for each byte of the document at hand, nearly all of it scratch.
//   - A document that needs the YAML library takes it up to 150 bytes for each byte while it is
//     read. It has 8 MiB at most (maxForeign), and those over 256 KiB wait for each other
//     (largeForeign): 1.2 GiB at worst. Its aliases may expand it 32 times (expandFactor).
package document

import (
	"iter"
	"strconv"
)

// Kind is the shape of a value.
type Kind uint8

// The kinds. Missing is the zero Value's: there is nothing at that place.
const (
	Missing Kind = iota
	Null
	Bool
	Int
	Float
	String
	Map
	List
)

var kindNames = [...]string{"missing", "null", "boolean", "integer", "number", "string", "map", "list"}

// String is the kind's name as messages show it.
func (k Kind) String() string { return kindNames[k] }

// node is one value of a document, in the order of the text; the descendants of nodes[i] are
// nodes[i+1:nodes[i].next].
type node struct {
	// pos is the offset of the entry: its key in a map, else the value itself. With flagKeySide it
	// is the offset of the key in Doc.side instead.
	pos uint32
	// meta packs kind (bits 0-2), flags (bits 3-7) and the key's length in bytes (bits 8-31).
	meta uint32
	// off and size delimit a scalar's text; a Bool has size 1 for true; a container has its number
	// of entries in size.
	off, size uint32
	// next is the index behind the last descendant.
	next uint32
}

// nodeSize is what a node takes, in bytes.
const nodeSize = 20

const (
	flagSide      = 1 << 3 // the scalar's text is in Doc.side
	flagKeyQuoted = 1 << 4 // the key starts one byte behind pos
	flagKeySide   = 1 << 5 // the key's text is in Doc.side, at pos; behind it stands the offset of the entry, in four bytes (but not in Doc.foreign)
	maxKey        = 1<<24 - 1
)

func (n *node) kind() Kind  { return Kind(n.meta & 7) }
func (n *node) keyLen() int { return int(n.meta >> 8) }

// Doc is one document: immutable, safe for concurrent readers.
type Doc struct {
	text  string // what its scalars are sub-strings of: mostly the whole file
	side  string // decoded scalars that do not stand in text letter by letter
	nodes []node
	// start and end delimit the document in text.
	start, end uint32
	// source is the text that positions count in.
	source *Text
	// foreign marks a document that the YAML library read: positions are looked up on demand.
	foreign *places
	// duplicate is the first key that stands twice.
	duplicate *Error
}

// Source is the text the document was read from.
func (d *Doc) Source() *Text { return d.source }

// Span is where the document stands in its source: the offsets of its first byte and behind its last.
func (d *Doc) Span() (start, end int) { return int(d.start), int(d.end) }

// Doubt is why the document as read may not be the one meant; nil for nearly all.
func (d *Doc) Doubt() *Error { return d.duplicate }

// Root is the document's value; the zero Value for an empty document.
func (d *Doc) Root() Value {
	if d == nil || len(d.nodes) == 0 {
		return Value{}
	}
	return Value{d, 0}
}

// Value is a handle on one value of a document. The zero Value is Missing, and every method of a
// Missing value, or of one of another kind than the method asks for, answers with a zero.
type Value struct {
	doc *Doc
	i   uint32
}

func (v Value) node() *node { return &v.doc.nodes[v.i] }

// Kind is the value's shape.
func (v Value) Kind() Kind {
	if v.doc == nil {
		return Missing
	}
	return v.node().kind()
}

// Exists says whether there is a value at all; an explicit null exists.
func (v Value) Exists() bool { return v.doc != nil }

// Text is a String's content, or the text of an Int or a Float; "" for any other kind.
func (v Value) Text() string {
	if v.doc == nil {
		return ""
	}
	switch n := v.node(); n.kind() {
	case String, Int, Float:
		if n.meta&flagSide != 0 {
			return v.doc.side[n.off : n.off+n.size]
		}
		return v.doc.text[n.off : n.off+n.size]
	default:
		return ""
	}
}

// Str is a String's content, and "" for every other kind.
func (v Value) Str() string {
	if v.Kind() != String {
		return ""
	}
	return v.Text()
}

// Bool is a Bool's value.
func (v Value) Bool() bool {
	return v.Kind() == Bool && v.node().size == 1
}

// Int is an Int's value. ok is false for any other kind and for numbers beyond 64 bits.
func (v Value) Int() (n int64, ok bool) {
	if v.Kind() != Int {
		return 0, false
	}
	n, err := strconv.ParseInt(v.Text(), 10, 64)
	return n, err == nil
}

// Float is the value of an Int or a Float.
func (v Value) Float() (f float64, ok bool) {
	if k := v.Kind(); k != Int && k != Float {
		return 0, false
	}
	f, err := strconv.ParseFloat(v.Text(), 64)
	return f, err == nil
}

// Len is the number of entries of a Map or a List.
func (v Value) Len() int {
	if k := v.Kind(); k != Map && k != List {
		return 0
	}
	return int(v.node().size)
}

// Nodes is how many values stand below and including v.
func (v Value) Nodes() int {
	if v.doc == nil {
		return 0
	}
	return int(v.node().next - v.i)
}

// key is the key under which the node at index i stands in its map.
func (d *Doc) key(i uint32) string {
	n := &d.nodes[i]
	start := n.pos
	switch {
	case n.meta&flagKeySide != 0:
		return d.side[start : int(start)+n.keyLen()]
	case n.meta&flagKeyQuoted != 0:
		start++
	}
	return d.text[start : int(start)+n.keyLen()]
}

// Get is a Map's entry of that key.
func (v Value) Get(key string) Value {
	if v.Kind() != Map {
		return Value{}
	}
	d := v.doc
	end := v.node().next
	for i := v.i + 1; i < end; i = d.nodes[i].next {
		if d.nodes[i].keyLen() == len(key) && d.key(i) == key {
			return Value{d, i}
		}
	}
	return Value{}
}

// At follows keys through nested maps.
func (v Value) At(keys ...string) Value {
	for _, k := range keys {
		v = v.Get(k)
	}
	return v
}

// Index is a List's i-th item.
func (v Value) Index(i int) Value {
	if i < 0 || i >= v.Len() || v.Kind() != List {
		return Value{}
	}
	at := v.i + 1
	for ; i > 0; i-- {
		at = v.doc.nodes[at].next
	}
	return Value{v.doc, at}
}

// IndexNear is Index for who asks for one item after the other: it begins where near is, which is what it
// answered for an item of the same list; 0 is the beginning.
func (v Value) IndexNear(i int, near uint64) (Value, uint64) {
	if i < 0 || i >= v.Len() || v.Kind() != List {
		return Value{}, near
	}
	n, at := int(near>>32), uint32(near)
	if near == 0 || n > i {
		n, at = 0, v.i+1
	}
	for ; n < i; n++ {
		at = v.doc.nodes[at].next
	}
	return Value{v.doc, at}, uint64(n)<<32 | uint64(at)
}

// Fields yields a Map's entries in the order of the text.
func (v Value) Fields() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if v.Kind() != Map {
			return
		}
		end := v.node().next
		for i := v.i + 1; i < end; i = v.doc.nodes[i].next {
			if !yield(v.doc.key(i), Value{v.doc, i}) {
				return
			}
		}
	}
}

// Items yields a List's items with their index.
func (v Value) Items() iter.Seq2[int, Value] {
	return func(yield func(int, Value) bool) {
		if v.Kind() != List {
			return
		}
		end := v.node().next
		n := 0
		for i := v.i + 1; i < end; i = v.doc.nodes[i].next {
			if !yield(n, Value{v.doc, i}) {
				return
			}
			n++
		}
	}
}

// Cursor walks a List's items or a Map's entries, one at a time; the zero Cursor is at its end.
type Cursor struct {
	doc     *Doc
	at, end uint32
}

// Cursor stands before the first item or entry; that of a scalar is at its end.
func (v Value) Cursor() Cursor {
	if k := v.Kind(); k != List && k != Map {
		return Cursor{}
	}
	return Cursor{v.doc, v.i + 1, v.node().next}
}

// More says whether there is another.
func (c *Cursor) More() bool { return c.at < c.end }

// Peek is what Next will answer; the cursor stays where it is.
func (c *Cursor) Peek() Value {
	if !c.More() {
		return Value{}
	}
	return Value{c.doc, c.at}
}

// Next is the next item or entry; the zero Value behind the last.
func (c *Cursor) Next() Value {
	v := c.Peek()
	if v.Exists() {
		c.at = v.node().next
	}
	return v
}

// Follow is the value at the end of a path.
func (v Value) Follow(steps []Step) Value {
	for _, s := range steps {
		if s.Key != "" || v.Kind() == Map {
			v = v.Get(s.Key)
		} else {
			v = v.Index(s.Index)
		}
	}
	return v
}

// Find is every value of that kind below v that stands under that key, in the order of the text.
func (v Value) Find(key string, kind Kind) []Value {
	if v.doc == nil {
		return nil
	}
	var found []Value
	d := v.doc
	for i := v.i + 1; i < v.node().next; i++ {
		n := &d.nodes[i]
		if n.kind() == kind && n.keyLen() == len(key) && d.key(i) == key {
			found = append(found, Value{d, i})
		}
	}
	return found
}
