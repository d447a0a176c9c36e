package advisory

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"sync/atomic"
	"time"
)

// ErrDamaged is an index that is not as it was written.
var ErrDamaged = errors.New("the advisory index is damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// lastSecond is the last that a date with a year of four digits can be in, after 1970.
const lastSecond = 253402300799

// Index is an index in memory, mostly a mapped file. It may be asked by many at once.
type Index struct {
	About About
	// Prefetch, where it is set, is told which parts of the file will be read next, so that they are fetched
	// from the disk together.
	Prefetch func([]Span)

	file     []byte
	parts    [sections]section
	sums     []byte
	verified []atomic.Uint32 // a bit for each block whose sum was right
	places   map[string]int  // of the ecosystems in About
}

// Opened are about the parts that Open reads of an index with that many bytes: its head with what it says about itself,
// and its sums, which stand before the seal.
func Opened(size uint64) []Span {
	sums := min(size, size/blockSize*4+2*blockSize)
	return []Span{{0, min(size, 16*blockSize)}, {(size - sums) / blockSize * blockSize, sums}}
}

// Open takes the bytes of an index, which must not change or go away as long as it is asked.
func Open(file []byte) (*Index, error) {
	x := &Index{file: file}
	if err := x.readHead(); err != nil {
		return nil, err
	}
	if err := x.readAbout(); err != nil {
		return nil, err
	}
	return x, nil
}

func (x *Index) readHead() error {
	if len(x.file) < 2*blockSize || [6]byte(x.file[:6]) != magic {
		return errors.New("this is no advisory index")
	}
	head := x.file[:blockSize]
	if major := binary.LittleEndian.Uint16(head[6:]); major != formatMajor {
		return fmt.Errorf("the advisory index has format %d, this program reads %d", major, formatMajor)
	}
	if crc32.Checksum(head[:headSum], castagnoli) != binary.LittleEndian.Uint32(head[headSum:]) {
		return damaged("its head")
	}
	if size := binary.LittleEndian.Uint64(head[16:]); size != uint64(len(x.file)) {
		return damaged("%d bytes, want %d", len(x.file), size)
	}
	end := uint64(blockSize)
	for i := range x.parts {
		p := section{binary.LittleEndian.Uint64(head[32+16*i:]), binary.LittleEndian.Uint64(head[40+16*i:])}
		if p.offset != end || p.length > uint64(len(x.file)) || p.offset+p.length > uint64(len(x.file)) {
			return damaged("section %d lies at %d with %d bytes", i, p.offset, p.length)
		}
		end = aligned(p.offset + p.length)
		x.parts[i] = p
	}
	sums := x.parts[sumSection]
	blocks := sums.offset/blockSize - 1
	if sums.length != 4*blocks || sums.offset+sums.length+sealSize != uint64(len(x.file)) {
		return damaged("%d bytes of sums for %d blocks", sums.length, blocks)
	}
	x.sums = x.file[sums.offset : sums.offset+sums.length]
	if crc32.Checksum(x.sums, castagnoli) != binary.LittleEndian.Uint32(head[24:]) {
		return damaged("its sums")
	}
	x.verified = make([]atomic.Uint32, blocks/32+1)
	return nil
}

func aligned(n uint64) uint64 { return (n + blockSize - 1) &^ (blockSize - 1) }

func (x *Index) readAbout() error {
	size := x.parts[aboutSection].length
	if size > maxAbout {
		return damaged("it says %d bytes about itself", size)
	}
	text, err := x.read(aboutSection, ref{0, size})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &x.About); err != nil {
		return damaged("what it says about itself: %v", err)
	}
	if x.About.Created < 0 || x.About.Created > lastSecond {
		return damaged("it was made %d seconds after 1970", x.About.Created)
	}
	keys, next := int(x.parts[keySection].length/keySize), 0
	x.places = make(map[string]int, len(x.About.Ecosystems))
	for i, e := range x.About.Ecosystems {
		if e.First != next || e.Packages <= 0 || e.Packages > keys-next {
			return damaged("the keys of %s", e.Name)
		}
		next += e.Packages
		x.places[e.Name] = i
	}
	if next != keys || len(x.places) != len(x.About.Ecosystems) || x.parts[keySection].length%keySize != 0 {
		return damaged("%d keys, want %d", keys, next)
	}
	return nil
}

