package vulndb

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/varint"
)

// A delta is what makes one index of another: a head with both seals, three packed streams, and the SHA-256 of all before
// it. Most of an index moves when something is added to it, and changes a little where it tells places; so, as bsdiff
// (Percival, 2003) does it, parts of the old file are copied with a difference added to each byte.
//
//	head    magic, format, 6 bytes of zero, the sizes of both files, their seals, the sizes of the streams packed
//	steps   for each part: how many bytes to copy, from how far behind the last copy's end, and how many new bytes follow
//	change  what is added to the copied bytes
//	fresh   the new bytes
const (
	deltaFormat  = 1
	deltaHead    = 128
	deltaStreams = 3
	sealSize     = sha256.Size
)

var deltaMagic = [8]byte{'C', 'M', 'A', 'D', 'D', 0, deltaFormat, 0}

// maxGrowth is by how much more than twofold an index may grow by a delta, in bytes.
const maxGrowth = 64 << 20

// ErrDelta is a delta that is damaged, or one for another index.
var ErrDelta = errors.New("the delta of advisories cannot be used")

// window is how many bytes must be the same for a part to count as moved, stride how far apart such windows are looked for.
const (
	window = 32
	stride = 16
)

// Diff makes a delta. The same two files give the same bytes.
func Diff(old, fresh []byte) ([]byte, error) {
	if len(old) < sealSize || len(fresh) < sealSize || len(old) > advisory.MaxIndex || len(fresh) > advisory.MaxIndex {
		return nil, fmt.Errorf("make delta: %d and %d bytes are no indexes", len(old), len(fresh))
	}
	d := &differ{old: old, fresh: fresh}
	d.run()
	out := make([]byte, deltaHead)
	copy(out, deltaMagic[:])
	binary.LittleEndian.PutUint64(out[16:], uint64(len(old)))
	binary.LittleEndian.PutUint64(out[24:], uint64(len(fresh)))
	copy(out[32:], Seal(old))
	copy(out[64:], Seal(fresh))
	packer, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("make delta: %w", err)
	}
	for i, stream := range [deltaStreams][]byte{d.steps, d.change, d.added} {
		from := len(out)
		out = packer.EncodeAll(stream, out)
		binary.LittleEndian.PutUint64(out[96+8*i:], uint64(len(out)-from))
	}
	sum := sha256.Sum256(out)
	return append(out, sum[:]...), nil
}

// Seal is the SHA-256 that an index ends with: which one it is.
func Seal(file []byte) []byte { return file[len(file)-sealSize:] }

// differ finds parts of the old file in the new one.
type differ struct {
	old, fresh           []byte
	steps, change, added []byte
	table                []uint32 // places in old, in strides, plus 1; by the hash of what stands there
	done                 int      // how much of fresh is told
	from                 int      // where the last copy ended in old
}

func (d *differ) run() {
	size := 1 << 10
	for size < len(d.old)/stride*2 {
		size *= 2
	}
	d.table = make([]uint32, size)
	for at := 0; at+window <= len(d.old); at += stride {
		slot := &d.table[hashWindow(d.old[at:])&uint64(size-1)]
		if *slot == 0 { // the first of equal ones, so that the result is the same each time
			*slot = uint32(at/stride) + 1
		}
	}
	d.copy(0, 0) // what both begin with
	for at := d.done; at+window <= len(d.fresh); {
		found := -1
		if next := d.from + at - d.done; next+window <= len(d.old) && bytes.Equal(d.old[next:next+window], d.fresh[at:at+window]) {
			found = next // only a little was changed in place
		} else if slot := d.table[hashWindow(d.fresh[at:])&uint64(size-1)]; slot > 0 {
			if place := int(slot-1) * stride; bytes.Equal(d.old[place:place+window], d.fresh[at:at+window]) {
				found = place
			}
		}
		if found < 0 {
			at++
			continue
		}
		for at > d.done && found > 0 && d.fresh[at-1] == d.old[found-1] {
			at, found = at-1, found-1
		}
		d.copy(found, at)
		at = d.done
	}
	d.step(0, d.from, len(d.fresh))
}

