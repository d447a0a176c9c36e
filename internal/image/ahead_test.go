package image

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestAhead(t *testing.T) {
	text := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	for name, r := range map[string]func() io.Reader{
		"whole":                    func() io.Reader { return bytes.NewReader(text) },
		"in parts":                 func() io.Reader { return iotest.HalfReader(bytes.NewReader(text)) },
		"data and its end at once": func() io.Reader { return iotest.DataErrReader(bytes.NewReader(text)) },
	} {
		t.Run(name, func(t *testing.T) {
			a := readAhead(r())
			defer a.Close()
			head := make([]byte, 100)
			if _, err := io.ReadFull(a, head); err != nil || !bytes.Equal(head, text[:100]) {
				t.Fatalf("%q, %v", head, err)
			}
			if at, err := a.Seek(1_000_001, io.SeekCurrent); at != 1_000_101 || err != nil {
				t.Fatalf("at %d, %v", at, err)
			}
			rest, err := io.ReadAll(a)
			if err != nil || !bytes.Equal(rest, text[1_000_101:]) || a.taken != int64(len(text)) {
				t.Errorf("%d bytes, %v", len(rest), err)
			}
			if _, err := a.Seek(1, io.SeekCurrent); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("behind the end: %v", err)
			}
			if _, err := a.Seek(-1, io.SeekCurrent); err == nil {
				t.Error("it went back")
			}
		})
	}
	broken := errors.New("broken")
	a := readAhead(io.MultiReader(bytes.NewReader(text), iotest.ErrReader(broken)))
	if err := a.drain(); !errors.Is(err, broken) || a.taken != int64(len(text)) {
		t.Errorf("%d bytes, %v", a.taken, err)
	}
	a.Close()
	a = readAhead(bytes.NewReader(text)) // nobody takes anything
	a.Close()
}
