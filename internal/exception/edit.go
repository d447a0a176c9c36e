package exception

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/verdict"
)

// fileHead begins a new file of exceptions.
const fileHead = `# Findings that may stay for a while: whose they are, why, and until when. docs/exceptions.md
exceptions:
`

const blockRemedy = "Write the list in block style, each exception beginning with '- rules:' on a line of its own."

// Append is a file's text with one more exception at its end; everything else stays as it stands.
// notes are comments behind the fingerprints, by fingerprint.
func Append(name, text string, e *verdict.Exception, notes map[string]string) (string, error) {
	before, err := File(name, text)
	if err != nil {
		return "", err
	}
	edited, err := appended(text, e, notes)
	if err != nil {
		return "", fmt.Errorf("edit %s: %w", name, err)
	}
	after, err := File(name, edited)
	if err != nil || !isOneMore(before, after, e) {
		return "", fmt.Errorf("edit %s: %w", name, &verdict.RemedyError{Err: errors.New("the list cannot be added to as it is written"), Remedy: blockRemedy})
	}
	return edited, nil
}

// isOneMore says whether after is before with that exception in some place.
func isOneMore(before, after []verdict.Exception, e *verdict.Exception) bool {
	if len(after) != len(before)+1 {
		return false
	}
	at := 0
	for at < len(before) && sameRecords(before[at:at+1], after[at:at+1]) {
		at++
	}
	return sameRecords(after[at:at+1], []verdict.Exception{*e}) && sameRecords(before[at:], after[at+1:])
}

func appended(text string, e *verdict.Exception, notes map[string]string) (string, error) {
	list, doc := findList(text)
	if doc == nil {
		if strings.TrimSpace(text) == "" {
			return fileHead + item(e, 0, notes), nil
		}
		return endLine(text) + "---\nexceptions:\n" + item(e, 0, notes), nil
	}
	_, end := doc.Span()
	indent := 0
	switch first := list.Index(0); {
	case first.Exists():
		lines, ok := dash(doc.Source(), first)
		if !ok {
			return "", &verdict.RemedyError{Err: errors.New("the list is not in block style"), Remedy: blockRemedy}
		}
		indent = lines.indent
	default: // exceptions: or exceptions: []
		line, _ := list.Position()
		at := doc.Source().Offset(line)
		own := doc.Source().Line(line)
		text = text[:at] + strings.Replace(own, "[]", "", 1) + text[at+len(own):]
		end -= len(own) - len(strings.Replace(own, "[]", "", 1))
	}
	return endLine(text[:end]) + item(e, indent, notes) + text[end:], nil
}

func endLine(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}

// findList is the list of exceptions and its document; nil when there is none.
func findList(text string) (document.Value, *document.Doc) {
	docs, _ := document.Read(document.NewText(text), 1)
	for _, d := range docs {
		if list := d.Root().Get("exceptions"); list.Exists() && !d.Root().Get("kind").Exists() {
			return list, d
		}
	}
	return document.Value{}, nil
}

// lines is where an item of a block list stands.
type lines struct {
	first, indent int // the number of the line with its dash, and the columns before that
}

// dash finds the dash of an item: on the item's own line, behind white space alone.
func dash(t *document.Text, item document.Value) (lines, bool) {
	line, column := item.Position()
	if line == 0 {
		return lines{}, false
	}
	before := t.Line(line)[:column-1]
	indent := strings.IndexByte(before, '-')
	if indent < 0 || strings.TrimSpace(before) != "-" || strings.Contains(before, "\t") {
		return lines{}, false
	}
	return lines{line, indent}, true
}

