package document

import (
	"bytes"
	"slices"
	"strconv"
	"unicode/utf8"
)

// AppendJSON appends the value as compact JSON, keys in the order of the text.
func (v Value) AppendJSON(dst []byte) []byte { return v.AppendJSONWithout(dst, nil) }

// AppendJSONWithout appends the value as compact JSON without the map entries that drop names;
// drop is given the entry's depth below v (1 for v's own entries), its key and its value.
func (v Value) AppendJSONWithout(dst []byte, drop func(depth int, key string, entry Value) bool) []byte {
	return v.appendJSON(dst, drop, 0)
}

func (v Value) appendJSON(dst []byte, drop func(int, string, Value) bool, depth int) []byte {
	switch v.Kind() {
	case Map:
		dst = append(dst, '{')
		first := true
		for key, entry := range v.Fields() {
			if drop != nil && drop(depth+1, key, entry) {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(appendString(dst, key), ':')
			dst = entry.appendJSON(dst, drop, depth+1)
		}
		return append(dst, '}')
	case List:
		dst = append(dst, '[')
		for i, item := range v.Items() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = item.appendJSON(dst, drop, depth+1)
		}
		return append(dst, ']')
	case String:
		return appendString(dst, v.Text())
	case Int, Float:
		return append(dst, v.Text()...)
	case Bool:
		return strconv.AppendBool(dst, v.Bool())
	case Missing, Null:
	}
	return append(dst, "null"...)
}

// AppendString appends a string in JSON's quotes.
func AppendString(dst []byte, s string) []byte { return appendString(dst, s) }

// appendString quotes by RFC 8259.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[from:i]...), "\ufffd"...)
				from = i + 1
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[from:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		from = i
	}
	return append(append(dst, s[from:]...), '"')
}

// AppendSorted appends the value as compact JSON with sorted keys: equal values give equal bytes.
func (v Value) AppendSorted(dst []byte) []byte {
	switch v.Kind() {
	case Map:
		keys := make([]string, 0, v.Len())
		for key := range v.Fields() {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		dst = append(dst, '{')
		for i, key := range keys {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = v.Get(key).AppendSorted(append(appendString(dst, key), ':'))
		}
		return append(dst, '}')
	case List:
		dst = append(dst, '[')
		for i, item := range v.Items() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = item.AppendSorted(dst)
		}
		return append(dst, ']')
	default:
		return v.AppendJSON(dst)
	}
}

// Equal says whether AppendSorted gives the same bytes of two values. Where entries stand in the same order, as in a copy that was
// changed a little, it makes nothing.
func Equal(a, b Value) bool {
	kind := max(a.Kind(), Null)
	if kind != max(b.Kind(), Null) || a.Len() != b.Len() {
		return false
	}
	switch kind {
	case Map, List:
		end := a.node().next
		for i, j := a.i+1, b.i+1; i < end; i, j = a.doc.nodes[i].next, b.doc.nodes[j].next {
			if kind == Map && a.doc.key(i) != b.doc.key(j) {
				return bytes.Equal(a.AppendSorted(nil), b.AppendSorted(nil))
			}
			if !Equal(Value{a.doc, i}, Value{b.doc, j}) {
				return false
			}
		}
		return true
	case Bool:
		return a.Bool() == b.Bool()
	default:
		return a.Text() == b.Text()
	}
}
