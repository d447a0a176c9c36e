package document

import (
	"strconv"
	"strings"
)

// PathText is the path that steps lead from v, as people read it: spec.containers[web].image. item says
// what stands in the brackets of a list's item. The end of the path need not exist.
func (v Value) PathText(steps []Step, item func(item Value, index int) string) string {
	var b strings.Builder
	for _, s := range steps {
		if v.Kind() == List && s.Key == "" {
			v = v.Index(s.Index)
			b.WriteString("[" + item(v, s.Index) + "]")
			continue
		}
		v = v.Get(s.Key)
		switch {
		case strings.ContainsAny(s.Key, ".[]"):
			b.WriteString("[" + s.Key + "]")
		case b.Len() > 0:
			b.WriteString("." + s.Key)
		default:
			b.WriteString(s.Key)
		}
	}
	return b.String()
}

// ItemName is a list's item by its name, or by its index where it has none.
func ItemName(item Value, index int) string {
	if name := item.Get("name").Str(); name != "" {
		return name
	}
	return strconv.Itoa(index)
}