// Remove is a file's text without the exceptions for which drop is true, by their place in the list
// of File. Comments between exceptions stay. kept are those that it cannot remove: objects.
func Remove(name, text string, drop func(i int, e *verdict.Exception) bool) (edited string, removed, kept []verdict.Exception, err error) {
	all, err := File(name, text)
	if err != nil {
		return "", nil, nil, err
	}
	list, doc := findList(text)
	var rest []verdict.Exception
	gone := map[int]bool{} // by the line of the item
	for i := range all {
		switch e := &all[i]; {
		case !drop(i, e):
			rest = append(rest, *e)
		case doc == nil || !slices.ContainsFunc(slices.Collect(valuesOf(list)), func(v document.Value) bool { line, _ := v.Position(); return line == e.Location.Line }):
			rest, kept = append(rest, *e), append(kept, *e)
		default:
			gone[e.Location.Line] = true
			removed = append(removed, *e)
		}
	}
	if len(removed) == 0 {
		return text, nil, kept, nil
	}
	edited, ok := without(list, doc, text, gone)
	after, err := File(name, edited)
	if !ok || err != nil || !sameRecords(after, rest) {
		return "", nil, nil, &verdict.RemedyError{Err: fmt.Errorf("edit %s: the list cannot be shortened as it is written", name), Remedy: blockRemedy}
	}
	return edited, removed, kept, nil
}

func valuesOf(list document.Value) func(func(document.Value) bool) {
	return func(yield func(document.Value) bool) {
		for _, v := range list.Items() {
			if !yield(v) {
				return
			}
		}
	}
}

// without is the text less the items that begin on those lines. What stands in an item is indented
// more than its dash; comments that are not, and blank lines at its end, are kept.
func without(list document.Value, doc *document.Doc, text string, gone map[int]bool) (string, bool) {
	t := doc.Source()
	_, end := doc.Span()
	var starts []lines
	for _, v := range list.Items() {
		l, ok := dash(t, v)
		if !ok {
			return "", false
		}
		starts = append(starts, l)
	}
	var b strings.Builder
	at := 0
	for i, l := range starts {
		if !gone[l.first] {
			continue
		}
		b.WriteString(text[at:t.Offset(l.first)])
		at = end
		if i+1 < len(starts) {
			at = t.Offset(starts[i+1].first)
		}
		b.WriteString(keptOf(text[t.Offset(l.first):at], l.indent))
	}
	b.WriteString(text[at:])
	return b.String(), true
}

func keptOf(item string, indent int) string {
	var b strings.Builder
	blank := ""
	for line := range strings.Lines(item) {
		text := strings.TrimLeft(line, " ")
		switch {
		case strings.TrimSpace(line) == "":
			blank += line
		case text[0] == '#' && len(line)-len(text) <= indent:
			b.WriteString(blank + line)
			blank = ""
		default:
			blank = ""
		}
	}
	return b.String() + blank
}

// item is an exception for fingerprints as an item of a block list.
func item(e *verdict.Exception, indent int, notes map[string]string) string {
	var b strings.Builder
	lead := strings.Repeat(" ", indent)
	line := func(key, value string) {
		if value != "" {
			b.WriteString(lead + "  " + key + ": " + value + "\n")
		}
	}
	b.WriteString(lead + "- rules: [" + strings.Join(e.Rules, ", ") + "]\n" + lead + "  fingerprints:\n")
	for _, f := range e.Fingerprints {
		b.WriteString(lead + `  - "` + f + `"`)
		if note := notes[f]; note != "" {
			b.WriteString(" # " + oneLine(note))
		}
		b.WriteByte('\n')
	}
	if e.AtMost > 0 {
		line("atMost", strconv.Itoa(e.AtMost))
	}
	line("owner", scalar(e.Owner))
	line("reason", scalar(e.Reason))
	line("expires", e.Expires.Format("2006-01-02"))
	line("ticket", scalar(e.Ticket))
	return b.String()
}

var plainScalar = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./@()-]*( [A-Za-z0-9_./@(),;-]+)*$`)

// words that mean something else than themselves without quotes.
var notPlain = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}

// scalar is a text as YAML on one line.
func scalar(s string) string {
	if s == "" || plainScalar.MatchString(s) && !slices.Contains(notPlain, strings.ToLower(s)) {
		return s
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil { // no string is refused
		return `""`
	}
	return strings.TrimSpace(b.String())
}

// sameRecords says whether the records are equal but for where they stand.
func sameRecords(a, b []verdict.Exception) bool {
	return slices.EqualFunc(a, b, func(x, y verdict.Exception) bool {
		x.Location, y.Location = verdict.Location{}, verdict.Location{}
		x.Grant, y.Grant = "", ""
		return reflect.DeepEqual(x, y)
	})
}
