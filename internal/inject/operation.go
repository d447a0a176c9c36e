package inject

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fix"
)

// Operation is one step of a JSON patch (RFC 6902): add, remove or replace.
type Operation struct {
	Op, Path string
	// Value is what encoding/json makes of JSON; remove has none.
	Value any
}

// MarshalJSON writes the operation as RFC 6902 wants it: a remove has no value, and every other one has, were it null.
func (o Operation) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	fmt.Fprintf(&b, `{"op":%q,"path":`, o.Op)
	if err := encoder.Encode(o.Path); err != nil {
		return nil, fmt.Errorf("write the path of a patch: %w", err)
	}
	if o.Op != "remove" {
		b.WriteString(`,"value":`)
		if err := encoder.Encode(o.Value); err != nil {
			return nil, fmt.Errorf("write the value of a patch: %w", err)
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// escape is a key as a part of a JSON pointer (RFC 6901, section 3).
func escape(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}

// pointer is a path as a JSON pointer.
func pointer(path []string) string {
	var b strings.Builder
	for _, key := range path {
		b.WriteString("/" + escape(key))
	}
	return b.String()
}

// sheet is an object on its way to another one: every change is made in the tree and noted as an operation, so that the
// operations, applied to the object as it was, give the tree. Items of lists are named by their indices.
type sheet struct {
	root any
	ops  []Operation
}

// newSheet begins with a copy of a value.
func newSheet(v document.Value) *sheet { return &sheet{root: treeOf(v)} }

// treeOf is a value as encoding/json reads it, numbers to the letter.
func treeOf(v document.Value) any {
	switch v.Kind() {
	case document.Map:
		tree := make(map[string]any, v.Len())
		for key, entry := range v.Fields() {
			tree[key] = treeOf(entry)
		}
		return tree
	case document.List:
		list := make([]any, 0, v.Len())
		for _, item := range v.Items() {
			list = append(list, treeOf(item))
		}
		return list
	case document.String:
		return v.Text()
	case document.Int, document.Float:
		return json.Number(v.Text())
	case document.Bool:
		return v.Bool()
	default:
		return nil
	}
}

// value is the tree as a document.
func (s *sheet) value() (document.Value, error) {
	text, err := json.Marshal(s.root)
	if err != nil {
		return document.Value{}, fmt.Errorf("write the object: %w", err)
	}
	doc, fault := document.ParseJSON(string(text))
	if fault != nil {
		return document.Value{}, fault
	}
	return doc.Root(), nil
}

// child is what stands under a key, or at an index; nil for nothing and for null.
func child(v any, key string) any {
	switch v := v.(type) {
	case map[string]any:
		return v[key]
	case []any:
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(v) {
			return v[i]
		}
	}
	return nil
}

// at is what stands at a path; nil for nothing and for null.
func (s *sheet) at(path ...string) any {
	v := s.root
	for _, key := range path {
		v = child(v, key)
	}
	return v
}

// list is the list at a path, text the text.
func (s *sheet) list(path ...string) []any {
	list, _ := s.at(path...).([]any)
	return list
}

func (s *sheet) text(path ...string) string {
	text, _ := s.at(path...).(string)
	return text
}

// put makes the value at a path; maps that are missing on the way, or null, are made with it.
func (s *sheet) put(value any, path ...string) error {
	n := 0
	parent := s.root
	for n < len(path)-1 {
		next := child(parent, path[n])
		if next == nil {
			break
		}
		parent = next
		n++
	}
	value = clone(value)
	for _, key := range slices.Backward(path[n+1:]) {
		value = map[string]any{key: value}
	}
	o := Operation{Op: "add", Path: pointer(path[:n+1]), Value: clone(value)}
	switch parent := parent.(type) {
	case map[string]any:
		if _, there := parent[path[n]]; there {
			o.Op = "replace"
		}
		parent[path[n]] = value
	case []any:
		i, err := strconv.Atoi(path[n])
		if err != nil || i < 0 || i >= len(parent) {
			return fmt.Errorf("%s is a list and has no item %q", pointer(path[:n]), path[n])
		}
		o.Op = "replace"
		parent[i] = value
	default:
		return fmt.Errorf("%s is no map: the API server would refuse the object", pointer(path[:n]))
	}
	s.ops = append(s.ops, o)
	return nil
}

// insert puts an item into a list, before the index-th; a list that is missing, or null, is made.
func (s *sheet) insert(item any, index int, path ...string) error {
	switch list := s.at(path...).(type) {
	case nil:
		return s.put([]any{item}, path...)
	case []any:
		index = min(index, len(list))
		s.reset(slices.Insert(slices.Clone(list), index, clone(item)), path)
		s.ops = append(s.ops, Operation{Op: "add", Path: pointer(path) + "/" + strconv.Itoa(index), Value: clone(item)})
		return nil
	default:
		return fmt.Errorf("%s is no list: the API server would refuse the object", pointer(path))
	}
}

// remove takes an item out of a list that is there.
func (s *sheet) remove(index int, path ...string) {
	s.reset(slices.Delete(slices.Clone(s.list(path...)), index, index+1), path)
	s.ops = append(s.ops, Operation{Op: "remove", Path: pointer(path) + "/" + strconv.Itoa(index)})
}

// reset exchanges a value that is there, without an operation.
func (s *sheet) reset(value any, path []string) {
	last := path[len(path)-1]
	switch parent := s.at(path[:len(path)-1]...).(type) {
	case map[string]any:
		parent[last] = value
	case []any:
		if i, err := strconv.Atoi(last); err == nil {
			parent[i] = value
		}
	}
}

// clone copies a tree: templates are shared by all pods.
func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := maps.Clone(v)
		for key, entry := range out {
			out[key] = clone(entry)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = clone(item)
		}
		return out
	}
	return v
}

// become makes the tree another object, by the operations between the two: fields that go, fields that come, and items of
// lists that change or come behind the others.
func (s *sheet) become(before, after document.Value) {
	for _, o := range fix.Operations(before, after) {
		if o.Op == "test" {
			continue // what is patched is what was read
		}
		var value any
		if o.Op != "remove" {
			value = treeOf(o.Value)
		}
		s.ops = append(s.ops, Operation{Op: o.Op, Path: o.Path, Value: value})
	}
	s.root = treeOf(after)
}
