package fix

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
)

// Comment writes the changes as GitHub-flavoured Markdown: each with a suggestion block for the
// lines that it names, which a reviewer posts at those lines.
func (r *Result) Comment(w io.Writer, hides func(document.Value) bool) error {
	var b strings.Builder
	counts := r.counts()
	fmt.Fprintf(&b, "### Coaming: %s, %d more with a choice, %d without a proved fix\n", countText(counts[Proved], "proved fix", "proved fixes"), counts[Offered], counts[Clashed]+counts[Unproved])
	for i := range r.Files {
		r.Files[i].suggest(&b, hides)
	}
	r.commentList(&b, Proved, "Fixed by the changes above", func(o *Outcome) string { return o.through() })
	r.commentList(&b, Offered, "For a person to choose", func(o *Outcome) string { return plainText(o.question()) })
	r.commentList(&b, Clashed, "Left out: in conflict", func(o *Outcome) string { return plainText(o.Reason) })
	r.commentList(&b, Unproved, "Not proved", func(o *Outcome) string { return plainText(o.Reason) })
	_, err := io.WriteString(w, b.String())
	return err
}

func (f *File) suggest(b *strings.Builder, hides func(document.Value) bool) {
	h := f.hunks(hides)
	for _, c := range h.joined() {
		c, shown := h.widen(c)
		where := fmt.Sprintf("lines %d to %d", c.from+1, c.to)
		if c.to == c.from+1 {
			where = fmt.Sprintf("line %d", c.to)
		}
		if !shown {
			fmt.Fprintf(b, "\n%s line %d: a suggestion would show a credential beside it; --apply makes the change.\n", codeText(f.Path), c.from+1)
			continue
		}
		text := strings.Join(c.lines, "")
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		fence := "```"
		for strings.Contains(text, fence) {
			fence += "`"
		}
		fmt.Fprintf(b, "\n%s %s\n\n%ssuggestion\n%s%s\n", codeText(f.Path), where, fence, text, fence)
	}
}

// joined are the blocks, as one where they touch or where one line alone stands between them: two suggestions
// for the same line would undo each other.
func (h *hunks) joined() []block {
	var list []block
	for _, k := range h.list {
		for _, c := range k.blocks {
			n := len(list) - 1
			if n < 0 || c.from > list[n].to+1 || c.from > list[n].to && h.oldHidden[list[n].to] {
				list = append(list, c)
				continue
			}
			last := &list[n]
			last.lines = slices.Concat(last.lines, h.old[last.to:c.from], c.lines)
			last.to = c.to
		}
	}
	return list
}

// widen gives a block that inserts a line beside it that it takes the place of: a suggestion needs one. It says
// whether there is one that may be shown.
func (h *hunks) widen(c block) (wide block, shown bool) {
	switch {
	case c.from < c.to || len(h.old) == 0:
	case c.from > 0 && !h.oldHidden[c.from-1]:
		c.from--
		c.lines = slices.Concat([]string{withEnd(h.old[c.from])}, c.lines)
	case c.to < len(h.old) && !h.oldHidden[c.to]:
		c.lines = slices.Concat(c.lines, h.old[c.to:c.to+1])
		c.to++
	default:
		return c, false
	}
	return c, true
}

func withEnd(line string) string {
	if strings.HasSuffix(line, "\n") {
		return line
	}
	return line + "\n"
}

func (r *Result) commentList(b *strings.Builder, state State, title string, tell func(*Outcome) string) {
	var rows strings.Builder
	for i := range r.Outcomes {
		if o := &r.Outcomes[i]; o.State == state {
			f := &o.Finding
			fmt.Fprintf(&rows, "- **%s** %s, %s: %s", f.Severity, codeText(f.Rule), codeText(f.Subject.String()), plainText(f.Message))
			if more := tell(o); more != "" {
				rows.WriteString(" (" + more + ")")
			}
			rows.WriteByte('\n')
		}
	}
	if rows.Len() > 0 {
		fmt.Fprintf(b, "\n<details><summary>%s</summary>\n\n%s\n</details>\n", title, rows.String())
	}
}

// codeText is a text as code in Markdown, whatever it holds.
func codeText(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if fence == "`" {
		return "`" + s + "`"
	}
	return fence + " " + s + " " + fence
}

var escapes = strings.NewReplacer("\\", "\\\\", "`", "\\`", "*", "\\*", "_", "\\_", "<", "&lt;", ">", "&gt;", "[", "\\[", "]", "\\]", "@", "&#64;", "#", "&#35;", "|", "\\|")

// plainText is a text that means nothing to Markdown: no mark-up, no mention of a person.
func plainText(s string) string { return escapes.Replace(strings.Join(strings.Fields(s), " ")) }
