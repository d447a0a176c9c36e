package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// store holds the files of an OCI layout or of an archive by their names.
type store interface {
	open(name string) (io.ReadCloser, int64, error)
}

// folder is an OCI layout in a directory, out of which no link leads.
type folder struct{ root *os.Root }

func (f folder) open(name string) (io.ReadCloser, int64, error) {
	file, info, err := openRegular(f.root, name)
	if err != nil {
		return nil, 0, err
	}
	return file, info.Size(), nil
}

// openRegular opens a file below a root, and nothing that would make a reader wait.
func openRegular(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	file, err := root.OpenFile(name, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", name, err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		_ = file.Close()
		return nil, nil, fmt.Errorf("open %s: %w", name, err)
	}
	return file, info, nil
}

// Bounds on an archive's own list of files and on the documents that describe an image.
const (
	maxMembers  = 100_000
	maxDocument = 8 << 20
	maxHops     = 8 // from link to link; docker save of old makes one
)

// archive is a tar of an OCI layout or of docker save. Its members are found once and read where they stand.
type archive struct {
	file    *os.File
	members map[string]member
}

type member struct {
	offset, size int64
	link         string
}

func openArchive(name string) (*archive, error) {
	file, err := os.OpenFile(name, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, fmt.Errorf("open image: %w", err)
	}
	a := &archive{file: file, members: map[string]member{}}
	if err := a.index(); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("open image %s: %w", name, err)
	}
	return a, nil
}

func (a *archive) Close() error { return a.file.Close() }

func (a *archive) index() error {
	if info, err := a.file.Stat(); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return errors.New("it is neither a regular file nor a directory")
	}
	head := make([]byte, 6)
	if n, _ := a.file.ReadAt(head, 0); isCompressed(head[:n]) {
		return &verdict.RemedyError{Err: errors.New("the archive is compressed as a whole"), Remedy: "Decompress it first, with gunzip or zstd -d: the layers inside may be compressed."}
	}
	r := tar.NewReader(a.file)
	for range maxMembers {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &verdict.RemedyError{Err: fmt.Errorf("it is no whole tar: %w", err), Remedy: "Give an OCI layout, an archive of docker save, or a directory."}
		}
		offset, err := a.file.Seek(0, io.SeekCurrent) // the reader reads no further than the header
		if err != nil {
			return err
		}
		at, _ := clean(h.Name)
		switch h.Typeflag {
		case tar.TypeReg:
			a.members[at] = member{offset: offset, size: h.Size}
		case tar.TypeSymlink:
			a.members[at] = member{link: path.Join(path.Dir(at), h.Linkname)}
		case tar.TypeLink:
			a.members[at] = member{link: path.Clean(h.Linkname)}
		}
	}
	return fmt.Errorf("the archive has more than %d members", maxMembers)
}

func (a *archive) open(name string) (io.ReadCloser, int64, error) {
	at := path.Clean(name)
	for range maxHops {
		m, ok := a.members[at]
		if !ok {
			return nil, 0, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
		}
		if m.link == "" {
			return io.NopCloser(io.NewSectionReader(a.file, m.offset, m.size)), m.size, nil
		}
		at = m.link
	}
	return nil, 0, fmt.Errorf("open %s: its links go round in a circle", name)
}

// document reads one of the JSON documents that describe an image into v, closes it, and returns its bytes, also where
// they are no JSON.
func document(r io.ReadCloser, size int64, name string, v any) ([]byte, error) {
	defer r.Close() //nolint:errcheck // nothing was written
	if size > maxDocument {
		return nil, fmt.Errorf("read %s: %d bytes are more than the %d that are read", name, size, maxDocument)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(text) > maxDocument {
		return nil, fmt.Errorf("read %s: it has more than the %d bytes that are read", name, maxDocument)
	}
	if err := json.Unmarshal(bytes.TrimPrefix(text, []byte("\ufeff")), v); err != nil {
		return text, fmt.Errorf("read %s: %w", name, err)
	}
	return text, nil
}

// clean is the path of an entry from the root, without a leading slash; ok is false for one that would
// lead out of it.
func clean(name string) (string, bool) {
	depth := 0
	for part := range strings.SplitSeq(name, "/") {
		switch part {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return strings.TrimPrefix(path.Clean("/"+name), "/"), false
			}
		default:
			depth++
		}
	}
	return strings.TrimPrefix(path.Clean("/"+name), "/"), true
}
