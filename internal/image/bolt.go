package image

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
)

// boltFile reads a database of go.etcd.io/bbolt as it lies on disk, without the lock that a running containerd holds
// for as long as it lives. What a finished transaction wrote is overwritten only after another one has finished: what
// was read counts if the last transaction is still the same afterwards (see unchanged).
type boltFile struct {
	r     io.ReaderAt
	page  int64 // bytes of one
	root  uint64
	tx    uint64
	pages int // that may still be read, so that no ring of pages is read for ever
}

// Where things stand in a page (bbolt's internal/common): a head, elements of a fixed size, and what these point at.
const (
	boltMagic    = 0xED0CDAED
	boltVersion  = 2
	boltHead     = 16
	boltMeta     = 64 // bytes of a page that tells of a transaction; the last 8 are the sum of the others
	boltElement  = 16
	boltBranch   = 0x01
	boltLeaf     = 0x02
	boltBucket   = 0x01 // the value of a key is a bucket
	boltDepth    = 64
	maxBoltPages = 1 << 20
	maxBoltPage  = 16 << 20 // bytes, with those that it runs over into
)

func openBolt(r io.ReaderAt) (*boltFile, error) {
	f := &boltFile{r: r, pages: maxBoltPages}
	head := make([]byte, boltHead+boltMeta)
	for _, size := range []int64{0, 4096, 8192, 16384, 32768, 65536, 1024, 2048} { // the second one stands a page further on
		if f.page > 0 && size != 0 && size != f.page {
			continue
		}
		if _, err := r.ReadAt(head, size); err != nil {
			continue
		}
		m := head[boltHead:]
		sum := fnv.New64a()
		_, _ = sum.Write(m[:boltMeta-8])
		if binary.LittleEndian.Uint32(m) != boltMagic || binary.LittleEndian.Uint32(m[4:]) != boltVersion || sum.Sum64() != binary.LittleEndian.Uint64(m[boltMeta-8:]) {
			continue
		}
		page := int64(binary.LittleEndian.Uint32(m[8:]))
		if page < 1024 || page > 65536 || page&(page-1) != 0 {
			continue
		}
		if tx := binary.LittleEndian.Uint64(m[48:]); f.page == 0 || tx > f.tx {
			f.page, f.root, f.tx = page, binary.LittleEndian.Uint64(m[16:]), tx
		}
	}
	if f.page == 0 {
		return nil, errors.New("it is no database of bbolt")
	}
	return f, nil
}

// unchanged says whether no transaction has finished since the file was opened.
func (f *boltFile) unchanged() bool {
	now, err := openBolt(f.r)
	return err == nil && now.tx == f.tx
}

// bucket is a set of keys: a page of the file, or one that stands within another.
type bucket struct {
	file   *boltFile
	root   uint64
	inline []byte
}

func (f *boltFile) top() bucket { return bucket{file: f, root: f.root} }

// read is one page with all that it runs over into.
func (f *boltFile) read(number uint64) ([]byte, error) {
	if f.pages--; f.pages < 0 {
		return nil, errors.New("its pages go round in a circle, or are too many")
	}
	if number > math.MaxInt64/uint64(f.page) { //nolint:gosec // at most 65536
		return nil, errors.New("a page leads out of it")
	}
	at := int64(number) * f.page //nolint:gosec // as above
	head := make([]byte, boltHead)
	if _, err := f.r.ReadAt(head, at); err != nil {
		return nil, fmt.Errorf("read page %d: %w", number, err)
	}
	size := (int64(binary.LittleEndian.Uint32(head[12:])) + 1) * f.page
	if binary.LittleEndian.Uint64(head) != number || size > maxBoltPage {
		return nil, fmt.Errorf("page %d is damaged", number)
	}
	page := make([]byte, size)
	if _, err := f.r.ReadAt(page, at); err != nil {
		return nil, fmt.Errorf("read page %d: %w", number, err)
	}
	return page, nil
}

// each calls yield with every key and its value in order, until it returns false; nested says that the value is a bucket.
func (b bucket) each(yield func(key, value []byte, nested bool) bool) error {
	if b.inline != nil {
		_, err := b.file.walk(b.inline, 0, yield)
		return err
	}
	page, err := b.file.read(b.root)
	if err == nil {
		_, err = b.file.walk(page, 0, yield)
	}
	return err
}

var errBolt = errors.New("a page of it is damaged")

func (f *boltFile) walk(page []byte, depth int, yield func(key, value []byte, nested bool) bool) (bool, error) {
	if len(page) < boltHead || depth > boltDepth {
		return false, errBolt
	}
	kind, count := binary.LittleEndian.Uint16(page[8:]), int(binary.LittleEndian.Uint16(page[10:]))
	if kind&(boltBranch|boltLeaf) == 0 || boltHead+count*boltElement > len(page) {
		return false, errBolt
	}
	for i := range count {
		at := boltHead + i*boltElement
		e := page[at:]
		if kind&boltBranch != 0 {
			below, err := f.read(binary.LittleEndian.Uint64(e[8:]))
			if err != nil {
				return false, err
			}
			if more, err := f.walk(below, depth+1, yield); err != nil || !more {
				return false, err
			}
			continue
		}
		start := uint64(at) + uint64(binary.LittleEndian.Uint32(e[4:])) //nolint:gosec // not negative
		middle := start + uint64(binary.LittleEndian.Uint32(e[8:]))
		end := middle + uint64(binary.LittleEndian.Uint32(e[12:]))
		if end > uint64(len(page)) {
			return false, errBolt
		}
		if !yield(page[start:middle], page[middle:end], binary.LittleEndian.Uint32(e)&boltBucket != 0) {
			return false, nil
		}
	}
	return true, nil
}

// inside is the bucket that a value is.
func (b bucket) inside(value []byte) (bucket, error) {
	if len(value) < boltHead {
		return bucket{}, errBolt
	}
	below := bucket{file: b.file, root: binary.LittleEndian.Uint64(value)}
	if below.root == 0 {
		below.inline = value[boltHead:]
	}
	return below, nil
}

// bucket goes down by names; ok is false where one is not there.
func (b bucket) bucket(names ...string) (below bucket, ok bool, err error) {
	for _, name := range names {
		ok = false
		var inner error
		err = b.each(func(key, value []byte, nested bool) bool {
			if nested && bytes.Equal(key, []byte(name)) {
				below, inner = b.inside(value)
				ok = inner == nil
				return false
			}
			return true
		})
		if err = errors.Join(err, inner); err != nil || !ok {
			return bucket{}, false, err
		}
		b = below
	}
	return b, true, nil
}
