package advisory

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"time"
)

// claim is what one record says of one package.
type claim struct {
	record *Record
	about  *affected
	open   bool // whether it leaves open which versions have the vulnerability
}

// entry is one package of the index.
type entry struct {
	ecosystem, name string
	hash            uint32
	claims          []claim
	place           ref
}

// packPackages packs the packages in the order of their names, so that those of one ecosystem lie together.
func (p *packed) packPackages(entries []*entry, places map[*Record]ref) {
	newest := map[string]time.Time{}
	var counts []Ecosystem
	for _, e := range entries {
		if n := len(counts); n == 0 || counts[n-1].Name != e.ecosystem {
			first := 0
			if n > 0 {
				first = counts[n-1].First + counts[n-1].Packages
			}
			counts = append(counts, Ecosystem{Name: e.ecosystem, First: first})
		}
		count := &counts[len(counts)-1]
		count.Packages++
		count.Records += len(e.claims)
		start := len(p.pkgs)
		p.packEntry(e, places)
		e.place = ref{uint64(start), uint64(len(p.pkgs) - start)}
		for _, c := range e.claims {
			if c.record.Modified.IsZero() {
				count.Undated++
			} else if newest[e.ecosystem].Before(c.record.Modified) {
				newest[e.ecosystem] = c.record.Modified
			}
		}
	}
	for i := range counts {
		if at, dated := newest[counts[i].Name]; dated {
			counts[i].Newest = at.UTC().Format(time.DateOnly)
		}
	}
	p.about.Ecosystems = counts
	p.packKeys(entries)
}

func (p *packed) packKeys(entries []*entry) {
	slices.SortFunc(entries, func(a, b *entry) int {
		return cmp.Or(strings.Compare(a.ecosystem, b.ecosystem), cmp.Compare(a.hash, b.hash), strings.Compare(a.name, b.name))
	})
	for _, e := range entries {
		p.keys = binary.LittleEndian.AppendUint32(p.keys, e.hash)
		p.keys = binary.LittleEndian.AppendUint32(p.keys, uint32(e.place.length))
		p.keys = binary.LittleEndian.AppendUint64(p.keys, e.place.offset)
	}
}

// packEntry packs one package: its name, above which version it is clean, and what the records say.
func (p *packed) packEntry(e *entry, places map[*Record]ref) {
	p.pkgs.text(e.name)
	order := schemeOf(e.ecosystem)
	key, end := ceiling(order, e.claims)
	p.pkgs.byte(end)
	if end != endless {
		p.pkgs.text(string(key))
	}
	p.pkgs.number(uint64(len(e.claims)))
	last := ref{}
	for _, c := range e.claims {
		p.pkgs.ref(places[c.record], &last)
		p.pkgs.claim(order, c)
	}
}

// ceiling is the key of the version from which on, or above which, no record speaks of the package. end is endless
// where there is none.
func ceiling(order *scheme, claims []claim) (key []byte, end byte) {
	for _, c := range claims {
		if order == nil || len(c.about.versions) > 0 || c.open {
			return nil, endless
		}
		for _, i := range c.about.intervals {
			if i.end == endless {
				return nil, endless
			}
			upper, ok := order.makeKey(nil, i.upper)
			if !ok || order.circles != nil && isOdd(upper) {
				return nil, endless
			}
			if n := bytes.Compare(upper, key); n > 0 || key == nil {
				if key, end = upper, i.end; end == limited {
					end = before
				}
			} else if n == 0 && i.end == inclusive {
				end = inclusive
			}
		}
	}
	return key, end
}

// gather sorts what the records say by ecosystem and package.
func gather(records []*Record) []*entry {
	type key struct{ ecosystem, name string }
	found := map[key]*entry{}
	var entries []*entry
	for _, r := range records {
		for i := range r.affected {
			a := &r.affected[i]
			if !a.isNamed() || a.lack == complete && len(a.intervals)+len(a.versions) == 0 {
				continue // nobody can ask about it, or a limit leaves nothing of its ranges
			}
			k := key{a.ecosystem, a.name}
			e := found[k]
			if e == nil {
				e = &entry{ecosystem: a.ecosystem, name: a.name, hash: hashName(a.name)}
				found[k] = e
				entries = append(entries, e)
			}
			e.claims = append(e.claims, claim{record: r, about: a})
		}
	}
	slices.SortFunc(entries, func(a, b *entry) int {
		return cmp.Or(strings.Compare(a.ecosystem, b.ecosystem), strings.Compare(a.name, b.name))
	})
	return entries
}

