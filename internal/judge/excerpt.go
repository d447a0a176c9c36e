package judge

import (
	"strings"

	"github.com/coaming/coaming/internal/credential"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

const (
	before = 2 // lines shown before the faulty one
	after  = 2 // lines shown behind it
	widest = 300
	masked = "[masked]"
)

// excerpt is the lines around the fault, with every credential masked; nil where it cannot be
// told which part of the text is one.
func excerpt(o *fact.Object, at document.Value, line int) *verdict.Excerpt {
	d := at.Doc()
	if d == nil || d.Source() == nil {
		return nil
	}
	text := d.Source()
	first, last := objectLines(o, text)
	e := &verdict.Excerpt{First: max(first, line-before), Marked: line}
	last = min(last, line+after)
	hidden, ok := hiddenParts(o, text, e.First, last)
	if !ok {
		return nil
	}
	for n := e.First; n <= last; n++ {
		e.Lines = append(e.Lines, cut(maskLine(hidden.apply(text, n))))
	}
	for n := len(e.Lines); n > 1 && strings.TrimSpace(e.Lines[n-1]) == "" && e.First+n-1 > line; n-- {
		e.Lines = e.Lines[:n-1]
	}
	return e
}

// most is how many lines of a served object's value are shown.
const most = 6

// fragment is the value itself as YAML, under the last keys of its path, with every credential masked.
func fragment(o *fact.Object, at document.Value, steps []document.Step) *verdict.Excerpt {
	from := max(0, len(steps)-2)
	e := &verdict.Excerpt{First: 1}
	indent := ""
	v := o.Root.Follow(steps[:from])
	for _, s := range steps[from:] {
		line := indent + "- "
		if v.Kind() == document.Map {
			line = indent + s.Key + ":"
		}
		e.Lines = append(e.Lines, line)
		v, indent = v.Follow([]document.Step{s}), indent+"  "
	}
	if len(e.Lines) == 0 {
		return nil
	}
	e.Marked = len(e.Lines)
	if k := at.Kind(); k != document.Map && k != document.List {
		e.Lines[e.Marked-1] += " " + shownScalar(o, at)
		return e
	}
	n := 0
	for key, entry := range at.Fields() {
		if n++; n > most {
			e.Lines = append(e.Lines, indent+"…")
			break
		}
		text := "…"
		if k := entry.Kind(); k != document.Map && k != document.List {
			text = shownScalar(o, entry)
		}
		e.Lines = append(e.Lines, cut(indent+key+": "+text))
	}
	return e
}

func shownScalar(o *fact.Object, v document.Value) string {
	if v.Kind() == document.String && isSecret(o, document.Leaf{Value: v, Key: v.Key()}) {
		return masked
	}
	text := strings.TrimSuffix(document.YAML(v), "\n")
	if maskLine("x: "+text) != "x: "+text {
		return masked
	}
	return cut(text)
}

func cut(line string) string {
	if len(line) <= widest {
		return line
	}
	end := widest
	for end > 0 && line[end]&0xc0 == 0x80 {
		end--
	}
	return line[:end] + "…"
}

// parts are ranges of the source, in order.
type parts []struct{ start, end int }

// hiddenParts finds the credentials in a range of lines; ok is false where positions are not known
// and there is something to hide.
func hiddenParts(o *fact.Object, text *document.Text, first, last int) (parts, bool) {
	if _, _, known := o.Root.Extent(); !known {
		return nil, o.Kind != "Secret" && !holdsCredential(o.Root, 0)
	}
	var hidden parts
	for _, leaf := range o.Root.Leaves(text.Offset(first), text.Offset(last+1)) {
		if leaf.Value.Kind() != document.String || !isSecret(o, leaf) {
			continue
		}
		start := leaf.Start
		if leaf.Key != "" {
			start += len(leaf.Key) + 1
			if colon := strings.IndexByte(text.Content()[start-1:min(leaf.End, len(text.Content()))], ':'); colon >= 0 {
				start += colon
			}
		}
		hidden = append(hidden, struct{ start, end int }{start, leaf.End})
	}
	return hidden, true
}

// isSecret says whether a scalar is a credential by its form, by the name it stands under, or
// because everything in its place is one.
func isSecret(o *fact.Object, leaf document.Leaf) bool {
	value := leaf.Value.Text()
	if leaf.Key == "kubectl.kubernetes.io/last-applied-configuration" {
		return true
	}
	parent := leaf.Value.Parent()
	if o.Kind == "Secret" && (parent.Key() == "data" || parent.Key() == "stringData") {
		return true
	}
	key := leaf.Key
	switch {
	case key == "value":
		key = parent.Get("name").Str()
	case key == "" && parent.Kind() == document.List:
		key = flagBefore(parent, leaf.Value)
	}
	return credential.Kind(key, value) != credential.None || credential.ByForm(credential.Decode(value)) != credential.None
}

// flagBefore is the flag that stands before an item of an argument list: --password, then hunter2.
func flagBefore(list, item document.Value) string {
	previous := ""
	for _, v := range list.Items() {
		if v == item {
			break
		}
		previous = v.Str()
	}
	if !strings.HasPrefix(previous, "-") || strings.Contains(previous, "=") {
		return ""
	}
	return strings.TrimLeft(previous, "-")
}

// holdsCredential looks through a whole object.
func holdsCredential(v document.Value, depth int) bool {
	if depth > 100 {
		return true
	}
	for key, entry := range v.Fields() {
		if key == "value" {
			key = v.Get("name").Str()
		}
		if entry.Kind() == document.String && (credential.Kind(key, entry.Str()) != credential.None || strings.HasSuffix(key, "last-applied-configuration")) ||
			holdsCredential(entry, depth+1) {
			return true
		}
	}
	for _, item := range v.Items() {
		if item.Kind() == document.String && credential.Kind(flagBefore(v, item), item.Str()) != credential.None || holdsCredential(item, depth+1) {
			return true
		}
	}
	return false
}

// apply is a line of the text with what is hidden of it masked.
func (p parts) apply(text *document.Text, n int) string {
	line := text.Line(n)
	start := text.Offset(n)
	end := start + len(line)
	for i := len(p) - 1; i >= 0; i-- {
		if p[i].start >= end || p[i].end <= start {
			continue
		}
		from, to := max(p[i].start-start, 0), min(p[i].end-start, len(line))
		if p[i].start < start {
			from = len(line) - len(strings.TrimLeft(line, " "))
			from = min(from, to)
		}
		rest := line[from:to]
		if strings.TrimSpace(rest) == "" {
			continue
		}
		line = line[:from] + " " + masked + line[to:]
	}
	return line
}

// maskLine masks what looks like "name: credential" or "name=credential" in a line by itself: in
// comments, and in configuration files that stand inside a scalar.
func maskLine(line string) string {
	if strings.Contains(line, masked) {
		return line
	}
	if credential.ByForm(line) != credential.None {
		indent := len(line) - len(strings.TrimLeft(line, " -"))
		if at := strings.IndexAny(line, ":="); at > 0 && credential.ByForm(line[:at]) == credential.None {
			return line[:at+1] + " " + masked
		}
		return line[:indent] + masked
	}
	for at := 0; at < len(line); at++ {
		if line[at] != ':' && line[at] != '=' {
			continue
		}
		key := strings.Trim(line[:at], " \t\"'#-{,")
		if space := strings.LastIndexAny(key, " \t,{\"'"); space >= 0 {
			key = key[space+1:]
		}
		value := strings.Trim(line[at+1:], " \t\"',}")
		if credential.Kind(key, value) != credential.None {
			return line[:at+1] + " " + masked
		}
	}
	return line
}
