package image

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
)

// oldGo keeps of a Go program what the older form of build information may point back to.
type oldGo struct {
	versions map[int64]string // by place in the file, what may begin with a version of Go
	modules  []byte           // the text between the sentinels, with them
	place    int64            // of modules
	open     bool             // its end has not passed
	seen     int64            // where the next block to look at begins
}

var (
	oldVersions = [][]byte{[]byte("go1."), []byte("devel +"), []byte("devel go")}
	moduleStart = []byte("\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6")
	moduleEnd   = []byte("\xf9\x32\x43\x31\x86\x18\x20\x72\x00\x82\x42\x10\x41\x16\xd8\xf2")
)

// look gathers from a block at a place in the file what stands in the strings of the program.
func (o *oldGo) look(block []byte, at int64) {
	if at < o.seen {
		skip := o.seen - at
		if skip >= int64(len(block)) {
			return
		}
		block, at = block[skip:], o.seen
	}
	o.seen = at + int64(max(len(block)-overlap, 0))
	if o.versions == nil {
		o.versions = map[int64]string{}
	}
	for _, begin := range oldVersions {
		for from := 0; len(o.versions) < maxOldVersions; {
			i := bytes.Index(block[from:], begin)
			if i < 0 {
				break
			}
			i += from
			o.versions[at+int64(i)] = string(block[i:min(i+maxVersion, len(block))])
			from = i + len(begin)
		}
	}
	o.gather(block, at)
}

// pointed reads the older form: behind the magic stand the addresses of two strings' heads, each of which is an address and
// a length. The heads follow in the file, what they point to has passed.
func (p *program) pointed() (version, modules string, err error) {
	unread := unreadError("a Go program built before Go 1.18 is not read where its strings do not stand before its data")
	if p.old == nil {
		return "", "", unread
	}
	head, _ := p.r.Peek(goHeader)
	var order binary.ByteOrder = binary.LittleEndian
	if head[goFlags]&goBig != 0 {
		order = binary.BigEndian
	}
	size := int(head[goPointer])
	if size != 4 && size != 8 {
		return "", "", fmt.Errorf("the build information of the Go program has addresses of %d bytes", size)
	}
	number := func(b []byte) uint64 {
		if size == 4 {
			return uint64(order.Uint32(b))
		}
		return order.Uint64(b)
	}
	heads := map[int64]int{p.elf.place(number(head[16:])): 0, p.elf.place(number(head[16+size:])): 1}
	var texts [2]string
	for _, at := range slices.Sorted(maps.Keys(heads)) {
		if at < 0 && heads[at] == 1 {
			continue // a program without modules
		}
		if at < p.at() {
			return "", "", unread
		}
		if err := p.skip(at - p.at()); err != nil {
			return "", "", err
		}
		pair, err := p.r.Peek(2 * size)
		if err != nil {
			return "", "", short(err)
		}
		texts[heads[at]] = p.old.text(p.elf.place(number(pair)), number(pair[size:]))
	}
	if texts[0] == "" {
		return "", "", unread
	}
	return texts[0], withoutSentinels(texts[1]), nil
}

// skip passes over bytes, of which a bufio.Reader's own Discard takes no more than an int.
func (p *program) skip(n int64) error {
	_, err := io.CopyN(io.Discard, p.r, n)
	return short(err)
}

// text is the string of a length at a place in the file.
func (o *oldGo) text(at int64, length uint64) string {
	if at == o.place && length == uint64(len(o.modules)) {
		return string(o.modules)
	}
	if text := o.versions[at]; length > 0 && length <= uint64(len(text)) {
		return text[:length]
	}
	return ""
}
