package image

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// stratum is what one layer adds and hides. Of its paths only hashes are kept, eight bytes each, under
// a secret that nobody can know beforehand. What a keeper need not keep has the tag keep:"-".
type stratum struct {
	number    int          `keep:"-"`
	options   *Options     `keep:"-"`
	ledger    *ledger      `keep:"-"`
	observers []observer   `keep:"-"`
	current   entry        `keep:"-"` // the one that passes
	readers   []reader     `keep:"-"` // of the entry that passes
	shared    bytes.Buffer `keep:"-"` // a small file that several readers want

	notes *notes

	finds  map[string]*find    // by path
	plain  map[string]plain    // the same of files that tell of one package and little of that
	paths  []uint64            // of everything but directories
	dirs   []uint64            // of directories
	gone   []uint64            // what whiteouts hide
	opaque []uint64            // directories that hide what they held below
	passed int                 `keep:"-"` // entries
	sparse int64               // bytes read of sparse files that are in no tar
	unread map[string][]string // by what it is, the files that nothing reads yet
}

func newStratum(number int, o *Options, l *ledger) *stratum {
	s := &stratum{number: number, options: o, ledger: l, finds: map[string]*find{}, plain: map[string]plain{}, unread: map[string][]string{}, notes: newNotes(o)}
	s.observers = newObservers(s)
	return s
}

// sum is the hash of a path under the secret that the options have.
func (o *Options) sum(at string) uint64 {
	var room [128]byte
	hash := sha256.Sum256(append(append(room[:0], o.secret[:]...), at...))
	return binary.LittleEndian.Uint64(hash[:])
}

func (s *stratum) sum(at string) uint64 { return s.options.sum(at) }

// hide notes a whiteout (opencontainers/image-spec, layer.md) and says whether the path was one.
func (s *stratum) hide(at string) bool {
	name, white := strings.CutPrefix(path.Base(at), ".wh.")
	if !white {
		return false
	}
	dir := path.Dir(at)
	switch {
	case name == ".wh..opq":
		s.opaque = append(s.opaque, s.sum(dir))
	case !strings.HasPrefix(name, ".wh."): // aufs keeps books of its own under that prefix
		s.gone = append(s.gone, s.sum(path.Join(dir, name)))
	}
	return true
}

func (s *stratum) directory(at string) {
	s.dirs = append(s.dirs, s.sum(at))
	s.forget(at)
}

// present notes that something stands at the path: of two entries the later one counts.
func (s *stratum) present(at string) {
	s.paths = append(s.paths, s.sum(at))
	s.forget(at)
}

func (s *stratum) finish() {
	for _, o := range s.observers {
		o.finish()
	}
	s.observers, s.readers, s.shared = nil, nil, bytes.Buffer{}
	for _, list := range []*[]uint64{&s.paths, &s.dirs, &s.gone, &s.opaque} {
		slices.Sort(*list)
		*list = slices.Clip(slices.Compact(*list))
	}
	for what, files := range s.unread {
		message := what
		if n := len(files); n > 1 {
			message = fmt.Sprintf("%s, nor are %d more like it", what, n-1)
		}
		s.gap(slices.Min(files), verdict.GapUnreadable, message, "Ask what manages these files for what they hold.")
	}
}

// step counts an entry that passes, and tells of them in batches.
func (s *stratum) step() {
	const batch = 256
	if s.passed++; s.passed%batch == 0 && s.options.Progress != nil {
		s.options.Progress(batch)
	}
}

func (s *stratum) gap(file string, code verdict.GapCode, message, remedy string) {
	s.ledger.add(gap{layer: s.number, file: file, code: code, message: message, remedy: remedy})
}

// link notes a hard link. Its content is that of an earlier entry, which has passed: what it shares with a file
// that was understood is known, and where a name was to be read and the other was not, that is a gap.
func (s *stratum) link(at, target string, inside bool) {
	if !inside {
		s.gap(at, verdict.GapUnreadable, fmt.Sprintf("a hard link that leads out of the image, to %.100q", target), "Build the image with a tool that writes no such links.")
		return
	}
	if f := s.found(target); f != nil && listReaderOf(at) != nil {
		shared := *f
		s.keep(at, &shared)
		return
	}
	if listReaderOf(at) != nil {
		s.gap(at, verdict.GapUnreadable, fmt.Sprintf("a hard link to %.200q, which was not read under that name", target), "Scan the unpacked root directory, where links are files.")
	}
}

// observe tells the observers of an entry, and returns what shall read its content.
func (s *stratum) observe(e *entry) []reader {
	s.readers = s.readers[:0]
	for _, o := range s.observers {
		if read := o.observe(e); read != nil && e.mode.IsRegular() && !e.hard {
			s.readers = append(s.readers, read)
		}
	}
	return s.readers
}

// read gives a file to what shall read it, and returns how many of its bytes were read.
func (s *stratum) read(e *entry, readers []reader, r io.Reader) int64 {
	if len(readers) == 0 {
		return 0
	}
	list, n := s.readAll(e, readers, r)
	for _, t := range list {
		s.take(e.path, t.find, t.err)
	}
	return n
}

// take notes what a reader made of a file, and what it could not read of it.
func (s *stratum) take(at string, f *find, err error) {
	if u, unread := err.(unreadError); unread { //nolint:errorlint // a reader's own, never wrapped
		s.unread[string(u)] = append(s.unread[string(u)], at)
		return
	}
	if err != nil {
		g := gap{layer: s.number, file: at, code: verdict.GapSyntax, message: err.Error(), remedy: "Mend the file, or leave it out of the image."}
		if _, over := err.(boundError); over { //nolint:errorlint // as above
			g.code, g.remedy = verdict.GapTooLarge, "See what the file is; what manages packages writes none that large."
		}
		s.ledger.add(g)
	}
	s.keep(at, f) // with an error, as far as it was understood
}

// covers says whether a stratum above hides or replaces the path, whose hash and whose parents' hashes are given.
func (s *stratum) covers(own uint64, parents []uint64) bool {
	has := func(list []uint64, h uint64) bool {
		if len(list) == 0 {
			return false
		}
		_, found := slices.BinarySearch(list, h)
		return found
	}
	if has(s.paths, own) || has(s.dirs, own) || has(s.gone, own) {
		return true
	}
	for _, p := range parents {
		if has(s.gone, p) || has(s.opaque, p) || has(s.paths, p) {
			return true
		}
	}
	return false
}

// parentsOf are the hashes of the directories above a path, the root's among them.
func (o *Options) parentsOf(at string) []uint64 {
	list := []uint64{o.sum(".")}
	for i := range len(at) {
		if at[i] == '/' {
			list = append(list, o.sum(at[:i]))
		}
	}
	return list
}
