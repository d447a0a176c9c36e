package advisory

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/coaming/coaming/internal/varint"
)

// The index is one file, little-endian, made once and never changed:
//
//	head      4 KiB: magic, version of the format, when it was made, sequence, its length, the sections, its own sum
//	about     JSON: sources, coverage, ecosystems with their part of the keys
//	keys      16 bytes a package: hash of its name, length and place of its entry; by ecosystem, then hash
//	packages  for each package its name, the version above which nothing is known, and for each advisory severity and versions as text and key
//	records   for each advisory its id, date, summary, score and vulnerabilities; in the order in which packages name them
//	names     for each vulnerability its ids, whether it is exploited, its likelihood and score; in the order in which records name them
//	sums      CRC-32C of each 4 KiB of what stands between head and sums
//	seal      SHA-256 of all before it
//
// The orders keep together what is asked together: a question about one distribution touches few pages. A place is told
// by its distance from the end of the one before, so that a record that comes to it changes little of the file.
//
// Sections begin at multiples of 4 KiB. Opening checks the head and the sums; each block is held to
// its sum when it is first read, so that a damaged file is an error and never a wrong answer, at the
// cost of what is read and not of what is there. The seal is checked when a file is taken over.
const (
	formatMajor = 2
	formatMinor = 1
	blockSize   = 4096
	sealSize    = 32
	keySize     = 16
	headSum     = blockSize - 4 // where the head's own sum stands
)

var magic = [6]byte{'C', 'M', 'A', 'D', 'B', 0}

// The sections in their order.
const (
	aboutSection = iota
	keySection
	packageSection
	recordSection
	nameSection
	sumSection
	sections
)

// MaxIndex is the largest index that is opened or made, in bytes; all of OSV with every distribution is about a twentieth.
const MaxIndex = 8 << 30

// maxAbout is the largest about section, in bytes.
const maxAbout = 16 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// hashName spreads names evenly over 32 bits, so that a key lies where its hash says (FNV-1a, and MurmurHash3's last step).
func hashName(name string) uint32 {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return h ^ h>>16
}

// Source is one input of an index.
type Source struct {
	Name    string `json:"name"`
	Records int    `json:"records"`
	Skipped int    `json:"skipped,omitempty"` // withdrawn, or older than the same one elsewhere
	Unread  int    `json:"unread,omitempty"`  // that could not be read as records
	SHA256  string `json:"sha256,omitempty"`
}

// Ecosystem is what an index holds for one ecosystem or release of a distribution.
type Ecosystem struct {
	Name     string `json:"name"`
	Packages int    `json:"packages"`
	Records  int    `json:"records"`           // package by package
	Newest   string `json:"newest"`            // the day the newest of its records was last changed; "" where none says when
	Undated  int    `json:"undated,omitempty"` // of Records, those that do not say when they were last changed
	First    int    `json:"first"`             // its first key
}

// About says what an index holds.
type About struct {
	Created         int64       `json:"created"`  // Unix seconds
	Sequence        int64       `json:"sequence"` // a later index of the same keeper has a greater one
	Records         int         `json:"records"`
	Vulnerabilities int         `json:"vulnerabilities"`
	Exploited       int         `json:"exploited"`
	Likelihoods     int         `json:"likelihoods"` // vulnerabilities with an EPSS score
	Scores          int         `json:"scores"`      // vulnerabilities with a CVSS score
	Sources         []Source    `json:"sources"`
	Ecosystems      []Ecosystem `json:"ecosystems"`
	// Doubts are the records that leave open which versions have what they are about; packages that they name are unknown.
	Doubts []Doubt `json:"doubts,omitempty"`
}

// section is a part of the file.
type section struct{ offset, length uint64 }

// ref is a place in a section.
type ref struct{ offset, length uint64 }

// encoder appends what a cursor reads.
type encoder []byte

func (e *encoder) number(n uint64) { *e = binary.AppendUvarint(*e, n) }
func (e *encoder) byte(b byte)     { *e = append(*e, b) }

func (e *encoder) text(s string) {
	e.number(uint64(len(s)))
	*e = append(*e, s...)
}

// ref appends a place by its distance from the end of the one before, which it then is.
func (e *encoder) ref(r ref, last *ref) {
	distance := int64(r.offset) - int64(last.offset+last.length)
	e.number(uint64(distance<<1 ^ distance>>63))
	e.number(r.length)
	*last = r
}

// cursor reads what an encoder wrote, from bytes that may be damaged. Texts are valid as long as the file is mapped.
type cursor struct{ varint.Reader }

func cursorOf(raw []byte) cursor { return cursor{varint.Reader{Rest: raw}} }

// texts passes over a list of texts, and gives it as it stands.
func (c *cursor) texts() []byte {
	from := c.Rest
	for range c.Count() {
		c.Skip()
	}
	return from[:len(from)-len(c.Rest)]
}

// ref is a place; one that lies nowhere is refused when it is read.
func (c *cursor) ref(last *ref) ref {
	last.offset += last.length + uint64(c.Signed())
	last.length = c.Number()
	return *last
}