// Created is when the index was made.
func (x *Index) Created() time.Time { return time.Unix(x.About.Created, 0).UTC() }

// CheckSeal reads the whole file and holds it to its SHA-256.
func (x *Index) CheckSeal() error {
	end := len(x.file) - sealSize
	if sum := sha256.Sum256(x.file[:end]); !bytes.Equal(sum[:], x.file[end:]) {
		return damaged("its SHA-256")
	}
	return nil
}

// Span is a part of an index's file.
type Span struct{ Offset, Length uint64 }

// read gives a place in a section, whose blocks are held to their sums when they are first read.
func (x *Index) read(part int, r ref) ([]byte, error) {
	p := x.parts[part]
	if r.offset > p.length || r.length > p.length-r.offset {
		return nil, damaged("a place outside of section %d", part)
	}
	from := p.offset + r.offset
	to := from + r.length
	for block := from / blockSize; block*blockSize < to; block++ {
		if !x.isVerified(block) {
			if err := x.verify(block); err != nil {
				return nil, err
			}
		}
	}
	return x.file[from:to:to], nil
}

// isVerified says whether a block was held to its sum before. The head, block 0, has a sum of its own.
func (x *Index) isVerified(block uint64) bool {
	n := block - 1
	return x.verified[n/32].Load()>>(n%32)&1 != 0
}

func (x *Index) verify(block uint64) error {
	n := block - 1
	if crc32.Checksum(x.file[block*blockSize:(block+1)*blockSize], castagnoli) != binary.LittleEndian.Uint32(x.sums[4*n:]) {
		return damaged("block %d", block)
	}
	x.verified[n/32].Or(1 << (n % 32))
	return nil
}

// key is one package's key: the hash of its name, and where its entry is.
func (x *Index) key(i int) (hash uint32, entry ref, err error) {
	at := x.parts[keySection].offset + uint64(i)*keySize // inside: the ecosystems share out exactly the keys that are there
	if block := at / blockSize; !x.isVerified(block) {
		if err := x.verify(block); err != nil {
			return 0, ref{}, err
		}
	}
	raw := x.file[at : at+keySize]
	return binary.LittleEndian.Uint32(raw), ref{binary.LittleEndian.Uint64(raw[8:]), uint64(binary.LittleEndian.Uint32(raw[4:]))}, nil
}

// guess is about where the key of a hash lies.
func guess(e *Ecosystem, hash uint32) int {
	return e.First + int(uint64(hash)*uint64(e.Packages)>>32)
}

// locate gives the first key that is not below the hash. Hashes are spread evenly: it is near where it is
// guessed, mostly in the same block.
func (x *Index) locate(e *Ecosystem, hash uint32) (int, error) {
	first, end := e.First, e.First+e.Packages
	// The one that is looked for is above low, and not above high.
	low, high := guess(e, hash), end
	found, _, err := x.key(low)
	if err == nil && found < hash {
		for step := 4; low+step < end; step *= 2 {
			if found, _, err = x.key(low + step); err != nil || found >= hash {
				high = low + step
				break
			}
			low += step
		}
	} else {
		high = low
		low = first - 1
		for step := 4; high-step >= first; step *= 2 {
			if found, _, err = x.key(high - step); err != nil || found < hash {
				low = high - step
				break
			}
			high -= step
		}
	}
	for err == nil && high-low > 1 {
		middle := (low + high) / 2
		if found, _, err = x.key(middle); found < hash {
			low = middle
		} else {
			high = middle
		}
	}
	return high, err
}

// find gives the entry of a package behind its name, nil when the index has none. at is where its hash's keys begin.
func (x *Index) find(e *Ecosystem, at int, hash uint32, name string) ([]byte, error) {
	for i := at; i < e.First+e.Packages; i++ {
		found, place, err := x.key(i)
		if err != nil || found != hash {
			return nil, err
		}
		entry, err := x.read(packageSection, place)
		if err != nil {
			return nil, err
		}
		c := cursorOf(entry)
		if string(c.Bytes()) == name {
			return c.Rest, nil
		}
	}
	return nil, nil
}
