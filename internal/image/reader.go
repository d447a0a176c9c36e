package image

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// input is one file on its way past.
type input struct {
	path string
	size int64
	r    io.Reader
	n    int64 // bytes read so far
}

func (in *input) Read(p []byte) (int, error) {
	n, err := in.r.Read(p)
	in.n += int64(n)
	return n, err
}

// reader makes of a file what it tells; nil when it is nothing to speak of. With an error it may return what it
// had understood before.
type reader func(*input) (*find, error)

// unreadError says of something that it is there and that nothing reads it yet.
type unreadError string

func (e unreadError) Error() string { return string(e) }

// Bounds on single files, far beyond what package managers write.
const (
	maxText = 4 << 20   // package.json, METADATA and their like
	maxBase = 256 << 20 // databases of package managers, which are read line by line
	maxLine = 1 << 20
)

// readerOf is the reader of the file at a path, nil when it tells nothing. Of executables only the content says.
func readerOf(at string, executable bool) reader {
	base := path.Base(at)
	switch {
	case at == "var/lib/dpkg/status":
		return readDpkgStatus
	case strings.HasPrefix(at, "var/lib/dpkg/"):
		return dpkgReader(at)
	case at == "lib/apk/db/installed" || at == "usr/lib/apk/db/installed":
		return readApk
	case strings.HasSuffix(at, "os-release"):
		if at == releaseFiles[0] || at == releaseFiles[1] {
			return readRelease
		}
	case base == "package.json" && isNodePackage(at):
		return readNode
	case base == "METADATA" && strings.HasSuffix(path.Dir(at), ".dist-info"),
		base == "PKG-INFO" && strings.HasSuffix(path.Dir(at), ".egg-info"),
		strings.HasSuffix(base, ".egg-info"):
		return readPython
	case strings.HasSuffix(base, ".gemspec") && path.Base(path.Dir(at)) == "specifications",
		strings.HasSuffix(base, ".gemspec") && strings.HasSuffix(path.Dir(at), "/specifications/default"):
		return readGem
	case isRpmBase(at):
		return unread("the database of rpm is not read")
	case strings.HasSuffix(base, ".jar"), strings.HasSuffix(base, ".war"), strings.HasSuffix(base, ".ear"):
		return unread("an archive of Java is not read")
	case executable:
		return readExecutable
	}
	return nil
}

func unread(what string) reader {
	return func(*input) (*find, error) { return nil, unreadError(what) }
}

// isRpmBase knows the files that hold rpm's database, in the three forms and two places it has.
func isRpmBase(at string) bool {
	switch strings.TrimPrefix(path.Dir(at), "usr/") {
	case "var/lib/rpm", "lib/sysimage/rpm":
		base := path.Base(at)
		return base == "Packages" || base == "Packages.db" || base == "rpmdb.sqlite"
	}
	return false
}

// text reads the whole of a small file.
func (in *input) text() ([]byte, error) {
	if in.size > maxText {
		return nil, boundError(fmt.Sprintf("%d bytes are more than the %d that are read", in.size, maxText))
	}
	return io.ReadAll(io.LimitReader(in, maxText))
}

// lines calls yield with one line after the other, without its end, until it returns false.
func (in *input) lines(yield func(line string) bool) error {
	if in.size > maxBase {
		return boundError(fmt.Sprintf("%d bytes are more than the %d that are read", in.size, maxBase))
	}
	s := bufio.NewScanner(io.LimitReader(in, maxBase))
	s.Buffer(make([]byte, 0, 4096), maxLine)
	for s.Scan() {
		if !yield(strings.TrimSuffix(s.Text(), "\r")) {
			return nil
		}
	}
	if errors.Is(s.Err(), bufio.ErrTooLong) {
		return boundError(fmt.Sprintf("a line is longer than %d bytes", maxLine))
	}
	return s.Err()
}
