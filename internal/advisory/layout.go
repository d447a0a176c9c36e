package advisory

import (
	"encoding/binary"
	"hash/crc32"
	"hash/fnv"
)

// The index is one file, little-endian, made once and never changed:
//
//	head      4 KiB: magic, version of the format, when it was made, sequence, its length, the sections, its own sum
//	about     JSON: sources, coverage, ecosystems with their part of the keys
//	keys      16 bytes a package: hash of its name, length and place of its entry; by ecosystem, then hash
//	packages  for each package its name and, for each advisory, severity and versions as text and key
//	records   for each advisory its id, date, summary, score and vulnerabilities
//	names     for each vulnerability its ids, whether it is exploited, its likelihood and score
//	sums      CRC-32C of each 4 KiB of what stands between head and sums
//	seal      SHA-256 of all before it
//
// Sections begin at multiples of 4 KiB. Opening checks the head and the sums; each block is held to
// its sum when it is first read, so that a damaged file is an error and never a wrong answer, at the
// cost of what is read and not of what is there. The seal is checked when a file is taken over.
const (
	formatMajor = 1
	formatMinor = 0
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

func hashName(name string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // a hash never fails
	return h.Sum32()
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
	Records  int    `json:"records"` // package by package
	Newest   string `json:"newest"`  // the day the newest of its records was last changed
	First    int    `json:"first"`   // its first key
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

func (e *encoder) ref(r ref) {
	e.number(r.offset)
	e.number(r.length)
}

// cursor reads bytes that may be damaged: after the first fault it gives zeros and is bad.
type cursor struct {
	rest []byte
	bad  bool
}

func (c *cursor) number() uint64 {
	if len(c.rest) > 0 && c.rest[0] < 0x80 {
		n := c.rest[0]
		c.rest = c.rest[1:]
		return uint64(n)
	}
	n, size := binary.Uvarint(c.rest)
	if size <= 0 {
		c.fail()
		return 0
	}
	c.rest = c.rest[size:]
	return n
}

func (c *cursor) byte() byte {
	if len(c.rest) == 0 {
		c.fail()
		return 0
	}
	b := c.rest[0]
	c.rest = c.rest[1:]
	return b
}

// bytes are valid as long as the file is mapped.
func (c *cursor) bytes() []byte {
	n := c.number()
	if n > uint64(len(c.rest)) {
		c.fail()
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) text() string { return string(c.bytes()) }

// count is a number of things that each take a byte at least.
func (c *cursor) count() int {
	n := c.number()
	if n > uint64(len(c.rest)) {
		c.fail()
		return 0
	}
	return int(n)
}

func (c *cursor) ref() ref { return ref{c.number(), c.number()} }

func (c *cursor) fail() { c.rest, c.bad = nil, true }
