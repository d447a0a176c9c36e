package image

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// maxHeld is the size up to which a file that must be jumped about in is held in memory; a larger one out of a layer
// passes through a temporary file without a name.
const maxHeld = 4 << 20

// random is a file to jump about in.
type random struct {
	io.ReaderAt
	size int64
	file *os.File // a temporary one, to be closed
}

// random makes one of a file that is read, unless it has more than most bytes.
func (in *input) random(most int64) (*random, error) {
	if in.size > most {
		return nil, boundError(fmt.Sprintf("%d bytes are more than the %d that are read", in.size, most))
	}
	if at, ok := in.r.(io.ReaderAt); ok && in.n == 0 {
		return &random{ReaderAt: at, size: in.size}, nil
	}
	return spool(in, in.size)
}

// spool makes one of a stream of that many bytes.
func spool(r io.Reader, size int64) (*random, error) {
	if size <= maxHeld {
		held, err := io.ReadAll(io.LimitReader(r, size))
		return &random{ReaderAt: bytes.NewReader(held), size: int64(len(held))}, err
	}
	file, err := os.CreateTemp("", "coaming-")
	if err != nil {
		return nil, fmt.Errorf("it is read by way of a temporary file: %w", err)
	}
	s := &random{ReaderAt: file, file: file}
	_ = os.Remove(file.Name()) // where a system does not let go of open files, close removes it
	if _, copied := io.Copy(file, io.LimitReader(r, size)); copied != nil {
		s.close()
		return nil, fmt.Errorf("it is read by way of a temporary file: %w", copied)
	}
	if s.size, err = file.Seek(0, io.SeekCurrent); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *random) close() {
	if s.file == nil {
		return
	}
	_ = s.file.Close()
	_ = os.Remove(s.file.Name())
}
