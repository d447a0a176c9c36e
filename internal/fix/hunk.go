package fix

import (
	"cmp"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/credential"
	"github.com/coaming/coaming/internal/document"
)

// block is lines of a text that others take the place of.
type block struct {
	from, to int      // lines of the old text, from 0; to is behind the last
	at       int      // the line of the new text that the new lines begin at
	lines    []string // the new ones, with their ends
}

// hunk is blocks that stand near each other, with the lines around them.
type hunk struct {
	from, to int // lines of the old text, with context
	blocks   []block
}

// hunks is the change of one file by lines.
type hunks struct {
	old, new             []string
	oldHidden, newHidden map[int]bool // lines that hold a credential
	list                 []hunk
}

// around is how many lines are shown around a change.
const around = 3

// hunks works out the change by lines. Lines that hold a credential are context of nothing.
func (f *File) hunks(hides func(document.Value) bool) *hunks {
	h := &hunks{old: splitLines(f.Before), new: splitLines(f.After)}
	blocks := blocksOf(f.Before, f.Splices)
	oldNear, newNear := near{}, near{}
	for _, b := range blocks {
		oldNear.add(b.from, b.to)
		newNear.add(b.at, b.at+len(b.lines))
	}
	h.oldHidden, h.newHidden = hiddenLines(f.Before, oldNear, hides), hiddenLines(f.After, newNear, hides)
	for _, b := range blocks {
		from, to := b.from, b.to
		for n := 0; n < around && from > 0 && !h.oldHidden[from-1]; n++ {
			from--
		}
		for n := 0; n < around && to < len(h.old) && !h.oldHidden[to]; n++ {
			to++
		}
		if n := len(h.list); n > 0 && from <= h.list[n-1].to {
			last := &h.list[n-1]
			last.to, last.blocks = max(last.to, to), append(last.blocks, b)
			continue
		}
		h.list = append(h.list, hunk{from, to, []block{b}})
	}
	return h
}

func splitLines(text string) []string { return slices.Collect(strings.Lines(text)) }

// blocksOf widens splices to whole lines, joins those that share one, and leaves out lines that stay.
func blocksOf(text string, splices []document.Splice) []block {
	type span struct {
		start, end int
		splices    []document.Splice
	}
	var spans []span
	for _, s := range splices {
		start := strings.LastIndexByte(text[:s.Start], '\n') + 1
		end := s.End
		whole := start == s.Start && (end == start || text[end-1] == '\n') && (s.Text == "" || strings.HasSuffix(s.Text, "\n"))
		if !whole {
			if n := strings.IndexByte(text[end:], '\n'); n >= 0 {
				end += n + 1
			} else {
				end = len(text)
			}
		}
		if n := len(spans); n > 0 && start < spans[n-1].end {
			spans[n-1].end = max(spans[n-1].end, end)
			spans[n-1].splices = append(spans[n-1].splices, s)
			continue
		}
		spans = append(spans, span{start, end, []document.Splice{s}})
	}
	var blocks []block
	offset, line, shift := 0, 0, 0
	for _, s := range spans {
		line += strings.Count(text[offset:s.start], "\n")
		offset = s.start
		moved := slices.Clone(s.splices)
		for i := range moved {
			moved[i].Start -= s.start
			moved[i].End -= s.start
		}
		after, err := document.Apply(text[s.start:s.end], moved)
		if err != nil {
			continue // the splices were applied before, to the whole
		}
		old, now := splitLines(text[s.start:s.end]), splitLines(after)
		b := block{from: line, to: line + len(old), at: line + shift, lines: now}
		shift += len(now) - len(old)
		if b.trim(old); b.from < b.to || len(b.lines) > 0 {
			blocks = append(blocks, b)
		}
	}
	return blocks
}

// trim leaves out the lines at the beginning and the end that stay.
func (b *block) trim(old []string) {
	for len(old) > 0 && len(b.lines) > 0 && old[0] == b.lines[0] {
		old, b.lines = old[1:], b.lines[1:]
		b.from++
		b.at++
	}
	for len(old) > 0 && len(b.lines) > 0 && old[len(old)-1] == b.lines[len(b.lines)-1] {
		old, b.lines = old[:len(old)-1], b.lines[:len(b.lines)-1]
		b.to--
	}
}

// anyHidden says whether a line that changes holds a credential.
func (h *hunks) anyHidden() bool {
	for _, k := range h.list {
		for _, b := range k.blocks {
			for n := b.from; n < b.to; n++ {
				if h.oldHidden[n] {
					return true
				}
			}
			for n := range b.lines {
				if h.newHidden[b.at+n] {
					return true
				}
			}
		}
	}
	return false
}

// near is the lines that a change or its context may show.
type near map[int]bool

func (n near) add(from, to int) {
	for line := from - around - 1; line < to+around+1; line++ {
		n[line] = true
	}
}

// holds says whether any line of a part of a text, which begins on a line, is near.
func (n near) holds(line int, part string) bool {
	for i := 0; i <= strings.Count(part, "\n"); i++ {
		if n[line+i] {
			return true
		}
	}
	return false
}

// hiddenLines are the lines of a text, among those that may be shown, that hold a credential, or a part of one.
func hiddenLines(text string, shown near, hides func(document.Value) bool) map[int]bool {
	source := document.NewText(text)
	var spans []credential.Span
	spans = append(spans, credential.Spans(text)...)
	docs, _ := document.Read(source, 1)
	for _, d := range docs {
		if start, end := d.Span(); !shown.holds(lineOf(source, start), text[start:end]) {
			continue
		}
		draft, err := d.Edit()
		if err != nil {
			start, end := d.Span()
			spans = append(spans, credential.Span{Start: start, End: end})
			continue
		}
		for _, s := range draft.Scalars() {
			if hides != nil && shown.holds(lineOf(source, s.Start), text[s.Start:s.End]) && hides(s.Value) {
				spans = append(spans, credential.Span{Start: s.Start, End: s.End})
			}
		}
	}
	slices.SortFunc(spans, func(a, b credential.Span) int { return cmp.Compare(a.Start, b.Start) })
	hidden := map[int]bool{}
	line, offset := 0, 0
	for _, s := range spans {
		line += strings.Count(text[offset:s.Start], "\n")
		offset = s.Start
		for n := 0; n <= strings.Count(strings.TrimRight(text[s.Start:s.End], "\r\n"), "\n"); n++ {
			hidden[line+n] = true
		}
	}
	return hidden
}

func lineOf(t *document.Text, offset int) int {
	line, _ := t.Position(offset)
	return line - 1
}
