// Package rpmdb reads rpm's database of installed packages in the three forms it has had: SQLite, rpm's own ndb, and
// Berkeley DB's hash. It reads each as it stands, without an engine: the one table that holds the headers of
// packages, one header at a time, within bounds on everything that the file claims. It knows nothing of images and
// touches nothing but the bytes it is given. internal/image imports it.
package rpmdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Package is an installed package in the words of its header.
type Package struct {
	Name, Version, Release string
	Epoch                  uint32 // 0 where there is none: rpm takes the two for the same
	Arch                   string // "" for what has none, such as keys
	SourceRPM              string // the file it was built from: "bash-5.1.8-9.el9.src.rpm"
	Module                 string // the stream of modularity: "nodejs:18:9020020230327152102:rhel9"; "" outside of one
	Files                  []string
}

// EVR is the version as rpm compares and advisories write it: EPOCH:VERSION-RELEASE, without an epoch of 0.
func (p *Package) EVR() string {
	if p.Epoch != 0 {
		return fmt.Sprintf("%d:%s-%s", p.Epoch, p.Version, p.Release)
	}
	return p.Version + "-" + p.Release
}

// ErrTooLarge is what errors about something over a bound are.
var ErrTooLarge = errors.New("over the bounds on what is read of an rpm database")

// Bounds on what one database may claim. Headers of kernels, the largest there are, have a few MiB.
const (
	maxHeader = 32 << 20  // bytes of one header
	maxFile   = 4096      // bytes of one path
	maxNames  = 1 << 20   // paths of one package
	maxFiles  = 128 << 20 // bytes of all paths of a database, with pathCost for each
	pathCost  = 32
)

// Read calls yield with one package after the other, in the order of the file. An error tells what was not
// understood; packages before and, where the form allows, behind it were yielded all the same.
func Read(r io.ReaderAt, size int64, yield func(*Package)) error {
	head := make([]byte, 100)
	if n, err := r.ReadAt(head, 0); n < len(head) {
		if errors.Is(err, io.EOF) || err == nil {
			return errors.New("the file is too short for a database of rpm")
		}
		return err
	}
	c := collector{yield: yield, room: size}
	var err error
	switch {
	case bytes.HasPrefix(head, []byte(sqliteMagic)):
		err = readSQLite(&pages{r: r, size: size}, head, c.header)
	case binary.LittleEndian.Uint32(head) == ndbMagic:
		err = readNDB(r, size, head, c.header)
	case binary.LittleEndian.Uint32(head[12:]) == bdbMagic:
		err = readBDB(&pages{r: r, size: size}, head, binary.LittleEndian, c.header)
	case binary.BigEndian.Uint32(head[12:]) == bdbMagic:
		err = readBDB(&pages{r: r, size: size}, head, binary.BigEndian, c.header)
	default:
		err = errors.New("it is in none of the forms of rpm's database")
	}
	return errors.Join(err, c.problem())
}

// collector makes packages of headers.
type collector struct {
	yield func(*Package)
	room  int64 // bytes that headers may still have: all together are no longer than the file
	paths int   // bytes of the paths so far
	bad   int   // headers that are none
	first error
}

func (c *collector) header(blob []byte) {
	if c.room -= int64(len(blob)); c.room < 0 {
		c.fail(errors.New("headers overlap"))
		return
	}
	p, err := parseHeader(blob, maxFiles-c.paths)
	if err != nil {
		c.fail(err)
	}
	if p == nil {
		return
	}
	for _, f := range p.Files {
		c.paths += len(f) + pathCost
	}
	c.yield(p)
}

func (c *collector) fail(err error) {
	if c.bad++; c.first == nil {
		c.first = err
	}
}

func (c *collector) problem() error {
	if c.first == nil {
		return nil
	}
	return fmt.Errorf("%d packages in it are not understood or not wholly: %w", c.bad, c.first)
}

// pages gives parts of the file. Each page is given once, so that no chain of pages goes round in a circle.
type pages struct {
	r     io.ReaderAt
	size  int64 // of the file
	page  int64 // bytes of a page
	first int64 // number of the first page
	seen  []uint64
}

// begin sets the size of a page; of the first, the number.
func (p *pages) begin(page, first int64) error {
	if page < 512 || page > 64<<10 || page&(page-1) != 0 {
		return fmt.Errorf("a page of %d bytes is none of the form's", page)
	}
	p.page, p.first = page, first
	p.seen = make([]uint64, p.size/page/64+1)
	return nil
}

// take reads a page into dst, which is as long as a page.
func (p *pages) take(number int64, dst []byte) error {
	n := number - p.first
	if n < 0 || n >= p.size/p.page {
		return fmt.Errorf("page %d lies outside of the file", number)
	}
	if p.seen[n/64]&(1<<(n%64)) != 0 {
		return fmt.Errorf("page %d is part of two things", number)
	}
	p.seen[n/64] |= 1 << (n % 64)
	if got, err := p.r.ReadAt(dst, n*p.page); got < len(dst) {
		return errors.Join(err, fmt.Errorf("page %d is cut off", number))
	}
	return nil
}
