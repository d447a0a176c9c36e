package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Bounds on what one text may take on a screen, whatever the input says.
const (
	maxText  = 2000 // cells of a message
	maxPlace = 1000 // cells of a path: long enough to leave every honest one whole and clickable
	tabStop  = "    "
	ellipsis = "…"
)

// visible is text from the input as it may stand on a screen: what would move the cursor, change the
// colour, reverse the direction or not be seen at all is replaced by its visible escape.
func visible(s string) string {
	if isPlain(s) {
		return s
	}
	b := make([]byte, 0, len(s)+16)
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		b = appendVisible(b, r, s[i:i+size])
		i += size
	}
	return string(b)
}

// isPlain says that every byte is printable ASCII, as nearly all text is.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func appendVisible(b []byte, r rune, raw string) []byte {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		return fmt.Appendf(b, `\x%02x`, raw[0])
	case shows(r):
		return append(b, raw...)
	case r == '\n':
		return append(b, `\n`...)
	case r == '\r':
		return append(b, `\r`...)
	case r == '\t':
		return append(b, `\t`...)
	case r < utf8.RuneSelf:
		return fmt.Appendf(b, `\x%02x`, r)
	case r <= 0xffff:
		return fmt.Appendf(b, `\u%04x`, r)
	}
	return fmt.Appendf(b, `\U%08x`, r)
}

// shows says that the rune is seen as itself. Format characters (bidirectional overrides, zero-width
// spaces, tags) are not printable to the unicode package; the fillers and selectors that hide text
// though they count as letters or marks are named here.
func shows(r rune) bool {
	if r >= ' ' && r <= '~' {
		return true
	}
	return unicode.IsPrint(r) &&
		!unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) &&
		(r < 0xe0100 || r > 0xe01ef)
}

// prose is text of ours (a rule's why, a remedy) on one line: folded YAML may bring line breaks.
func prose(s string) string { return visible(strings.Join(strings.Fields(s), " ")) }

// cells is how many columns of a terminal the rune takes.
func cells(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	if kind := width.LookupRune(r).Kind(); kind == width.EastAsianWide || kind == width.EastAsianFullwidth {
		return 2
	}
	return 1
}

func widthOf(s string) int {
	if isPlain(s) {
		return len(s)
	}
	n := 0
	for _, r := range s {
		n += cells(r)
	}
	return n
}

// cut is already visible text in at most limit columns, its end replaced by "…" where it is longer.
func cut(s string, limit int) string {
	if len(s) <= limit || limit < 1 {
		return s
	}
	n, room := 0, 0 // columns so far; the byte at which an ellipsis still fits
	for i, r := range s {
		if n < limit {
			room = i
		}
		n += cells(r)
		if n > limit {
			return s[:room] + ellipsis
		}
	}
	return s
}

// wrap breaks already visible text between words into lines of at most limit columns; a longer word
// is broken where it must be.
func wrap(s string, limit int) []string {
	limit = max(limit, 10)
	s = cut(s, maxText)
	if len(s) <= limit {
		return []string{s}
	}
	var lines []string
	line, used := "", 0
	for word := range strings.FieldsSeq(s) {
		n := widthOf(word)
		if used > 0 && used+1+n > limit {
			lines = append(lines, line)
			line, used = "", 0
		}
		for n > limit {
			head := headOf(word, limit)
			lines = append(lines, word[:head])
			word = word[head:]
			n = widthOf(word)
		}
		if used > 0 {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+n
	}
	if used > 0 || len(lines) == 0 {
		lines = append(lines, line)
	}
	return lines
}

// headOf is how many bytes of the word fit into limit columns; at least one rune's.
func headOf(word string, limit int) int {
	n := 0
	for i, r := range word {
		n += cells(r)
		if n > limit && i > 0 {
			return i
		}
	}
	return len(word)
}

// join lists words as a sentence does, the first few and how many more.
func join(words []string) string {
	if len(words) > shownPerList {
		return strings.Join(words[:shownPerList], ", ") + fmt.Sprintf(" and %s more", thousands(len(words)-shownPerList))
	}
	return strings.Join(words, ", ")
}
