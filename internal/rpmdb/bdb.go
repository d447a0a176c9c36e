package rpmdb

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// What is read of Berkeley DB's hash (dbinc/db_page.h of its release 5.3): every page of items, whatever bucket it
// belongs to, and the chains of pages that hold large items. Keys and values stand in turns; rpm's keys are numbers.
const (
	bdbMagic = 0x061561

	bdbUnsorted = 2 // pages of items, before release 4.6
	bdbOverflow = 7
	bdbMeta     = 8
	bdbSorted   = 13

	bdbInline  = 1 // an item that stands on its page
	bdbOffPage = 3 // one that stands in a chain of pages

	bdbPageHead = 26
)

func readBDB(p *pages, head []byte, order binary.ByteOrder, yield func([]byte)) error {
	if head[25] != bdbMeta {
		return errors.New("it is a database of Berkeley DB, but no hash")
	}
	if head[24] != 0 {
		return errors.New("it is encrypted")
	}
	if err := p.begin(int64(order.Uint32(head[20:])), 0); err != nil {
		return err
	}
	last := int64(order.Uint32(head[32:]))
	if last >= p.size/p.page {
		return errors.New("it is cut off: it claims more pages than it has")
	}
	var problem error
	page, rest := make([]byte, p.page), make([]byte, p.page)
	for number := int64(1); number <= last; number++ {
		if n, err := p.r.ReadAt(page, number*p.page); n < len(page) {
			return errors.Join(problem, err)
		}
		if kind := page[25]; kind != bdbSorted && kind != bdbUnsorted {
			continue
		}
		if err := bdbItems(p, page, rest, order, yield); err != nil && problem == nil {
			problem = fmt.Errorf("page %d: %w", number, err)
		}
	}
	return problem
}

// bdbItems yields the values of a page.
func bdbItems(p *pages, page, rest []byte, order binary.ByteOrder, yield func([]byte)) error {
	entries := int(order.Uint16(page[20:]))
	if bdbPageHead+2*entries > len(page) {
		return errors.New("it claims more items than it has room for")
	}
	place := func(i int) int { return int(order.Uint16(page[bdbPageHead+2*i:])) }
	for i := 1; i < entries; i += 2 {
		at, end := place(i), place(i-1) // items are laid down from the page's end
		if at >= len(page) || end > len(page) {
			return errors.New("it has an item outside of it")
		}
		switch page[at] {
		case bdbInline:
			// A short value is rpm's next number, no package.
			if end > at+8 {
				yield(page[at+1 : end])
			}
		case bdbOffPage:
			if at+12 > len(page) {
				return errors.New("it has an item outside of it")
			}
			blob, err := bdbChain(p, rest, order, int64(order.Uint32(page[at+4:])), int64(order.Uint32(page[at+8:])))
			if err != nil {
				return err
			}
			yield(blob)
		}
	}
	return nil
}

// bdbChain gathers a value from its pages, each of which says which one is next and how many bytes it holds.
func bdbChain(p *pages, page []byte, order binary.ByteOrder, number, length int64) ([]byte, error) {
	if length > maxHeader {
		return nil, fmt.Errorf("a value of %d bytes is %w", length, ErrTooLarge)
	}
	if length > p.size {
		return nil, errors.New("a value is longer than the file")
	}
	blob := make([]byte, 0, length)
	for number != 0 && int64(len(blob)) < length {
		if err := p.take(number, page); err != nil {
			return nil, err
		}
		held := int(order.Uint16(page[22:]))
		if page[25] != bdbOverflow || bdbPageHead+held > len(page) {
			return nil, fmt.Errorf("page %d is no part of a value", number)
		}
		blob = append(blob, page[bdbPageHead:bdbPageHead+held]...)
		number = int64(order.Uint32(page[16:]))
	}
	if int64(len(blob)) != length {
		return nil, errors.New("a value has not as many bytes as it claims")
	}
	return blob, nil
}
