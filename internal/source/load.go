package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"

	"github.com/coaming/coaming/internal/verdict"
)

// input is one file to read.
type input struct {
	path string // as it was given, or below a directory that was
	size int64
	// named is set when the user named this very file: whatever it holds is told.
	named bool
	// matched is set when a pattern of the user's did.
	matched bool
	// chart is set for files beside a chart's own.
	chart bool
	// stream is set for standard input, pipes and devices: their size is not known.
	stream bool
	// overlay is the source of a kustomization that lists the file and changes nothing of it.
	overlay string
	// dropped is set when a chart or an overlay turned out to be what reads the file.
	dropped bool
}

// gap is a gap about the whole file.
func (in *input) gap(code verdict.GapCode, message, remedy string) verdict.Gap {
	return fileGap(in.path, code, message, remedy)
}

func fileGap(path string, code verdict.GapCode, message, remedy string) verdict.Gap {
	return verdict.Gap{Code: code, Location: verdict.Location{Source: "files", File: filepath.ToSlash(path)}, Message: message, Remedy: remedy}
}

// unreadable is the gap of an I/O error.
func unreadable(path string, err error) verdict.Gap {
	cause := err
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		cause = pathErr.Err
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fileGap(path, verdict.GapUnreadable, "no permission to read it", "Run as a user who may read it, or leave it out in .coamingignore.")
	case errors.Is(err, fs.ErrNotExist):
		return fileGap(path, verdict.GapMissing, "it is not there, or a symbolic link that leads nowhere", "Mend or remove the link, or leave it out in .coamingignore.")
	case errors.Is(err, syscall.ELOOP):
		return fileGap(path, verdict.GapUnreadable, "a loop of symbolic links", "Remove the link, or leave it out in .coamingignore.")
	default:
		return fileGap(path, verdict.GapUnreadable, "cannot be read: "+cause.Error(), "Make it readable, or leave it out in .coamingignore.")
	}
}

// load gives a file's content; of an endless one the whole documents before the bound, and a gap.
func (o *FileOptions) load(ctx context.Context, in *input) (string, *verdict.Gap, error) {
	if text, replaced := o.disk.at(in.path); replaced {
		return text, nil, nil
	}
	if in.stream {
		return o.loadStream(ctx, in)
	}
	text, err := readRegular(in.path, o.MaxFile)
	if err == nil {
		return text, nil, nil
	}
	g := unreadable(in.path, err)
	if large, ok := errors.AsType[*largeError](err); ok {
		g = in.gap(verdict.GapTooLarge, large.Error(), "Split the file, or raise the bound.")
	}
	return "", &g, nil
}

// largeError says that a file is over a bound.
type largeError struct{ size, limit int64 }

func (e *largeError) Error() string {
	return fmt.Sprintf("a file of %s, over the bound of %s", bytesText(e.size), bytesText(e.limit))
}

// errIrregular says that a path leads to a pipe, a device or a socket.
var errIrregular = errors.New("a pipe, a device or a socket, not a file")

// readRegular reads a regular file into one string. It never waits on a pipe that somebody put in
// the file's place: hence O_NONBLOCK.
func readRegular(path string, limit int64) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	size := info.Size()
	switch {
	case !info.Mode().IsRegular():
		return "", &fs.PathError{Op: "read", Path: path, Err: errIrregular}
	case size > limit:
		return "", &largeError{size, limit}
	case size == 0: // also the files of /proc, which hold more than they say
		text, cut, err := readUpTo(f, limit)
		if cut {
			return "", &largeError{limit + 1, limit}
		}
		return text, err
	}
	buffer := make([]byte, size)
	n, err := io.ReadFull(f, buffer)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", err
	}
	return own(buffer[:n]), nil
}

// own makes a string of bytes that nobody will write to again, without copying them: manifests
// come in hundreds of megabytes.
func own(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// bytesOf is the bytes of a string, for reading.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// readUpTo reads at most limit bytes; cut says that there was more.
func readUpTo(r io.Reader, limit int64) (text string, cut bool, err error) {
	buffer, err := io.ReadAll(io.LimitReader(r, limit+1))
	if int64(len(buffer)) > limit {
		return own(buffer[:limit]), true, nil
	}
	return own(buffer), false, err
}

// loadStream reads standard input, or a pipe or device that the user named, and gives up with ctx.
func (o *FileOptions) loadStream(ctx context.Context, in *input) (string, *verdict.Gap, error) {
	type answer struct {
		text string
		cut  bool
		err  error
	}
	answers := make(chan answer, 1)
	go func() { // it ends when the stream does; nobody can interrupt a read of a pipe
		var a answer
		if in.path == "-" {
			a.text, a.cut, a.err = readUpTo(o.Stdin, o.MaxFile)
		} else if f, err := Open(in.path); err != nil {
			a.err = err
		} else {
			a.text, a.cut, a.err = readUpTo(f, o.MaxFile)
			_ = f.Close() // it was only read
		}
		answers <- a
	}()
	select {
	case <-ctx.Done():
		return "", nil, fmt.Errorf("read %s: %w", in.path, ctx.Err())
	case a := <-answers:
		if a.cut {
			g := in.gap(verdict.GapTooLarge, fmt.Sprintf("more than %s; what comes behind the last whole document was not read", bytesText(o.MaxFile)),
				"Give the manifests as files, or raise the bound.")
			return wholeDocuments(a.text), &g, nil
		}
		if refused, ok := errors.AsType[*verdict.RemedyError](a.err); ok {
			return "", nil, refused
		}
		if a.err != nil {
			g := unreadable(in.path, a.err)
			return wholeDocuments(a.text), &g, nil //nolint:nilerr // told as a gap
		}
		return a.text, nil, nil
	}
}

// wholeDocuments is what stands before the last document of a text that was cut off.
func wholeDocuments(text string) string {
	at := max(strings.LastIndex(text, "\n---\n"), strings.LastIndex(text, "\n---\r\n"), strings.LastIndex(text, "\n--- "))
	if at < 0 {
		return ""
	}
	return text[:at+1]
}
