package document

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// quoted reads a quoted scalar that ends on its line and says where its content is: in the text,
// or decoded in side.
func (b *block) quoted() (off, size int, side, ok bool) {
	q := b.s[b.p]
	start := b.p + 1
	for i := start; i < b.end; i++ {
		switch c := b.s[i]; {
		case c == '\n', c == q && q == '\'' && i+1 < b.end && b.s[i+1] == q, c == '\\' && q == '"':
			return b.unescape(q, start, i)
		case c == q:
			b.p = i + 1
			return start, i - start, false, true
		}
	}
	return 0, 0, false, false
}

// unescape decodes a quoted scalar with escapes and with line breaks, which fold as in a plain one;
// from is where the first of either stands.
func (b *block) unescape(q byte, start, from int) (off, size int, side, ok bool) {
	off = len(b.side)
	b.side = append(b.side, b.s[start:from]...)
	hard := off // what escapes wrote is not trimmed when a line is folded
	for i := from; i < b.end; i++ {
		c := b.s[i]
		switch {
		case c == '\n':
			for len(b.side) > hard && b.side[len(b.side)-1] == ' ' {
				b.side = b.side[:len(b.side)-1]
			}
			if len(b.side) > hard && b.side[len(b.side)-1] == '\t' {
				return 0, 0, false, false // folded away too
			}
			next := b.foldBreak(i)
			if next == 0 {
				return 0, 0, false, false
			}
			i = next - 1
			hard = len(b.side)
			continue
		case c == '\t':
			return 0, 0, false, false
		case c == '\\' && q == '"':
			next := b.escape(i + 1)
			if next == 0 {
				return 0, 0, false, false
			}
			i = next - 1
			hard = len(b.side)
			continue
		case c == q && q == '\'' && i+1 < b.end && b.s[i+1] == q:
			i++
		case c == q:
			b.p = i + 1
			return off, len(b.side) - off, true, true
		}
		b.side = append(b.side, c)
	}
	return 0, 0, false, false
}

