package document

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// YAML is the value as block YAML, keys in the order of the text: for people to read.
func YAML(v Value) string {
	var b strings.Builder
	if k := v.Kind(); k == Map && v.Len() > 0 || k == List && v.Len() > 0 {
		writeYAML(&b, v, "")
		return b.String()
	}
	writeScalar(&b, v)
	b.WriteByte('\n')
	return b.String()
}

func writeYAML(b *strings.Builder, v Value, indent string) {
	first := true
	begin := func() {
		if !first {
			b.WriteString(indent)
		}
		first = false
	}
	for key, entry := range v.Fields() {
		begin()
		b.WriteString(scalarText(key))
		b.WriteByte(':')
		switch {
		case entry.Kind() == Map && entry.Len() > 0:
			b.WriteString("\n" + indent + "  ")
			writeYAML(b, entry, indent+"  ")
		case entry.Kind() == List && entry.Len() > 0:
			b.WriteString("\n" + indent)
			writeYAML(b, entry, indent)
		default:
			b.WriteByte(' ')
			if lines, ok := blockText(entry); ok {
				b.WriteString("|-\n" + indent + "  " + strings.ReplaceAll(lines, "\n", "\n"+indent+"  ") + "\n")
				continue
			}
			writeScalar(b, entry)
			b.WriteByte('\n')
		}
	}
	for _, item := range v.Items() {
		begin()
		b.WriteString("- ")
		if k := item.Kind(); (k == Map || k == List) && item.Len() > 0 {
			writeYAML(b, item, indent+"  ")
			continue
		}
		writeScalar(b, item)
		b.WriteByte('\n')
	}
}

// blockText is a string of several lines, or one that quotes would make hard to read, that can
// stand in a block of its own, each line as it is.
func blockText(v Value) (string, bool) {
	if v.Kind() != String {
		return "", false
	}
	s := v.Text()
	if !strings.Contains(s, "\n") && (!strings.Contains(s, `"`) || len(s) < 40) || strings.ContainsAny(s, "\t\r") || !tame(strings.ReplaceAll(s, "\n", "")) {
		return "", false
	}
	for line := range strings.SplitSeq(s, "\n") {
		if line == "" || line != strings.TrimSpace(line) {
			return "", false
		}
	}
	return s, true
}

func writeScalar(b *strings.Builder, v Value) {
	switch v.Kind() {
	case String:
		b.WriteString(scalarText(v.Text()))
	default:
		b.Write(v.AppendJSON(nil))
	}
}

// scalarText is a string as a plain scalar where that means the same, else in JSON's quotes.
func scalarText(s string) string {
	plain := s != "" && plainStart(s) && s[len(s)-1] != ' ' && s[len(s)-1] != ':' && s != "<<" && !isMarker(s) && tame(s) &&
		!strings.Contains(s, ": ") && !strings.Contains(s, " #") && !strings.ContainsAny(s, "\n\t\"")
	if plain {
		if kind, ok := resolve(s); ok && kind == String {
			return s
		}
	}
	if tame(s) {
		return string(appendString(nil, s))
	}
	return quoteOdd(s)
}

// quoteOdd quotes a string with characters that JSON's quotes may hold as they are, and YAML's may
// not or would fold: control characters and the line breaks of Unicode.
func quoteOdd(s string) string {
	var b []byte
	for _, r := range s {
		switch {
		case r >= ' ' && !tame(string(r)) && r != utf8.RuneError:
			b = fmt.Appendf(b, "\\u%04x", r)
		default:
			quoted := appendString(nil, string(r))
			b = append(b, quoted[1:len(quoted)-1]...)
		}
	}
	return `"` + string(b) + `"`
}
