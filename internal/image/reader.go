package image

import (
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
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

// skip passes over bytes where that costs nothing, and says whether it did.
func (in *input) skip(n int64) bool {
	file, ok := in.r.(io.Seeker)
	if !ok {
		return false
	}
	if _, err := file.Seek(n, io.SeekCurrent); err != nil {
		return false
	}
	in.n += n
	return true
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
	maxList = 32 << 20  // lists of all packages of an application, which are read whole
	maxBase = 256 << 20 // databases of package managers, which are read line by line
	maxLine = 1 << 20
)

// named are what may read a file by the last part of its path, and suffixed by the end of that. Each looks at the
// rest of the path, and returns nil for what it does not mean.
var (
	named = map[string]func(at string) reader{
		"status":               exactly(readDpkgStatus, "var/lib/dpkg/status"),
		"installed":            exactly(readApk, "lib/apk/db/installed", "usr/lib/apk/db/installed"),
		"os-release":           exactly(readRelease, releaseFiles...),
		"Packages":             rpmReader,
		"Packages.db":          rpmReader,
		"rpmdb.sqlite":         rpmReader,
		"rpmdb.sqlite-wal":     rpmReader,
		"container-manifest-2": rpmReader,
		"package.json":         nodeReader,
		"package-lock.json":    lockReader(readPackageLock),
		"npm-shrinkwrap.json":  lockReader(readPackageLock),
		"yarn.lock":            lockReader(readYarnLock),
		"pnpm-lock.yaml":       lockReader(readPnpmLock),
		"poetry.lock":          lockReader(readTomlLock("PyPI")),
		"uv.lock":              lockReader(readTomlLock("PyPI")),
		"pdm.lock":             lockReader(readTomlLock("PyPI")),
		"Pipfile.lock":         lockReader(readPipfileLock),
		"Cargo.lock":           lockReader(readTomlLock("crates.io")),
		"Gemfile.lock":         lockReader(readGemfileLock),
		"composer.lock":        lockReader(readComposerLock),
		"go.sum":               lockReader(readGoSum),
		"METADATA":             below(".dist-info", readPython),
		"PKG-INFO":             pythonInfoReader,
		"packages.config":      always(readPackagesConfig),
		"installed.json":       composerReader,
		"hex_metadata.config":  always(readHexMetadata),
		"OTP_VERSION":          otpReader,
		"conan.lock":           always(readConanLock),
		"conaninfo.txt":        conanReader,
		"release":              javaReader,
		"VERSION":              goRootReader,
	}
	suffixed = map[string]func(at string) reader{
		".gemspec":  gemReader,
		".egg-info": always(readPython),
		".egg":      always(readEgg),
		".jar":      always(readJar), ".war": always(readJar), ".ear": always(readJar), ".par": always(readJar), ".sar": always(readJar),
		".rar": always(readJar), ".nar": always(readJar), ".kar": always(readJar), ".hpi": always(readJar), ".jpi": always(readJar),
		".lpkg":   always(readJar),
		".json":   jsonReader,
		".nuspec": nuspecReader,
		".app":    erlangReader,
		".zip":    yarnReader,
	}
)

// readerOf is the reader of the file at a path, nil when it tells nothing. Of executables only the content says.
func readerOf(at string, executable bool) reader {
	if read := listReaderOf(at); read != nil {
		return read
	}
	var program reader
	if marks := marksOf(at); len(marks) > 0 || executable || isLoaded(path.Base(at)) {
		program = func(in *input) (*find, error) { return readProgram(in, marks) }
	}
	if mayBeArchive(at) {
		return readUnnamed(program)
	}
	return program
}

// listReaderOf is the reader of a file in which a package manager notes packages.
func listReaderOf(at string) reader {
	base := path.Base(at)
	choose := named[base]
	if choose == nil {
		choose = suffixed[path.Ext(base)]
	}
	if choose != nil {
		if read := choose(at); read != nil {
			return read
		}
	}
	if strings.HasPrefix(at, "var/lib/dpkg/") {
		return dpkgReader(at)
	}
	return nil
}

func always(read reader) func(string) reader { return func(string) reader { return read } }

// exactly reads files at these paths alone.
func exactly(read reader, paths ...string) func(string) reader {
	return func(at string) reader {
		if slices.Contains(paths, at) {
			return read
		}
		return nil
	}
}

// below reads files right in a directory whose name ends so.
func below(suffix string, read reader) func(string) reader {
	return func(at string) reader {
		if strings.HasSuffix(path.Dir(at), suffix) {
			return read
		}
		return nil
	}
}

// jsonReader knows the files that are told by the end of their names or the directory that they stand in.
func jsonReader(at string) reader {
	switch {
	case strings.HasSuffix(at, ".deps.json"):
		return readNugetDeps
	case path.Base(path.Dir(at)) == "conda-meta":
		return readConda
	}
	return nil
}

// one is a single package.
func one(ecosystem, name, version string) *find {
	return &find{packages: []fact.Package{{Ecosystem: ecosystem, Name: name, Version: version}}}
}

// text reads the whole of a small file.
func (in *input) text() ([]byte, error) { return in.whole(maxText) }

func (in *input) whole(most int64) ([]byte, error) {
	if in.size > most {
		return nil, boundError(fmt.Sprintf("%d bytes are more than the %d that are read", in.size, most))
	}
	return io.ReadAll(io.LimitReader(in, most))
}

// json reads a file of JSON into v.
func (in *input) json(v any) error {
	text, err := in.whole(maxList)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(bytes.TrimPrefix(text, []byte("\ufeff")), v); err != nil {
		return fmt.Errorf("it does not parse: %w", err)
	}
	return nil
}

// xml reads a file of XML into v, whatever the encoding that it claims.
func (in *input) xml(v any) error {
	text, err := in.text()
	if err != nil {
		return err
	}
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // names and versions are ASCII
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("it does not parse: %w", err)
	}
	return nil
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

// word is a JSON string; anything else is read as "".
type word string

func (w *word) UnmarshalJSON(text []byte) error {
	var s string
	if json.Unmarshal(text, &s) == nil {
		*w = word(s)
	}
	return nil
}
