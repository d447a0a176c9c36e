package source

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// ArchiveLimits bounds what an archive may cost. The zero value is the defaults.
type ArchiveLimits struct {
	Bytes int64 // unpacked, 1 GiB when 0
	Line  int   // bytes of one line, 64 MiB when 0
	// Thrift says what is not kept.
	Thrift Thrift
}

const (
	defaultArchiveBytes = 1 << 30
	defaultArchiveLine  = 64 << 20
	headerLine          = 64 << 10 // a header is some hundred bytes
	maxLineGaps         = 100      // more bad lines than that are only counted: a hostile archive has nothing else
)

const mendArchive = "Copy the archive again or take a new one."

// ReadArchive reads what WriteArchive wrote, as if it were the cluster itself. name is the file's.
// An archive that was cut off or damaged gives what can be read of it and a gap; what is no archive
// is an error.
func ReadArchive(r io.Reader, name string, limits ArchiveLimits) (*Reading, error) {
	if limits.Bytes <= 0 {
		limits.Bytes = defaultArchiveBytes
	}
	if limits.Line <= 0 {
		limits.Line = defaultArchiveLine
	}
	zip, err := gzip.NewReader(r)
	if err != nil {
		return nil, noArchive(name, err)
	}
	a := archiveReader{
		name: name, source: "archive:" + name, limit: limits.Line,
		r:   bufio.NewReaderSize(&boundedReader{r: zip, left: limits.Bytes}, 64<<10),
		sum: sha256.New(), out: &Reading{Live: true}, thrift: limits.Thrift.start(),
	}
	a.out.Coverage.Sources = []string{a.source}
	if err := a.header(); err != nil {
		return nil, err
	}
	for a.step() {
	}
	if more := a.bad - maxLineGaps; more > 0 {
		a.gap(verdict.GapUnreadable, fmt.Sprintf("%d more lines cannot be read", more), mendArchive)
	}
	a.out.Coverage.Documents = a.objects
	limits.Thrift.fold(a.out)
	return a.out, nil
}

// noArchive is the error for a file that was not made by WriteArchive.
func noArchive(name string, err error) error {
	return &verdict.RemedyError{
		Err:    fmt.Errorf("read archive %s: this is no archive of a cluster: %w", name, err),
		Remedy: "Take an archive with 'coaming snapshot' and name that file.",
	}
}

var (
	errTooMuch = errors.New("it holds more than is allowed")
	errTooLong = errors.New("the line is longer than is allowed")
)

// boundedReader fails when more comes out of an archive than it may hold: a small file can unpack
// to any size.
type boundedReader struct {
	r    io.Reader
	left int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		// At the end of the bound the archive may be at its end, too.
		var one [1]byte
		n, err := io.ReadFull(b.r, one[:])
		if n == 0 {
			return 0, err
		}
		return 0, errTooMuch
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

type archiveReader struct {
	name, source string
	r            *bufio.Reader
	limit        int
	sum          hash.Hash
	number       int // of the line
	buffer       []byte
	bad          int // lines that could not be read
	objects      int // that could, kept or not
	thrift       *thrifty
	out          *Reading
}

// next is the next line without its end, good until the one after it. Of a line that is too long
// the rest is skipped, so that the ones behind it can be read.
func (a *archiveReader) next(limit int) ([]byte, error) {
	a.buffer = a.buffer[:0]
	a.number++
	tooLong := false
	for {
		part, err := a.r.ReadSlice('\n')
		a.sum.Write(part)
		if len(a.buffer)+len(part) > limit {
			tooLong = true
		} else {
			a.buffer = append(a.buffer, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil: // io.EOF as well: every line of an archive has its end
			return nil, err
		case tooLong:
			return nil, errTooLong
		default:
			return a.buffer[:len(a.buffer)-1], nil
		}
	}
}

func (a *archiveReader) header() error {
	line, err := a.next(headerLine)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return noArchive(a.name, err)
	}
	var h archiveHeader
	if err := json.Unmarshal(line, &h); err != nil {
		return noArchive(a.name, err)
	}
	switch {
	case h.Format == archiveFormat:
		a.out.Version, a.out.Asked = h.Version, h.Kinds
		return nil
	case strings.HasPrefix(h.Format, archiveFamily):
		return &verdict.RemedyError{
			Err:    fmt.Errorf("read archive %s: its format is %q, this program reads %s", a.name, h.Format, archiveFormat),
			Remedy: "Use the version of coaming that took the archive, or a newer one.",
		}
	default:
		return noArchive(a.name, fmt.Errorf("its first line does not say %q", archiveFormat))
	}
}

// step reads one line behind the header, and says whether more may follow.
func (a *archiveReader) step() bool {
	before := hex.EncodeToString(a.sum.Sum(nil))
	line, err := a.next(a.limit)
	switch {
	case errors.Is(err, errTooLong):
		a.badLine(verdict.GapTooLarge, fmt.Sprintf("is longer than %d bytes", a.limit))
		return true
	case errors.Is(err, errTooMuch):
		a.gap(verdict.GapTooLarge, "the archive unpacks to more than is allowed; what stands behind that was not read", "Raise the bound if the archive is to be trusted.")
		return false
	case err != nil:
		a.broken(err)
		return false
	}
	if path, object, found := plainLine(line); found {
		if doc, fault := document.ParseJSON(string(object)); fault == nil {
			a.take(doc, path, "")
			return true
		}
	}
	return a.other(line, before)
}

// plainLine takes a line apart that has nothing but a path and an object, as nearly all do. Where the
// object is JSON, the line is.
func plainLine(line []byte) (path string, object []byte, found bool) {
	rest, found := bytes.CutPrefix(line, []byte(`{"path":"`))
	if !found {
		return "", nil, false
	}
	name, rest, found := bytes.Cut(rest, []byte(`","object":{`))
	if !found || len(rest) == 0 || rest[len(rest)-1] != '}' {
		return "", nil, false
	}
	for _, c := range name {
		if c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return "", nil, false
		}
	}
	return string(name), line[len(line)-len(rest)-1 : len(line)-1], true
}