// How the first byte of an interval says what it has.
const (
	endMask   = 3
	hasLower  = 4
	overLower = 8
)

// How the first byte of a claim says what it has, above the rating.
const (
	ratingMask = 7
	isNoMatter = 8
	isStreamed = 16
	isPlain    = 32
	isImported = 64
	isOpen     = 128
)

func (e *encoder) claim(order *scheme, c claim) {
	severity := c.about.severity
	if severity == unrated {
		severity = c.record.severity
	}
	head := byte(severity)
	if c.about.unimportant {
		head |= isNoMatter
	}
	switch c.about.modular {
	case streamed:
		head |= isStreamed
	case plain:
		head |= isPlain
	case unsaid:
	}
	if len(c.about.imports) > 0 {
		head |= isImported
	}
	if c.open {
		head |= isOpen
	}
	e.byte(head)
	if c.open {
		e.byte(byte(c.about.lack))
	}
	if c.about.modular == streamed {
		e.texts(c.record.modules)
	}
	if len(c.about.imports) > 0 {
		e.texts(c.about.imports)
	}
	e.number(uint64(len(c.about.intervals)))
	for _, i := range c.about.intervals {
		flags := i.end
		if i.lower != "" {
			flags |= hasLower
		}
		if i.over {
			flags |= overLower
		}
		e.byte(flags)
		if i.lower != "" {
			e.bound(order, i.lower)
		}
		if i.end != endless {
			e.bound(order, i.upper)
		}
	}
	e.texts(c.about.versions)
}

func (e *encoder) texts(list []string) {
	e.number(uint64(len(list)))
	for _, s := range list {
		e.text(s)
	}
}

// bound is a version as text and as key; the key is empty where there is none.
func (e *encoder) bound(order *scheme, version string) {
	e.text(version)
	key, ok := order.makeKey(nil, version)
	if !ok {
		key = nil
	}
	e.text(string(key))
}

// write lays the sections out and writes the file.
func (p *packed) write(w io.Writer) error {
	about, err := json.Marshal(&p.about)
	if err != nil {
		return err
	}
	parts := [][]byte{about, p.keys, p.pkgs, p.records, p.names}
	head := make([]byte, blockSize)
	copy(head, magic[:])
	binary.LittleEndian.PutUint16(head[6:], formatMajor)
	binary.LittleEndian.PutUint16(head[8:], formatMinor)
	offset := uint64(blockSize)
	var sums []byte
	for i, part := range parts {
		binary.LittleEndian.PutUint64(head[32+16*i:], offset)
		binary.LittleEndian.PutUint64(head[40+16*i:], uint64(len(part)))
		padded := part
		if rest := len(part) % blockSize; rest > 0 {
			padded = append(slices.Clip(part), make([]byte, blockSize-rest)...)
		}
		parts[i] = padded
		for block := range slices.Chunk(padded, blockSize) {
			sums = binary.LittleEndian.AppendUint32(sums, crc32.Checksum(block, castagnoli))
		}
		offset += uint64(len(padded))
	}
	binary.LittleEndian.PutUint64(head[32+16*sumSection:], offset)
	binary.LittleEndian.PutUint64(head[40+16*sumSection:], uint64(len(sums)))
	size := offset + uint64(len(sums)) + sealSize
	if size > MaxIndex {
		return fmt.Errorf("it would have %d bytes, over %d", size, uint64(MaxIndex))
	}
	binary.LittleEndian.PutUint64(head[16:], size)
	binary.LittleEndian.PutUint32(head[24:], crc32.Checksum(sums, castagnoli))
	binary.LittleEndian.PutUint32(head[headSum:], crc32.Checksum(head[:headSum], castagnoli))
	return seal(w, slices.Concat([][]byte{head}, parts, [][]byte{sums}))
}

// seal writes the parts and the SHA-256 of them.
func seal(w io.Writer, parts [][]byte) error {
	hash := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(w, hash), 1<<20)
	for _, part := range parts {
		if _, err := io.Copy(out, bytes.NewReader(part)); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	_, err := w.Write(hash.Sum(nil))
	return err
}
