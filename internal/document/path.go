package document

import (
	"strconv"
	"strings"
)

// PathText is the path that steps lead from v, as people read it, list items by name:
// spec.containers[web].image. The end of the path need not exist.
func (v Value) PathText(steps []Step) string {
	var room [256]byte
	b := room[:0]
	for _, s := range steps {
		if v.Kind() != List || s.Key != "" {
			b = AppendKey(b, s.Key)
			v = v.Get(s.Key)
			continue
		}
		v = v.Index(s.Index)
		b = append(append(append(b, '['), ItemName(v, s.Index)...), ']')
	}
	return string(b)
}

// AppendKey appends a key as a path shows it; one with dots in it stands in brackets.
func AppendKey(path []byte, key string) []byte {
	if strings.ContainsAny(key, ".[]") {
		return append(append(append(path, '['), key...), ']')
	}
	if len(path) > 0 {
		path = append(path, '.')
	}
	return append(path, key...)
}

// ItemName is a list's item by its name, or by its index where it has none.
func ItemName(item Value, index int) string {
	if name := item.Get("name").Str(); name != "" {
		return name
	}
	return strconv.Itoa(index)
}
