package image

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"

	"github.com/coaming/coaming/internal/fact"
)

// maxZip bounds an archive that is read through its own directory.
const maxZip = 512 << 20

// zipped calls yield with the files of an archive, and tells the first error behind the last of them.
func (in *input) zipped(yield func(*zip.File) error) error {
	r, err := in.random(maxZip)
	if err != nil {
		return err
	}
	defer r.close()
	list, err := zipFiles(r, r.size)
	if err != nil {
		return err
	}
	var first error
	for _, f := range list {
		if err := yield(f); err != nil && first == nil {
			first = fmt.Errorf("%.200s: %w", f.Name, err)
		}
	}
	return first
}

// maxDirectory bounds the directory of an archive, which is held in memory: some hundred thousand files.
const maxDirectory = 12 << 20

// zipFiles reads the directory of an archive.
func zipFiles(r io.ReaderAt, size int64) ([]*zip.File, error) {
	m := &metered{ReaderAt: r, left: maxDirectory}
	z, err := zip.NewReader(m, size)
	if m.left < 0 {
		return nil, boundError(fmt.Sprintf("the directory of the archive has more than %d bytes", maxDirectory))
	}
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // of the paths nothing is ever written
		return nil, fmt.Errorf("it is no whole archive: %w", err)
	}
	m.off = true // what follows is content
	return z.File, nil
}

// metered gives up when more was read than is left, until it is off.
type metered struct {
	io.ReaderAt
	left int64
	off  bool
}

func (m *metered) ReadAt(p []byte, at int64) (int, error) {
	if m.off {
		return m.ReaderAt.ReadAt(p, at)
	}
	if m.left -= int64(len(p)); m.left < 0 {
		return 0, errors.New("too much to read")
	}
	return m.ReaderAt.ReadAt(p, at)
}

// zipText reads a small file of an archive.
func zipText(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close() //nolint:errcheck // nothing was written
	text, err := io.ReadAll(io.LimitReader(r, maxText+1))
	if len(text) > maxText {
		return nil, boundError(fmt.Sprintf("it has more than %d bytes", maxText))
	}
	return text, err
}

// within notes where in an archive packages stand.
func within(at string, list []fact.Package) []fact.Package {
	for i := range list {
		if list[i].Within == "" {
			list[i].Within = at
		} else {
			list[i].Within = at + "!/" + list[i].Within
		}
	}
	return list
}
