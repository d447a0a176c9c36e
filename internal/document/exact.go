package document

import "encoding/binary"

// AppendExact appends an encoding of the value: two values have the same bytes only if whoever
// reads them cannot tell them apart, the order of their entries included. It is for comparing within one
// process, and no format.
func AppendExact(b []byte, v Value) []byte {
	kind := v.Kind()
	b = append(b, byte(kind))
	switch kind {
	case Bool:
		if v.Bool() {
			return append(b, 1)
		}
		return append(b, 0)
	case Int, Float, String:
		return appendSized(b, v.Text())
	case Map:
		b = binary.AppendUvarint(b, uint64(v.Len()))
		for key, entry := range v.Fields() {
			b = AppendExact(appendSized(b, key), entry)
		}
	case List:
		b = binary.AppendUvarint(b, uint64(v.Len()))
		for _, item := range v.Items() {
			b = AppendExact(b, item)
		}
	case Missing, Null:
	}
	return b
}

func appendSized(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
