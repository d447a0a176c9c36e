package report

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/coaming/coaming/internal/verdict"
)

// excerpt shows the lines with their numbers, the faulty one marked, and a caret under the column
// where the fault does not simply begin the line.
func (p *printer) excerpt(e *verdict.Excerpt, column int, mark style) {
	digits := len(strconv.Itoa(e.First + len(e.Lines) - 1))
	room := p.width - digits - 9
	for i, line := range e.Lines {
		number := strconv.Itoa(e.First + i)
		number = strings.Repeat(" ", digits-len(number)) + number
		if e.First+i != e.Marked {
			p.numbered("      ", p.paint(dim, number+" │"), window(line, 0, room), plain)
			continue
		}
		from, caret := aim(line, column, room)
		p.numbered("    ", p.paint(mark, "▸ "+number+" │"), window(line, from, room), bold)
		if caret >= 0 {
			p.line("      ", strings.Repeat(" ", digits), p.paint(dim, " │ "), strings.Repeat(" ", caret), p.paint(mark, "^"))
		}
	}
}

// numbered writes a line behind its gutter, without blanks at the end of an empty one.
func (p *printer) numbered(indent, gutter, text string, set style) {
	if text == "" {
		p.line(indent, gutter)
		return
	}
	p.line(indent, gutter, " ", p.paint(set, text))
}

// window is the line from that byte on as it may be shown, in at most room columns; what is cut at
// either end is an ellipsis. It reads no more of the line than it shows.
func window(line string, from, room int) string {
	if from == 0 && len(line) <= room && isPlain(line) {
		return strings.TrimRight(line, " ")
	}
	var b []byte
	used := 0
	if from > 0 {
		b, used = append(b, ellipsis...), 1
	}
	line = strings.TrimRight(line[from:], " \r\n")
	for i := 0; i < len(line); {
		r, size := utf8.DecodeRuneInString(line[i:])
		shown := appendShown(nil, r, line[i:i+size])
		n := widthOf(string(shown))
		rest := 0
		if i+size < len(line) {
			rest = 1 // the ellipsis needs a column
		}
		if used+n+rest > room {
			return string(append(b, ellipsis...))
		}
		b, used = append(b, shown...), used+n
		i += size
	}
	return string(b)
}

// appendShown is appendVisible with a tab as the blanks it stands for in indented text.
func appendShown(b []byte, r rune, raw string) []byte {
	if r == '\t' {
		return append(b, tabStop...)
	}
	return appendVisible(b, r, raw)
}

// aim chooses the byte at which the faulty line's window begins, so that the column is in it, and the
// caret's place in the window: -1 where the column is unknown or begins the line's text.
func aim(line string, column, room int) (from, caret int) {
	at := column - 1
	if at < 0 || at >= len(line) || strings.Trim(line[:at], "- \t") == "" {
		return 0, -1
	}
	const before = 20 // columns of context to the left
	if len(line) > room && at+before > room {
		from = max(0, at-before)
		for from > 0 && !utf8.RuneStart(line[from]) {
			from--
		}
	}
	if from > 0 {
		caret = 1
	}
	for i := from; i < at; {
		r, size := utf8.DecodeRuneInString(line[i:])
		caret += widthOf(string(appendShown(nil, r, line[i:i+size])))
		i += size
	}
	if caret >= room {
		return from, -1
	}
	return from, caret
}