// escape decodes the escape sequence behind the backslash (YAML 1.1, section 5.6) and returns where
// the text goes on, 0 to give up. Those of Unicode's line breaks are longer than they look in the
// text, and the library's.
func (b *block) escape(i int) int {
	if i >= b.end {
		return 0
	}
	digits := 0
	switch c := b.s[i]; c {
	case '\n':
		return b.continued(i)
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	default:
		at := strings.IndexByte(`0abtnvfre "'\`, c)
		if at < 0 {
			return 0
		}
		b.side = append(b.side, "\x00\a\b\t\n\v\f\r\x1b \"'\\"[at])
		return i + 1
	}
	i++
	if i+digits > b.end {
		return 0
	}
	n, err := strconv.ParseUint(b.s[i:i+digits], 16, 32)
	if err != nil || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
		return 0
	}
	b.side = utf8.AppendRune(b.side, rune(n))
	return i + digits
}

// continued passes an escaped line break and the blanks that begin the next line.
func (b *block) continued(i int) int {
	b.line = i + 1
	for i++; i < b.end; i++ {
		switch b.s[i] {
		case ' ':
		case '\n':
			b.side = append(b.side, '\n')
			b.line = i + 1
		case '\t':
			return 0
		default:
			if i == b.line {
				return 0
			}
			return i
		}
	}
	return 0
}

// foldBreak folds the line break at offset i of a quoted scalar and returns where the text goes
// on, 0 to give up: a line at the left margin is the library's.
func (b *block) foldBreak(i int) int {
	breaks := 0
	for i < b.end {
		switch b.s[i] {
		case '\n':
			breaks++
			i++
			b.line = i
		case ' ':
			i++
		case '\t':
			return 0
		default:
			if i == b.line {
				return 0
			}
			if breaks == 1 {
				b.side = append(b.side, ' ')
			}
			for range breaks - 1 {
				b.side = append(b.side, '\n')
			}
			return i
		}
	}
	return 0
}

// scalarBlock reads a literal or folded block scalar (YAML 1.1, section 9.2).
func (b *block) scalarBlock(pos, meta uint32, parent int) bool {
	fold := b.s[b.p] == '>'
	b.p++
	width, chomp := b.blockHead()
	if b.p < b.end && b.s[b.p] != ' ' && b.s[b.p] != '\n' || !b.endLine() {
		return false
	}
	indent := max(parent, 0) + width
	if width == 0 {
		ok := false
		if indent, ok = b.blockIndent(parent); !ok {
			return false
		}
	}
	off := len(b.side)
	if !b.blockLines(indent, fold) {
		return false
	}
	text := b.side[off:]
	body := len(text)
	for body > 0 && text[body-1] == '\n' {
		body--
	}
	switch {
	case chomp == '-', chomp == 0 && body == 0:
		b.side = b.side[:off+body]
	case chomp == 0 && body < len(text):
		b.side = b.side[:off+body+1]
	}
	b.add(pos, meta|flagSide, String, off, len(b.side)-off)
	return true
}

// blockHead reads a block scalar's indentation, 0 when its first line is to tell, and its chomping.
func (b *block) blockHead() (width int, chomp byte) {
	for range 2 {
		switch c := byteAt(b.s, b.p); {
		case chomp == 0 && (c == '-' || c == '+'):
			chomp = c
		case width == 0 && c >= '1' && c <= '9':
			width = int(c - '0')
		default:
			return width, chomp
		}
		b.p++
	}
	return width, chomp
}

// byteAt is the byte at offset i, 0 behind the end.
func byteAt(s string, i int) byte {
	if i >= len(s) {
		return 0
	}
	return s[i]
}

// blockIndent is the column of a block scalar's first line with content.
func (b *block) blockIndent(parent int) (int, bool) {
	widest := 0
	for p := b.p; p < b.end; {
		start := p
		for p < b.end && b.s[p] == ' ' {
			p++
		}
		if p == b.end || b.s[p] == '\t' {
			return 0, false
		}
		if b.s[p] != '\n' {
			indent := p - start
			// A blank line that is wider than the text, and a scalar without text, are the library's.
			return indent, indent > parent && indent > 0 && widest <= indent
		}
		widest = max(widest, p-start)
		p++
	}
	return 0, false
}

// blockLines appends a block scalar's lines without their indentation.
func (b *block) blockLines(indent int, fold bool) bool {
	blanks, text := 0, false
	for b.p < b.end {
		n := strings.IndexByte(b.s[b.p:b.end], '\n')
		if n < 0 {
			return false // the last line has no end: what it means depends on the chomping
		}
		line := b.s[b.p : b.p+n]
		spaces := 0
		for spaces < len(line) && line[spaces] == ' ' && spaces < indent {
			spaces++
		}
		switch {
		case spaces == len(line):
			blanks++
			b.p += n + 1
			continue
		case spaces < indent && line[spaces] == '\t':
			return false
		case spaces < indent:
			b.blankLines(blanks, false)
			return true
		}
		line = line[indent:]
		if fold && (line[0] == ' ' || line[0] == '\t') {
			return false
		}
		b.blankLines(blanks, fold && text)
		blanks, text = 0, true
		b.side = append(b.side, line...)
		b.side = append(b.side, '\n')
		b.p += n + 1
	}
	b.blankLines(blanks, false)
	return true
}

// blankLines appends what blank lines mean: themselves, or in a folded scalar between two lines
// of text one break less, none being a space.
func (b *block) blankLines(blanks int, between bool) {
	if between {
		if blanks == 0 {
			b.side[len(b.side)-1] = ' '
			return
		}
		blanks--
	}
	for range blanks {
		b.side = append(b.side, '\n')
	}
}

// isTrue and isFalse are the boolean words of YAML 1.1 as go-yaml reads them.
func isTrue(s string) bool {
	switch s {
	case "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON":
		return true
	}
	return false
}

func isFalse(s string) bool {
	switch s {
	case "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF":
		return true
	}
	return false
}

// resolve is the kind of a plain scalar; it gives up on numbers in any but their JSON notation.
func resolve(s string) (kind Kind, ok bool) {
	switch c := s[0]; {
	case c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.':
		return resolveNumber(s)
	case c == '~' || c == '<':
		return String, len(s) > 2
	case len(s) > 5:
		return String, true
	case isTrue(s), isFalse(s):
		return Bool, true
	case s == "null" || s == "Null" || s == "NULL":
		return Null, true
	default:
		return String, true
	}
}

// resolveNumber tells integers and decimals in JSON's notation, and what can be no number in any
// notation (nor a date: those stay strings anyway). The library reads as numbers, with every "_"
// left out, what strconv.ParseInt reads in base 0, decimals with an exponent, and ".inf" and ".nan".
func resolveNumber(s string) (Kind, bool) {
	whole := strings.TrimPrefix(s, "-")
	switch c := byteAt(whole, 0); {
	case c == '-' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		return String, true
	case c != '.' && (c < '0' || c > '9'):
		return Missing, false
	}
	digits, dots, exponents := 0, 0, 0
	word, under := false, false // a letter of no decimal; an underscore
	for i := range len(whole) {
		switch c := whole[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '.':
			dots++
		case c == 'e' || c == 'E':
			exponents++
		case c == '_':
			under = true
		case c == '+' || c == '-':
			word = word || whole[i-1] != 'e' && whole[i-1] != 'E'
		case strings.IndexByte("abcdfinoxABCDFINOX", c) >= 0:
			word = true
		default:
			return String, true
		}
	}
	switch {
	case under || whole[0] == '.' && word:
		return Missing, false
	case len(whole) > 1 && whole[0] == '0' && strings.IndexByte("xXoObB", whole[1]) >= 0:
		return Missing, false
	case word || dots > 1 || exponents > 1:
		return String, digits > 0
	case exponents > 0 || digits == 0 || digits > 15:
		return Missing, false
	case whole[0] == '.' || whole[len(whole)-1] == '.' || len(whole) > 1 && whole[0] == '0' && whole[1] != '.':
		return Missing, false
	case dots == 1:
		return Float, true
	}
	return Int, true
}
