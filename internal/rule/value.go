package rule

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"sync/atomic"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"github.com/coaming/coaming/internal/document"
)

// Fact is a value that expressions read.
type Fact = ref.Val

// Of is a document's value as expressions see it, without copying it.
func Of(v document.Value) Fact {
	switch v.Kind() {
	case document.Bool:
		return types.Bool(v.Bool())
	case document.Int:
		if n, ok := v.Int(); ok {
			return types.Int(n)
		}
		f, _ := v.Float()
		return types.Double(f)
	case document.Float:
		f, _ := v.Float()
		return types.Double(f)
	case document.String:
		return types.String(v.Text())
	case document.Map:
		return mapFact{v}
	case document.List:
		return &listFact{v: v}
	case document.Missing, document.Null:
	}
	return types.NullValue
}

// Text is a string fact.
func Text(s string) Fact { return types.String(s) }

// Bool is a boolean fact.
func Bool(b bool) Fact { return types.Bool(b) }

// Count is an integer fact.
func Count(n int) Fact { return types.Int(n) }

// Empty is an empty map.
func Empty() Fact { return types.DefaultTypeAdapter.NativeToValue(map[string]any{}) }

// Facts is a list of facts.
func Facts(list []Fact) Fact {
	return &facts{types.NewRefValList(types.DefaultTypeAdapter, list), list}
}

// NotSeen is the error of a fact that was not looked at; whatever reads it is unknown.
type NotSeen struct{ Reason string }

// Error is the reason.
func (e *NotSeen) Error() string { return e.Reason }

// Lazy is a map fact whose entries are computed when they are read. The function answers nil for
// an entry that does not exist, and a NotSeen for one that was not looked at.
func Lazy(entry func(name string) (Fact, error)) Fact { return &lazyFact{entry: entry} }

// mapFact and listFact are values of a document. They hold no more than the handle. An entry that
// is null is not there, as the API server has it.
type mapFact struct{ v document.Value }

var (
	_ traits.Mapper = mapFact{}
	_ traits.Lister = &listFact{}
	_ traits.Mapper = &lazyFact{}
)

func (m mapFact) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return nil, false
	}
	v := m.v.Get(string(name))
	if k := v.Kind(); k == document.Missing || k == document.Null {
		return nil, false
	}
	return Of(v), true
}

func (m mapFact) Get(key ref.Val) ref.Val {
	v, found := m.Find(key)
	if !found {
		return types.NewErr("no such key: %v", key.Value())
	}
	return v
}

func (m mapFact) Contains(key ref.Val) ref.Val {
	_, found := m.Find(key)
	return types.Bool(found)
}

func (m mapFact) Size() ref.Val {
	n := 0
	for _, v := range m.v.Fields() {
		if v.Kind() != document.Null {
			n++
		}
	}
	return types.Int(n)
}

func (m mapFact) Iterator() traits.Iterator {
	return &keyIterator{cursor: m.v.Cursor()}
}

func (m mapFact) Equal(other ref.Val) ref.Val {
	o, ok := other.(traits.Mapper)
	if !ok {
		return types.False
	}
	if o.Size() != m.Size() {
		return types.False
	}
	for key, v := range m.v.Fields() {
		if v.Kind() == document.Null {
			continue
		}
		ov, found := o.Find(types.String(key))
		if !found || types.Equal(Of(v), ov) != types.True {
			return types.False
		}
	}
	return types.True
}

func (m mapFact) Type() ref.Type { return types.MapType }
func (m mapFact) Value() any     { return native(m.v) }

func (m mapFact) ConvertToNative(to reflect.Type) (any, error) {
	return types.DefaultTypeAdapter.NativeToValue(native(m.v)).ConvertToNative(to)
}

func (m mapFact) ConvertToType(to ref.Type) ref.Val {
	switch to {
	case types.MapType:
		return m
	case types.TypeType:
		return types.MapType
	}
	return types.NewErr("type conversion error from map to '%s'", to)
}