// hashWindow is a hash of the first bytes.
func hashWindow(b []byte) uint64 {
	h := uint64(0)
	for i := 0; i < window; i += 8 {
		h = (h ^ binary.LittleEndian.Uint64(b[i:])) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	return h ^ h>>32
}

// slack is how many bytes more may differ than are the same before a copy ends.
const slack = 48

// copy tells the bytes before at as new ones, and from there a copy of old as long as more than half of it is the same.
func (d *differ) copy(old, at int) {
	length, same, best := 0, 0, 0
	for i := range min(len(d.old)-old, len(d.fresh)-at) {
		if d.old[old+i] == d.fresh[at+i] {
			same++
		}
		score := 2*same - i - 1
		if score > best {
			best, length = score, i+1
		}
		if score < best-slack {
			break
		}
	}
	if length > 0 {
		d.step(length, old, at)
	}
}

// step notes the new bytes up to at, and a copy from there.
func (d *differ) step(length, old, at int) {
	d.steps = binary.AppendUvarint(d.steps, uint64(at-d.done))
	d.added = append(d.added, d.fresh[d.done:at]...)
	d.steps = binary.AppendUvarint(d.steps, uint64(length))
	d.steps = binary.AppendVarint(d.steps, int64(old-d.from))
	for i := range length {
		d.change = append(d.change, d.fresh[at+i]-d.old[old+i])
	}
	d.done, d.from = at+length, old+length
}

// Apply makes the index that a delta leads to: byte for byte the one that it was made of, or an error.
func Apply(old, delta []byte) ([]byte, error) {
	fail := func(format string, args ...any) ([]byte, error) {
		return nil, fmt.Errorf("%w: %s", ErrDelta, fmt.Sprintf(format, args...))
	}
	if len(delta) < deltaHead+sealSize || [8]byte(delta[:8]) != deltaMagic {
		return fail("it is none, or of another format")
	}
	end := len(delta) - sealSize
	if sum := sha256.Sum256(delta[:end]); !bytes.Equal(sum[:], delta[end:]) {
		return fail("it is damaged")
	}
	if len(old) < sealSize || binary.LittleEndian.Uint64(delta[16:]) != uint64(len(old)) || !bytes.Equal(delta[32:64], Seal(old)) {
		return fail("it is for another index than the one in place")
	}
	size := binary.LittleEndian.Uint64(delta[24:])
	if size > min(advisory.MaxIndex, uint64(len(old))*2+maxGrowth) || size < sealSize {
		return fail("it leads to an index of %d bytes", size)
	}
	streams, err := unpackStreams(delta[deltaHead:end], delta[96:96+8*deltaStreams], size)
	if err != nil {
		return fail("%v", err)
	}
	p := patcher{old: old, steps: streams[0], change: streams[1], added: streams[2], size: size}
	if err := p.run(); err != nil {
		return fail("%v", err)
	}
	sum := sha256.Sum256(p.out[:len(p.out)-sealSize])
	if !bytes.Equal(sum[:], Seal(p.out)) || !bytes.Equal(sum[:], delta[64:96]) {
		return fail("what it leads to is not what it says")
	}
	return p.out, nil
}

// unpackStreams unpacks the streams, which together hold the size of the new file and its steps.
func unpackStreams(packed, sizes []byte, size uint64) (streams [deltaStreams][]byte, err error) {
	unpacker, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(size+1<<20))
	if err != nil {
		return streams, err
	}
	defer unpacker.Close()
	for i := range streams {
		n := binary.LittleEndian.Uint64(sizes[8*i:])
		if n > uint64(len(packed)) {
			return streams, errors.New("a stream is longer than the file")
		}
		if streams[i], err = unpacker.DecodeAll(packed[:n], nil); err != nil {
			return streams, err
		}
		packed = packed[n:]
	}
	if len(packed) > 0 || uint64(len(streams[1]))+uint64(len(streams[2])) != size {
		return streams, errors.New("its streams do not make the new file")
	}
	return streams, nil
}

// patcher follows the steps.
type patcher struct {
	old, steps, change, added []byte
	size                      uint64
	out                       []byte
}

func (p *patcher) run() error {
	p.out = make([]byte, 0, p.size)
	at := int64(0)
	for steps := (varint.Reader{Rest: p.steps}); len(steps.Rest) > 0; {
		fresh, length, seek := steps.Number(), steps.Number(), steps.Signed()
		if steps.Bad {
			return errors.New("a step is cut off")
		}
		if fresh > uint64(len(p.added)) || length > uint64(len(p.change)) {
			return errors.New("a step is longer than its stream")
		}
		p.out = append(p.out, p.added[:fresh]...)
		p.added = p.added[fresh:]
		at += seek
		if at < 0 || at > int64(len(p.old)) || length > uint64(int64(len(p.old))-at) {
			return errors.New("a step copies from outside of the old file")
		}
		for i, b := range p.change[:length] {
			p.out = append(p.out, p.old[at+int64(i)]+b)
		}
		p.change = p.change[length:]
		at += int64(length)
	}
	if uint64(len(p.out)) != p.size {
		return errors.New("the steps end early")
	}
	return nil
}
