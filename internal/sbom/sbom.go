// Package sbom reads and writes bills of materials: SPDX 2.3 (JSON and tag-value), SPDX 3.0 (JSON-LD), CycloneDX 1.6
// (JSON, older versions and XML when reading) and, when reading, syft's own JSON. A bill becomes the same fact.Image that
// an image's catalogue is, and a catalogue becomes the same bill, byte for byte, whenever it is written. What a bill
// leaves open or says to be incomplete is a gap, and the gaps of a catalogue stand in the bill that is written of it.
// It is pure: text in, facts out, and the other way round. internal/image and the commands in cli import it.
package sbom

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// Limits bound what reading one bill may cost. The zero value is DefaultLimits.
type Limits struct {
	Bytes     int64 // of the whole document; more is an error
	Text      int   // bytes of one string or line; more is an error
	Depth     int   // of lists and objects in one another; more is an error
	Packages  int   // what is over it is a gap
	Relations int   // links between parts of the document; what is over it is a gap
	Gaps      int   // gaps that are told one by one
}

// DefaultLimits are wide enough for the bill of any image that Coaming reads itself.
var DefaultLimits = Limits{Bytes: 1 << 30, Text: 16 << 20, Depth: 200, Packages: 250_000, Relations: 4_000_000, Gaps: 200}

// head is how many bytes are looked at to recognise a bill; what stands before its first word is not counted.
const head = 4096

// Recognises says whether a file that begins with these bytes may be a bill of materials: an object in JSON, an element
// in XML, or SPDX' tags. Read says whether it is one.
func Recognises(begin []byte) bool { return formOf(begin) != nil }

// formOf is the reader of what begins so, nil when it can be no bill.
func formOf(begin []byte) func(*gathering, io.Reader) error {
	begin = bytes.TrimLeft(bytes.TrimPrefix(begin, []byte("\ufeff")), " \t\r\n")
	switch {
	case bytes.HasPrefix(begin, []byte("{")):
		return readJSON
	case bytes.HasPrefix(begin, []byte("<")) && bytes.Contains(begin, []byte("cyclonedx.org/schema/bom")):
		return readXML
	}
	for line := range bytes.Lines(begin) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			if tag, _, found := bytes.Cut(line, []byte(":")); found && isTag(string(tag)) {
				return readTags
			}
			break
		}
	}
	return nil
}

// errNoBill says that a text is none of the forms that are read.
var errNoBill = &verdict.RemedyError{
	Err:    errors.New("it is no bill of materials that is read here"),
	Remedy: "Give SPDX 2 (JSON or tag-value), SPDX 3 (JSON-LD), CycloneDX 1 (JSON or XML) or syft's JSON.",
}

// Read reads a bill of materials. Its error says where the text is broken, or over a bound of the limits; whatever else is
// open is a gap in the coverage. name is what the bill is called there.
func Read(name string, r io.Reader, limits Limits) (*fact.Image, *verdict.Coverage, error) {
	if limits == (Limits{}) {
		limits = DefaultLimits
	}
	in := bufio.NewReaderSize(r, 64<<10)
	begin, err := in.Peek(head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, nil, fmt.Errorf("read %s: %w", name, err)
	}
	read := formOf(begin)
	if read == nil {
		return nil, nil, fmt.Errorf("read %s: %w", name, errNoBill)
	}
	if bytes.HasPrefix(begin, []byte("\ufeff")) {
		_, _ = in.Discard(3)
	}
	g := newGathering(name, limits)
	if err := read(g, &bounded{r: in, left: limits.Bytes, limit: limits.Bytes}); err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", name, err)
	}
	img, err := g.conclude()
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", name, err)
	}
	return img, g.coverage(), nil
}

// bounded reads no more than its bytes, and says so.
type bounded struct {
	r           io.Reader
	left, limit int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, boundError(fmt.Sprintf("it has more than %d bytes", b.limit))
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// boundError says that something is over a bound.
func boundError(what string) error {
	return &verdict.RemedyError{Err: errors.New(what), Remedy: "Have the bill made of fewer things at once, without files."}
}
