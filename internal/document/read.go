package document

import (
	"strings"
	"sync"
	"sync/atomic"
)

// Read reads every document of a text, in order, on up to width goroutines. What cannot be read
// is an Error of its own and leaves the other documents alone. Empty documents are left out.
func Read(t *Text, width int) ([]*Doc, []*Error) {
	if len(t.content) > MaxText {
		return nil, []*Error{t.errorAt(0, CodeTooLarge, "a text of over 4 GiB", "Split the file.")}
	}
	if looksJSON(t.content) {
		docs, err := parseJSONStream(t)
		if err == nil {
			return docs, nil
		}
		if err.Code == CodeTooLarge || len(t.content) > maxForeign {
			return docs, []*Error{err}
		}
	}
	return readParts(t, split(t.content), width)
}

// looksJSON says whether the text begins with a JSON object or list. YAML's flow style does too:
// what is no JSON is read as YAML.
func looksJSON(s string) bool {
	s = strings.TrimLeft(s, " \t\r\n")
	return strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[")
}

type part struct{ start, end int }

// split cuts a YAML stream at its document markers, "---" and "...".
func split(s string) []part {
	var parts []part
	start := 0
	for at := 0; at < len(s); {
		if isMarker(s[at:]) {
			if hasContent(s[start:at]) {
				parts = append(parts, part{start, at})
				start = at
			}
			line := s[at:]
			if n := strings.IndexByte(line, '\n'); n >= 0 {
				line = line[:n]
			}
			if rest := strings.TrimSpace(line[3:]); rest == "" || rest[0] == '#' {
				start = min(at+len(line)+1, len(s))
			}
		}
		n := nextMarker(s[at:])
		if n < 0 {
			break
		}
		at += n
	}
	if hasContent(s[start:]) {
		parts = append(parts, part{start, len(s)})
	}
	return parts
}

// nextMarker is the offset of the next line, after the first, that may be a marker; -1 for none.
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

func isMarker(s string) bool {
	return (strings.HasPrefix(s, "---") || strings.HasPrefix(s, "...")) && (len(s) == 3 || s[3] == ' ' || s[3] == '\t' || s[3] == '\n' || s[3] == '\r')
}

// hasContent says whether there is more than blank lines, comments and directives.
func hasContent(s string) bool {
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		if line != "" && line[0] != '#' && line[0] != '%' {
			return true
		}
	}
	return false
}

// readParts reads the parts on up to width goroutines; each takes the next part that is left.
func readParts(t *Text, parts []part, width int) ([]*Doc, []*Error) {
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
	return compact(docs), compact(errs)
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
