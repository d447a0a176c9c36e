package rpmdb

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// What is read of SQLite's file format (sqlite.org/fileformat2.html): the b-tree of one table, rowid and record,
// and the chains of pages that hold what a page cannot.
const (
	sqliteMagic = "SQLite format 3\x00"

	sqliteInterior = 0x05
	sqliteLeaf     = 0x0d

	sqliteDepth = 20 // of a tree; pages of 512 bytes need no more than 12 for a terabyte
)

type sqlite struct {
	*pages
	usable int64 // bytes of a page without those reserved at its end
}

// readSQLite yields the blobs of rpm's table Packages(hnum, blob).
func readSQLite(p *pages, head []byte, yield func([]byte)) error {
	size := int64(binary.BigEndian.Uint16(head[16:]))
	if size == 1 {
		size = 64 << 10
	}
	if err := p.begin(size, 1); err != nil {
		return err
	}
	db := sqlite{p, size - int64(head[20])}
	if db.usable < 480 {
		return errors.New("its pages have no room")
	}
	root := int64(0)
	if err := db.walk(1, 0, func(record []byte) {
		if columns := fields(record, 4); len(columns) == 4 && string(columns[0]) == "table" && string(columns[1]) == "Packages" {
			root = integer(columns[3])
		}
	}); err != nil {
		return err
	}
	if root == 0 {
		return errors.New("it is a database without a table of packages")
	}
	return db.walk(root, 0, func(record []byte) {
		if columns := fields(record, 2); len(columns) == 2 {
			yield(columns[1])
		}
	})
}

// walk calls yield with every record of the tree below a page. What of it is broken does not keep the rest from
// being read.
func (db *sqlite) walk(number int64, depth int, yield func([]byte)) error {
	if depth > sqliteDepth {
		return fmt.Errorf("its tree is %w: it is more than %d deep", ErrTooLarge, sqliteDepth)
	}
	page := make([]byte, db.page)
	if err := db.take(number, page); err != nil {
		return err
	}
	start := 0
	if number == 1 {
		start = 100 // behind the file's header
	}
	kind, cells := page[start], int(binary.BigEndian.Uint16(page[start+3:]))
	pointers := start + 8
	if kind == sqliteInterior {
		pointers += 4
	} else if kind != sqliteLeaf {
		return fmt.Errorf("page %d is none of a table", number)
	}
	if pointers+2*cells > len(page) {
		return fmt.Errorf("page %d claims %d cells", number, cells)
	}
	var problem error
	note := func(err error) {
		if problem == nil {
			problem = err
		}
	}
	for i := range cells {
		at := int(binary.BigEndian.Uint16(page[pointers+2*i:]))
		switch {
		case at+4 > len(page):
			note(fmt.Errorf("page %d has a cell outside of it", number))
		case kind == sqliteInterior:
			note(db.walk(int64(binary.BigEndian.Uint32(page[at:])), depth+1, yield))
		default:
			record, err := db.record(page, at)
			if err != nil {
				note(err)
				continue
			}
			yield(record)
		}
	}
	if kind == sqliteInterior {
		note(db.walk(int64(binary.BigEndian.Uint32(page[start+8:])), depth+1, yield))
	}
	return problem
}

// record reads a cell of a leaf: its length, its rowid, as much of it as the page holds, and the first page of the rest.
func (db *sqlite) record(page []byte, at int) ([]byte, error) {
	length, n := varint(page[at:])
	_, m := varint(page[at+n:])
	at += n + m
	if n == 0 || m == 0 {
		return nil, errors.New("a record is cut off")
	}
	if length > maxHeader {
		return nil, fmt.Errorf("a record of %d bytes is %w", length, ErrTooLarge)
	}
	local := int64(length)
	if most := db.usable - 35; local > most {
		least := (db.usable-12)*32/255 - 23
		if local = least + (int64(length)-least)%(db.usable-4); local > most {
			local = least
		}
	}
	if at+int(local) > len(page) {
		return nil, errors.New("a record is cut off")
	}
	if local == int64(length) {
		return page[at : at+int(local)], nil
	}
	if at+int(local)+4 > len(page) || int64(length) > db.size {
		return nil, errors.New("a record is cut off")
	}
	record := make([]byte, 0, length)
	record = append(record, page[at:at+int(local)]...)
	next := int64(binary.BigEndian.Uint32(page[at+int(local):]))
	rest := make([]byte, db.page)
	for len(record) < int(length) { //nolint:gosec // at most maxHeader
		if err := db.take(next, rest); err != nil {
			return nil, err
		}
		next = int64(binary.BigEndian.Uint32(rest))
		record = append(record, rest[4:4+min(db.usable-4, int64(length)-int64(len(record)))]...)
	}
	return record, nil
}

// fields are the first values of a record: a header of types, then the values one behind the other.
func fields(record []byte, most int) [][]byte {
	size, n := varint(record)
	if n == 0 || size > uint64(len(record)) || size < uint64(n) {
		return nil
	}
	types, body := record[n:size], record[size:]
	var list [][]byte
	for len(types) > 0 && len(list) < most {
		kind, n := varint(types)
		if n == 0 {
			return list
		}
		types = types[n:]
		length := uint64(0)
		switch {
		case kind >= 12:
			length = (kind - 12) / 2
		case kind == 5:
			length = 6
		case kind == 6 || kind == 7:
			length = 8
		case kind >= 1 && kind <= 4:
			length = kind
		}
		if length > uint64(len(body)) {
			return list
		}
		list = append(list, body[:length])
		body = body[length:]
	}
	return list
}

// integer is a whole number of up to eight bytes.
func integer(b []byte) (n int64) {
	for _, c := range b[:min(len(b), 8)] {
		n = n<<8 | int64(c)
	}
	return n
}

// varint is SQLite's number of one to nine bytes; n is 0 where it is cut off.
func varint(b []byte) (v uint64, n int) {
	for i := range min(len(b), 9) {
		if i == 8 {
			return v<<8 | uint64(b[i]), 9
		}
		v = v<<7 | uint64(b[i]&0x7f)
		if b[i] < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}
