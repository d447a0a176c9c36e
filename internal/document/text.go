package document

import (
	"bytes"
	"encoding/binary"
	"sort"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// Text is what a file held, as UTF-8 without a byte order mark. Its lines are counted when
// somebody first asks for one, so that text without findings never pays for positions.
type Text struct {
	content string
	once    sync.Once
	starts  []uint32 // offset of each line's first byte
}

// MaxText is the largest text in bytes; offsets are 32 bits wide.
const MaxText = 1<<32 - 2

// NewText wraps UTF-8 text.
func NewText(content string) *Text { return &Text{content: content} }

// Content is the whole text.
func (t *Text) Content() string { return t.content }

// Decode makes text of a file's bytes: UTF-8, with or without a byte order mark, or UTF-16 with
// one. Bytes that are no text are an Error with CodeBinary.
func Decode(raw string) (*Text, *Error) {
	switch {
	case strings.HasPrefix(raw, "\xef\xbb\xbf"):
		raw = raw[3:]
	case strings.HasPrefix(raw, "\xff\xfe"):
		raw = decodeUTF16(raw[2:], binary.LittleEndian)
	case strings.HasPrefix(raw, "\xfe\xff"):
		raw = decodeUTF16(raw[2:], binary.BigEndian)
	}
	t := NewText(raw)
	if at := strings.IndexByte(raw, 0); at >= 0 {
		return nil, t.errorAt(at, CodeBinary, "a NUL byte: this is no text", "Leave the file out, or save it as UTF-8 text.")
	}
	if !utf8.ValidString(raw) {
		return nil, t.errorAt(firstInvalid(raw), CodeBinary, "not UTF-8 text", "Save the file as UTF-8.")
	}
	return t, nil
}

func firstInvalid(s string) int {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return i
			}
		}
	}
	return len(s)
}

func decodeUTF16(raw string, order binary.ByteOrder) string {
	units := make([]uint16, 0, len(raw)/2)
	for b := []byte(raw); len(b) >= 2; b = b[2:] {
		units = append(units, order.Uint16(b))
	}
	var out bytes.Buffer
	for _, r := range utf16.Decode(units) {
		out.WriteRune(r)
	}
	return out.String()
}

func (t *Text) index() []uint32 {
	t.once.Do(func() {
		t.starts = make([]uint32, 1, 1+strings.Count(t.content, "\n"))
		for at := 0; ; {
			n := strings.IndexByte(t.content[at:], '\n')
			if n < 0 {
				return
			}
			at += n + 1
			t.starts = append(t.starts, uint32(at))
		}
	})
	return t.starts
}

// Position is the line and column of an offset, both from 1, the column in bytes.
func (t *Text) Position(offset int) (line, column int) {
	starts := t.index()
	line = sort.Search(len(starts), func(i int) bool { return int(starts[i]) > offset })
	return line, offset - int(starts[line-1]) + 1
}

// Lines is the number of lines.
func (t *Text) Lines() int {
	n := len(t.index())
	if n > 1 && int(t.starts[n-1]) == len(t.content) {
		n--
	}
	return n
}

// Line is the n-th line, from 1, without its line end; "" beyond the text.
func (t *Text) Line(n int) string {
	starts := t.index()
	if n < 1 || n > len(starts) {
		return ""
	}
	line := t.content[starts[n-1]:]
	if end := strings.IndexByte(line, '\n'); end >= 0 {
		line = line[:end]
	}
	return strings.TrimSuffix(line, "\r")
}

// errorAt makes an Error at an offset.
func (t *Text) errorAt(offset int, code Code, message, remedy string) *Error {
	line, column := t.Position(min(offset, len(t.content)))
	return &Error{Line: line, Column: column, Code: code, Message: message, Remedy: remedy}
}

// Offset is where the n-th line begins, from 1; the text's end beyond it.
func (t *Text) Offset(n int) int {
	starts := t.index()
	if n < 1 || n > len(starts) {
		return len(t.content)
	}
	return int(starts[n-1])
}