// other reads a line that is not plain: with a doubt, the trailer, or one that cannot be read.
func (a *archiveReader) other(line []byte, before string) bool {
	doc, fault := document.ParseJSON(string(line))
	if fault != nil {
		a.badLine(verdict.GapCode(fault.Code), "cannot be read: "+fault.Message)
		return true
	}
	entry := doc.Root()
	if entry.Get("trailer").Exists() {
		a.trailer(line, before)
		a.behind()
		return false
	}
	// The object gets a text of its own: its paths and positions begin with itself.
	own, fault := document.ParseJSON(string(entry.Get("object").AppendJSON(nil)))
	if fault != nil {
		a.badLine(verdict.GapCode(fault.Code), "cannot be read: "+fault.Message)
		return true
	}
	doubt := entry.Get("doubt").Str()
	if d := doc.Doubt(); d != nil && doubt == "" {
		doubt = d.Message
	}
	a.take(own, strings.Clone(entry.Get("path").Str()), strings.Clone(doubt))
	return true
}

func (a *archiveReader) badLine(code verdict.GapCode, what string) {
	a.bad++
	if a.bad <= maxLineGaps {
		a.gap(code, fmt.Sprintf("line %d %s", a.number, what), mendArchive)
	}
}

// broken tells that the archive ends before its trailer.
func (a *archiveReader) broken(err error) {
	what := "it was cut off"
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		what = err.Error()
	}
	a.gap(verdict.GapUnreadable,
		fmt.Sprintf("the archive ends early, after %d objects: %s", a.objects, what),
		mendArchive)
}

// behind notices what stands behind the trailer, and a packing whose own sum is wrong.
func (a *archiveReader) behind() {
	_, err := a.r.ReadByte()
	switch {
	case errors.Is(err, io.EOF):
	case err != nil:
		a.gap(verdict.GapUnreadable, "the archive is damaged: "+err.Error(), mendArchive)
	default:
		a.gap(verdict.GapUnreadable, "more stands behind the end of the archive, and was not read", "Give each archive by itself.")
	}
}

func (a *archiveReader) gap(code verdict.GapCode, message, remedy string) {
	a.out.gap(verdict.Gap{
		Code:     code,
		Location: verdict.Location{Source: a.source, File: a.name, Line: a.number},
		Message:  message,
		Remedy:   remedy,
	})
}

// take keeps the object of a line, unless another one stands for it.
func (a *archiveReader) take(doc *document.Doc, path, doubt string) {
	o := fact.NewObject(doc.Root(), &fact.Origin{Source: a.source, File: path, Served: true})
	if o.APIVersion == "" || o.Kind == "" || o.Name == "" {
		a.badLine(verdict.GapNotObject, "holds no object with apiVersion, kind and name")
		return
	}
	if o.Doubt = doubt; o.Doubt == "" && doc.Doubt() != nil {
		o.Doubt = doc.Doubt().Message
	}
	a.objects++
	if reason := a.thrift.leaves(o); reason != nil {
		a.out.leaveOut(*reason)
		return
	}
	a.out.Objects = append(a.out.Objects, o)
}

// trailer takes over what was not looked at when the cluster was read, and checks the rest.
// sum is over the lines before it.
func (a *archiveReader) trailer(line []byte, sum string) {
	var end archiveEnd
	if err := json.Unmarshal(line, &end); err != nil || end.Trailer == nil {
		a.gap(verdict.GapUnreadable, fmt.Sprintf("the archive's last line, which tells what was not looked at, cannot be read: %v", err), mendArchive)
		return
	}
	t := end.Trailer
	for _, g := range t.Gaps {
		g.Location.Source = a.source
		a.out.gap(g)
	}
	for _, e := range t.Exclusions {
		a.out.leaveOut(e)
	}
	switch {
	case t.SHA256 != sum:
		a.gap(verdict.GapUnreadable, "the archive was damaged or changed after it was taken: its sum is not that of its lines", mendArchive)
	case t.Objects != a.objects:
		a.gap(verdict.GapUnreadable, fmt.Sprintf("the archive says that it holds %d objects, and holds %d that can be read", t.Objects, a.objects), mendArchive)
	}
}
