package document

import (
	"slices"
	"sort"
	"strings"
)

// Comment is a comment that begins with a marker, and what it stands at.
type Comment struct {
	// Text is what stands behind the marker, to the end of the line.
	Text         string
	Line, Column int // of its #
	// On is the outermost value that begins on the comment's own line or, when nothing else stands
	// there but a list's dash, on the next line that has content; the zero Value when there is none in the document.
	On Value
	// FromLine and FromColumn are where On begins, ToLine and ToColumn where the next value does.
	FromLine, FromColumn, ToLine, ToColumn int
}

// maxComments bounds the comments of one document that are looked for.
const maxComments = 1000

// Comments finds the comments that begin with the marker, which is a word: "# MARKER text". What
// stands in a text (a quoted or a block scalar, a key) is no comment. Asking costs one search of the
// document's text where there are none. Those on the line of its "---", and above that where no other
// document is, stand at nothing. more says that there were too many, and some are missing.
func (d *Doc) Comments(marker string) (found []Comment, more bool) {
	if !d.MayComment(marker) {
		return nil, false
	}
	start, end := d.Span()
	text := d.source.content[start:end]
	found = d.detached(marker)
	var c *commenter
	for at := 0; ; {
		n := strings.Index(text[at:], marker)
		if n < 0 {
			return found, false
		}
		at += n
		if hash, ok := beginsComment(text, at, at+len(marker)); ok {
			if len(found) >= maxComments {
				return found, true
			}
			if c == nil {
				c = newCommenter(d)
			}
			if !c.inText(start+at, marker) {
				found = append(found, c.comment(start+hash, start+at+len(marker)))
			}
		}
		at += len(marker)
	}
}

// MayComment says whether the marker stands behind any # of the document's text. It looks for the #:
// letters are many.
func (d *Doc) MayComment(marker string) bool {
	if d == nil || d.source == nil {
		return false
	}
	for text := d.source.content[d.leading():d.end]; ; {
		at := strings.IndexByte(text, '#')
		if at < 0 {
			return false
		}
		if text = strings.TrimLeft(text[at+1:], " \t"); strings.HasPrefix(text, marker) {
			return true
		}
	}
}

// beginsComment says whether the word from at to end stands first in what looks like a comment,
// and where its # is.
func beginsComment(text string, at, end int) (hash int, ok bool) {
	if end < len(text) && !strings.ContainsRune(" \t\r\n", rune(text[end])) {
		return 0, false
	}
	hash = len(strings.TrimRight(text[:at], " \t")) - 1
	if hash < 0 || text[hash] != '#' {
		return 0, false
	}
	return hash, hash == 0 || strings.ContainsRune(" \t\r\n", rune(text[hash-1]))
}

// commenter finds values by their place in the text.
type commenter struct {
	doc   *Doc
	order []uint32 // the nodes in the order of the text; nil when they are in it anyway
}

func newCommenter(d *Doc) *commenter {
	c := &commenter{doc: d}
	if d.foreign != nil { // aliases bring values from elsewhere
		c.order = make([]uint32, len(d.nodes))
		for i := range c.order {
			c.order[i] = uint32(i)
		}
		slices.SortStableFunc(c.order, func(a, b uint32) int { return c.offset(a) - c.offset(b) })
	}
	return c
}

func (c *commenter) offset(i uint32) int {
	if c.doc.foreign != nil {
		return c.doc.foreignOffset(i)
	}
	return c.doc.offset(i)
}

func (c *commenter) node(n int) uint32 {
	if c.order != nil {
		return c.order[n]
	}
	return uint32(n)
}

// from is the first node, in the order of the text, at or behind an offset.
func (c *commenter) from(offset int) int {
	return sort.Search(len(c.doc.nodes), func(n int) bool { return c.offset(c.node(n)) >= offset })
}

// inText says whether the marker at an offset belongs to the text of the value before it. That value's
// text and key hold it as often as it stands there outside of comments, and before those.
func (c *commenter) inText(at int, marker string) bool {
	last := c.from(at+1) - 1
	if last < 0 {
		return false
	}
	begin := c.offset(c.node(last))
	within := 0
	for n := last; n >= 0 && c.offset(c.node(n)) == begin; n-- {
		v := Value{c.doc, c.node(n)}
		count := strings.Count(v.Text(), marker) + strings.Count(c.doc.key(c.node(n)), marker)
		if c.order != nil { // several nodes may be one value, read through aliases
			within = max(within, count)
		} else {
			within += count
		}
	}
	return within > 0 && strings.Count(c.doc.source.content[begin:at], marker) < within
}

func (c *commenter) comment(hash, behind int) Comment {
	source := c.doc.source
	rest := source.content[behind:c.doc.end]
	if end := strings.IndexByte(rest, '\n'); end >= 0 {
		rest = rest[:end]
	}
	found := Comment{Text: strings.TrimSpace(rest)}
	found.Line, found.Column = source.Position(hash)
	line := found.Line
	if strings.Trim(source.Line(line)[:found.Column-1], " \t-") == "" {
		if line = c.nextContent(line + 1); line == 0 {
			return found
		}
	}
	n := c.from(max(source.Offset(line), int(c.doc.start)))
	if n == len(c.doc.nodes) || c.offset(c.node(n)) >= source.Offset(line+1) && line < source.Lines() {
		return found
	}
	i := c.node(n)
	found.On = Value{c.doc, i}
	found.FromLine, found.FromColumn = source.Position(c.offset(i))
	found.ToLine, found.ToColumn = source.Position(c.behind(i))
	return found
}

// nextContent is the first line from line on, within the document, that is neither blank nor a
// comment; 0 for none.
func (c *commenter) nextContent(line int) int {
	for source := c.doc.source; line <= source.Lines() && source.Offset(line) < int(c.doc.end); line++ {
		if text := strings.TrimSpace(source.Line(line)); text != "" && text[0] != '#' {
			return line
		}
	}
	return 0
}

// behind is where the first value begins that stands behind a value and is not in it.
func (c *commenter) behind(i uint32) int {
	next := c.doc.nodes[i].next
	if c.order == nil {
		return c.doc.offset(next)
	}
	for n := c.from(c.offset(i) + 1); n < len(c.order); n++ {
		if at := c.order[n]; at < i || at >= next {
			return c.offset(at)
		}
	}
	return int(c.doc.end)
}

// Order is the value's place in the order of its document: what stands below it has a higher one.
func (v Value) Order() int { return int(v.i) }

// Holds says whether another value is this one or stands below it.
func (v Value) Holds(other Value) bool {
	return v.doc != nil && v.doc == other.doc && other.i >= v.i && other.i < v.node().next
}

// Bounds are where the value's entry begins and where the next one does; 0 where that is not known.
// Of a document that the library read, what an alias brings from elsewhere is bounded loosely.
func (v Value) Bounds() (fromLine, fromColumn, toLine, toColumn int) {
	if v.doc == nil || v.doc.source == nil {
		return 0, 0, 0, 0
	}
	d := v.doc
	c := commenter{doc: d}
	from, to := c.offset(v.i), int(d.end)
	if next := v.node().next; int(next) < len(d.nodes) && c.offset(next) > from {
		to = c.offset(next)
	}
	fromLine, fromColumn = d.source.Position(from)
	toLine, toColumn = d.source.Position(to)
	return fromLine, fromColumn, toLine, toColumn
}
