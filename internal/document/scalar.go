package document

import "strings"

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

// unescape decodes a quoted scalar with the common escapes and with line breaks, which fold as in
// a plain one; from is where the first of either stands.
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
			i++
			if i >= b.end {
				return 0, 0, false, false
			}
			at := strings.IndexByte(`"\nrt `, b.s[i])
			if at < 0 {
				return 0, 0, false, false
			}
			b.side = append(b.side, "\"\\\n\r\t "[at])
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
	chomp := byte(0)
	if b.p < b.end && (b.s[b.p] == '-' || b.s[b.p] == '+') {
		chomp = b.s[b.p]
		b.p++
	}
	if b.p < b.end && b.s[b.p] != ' ' && b.s[b.p] != '\n' || !b.endLine() {
		return false
	}
	indent, ok := b.blockIndent(parent)
	if !ok {
		return false
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
// notation (nor a date: those stay strings anyway).
func resolveNumber(s string) (Kind, bool) {
	digits, dots, exponents := 0, 0, 0
	odd, word := false, false // a sign or underscore inside; a letter of another base
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '.':
			dots++
		case c == '-' && i == 0:
		case c == 'e' || c == 'E':
			exponents++
		case c >= 'a' && c <= 'f', c >= 'A' && c <= 'F', c == 'x', c == 'X', c == 'o', c == 'O':
			word = true
		case c == '_' || c == '+' || c == '-':
			odd = true
		case (c == 'i' || c == 'I' || c == 'n' || c == 'N') && strings.IndexByte(s, '.') >= 0 && len(s) <= 5:
			return Missing, false // ".inf" and ".nan"
		default:
			return String, true
		}
	}
	whole := strings.TrimPrefix(s, "-")
	switch {
	case whole == "" || s[0] == '+' || s[0] == '_':
		return Missing, false
	case dots > 1:
		return String, digits > 0
	case whole[0] >= '1' && whole[0] <= '9' && !odd && (word || exponents > 1):
		return String, true
	case word || odd || exponents > 0 || digits == 0 || digits > 15:
		return Missing, false
	case whole[0] == '.' || whole[len(whole)-1] == '.' || len(whole) > 1 && whole[0] == '0' && whole[1] != '.':
		return Missing, false
	case dots == 1:
		return Float, true
	}
	return Int, true
}
