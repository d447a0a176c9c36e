package fix

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/document"
)

// masked stands where a credential does.
const masked = "[masked]"

// Diff writes the change as a unified diff, as git apply and patch -p1 take it. With mask, lines that
// hold a credential are shown without it, and the diff is for reading alone.
func (f *File) Diff(w io.Writer, hides func(document.Value) bool, mask bool) error {
	h := f.hunks(hides)
	var b strings.Builder
	name := f.Path
	fmt.Fprintf(&b, "--- %s\n+++ %s\n", diffName("a/", name), diffName("b/", name))
	shift := 0
	for _, k := range h.list {
		added := 0
		for _, c := range k.blocks {
			added += len(c.lines) - (c.to - c.from)
		}
		fmt.Fprintf(&b, "@@ -%s +%s @@\n", rangeText(k.from, k.to-k.from), rangeText(k.from+shift, k.to-k.from+added))
		shift += added
		h.write(&b, &k, mask)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (h *hunks) write(b *strings.Builder, k *hunk, mask bool) {
	at := k.from
	for _, c := range k.blocks {
		for ; at < c.from; at++ {
			diffLine(b, ' ', h.old[at], mask && h.oldHidden[at])
		}
		for ; at < c.to; at++ {
			diffLine(b, '-', h.old[at], mask && h.oldHidden[at])
		}
		for n, line := range c.lines {
			diffLine(b, '+', line, mask && h.newHidden[c.at+n])
		}
	}
	for ; at < k.to; at++ {
		diffLine(b, ' ', h.old[at], mask && h.oldHidden[at])
	}
}

func diffLine(b *strings.Builder, mark byte, line string, hide bool) {
	b.WriteByte(mark)
	text, ended := strings.CutSuffix(line, "\n")
	if hide {
		text = text[:len(text)-len(strings.TrimLeft(text, " \t-"))] + masked
	}
	b.WriteString(text + "\n")
	if !ended {
		b.WriteString("\\ No newline at end of file\n")
	}
}

// rangeText is a range of a hunk's head: an empty one names the line before it.
func rangeText(from, count int) string {
	if count == 0 {
		return strconv.Itoa(from) + ",0"
	}
	return strconv.Itoa(from+1) + "," + strconv.Itoa(count)
}

// diffName is a file's name in a diff, quoted as git quotes it, with a tab behind one that has blanks.
func diffName(prefix, name string) string {
	name = prefix + strings.TrimPrefix(name, "/")
	if strings.ContainsAny(name, "\"\\\n\t\r") {
		return strconv.Quote(name)
	}
	if strings.Contains(name, " ") {
		return name + "\t"
	}
	return name
}
