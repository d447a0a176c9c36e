// Package varint reads what is packed as numbers of variable length, and texts behind their lengths, from bytes that
// may be damaged. It never reads past their end, allocates nothing for what they claim, and leaves to who reads them
// what the numbers mean.
package varint

import "encoding/binary"

// Reader reads one thing after the other: after the first fault it gives zeros, and is bad.
type Reader struct {
	Rest []byte // what is yet to be read
	Bad  bool
}

// Number is a number below 2^64.
func (r *Reader) Number() uint64 {
	if len(r.Rest) > 0 && r.Rest[0] < 0x80 {
		n := r.Rest[0]
		r.Rest = r.Rest[1:]
		return uint64(n)
	}
	n, size := binary.Uvarint(r.Rest)
	if size <= 0 {
		r.Fail()
		return 0
	}
	r.Rest = r.Rest[size:]
	return n
}

// Signed is a number that may be below 0.
func (r *Reader) Signed() int64 {
	n := r.Number()
	return int64(n>>1) ^ -int64(n&1)
}

// Byte is one byte.
func (r *Reader) Byte() byte {
	if len(r.Rest) == 0 {
		r.Fail()
		return 0
	}
	b := r.Rest[0]
	r.Rest = r.Rest[1:]
	return b
}

// Bytes is a text behind its length. It shares the memory of what is read.
func (r *Reader) Bytes() []byte { return r.Take(r.Number()) }

// Take is the next n bytes, which share the memory of what is read.
func (r *Reader) Take(n uint64) []byte {
	if n > uint64(len(r.Rest)) {
		r.Fail()
		return nil
	}
	b := r.Rest[:n:n]
	r.Rest = r.Rest[n:]
	return b
}

// Skip passes over a text.
func (r *Reader) Skip() {
	if n := r.Number(); n <= uint64(len(r.Rest)) {
		r.Rest = r.Rest[n:]
	} else {
		r.Fail()
	}
}

// Count is a number of things that each take a byte at least, so that no more are made room for than can be there.
func (r *Reader) Count() int {
	n := r.Number()
	if n > uint64(len(r.Rest)) {
		r.Fail()
		return 0
	}
	return int(n)
}

// Fail notes a fault: nothing more is read.
func (r *Reader) Fail() { r.Rest, r.Bad = nil, true }

// Whole says that all was read, without a fault.
func (r *Reader) Whole() bool { return !r.Bad && len(r.Rest) == 0 }
