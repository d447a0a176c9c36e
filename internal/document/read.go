package document

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// Read reads every document of a text, in order, on up to width goroutines. What cannot be read
// is an Error of its own and leaves the other documents alone. Empty documents are left out.
func Read(t *Text, width int) ([]*Doc, []*Error) {
	if len(t.content) > MaxText {
		return nil, []*Error{t.errorAt(0, CodeTooLarge, "a text of over 4 GiB", "Split the file.")}
	}
	if looksJSON(t.content) {
		return readJSON(t, width)
	}
	return readParts(t, split(t.content), width)
}

// readJSON reads text that looks like JSON as such, and as YAML where it is none.
func readJSON(t *Text, width int) ([]*Doc, []*Error) {
	docs, fault := parseJSONStream(t, maxDepth)
	if fault == nil {
		return docs, nil
	}
	if fault.Code == CodeTooLarge {
		return docs, []*Error{fault}
	}
	read, errs := readParts(t, split(t.content), width)
	broken := len(read) == 0 && len(errs) == 1 && (errs[0].Code == CodeSyntax || len(t.content) > maxForeign)
	if broken && (len(docs) > 0 || quotesFirst(t.content)) {
		return docs, []*Error{fault} // it was meant as JSON, and the fault's place is exact
	}
	return read, errs
}

// quotesFirst says whether the text begins as JSON does and YAML rarely: with a quoted key or item.
func quotesFirst(s string) bool { return strings.HasPrefix(strings.TrimLeft(s, " \t\r\n{["), `"`) }

