package document

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// PositionWithin is the line and column in the source of the byte at an offset of a String's Text,
// whatever the scalar's style: plain, quoted, literal or folded. A place between words that stand
// on different lines is the end of the first; an offset at or behind the text's end is the place
// behind its last character. Where the scalar cannot be followed (an alias) it is the value's own
// Position.
func (v Value) PositionWithin(offset int) (line, column int) {
	if v.Kind() == String && v.doc.source != nil {
		if at, ok := v.offsetWithin(offset); ok {
			return v.doc.source.Position(at)
		}
	}
	return v.Position()
}

// offsetWithin finds the offset in the source by counting the characters that are no white space:
// folding and indentation change white space alone.
func (v Value) offsetWithin(offset int) (int, bool) {
	text := v.Text()
	offset = max(0, min(offset, len(text)))
	start, end := v.doc.entry(v.i)
	source := v.doc.source.content[:end]
	tokens, ok := scalarTokens(source, start, v.doc.key(v.i))
	if !ok {
		return 0, false
	}
	last := -1 // behind the last character that was passed
	for at, want := range text {
		if isBlank(want) {
			continue
		}
		token, more := tokens()
		for more && isBlank(token.char) {
			token, more = tokens()
		}
		if !more || token.char != want {
			return 0, false
		}
		if at >= offset {
			if blanks := at - offset; blanks > 0 && last >= 0 && token.start-last != blanks {
				return last, true // the white space was folded
			} else if blanks > 0 && last >= 0 {
				return token.start - blanks, true
			}
			return token.start, true
		}
		last = token.end
	}
	return max(last, start), last >= 0
}

// entry is where the node at index i begins in the source, with its key, and where the next one does.
func (d *Doc) entry(i uint32) (start, end int) {
	if d.foreign == nil {
		return d.offset(i), d.offset(i + 1)
	}
	return d.foreignOffset(i), int(d.end)
}

func isBlank(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' }

// token is one character of a scalar and where it stands in the source.
type token struct {
	char       rune
	start, end int
}

// scalarTokens yields the characters of the scalar that begins at an offset of the source, behind
// its key, if it has one.
func scalarTokens(source string, at int, key string) (next func() (token, bool), ok bool) {
	if key != "" {
		if at, ok = behindKey(source, at, key); !ok {
			return nil, false
		}
	}
	at = behindProperties(source, at)
	if at >= len(source) {
		return nil, false
	}
	switch source[at] {
	case '*':
		return nil, false // an alias: the text stands elsewhere
	case '|', '>':
		line := strings.IndexByte(source[at:], '\n')
		if line < 0 {
			return nil, false
		}
		return plainTokens(source, at+line+1), true
	case '\'':
		return singleTokens(source, at+1), true
	case '"':
		return doubleTokens(source, at+1), true
	}
	return plainTokens(source, at), true
}

// behindKey is the offset behind a key and its colon.
func behindKey(source string, at int, key string) (int, bool) {
	rest := source[at:]
	switch {
	case strings.HasPrefix(rest, key):
		at += len(key)
	case strings.HasPrefix(rest, `"`) && strings.HasPrefix(rest[1:], key+`"`), strings.HasPrefix(rest, "'") && strings.HasPrefix(rest[1:], key+"'"):
		at += len(key) + 2
	default:
		return 0, false
	}
	gap := len(source[at:]) - len(strings.TrimLeft(source[at:], " \t"))
	if !strings.HasPrefix(source[at+gap:], ":") {
		return 0, false
	}
	return at + gap + 1, true
}

// behindProperties skips white space, comments, tags and anchors.
func behindProperties(source string, at int) int {
	for at < len(source) {
		switch c := source[at]; {
		case isBlank(rune(c)):
			at++
		case c == '#':
			at += lineLen(source[at:])
		case c == '!' || c == '&':
			end := strings.IndexAny(source[at:], " \t\r\n")
			if end < 0 {
				return len(source)
			}
			at += end
		default:
			return at
		}
	}
	return at
}

func plainTokens(source string, at int) func() (token, bool) {
	return func() (token, bool) {
		if at >= len(source) {
			return token{}, false
		}
		r, size := utf8.DecodeRuneInString(source[at:])
		at += size
		return token{r, at - size, at}, true
	}
}

func singleTokens(source string, at int) func() (token, bool) {
	return func() (token, bool) {
		if at >= len(source) {
			return token{}, false
		}
		start := at
		r, size := utf8.DecodeRuneInString(source[at:])
		at += size
		if r == '\'' {
			if !strings.HasPrefix(source[at:], "'") {
				return token{}, false
			}
			at++
		}
		return token{r, start, at}, true
	}
}

// escapes are what one letter behind a backslash stands for (YAML 1.1, section 5.6); 0 is white
// space of some kind, which is not counted.
var escapes = map[byte]rune{
	'0': 0x00, 'a': 0x07, 'b': 0x08, 't': '\t', '\t': '\t', 'n': '\n', 'v': 0x0b, 'f': 0x0c, 'r': '\r', 'e': 0x1b,
	' ': ' ', '"': '"', '/': '/', '\\': '\\', 'N': 0x85, '_': 0xa0, 'L': 0x2028, 'P': 0x2029, '\n': '\n', '\r': '\r',
}

func doubleTokens(source string, at int) func() (token, bool) {
	return func() (token, bool) {
		if at >= len(source) || source[at] == '"' {
			return token{}, false
		}
		start := at
		r, size := utf8.DecodeRuneInString(source[at:])
		if r == '\\' {
			r, size = escaped(source[at:])
		}
		at += max(size, 1)
		return token{r, start, at}, size > 0
	}
}

// escaped is the character that an escape stands for, and the escape's length; 0 when it is none.
func escaped(s string) (char rune, size int) {
	if len(s) < 2 {
		return 0, 0
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[1]]
	if digits == 0 {
		r, known := escapes[s[1]]
		if !known {
			return 0, 0
		}
		return r, 2
	}
	char, ok := hexRune(s[2:], digits)
	if !ok {
		return 0, 0
	}
	size = 2 + digits
	if utf16.IsSurrogate(char) && strings.HasPrefix(s[size:], `\u`) { // JSON writes them as pairs
		if low, ok := hexRune(s[size+2:], 4); ok {
			return utf16.DecodeRune(char, low), size + 6
		}
	}
	return char, size
}

func hexRune(s string, digits int) (rune, bool) {
	if len(s) < digits {
		return 0, false
	}
	n, err := strconv.ParseUint(s[:digits], 16, 32)
	return rune(n), err == nil
}
