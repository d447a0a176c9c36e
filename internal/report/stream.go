package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// stream writes one JSON document piece by piece, so that a result of any size costs the memory of
// one finding: every list has one element a line, which also reads and diffs well. It keeps the
// first error to itself until close.
type stream struct {
	out   *bufio.Writer
	buf   bytes.Buffer
	enc   *json.Encoder
	comma []bool // per open bracket: something stands before
	err   error
}

func newStream(w io.Writer) *stream {
	s := &stream{out: bufio.NewWriterSize(w, 1<<16)}
	s.enc = json.NewEncoder(&s.buf)
	s.enc.SetEscapeHTML(false)
	return s
}

// open begins an object or a list; key is empty for an element.
func (s *stream) open(key, bracket string) {
	s.begin(key)
	s.write(bracket)
	s.comma = append(s.comma, false)
}

// shut ends what was opened last.
func (s *stream) shut(bracket string) {
	last := len(s.comma) - 1
	if s.comma[last] {
		s.write("\n")
	}
	s.comma = s.comma[:last]
	s.write(bracket)
}

// value writes one value; key is empty for an element of a list.
func (s *stream) value(key string, v any) {
	s.begin(key)
	s.encode(v)
}

func (s *stream) begin(key string) {
	if last := len(s.comma) - 1; last >= 0 {
		if s.comma[last] {
			s.write(",")
		}
		s.comma[last] = true
		s.write("\n")
	}
	if key != "" {
		s.encode(key)
		s.write(":")
	}
}

func (s *stream) encode(v any) {
	s.buf.Reset()
	if err := s.enc.Encode(v); err != nil {
		if s.err == nil {
			s.err = err
		}
		return
	}
	s.inert(bytes.TrimSuffix(s.buf.Bytes(), []byte{'\n'}))
}

// write leaves an error to the last flush, which bufio tells it again.
func (s *stream) write(text string) { _, _ = s.out.WriteString(text) }

// close ends the document and tells the first error.
func (s *stream) close() error {
	s.write("\n")
	if err := s.out.Flush(); err != nil && s.err == nil {
		s.err = err
	}
	if s.err != nil {
		return fmt.Errorf("write report: %w", s.err)
	}
	return nil
}

// list writes a list of what at returns for 0 to n-1.
func (s *stream) list(key string, n int, at func(i int) any) {
	s.open(key, "[")
	for i := range n {
		s.value("", at(i))
	}
	s.shut("]")
}

// inert writes JSON with those characters escaped that would act on the terminal of somebody
// who looks at the file: C1 controls, DEL and bidirectional overrides. Outside ASCII they can only
// stand in strings, so \u escapes leave the document's meaning as it is.
func (s *stream) inert(b []byte) {
	start := 0
	for i := 0; i < len(b); i++ {
		if b[i] < 0x7f {
			continue
		}
		r, size := acting(b[i:])
		if r == 0 {
			continue
		}
		_, _ = s.out.Write(b[start:i])
		s.write(fmt.Sprintf(`\u%04x`, r))
		i += size - 1
		start = i + 1
	}
	_, _ = s.out.Write(b[start:])
}

// acting is the rune at the head of b when it acts on a terminal, else 0.
func acting(b []byte) (r rune, size int) {
	switch {
	case b[0] == 0x7f:
		return 0x7f, 1
	case len(b) >= 2 && b[0] == 0xc2 && b[1] >= 0x80 && b[1] <= 0x9f:
		return rune(b[1]), 2
	case len(b) >= 2 && b[0] == 0xd8 && b[1] == 0x9c:
		return 0x61c, 2
	case len(b) >= 3 && b[0] == 0xe2 && (b[1] == 0x80 || b[1] == 0x81):
		r = 0x2000 + rune(b[1]&1)<<6 + rune(b[2]&0x3f)
		if r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return r, 3
		}
	}
	return 0, 0
}
