package document

import (
	"strings"
)

// hand is how the author of a document writes: what is added to it is written so too.
type hand struct {
	json    bool
	unit    string // one level of indentation
	dash    string // how far the dashes of a list stand behind the key above them
	newline string
	colon   string // in flow style: between a key and its value
	comma   string
}

// handOf looks at what is there: the first map in a map, the first list in a map.
func handOf(text string, root *spot, json bool) hand {
	h := hand{json: json, unit: "  ", newline: "\n", colon: ": ", comma: ", "}
	if strings.Contains(text, "\r\n") {
		h.newline = "\r\n"
	}
	if json {
		h.readJSON(text, root)
		return h
	}
	unit, dash := 0, -1
	var look func(s *spot)
	look = func(s *spot) {
		for _, c := range s.children {
			if s.form == isBlockMap && c.form == isBlockMap && unit == 0 {
				unit = c.column - s.column
			}
			if s.form == isBlockMap && c.form == isBlockList && dash < 0 {
				dash = c.column - s.column
			}
			if unit > 0 && dash >= 0 {
				return
			}
			look(c)
		}
	}
	look(root)
	if unit > 0 && unit <= 16 {
		h.unit = strings.Repeat(" ", unit)
	}
	if dash > 0 && dash <= 16 {
		h.dash = strings.Repeat(" ", dash)
	}
	return h
}

// readJSON finds JSON's indentation, "" where everything stands on one line.
func (h *hand) readJSON(text string, root *spot) {
	h.unit = ""
	for s := root; len(s.children) > 0; s = s.children[0] {
		c := s.children[0]
		if c.behind >= 0 && c.start == c.behind {
			h.colon = ":"
		}
		if lead := leading(text, c.begin); lead != "" && h.unit == "" {
			h.unit = strings.TrimPrefix(lead, indentOf(text, s.begin))
		}
	}
	for s := root; len(s.children) > 0; s = s.children[0] {
		if len(s.children) > 1 && s.children[0].end+1 == s.children[1].begin {
			h.comma = ","
		}
	}
}

// leading is the blanks that stand before an offset on its line; "" where more than blanks do.
func leading(text string, i int) string {
	lead := text[lineStart(text, i):i]
	if strings.Trim(lead, " \t") != "" {
		return ""
	}
	return lead
}

// entry is a key and its value, or an item, on lines of their own, each with its line's end.
func (h *hand) entry(n *draft, inMap bool, indent string) string {
	if inMap {
		return indent + scalarText(n.key) + ":" + h.behind(n, indent, h.dash)
	}
	if n.size() == 0 {
		return indent + "-" + h.behind(n, indent, h.unit)
	}
	inner := h.entries(n, indent+"  ")
	return indent + "- " + strings.TrimPrefix(inner, indent+"  ")
}

func (h *hand) entries(n *draft, indent string) string {
	var b strings.Builder
	for c := range n.live() {
		b.WriteString(h.entry(c, n.kind == Map, indent))
	}
	return b.String()
}

// behind is what stands behind a key's colon or a dash, to the end of its last line.
func (h *hand) behind(n *draft, indent, dash string) string {
	switch {
	case n.size() > 0 && n.kind == Map:
		return "\n" + h.entries(n, indent+h.unit)
	case n.size() > 0:
		return "\n" + h.entries(n, indent+dash)
	case n.kind == String && isProse(n.value.Text()):
		return h.prose(n.value.Text(), indent+h.unit)
	}
	return " " + h.flow(n, "") + "\n"
}

// isProse says whether a string is best written as a block of lines.
func isProse(s string) bool {
	body := strings.TrimSuffix(s, "\n")
	return strings.Contains(body, "\n") && tame(s) && !strings.HasPrefix(s, " ") && !strings.HasPrefix(s, "\n") &&
		!strings.HasSuffix(body, "\n") && !strings.Contains(s, " \n") && !strings.Contains(s, "\t")
}

func (h *hand) prose(s, indent string) string {
	head := " |-\n"
	if strings.HasSuffix(s, "\n") {
		head = " |\n"
	}
	var b strings.Builder
	b.WriteString(head)
	for line := range strings.Lines(strings.TrimSuffix(s, "\n")) {
		if line = strings.TrimSuffix(line, "\n"); line != "" {
			b.WriteString(indent + line)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// flow is a value on one line, or in JSON that has lines on several: lead is then the indentation of
// the line that it begins on.
func (h *hand) flow(n *draft, lead string) string {
	opening, closing := "{", "}"
	switch {
	case n.kind == List:
		opening, closing = "[", "]"
	case n.kind != Map:
		return h.scalar(n.value)
	}
	var parts []string
	for c := range n.live() {
		parts = append(parts, h.flowEntry(c, n.kind == Map, lead+h.unit))
	}
	if !h.json || h.unit == "" || len(parts) == 0 {
		return opening + strings.Join(parts, h.comma) + closing
	}
	return opening + "\n" + lead + h.unit + strings.Join(parts, ",\n"+lead+h.unit) + "\n" + lead + closing
}

func (h *hand) flowEntry(n *draft, inMap bool, lead string) string {
	if !inMap {
		return h.flow(n, lead)
	}
	return h.quotable(n.key) + h.colon + h.flow(n, lead)
}

func (h *hand) scalar(v Value) string {
	if v.Kind() == String {
		return h.quotable(v.Text())
	}
	return string(v.AppendJSON(nil))
}

// quotable is a string in JSON, or in YAML such that it means itself in any style.
func (h *hand) quotable(s string) string {
	if h.json {
		return string(appendString(nil, s))
	}
	text := scalarText(s)
	if text[0] != '"' && strings.ContainsAny(text, ",[]{}") {
		return string(appendString(nil, s))
	}
	return text
}
