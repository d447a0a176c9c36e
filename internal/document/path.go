package document

import (
	"strconv"
	"strings"
)

// PathText is the path that steps lead from v, as people read it: spec.containers[web].image. item says
// what stands in the brackets of a list's item. The end of the path need not exist.
func (v Value) PathText(steps []Step, item func(item Value, index int) string) string {
	var room [256]byte
	b := room[:0]
	for _, s := range steps {
		if v.Kind() == List && s.Key == "" {
			v = v.Index(s.Index)
			b = append(append(append(b, '['), item(v, s.Index)...), ']')
			continue
		}
		v = v.Get(s.Key)
		switch {
		case strings.ContainsAny(s.Key, ".[]"):
			b = append(append(append(b, '['), s.Key...), ']')
		case len(b) > 0:
			b = append(append(b, '.'), s.Key...)
		default:
			b = append(b, s.Key...)
		}
	}
	return string(b)
}

// ItemName is a list's item by its name, or by its index where it has none.
func ItemName(item Value, index int) string {
	if name := item.Get("name").Str(); name != "" {
		return name
	}
	return strconv.Itoa(index)
}
