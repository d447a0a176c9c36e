package image

import (
	"io"
	"os"
	"reflect"
	"testing"
)

// counted counts what is read of a file that can be jumped about in.
type counted struct {
	*io.SectionReader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.SectionReader.Read(p)
	c.n += int64(n)
	return n, err
}

// TestJump holds what is seen of a program by jumping to what is seen of it as it passes.
func TestJump(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Skip("this program is nowhere:", err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Skip("this program cannot be read:", err)
	}
	defer file.Close() //nolint:errcheck // nothing was written
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	see := func(r io.Reader) *elfFile {
		var buffer []byte
		e, record := &programEye{size: info.Size(), buffer: &buffer}, &record{}
		w := &watched{r: &input{size: info.Size(), r: r}, eyes: []eye{e}}
		if err := w.finish(make([]byte, 64<<10)); err != nil {
			t.Fatal(err)
		}
		e.tell(record)
		return record.program
	}
	section := func() *io.SectionReader { return io.NewSectionReader(file, 0, info.Size()) }
	jumping := &counted{SectionReader: section()}
	passing, jumped := see(struct{ io.Reader }{section()}), see(jumping)
	if passing == nil {
		t.Skip("this program is no ELF file")
	}
	if !reflect.DeepEqual(passing, jumped) {
		t.Errorf("jumping:\n%+v\nas it passes:\n%+v", jumped, passing)
	}
	if jumping.n > info.Size()/2 {
		t.Errorf("%d of %d bytes were read", jumping.n, info.Size())
	}
}