type listFact struct {
	v document.Value
	// near is where the item stands that was asked for last: CEL's functions ask for one after the other by number.
	near atomic.Uint64
}

func (l *listFact) Get(index ref.Val) ref.Val {
	i, err := types.IndexOrError(index)
	if err != nil {
		return types.WrapErr(err)
	}
	v, near := l.v.IndexNear(i, l.near.Load())
	l.near.Store(near)
	if !v.Exists() {
		return types.NewErr("index out of bounds: %d", i)
	}
	return Of(v)
}

func (l *listFact) Contains(item ref.Val) ref.Val {
	if s, ok := item.(types.String); ok {
		return types.Bool(hasText(l.v, string(s))) // no other kind equals a text
	}
	for _, v := range l.v.Items() {
		if types.Equal(Of(v), item) == types.True {
			return types.True
		}
	}
	return types.False
}

func (l *listFact) Add(other ref.Val) ref.Val {
	o, ok := other.(traits.Lister)
	if !ok {
		return types.MaybeNoSuchOverloadErr(other)
	}
	switch {
	case o.Size() == types.IntZero:
		return l
	case l.v.Len() == 0:
		return o
	}
	return Facts(slices.Concat(items(l), items(o)))
}

func (l *listFact) Size() ref.Val             { return types.Int(l.v.Len()) }
func (l *listFact) Iterator() traits.Iterator { return &itemIterator{cursor: l.v.Cursor()} }

func (l *listFact) Equal(other ref.Val) ref.Val {
	o, ok := other.(traits.Lister)
	if !ok || o.Size() != l.Size() {
		return types.False
	}
	theirs := items(o)
	for i, v := range l.v.Items() {
		if types.Equal(Of(v), theirs[i]) != types.True {
			return types.False
		}
	}
	return types.True
}

func (l *listFact) Type() ref.Type { return types.ListType }
func (l *listFact) Value() any     { return native(l.v) }

func (l *listFact) ConvertToNative(to reflect.Type) (any, error) {
	return types.DefaultTypeAdapter.NativeToValue(native(l.v)).ConvertToNative(to)
}

func (l *listFact) ConvertToType(to ref.Type) ref.Val {
	switch to {
	case types.ListType:
		return l
	case types.TypeType:
		return types.ListType
	}
	return types.NewErr("type conversion error from list to '%s'", to)
}

// facts is a list that is walked without asking for its items by their numbers.
type facts struct {
	traits.Lister
	list []ref.Val
}

func (f *facts) Iterator() traits.Iterator { return &iterator{items: f.list} }

// items is a list's items; not to be changed.
func items(l traits.Lister) []ref.Val {
	switch l := l.(type) {
	case *facts:
		return l.list
	case *listFact:
		list := make([]ref.Val, 0, l.v.Len())
		for _, v := range l.v.Items() {
			list = append(list, Of(v))
		}
		return list
	}
	var list []ref.Val
	for it := l.Iterator(); it.HasNext() == types.True; {
		list = append(list, it.Next())
	}
	return list
}

// native copies a document's value into Go maps and lists, for the few functions that want them.
func native(v document.Value) any {
	switch v.Kind() {
	case document.Map:
		m := make(map[string]any, v.Len())
		for key, entry := range v.Fields() {
			if entry.Kind() != document.Null {
				m[key] = native(entry)
			}
		}
		return m
	case document.List:
		list := make([]any, 0, v.Len())
		for _, item := range v.Items() {
			list = append(list, native(item))
		}
		return list
	default:
		if f := Of(v); f != types.NullValue {
			return f.Value()
		}
		return nil
	}
}

// walking is what all iterators answer as values, which no expression asks for.
type walking struct{}

func (walking) ConvertToNative(reflect.Type) (any, error) {
	return nil, errors.New("an iterator has no native form")
}
func (walking) ConvertToType(ref.Type) ref.Val { return types.NewErr("no such overload") }
func (walking) Equal(ref.Val) ref.Val          { return types.False }
func (walking) Type() ref.Type                 { return types.IteratorType }
func (walking) Value() any                     { return nil }