// looksJSON says whether the text begins with a JSON object or list. YAML's flow style does too:
// what is no JSON is read as YAML.
func looksJSON(s string) bool {
	s = strings.TrimLeft(s, " \t\r\n")
	return strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[")
}

type part struct{ start, end int }

// split cuts a YAML stream at its document markers, "---" and "...". Text behind "..." that
// begins without "---" is a document too (kubectl ignores it, the library refuses it). A %YAML
// directive is passed over: what 1.2 changed, manifests do not use.
func split(s string) []part {
	next, length := nextMarker, lineLen
	if oddBreaks(s) {
		next, length = nextMarkerOdd, lineLenOdd
	}
	var parts []part
	start := 0
	for at := 0; at < len(s); {
		if isMarker(s[at:]) {
			if hasContent(s[start:at]) {
				parts = append(parts, part{start, at})
				start = at
			}
			end := at + length(s[at:])
			rest := strings.Trim(s[at+3:end], " \t\n"+odd)
			if (rest == "" || rest[0] == '#' && !strings.ContainsAny(rest, odd)) && !hasTags(s[start:at]) {
				start = end
			}
		}
		n := next(s[at:])
		if n < 0 {
			break
		}
		at += n
	}
	if hasContent(s[start:]) || hasDirective(s[start:]) {
		parts = append(parts, part{start, len(s)})
	}
	return parts
}

// odd are the line breaks of YAML that are not LF (YAML 1.1, section 4.1.4).
const odd = "\r\u0085\u2028\u2029"

// lineLen is the length of the first line, its end included.
func lineLen(s string) int {
	if n := strings.IndexByte(s, '\n'); n >= 0 {
		return n + 1
	}
	return len(s)
}

// nextMarker is the offset of the next line, after the first, that is a marker; -1 for none.
func nextMarker(s string) int {
	for at := 0; ; {
		n := strings.IndexByte(s[at:], '\n')
		if n < 0 {
			return -1
		}
		at += n + 1
		if isMarker(s[at:]) {
			return at
		}
	}
}

// oddBreaks says whether the text may have a marker behind an odd line break.
func oddBreaks(s string) bool {
	for _, marker := range [...]string{"\r---", "\r...", "\u0085---", "\u0085...", "\u2028---", "\u2028...", "\u2029---", "\u2029..."} {
		if strings.Contains(s, marker) {
			return true
		}
	}
	return false
}

// lineLenOdd is lineLen for all of YAML's line breaks; a CR LF counts as two.
func lineLenOdd(s string) int {
	for i, r := range s {
		switch r {
		case '\n', '\r', 0x85, 0x2028, 0x2029:
			return i + utf8.RuneLen(r)
		}
	}
	return len(s)
}

// nextMarkerOdd is nextMarker for all of YAML's line breaks.
func nextMarkerOdd(s string) int {
	for at := 0; at < len(s); {
		if at += lineLenOdd(s[at:]); isMarker(s[at:]) {
			return at
		}
	}
	return -1
}

func isMarker(s string) bool {
	if !strings.HasPrefix(s, "---") && !strings.HasPrefix(s, "...") {
		return false
	}
	if len(s) == 3 || s[3] == '\n' || s[3] == ' ' {
		return true
	}
	return strings.HasPrefix(s[3:], "\t") || lineBreak(s[3:])
}

// lineBreak says whether the text begins with any of YAML's line breaks.
func lineBreak(s string) bool {
	return strings.HasPrefix(s, "\n") || strings.HasPrefix(s, "\r") ||
		strings.HasPrefix(s, "\u0085") || strings.HasPrefix(s, "\u2028") || strings.HasPrefix(s, "\u2029")
}

// hasContent says whether there is more than blank lines, comments and directives. Behind an odd
// line break a comment may end and content begin: the library is to decide.
func hasContent(s string) bool {
	for line := range strings.Lines(s) {
		line = strings.Trim(line, " \t\r\n")
		if line != "" && line[0] != '#' && line[0] != '%' || strings.ContainsAny(line, odd) {
			return true
		}
	}
	return false
}

// hasDirective says whether there is a directive.
func hasDirective(s string) bool { return strings.HasPrefix(s, "%") || strings.Contains(s, "\n%") }

// hasTags says whether there is a directive that the document behind it needs.
func hasTags(s string) bool { return strings.HasPrefix(s, "%TAG") || strings.Contains(s, "\n%TAG") }

// readParts reads the parts on up to width goroutines; each takes the next part that is left.
func readParts(t *Text, parts []part, width int) ([]*Doc, []*Error) {
	var tooMany *Error
	if len(parts) > maxDocuments {
		tooMany = t.tooMany(parts[maxDocuments].start)
		parts = parts[:maxDocuments]
	}
	docs := make([]*Doc, len(parts))
	errs := make([]*Error, len(parts))
	work := func(next func() int) {
		b := blocks.Get().(*block)
		defer blocks.Put(b)
		for i := next(); i < len(parts); i = next() {
			docs[i], errs[i] = readPart(t, parts[i], b)
		}
	}
	if width = min(width, len(parts)); width > 1 {
		var taken atomic.Int64
		var group sync.WaitGroup
		for range width {
			group.Go(func() { work(func() int { return int(taken.Add(1)) - 1 }) })
		}
		group.Wait()
	} else {
		i := -1
		work(func() int { i++; return i })
	}
	return compact(docs), compact(append(errs, tooMany))
}

// maxDocuments bounds the documents of one text: each costs time and memory that its size, which
// may be two bytes, does not tell. The largest clusters have some hundred thousand objects.
const maxDocuments = 1 << 20

func (t *Text) tooMany(offset int) *Error {
	return t.errorAt(offset, CodeTooLarge, fmt.Sprintf("more than %d documents in one text", maxDocuments), "Split the file.")
}

// blocks keeps the scratch memory of readers.
var blocks = sync.Pool{New: func() any { return new(block) }}

func compact[T any](list []*T) []*T {
	kept := list[:0]
	for _, item := range list {
		if item != nil {
			kept = append(kept, item)
		}
	}
	return kept
}

func readPart(t *Text, p part, b *block) (*Doc, *Error) {
	if tame(t.content[p.start:p.end]) && b.readBlock(t.content, p.start, p.end) {
		d := &Doc{text: t.content, source: t, start: uint32(p.start), end: uint32(p.end)}
		d.take(b.nodes, b.side)
		if len(d.nodes) == 0 {
			return nil, nil
		}
		return d, nil
	}
	d, err := readForeign(t, p.start, p.end)
	if err != nil || len(d.nodes) == 0 {
		return nil, err
	}
	return d, nil
}
