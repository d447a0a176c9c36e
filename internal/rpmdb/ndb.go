package rpmdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// rpm's own form (lib/backend/ndb/rpmpkg.c): pages of slots, each saying where in the file the blob of a package
// stands; all numbers little-endian.
const (
	ndbMagic    = 'R' | 'p'<<8 | 'm'<<16 | 'P'<<24
	ndbSlot     = 'S' | 'l'<<8 | 'o'<<16 | 't'<<24
	ndbBlob     = 'B' | 'l'<<8 | 'b'<<16 | 'S'<<24
	ndbPage     = 4096
	ndbSlotSize = 16
	ndbBlock    = 16 // bytes in which places are counted
)

func readNDB(r io.ReaderAt, size int64, head []byte, yield func([]byte)) error {
	slots := int64(binary.LittleEndian.Uint32(head[12:])) * ndbPage
	if slots > size {
		return errors.New("it claims more pages of slots than it has")
	}
	var problem error
	page := make([]byte, ndbPage)
	total := int64(0)
	for start := int64(0); start < slots; start += ndbPage {
		if n, err := r.ReadAt(page, start); n < len(page) {
			return errors.Join(problem, err, errors.New("its slots are cut off"))
		}
		for at := 0; at < ndbPage; at += ndbSlotSize {
			if start == 0 && at < 2*ndbSlotSize {
				continue // the header
			}
			slot := page[at:]
			if number := binary.LittleEndian.Uint32(slot[4:]); number == 0 || binary.LittleEndian.Uint32(slot) != ndbSlot {
				continue // free
			}
			blob, err := ndbRead(r, size, slot)
			// Slots may say the same place over and over: all blobs together fill no more than the file.
			if total += int64(len(blob)); total > size {
				return errors.Join(problem, errors.New("its slots overlap"))
			}
			if err != nil {
				problem = errors.Join(err)
				continue
			}
			yield(blob)
		}
	}
	return problem
}

// ndbRead reads the blob that a slot tells of: a header that repeats the package's number, then the bytes.
func ndbRead(r io.ReaderAt, size int64, slot []byte) ([]byte, error) {
	at := int64(binary.LittleEndian.Uint32(slot[8:])) * ndbBlock
	head := make([]byte, 16)
	if n, err := r.ReadAt(head, at); n < len(head) {
		return nil, errors.Join(err, errors.New("a slot leads out of the file"))
	}
	if binary.LittleEndian.Uint32(head) != ndbBlob || binary.LittleEndian.Uint32(head[4:]) != binary.LittleEndian.Uint32(slot[4:]) {
		return nil, errors.New("a slot leads to what is no package")
	}
	length := int64(binary.LittleEndian.Uint32(head[12:]))
	if length > maxHeader {
		return nil, fmt.Errorf("a package of %d bytes is %w", length, ErrTooLarge)
	}
	if at+16+length > size {
		return nil, errors.New("a package is cut off")
	}
	blob := make([]byte, length)
	if n, err := r.ReadAt(blob, at+16); n < len(blob) {
		return nil, errors.Join(err, errors.New("a package is cut off"))
	}
	return blob, nil
}