// iterator walks facts.
type iterator struct {
	walking
	items []ref.Val
	at    int
}

func (it *iterator) HasNext() ref.Val { return types.Bool(it.at < len(it.items)) }

func (it *iterator) Next() ref.Val {
	if it.at >= len(it.items) {
		return nil
	}
	it.at++
	return it.items[it.at-1]
}

// itemIterator walks a document's list; what is not asked for is not looked at.
type itemIterator struct {
	walking
	cursor document.Cursor
}

func (it *itemIterator) HasNext() ref.Val { return types.Bool(it.cursor.More()) }

func (it *itemIterator) Next() ref.Val {
	if !it.cursor.More() {
		return nil
	}
	return Of(it.cursor.Next())
}

// keyIterator walks the keys of a document's map, those of nulls left out.
type keyIterator struct {
	walking
	cursor document.Cursor
}

func (it *keyIterator) HasNext() ref.Val {
	for it.cursor.Peek().Kind() == document.Null {
		it.cursor.Next()
	}
	return types.Bool(it.cursor.More())
}

func (it *keyIterator) Next() ref.Val {
	if it.HasNext() != types.True {
		return nil
	}
	return types.String(it.cursor.Next().Key())
}

// lazyFact is a map whose entries are computed when they are read, each once. Most have few that
// are read, which a list finds faster than a map.
type lazyFact struct {
	entry func(string) (Fact, error)
	few   []lazyEntry
	many  map[string]Fact // those that few has no room for
}

type lazyEntry struct {
	name string
	fact Fact
}

const fewEntries = 8

func (l *lazyFact) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return nil, false
	}
	v := l.read(string(name))
	return v, v != nil
}

func (l *lazyFact) read(name string) Fact {
	for i := range l.few {
		if l.few[i].name == name {
			return l.few[i].fact
		}
	}
	if v, found := l.many[name]; found {
		return v
	}
	v, err := l.entry(name)
	if err != nil {
		v = types.WrapErr(err)
	}
	switch {
	case len(l.few) < fewEntries:
		l.few = append(l.few, lazyEntry{name, v})
	case l.many == nil:
		l.many = map[string]Fact{name: v}
	default:
		l.many[name] = v
	}
	return v
}

func (l *lazyFact) Get(key ref.Val) ref.Val {
	v, found := l.Find(key)
	if !found {
		return types.NewErr("no such key: %v", key.Value())
	}
	return v
}

func (l *lazyFact) Contains(key ref.Val) ref.Val {
	_, found := l.Find(key)
	return types.Bool(found)
}

func (l *lazyFact) Size() ref.Val             { return types.Int(len(l.few) + len(l.many)) }
func (l *lazyFact) Iterator() traits.Iterator { return &iterator{} }
func (l *lazyFact) Equal(other ref.Val) ref.Val {
	return types.Bool(ref.Val(l) == other)
}
func (l *lazyFact) Type() ref.Type { return types.MapType }
func (l *lazyFact) Value() any {
	known := maps.Clone(l.many)
	if known == nil {
		known = map[string]Fact{}
	}
	for _, e := range l.few {
		known[e.name] = e.fact
	}
	return known
}

func (l *lazyFact) ConvertToNative(reflect.Type) (any, error) {
	return nil, errors.New("a computed fact has no native form")
}
func (l *lazyFact) ConvertToType(ref.Type) ref.Val { return types.NewErr("no such overload") }

// Entry is one entry of a map, as the item of a rule's each: its key and its value. Who reads
// anything else of it expected the item of a list.
func Entry(key string, v document.Value) Fact {
	return Lazy(func(name string) (Fact, error) {
		switch name {
		case "key":
			return types.String(key), nil
		case "value":
			return Of(v), nil
		}
		return nil, &NotSeen{Reason: WrongType}
	})
}

func hasText(l document.Value, want string) bool {
	for _, item := range l.Items() {
		if item.Kind() == document.String && item.Text() == want {
			return true
		}
	}
	return false
}
