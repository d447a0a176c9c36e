package image

import (
	"debug/elf"
	"encoding/binary"
)

// elfHead is what an ELF file's head tells, in the forms of elf(5). Whoever looks into programs reads it here.
type elfHead struct {
	order   binary.ByteOrder
	machine elf.Machine
	class   elf.Class
	entry   uint64

	programs, sections elfTable
	names              int // which section has the names of the others
}

// elfTable is where a table of headers stands.
type elfTable struct {
	offset      uint64
	size, count int // of one header in bytes, and how many there are
}

// elfSegment is one program header: a part of the file, and the address that it is loaded at.
type elfSegment struct {
	kind                  elf.ProgType
	flags                 elf.ProgFlag
	offset, address, size uint64
}

// elfSection is one header of a section.
type elfSection struct {
	kind         elf.SectionType
	flags        elf.SectionFlag
	offset, size uint64
}

// The lengths of the head, of a program header and of a section's, in bytes, by the class.
var (
	elfNarrow = [3]int{52, 32, 40}
	elfWide   = [3]int{64, 56, 64}
)

// isELF knows an ELF file by its first bytes.
func isELF(block []byte) bool { return len(block) >= 4 && string(block[:4]) == elf.ELFMAG }

// readElfHead reads the head at the beginning of an ELF file. Where the block ends before the head does, what it says of the
// kind of program is known, and whole is false.
func readElfHead(block []byte) (h elfHead, whole bool) {
	if !isELF(block) || len(block) < elfNarrow[0] {
		return elfHead{}, false
	}
	h.class, h.order = elf.Class(block[elf.EI_CLASS]), binary.LittleEndian
	if elf.Data(block[elf.EI_DATA]) == elf.ELFDATA2MSB {
		h.order = binary.BigEndian
	}
	h.machine = elf.Machine(h.order.Uint16(block[18:]))
	if len(block) < h.lengths()[0] {
		return h, false
	}
	counts := block[42:]
	if h.wide() {
		h.entry, h.programs.offset, h.sections.offset, counts = h.word(block[24:]), h.word(block[32:]), h.word(block[40:]), block[54:]
	} else {
		h.entry, h.programs.offset, h.sections.offset = h.word(block[24:]), h.word(block[28:]), h.word(block[32:])
	}
	number := func(i int) int { return int(h.order.Uint16(counts[2*i:])) }
	h.programs.size, h.programs.count, h.sections.size, h.sections.count, h.names = number(0), number(1), number(2), number(3), number(4)
	return h, true
}

func (h *elfHead) wide() bool { return h.class == elf.ELFCLASS64 }

func (h *elfHead) lengths() [3]int {
	if h.wide() {
		return elfWide
	}
	return elfNarrow
}

// word is an address or an offset.
func (h *elfHead) word(b []byte) uint64 {
	if h.wide() {
		return h.order.Uint64(b)
	}
	return uint64(h.order.Uint32(b))
}

// segments are the program headers, which linkers put right behind the head. ok is false where they do not stand in the
// block that a file begins with.
func (h *elfHead) segments(block []byte) (list []elfSegment, ok bool) {
	t := h.programs
	if t.count == 0 {
		return nil, true // an object file
	}
	if t.size < h.lengths()[1] || t.offset > uint64(len(block)) || t.offset+uint64(t.size*t.count) > uint64(len(block)) {
		return nil, false
	}
	for i := range t.count {
		list = append(list, h.segment(block[int(t.offset)+i*t.size:])) //nolint:gosec // within the block
	}
	return list, true
}

func (h *elfHead) segment(b []byte) elfSegment {
	s := elfSegment{kind: elf.ProgType(h.order.Uint32(b))}
	if h.wide() {
		s.flags, s.offset, s.address, s.size = elf.ProgFlag(h.order.Uint32(b[4:])), h.word(b[8:]), h.word(b[16:]), h.word(b[32:])
	} else {
		s.offset, s.address, s.size, s.flags = h.word(b[4:]), h.word(b[8:]), h.word(b[16:]), elf.ProgFlag(h.order.Uint32(b[24:]))
	}
	return s
}

// section reads a section's header.
func (h *elfHead) section(b []byte) elfSection {
	s := elfSection{kind: elf.SectionType(h.order.Uint32(b[4:])), flags: elf.SectionFlag(h.order.Uint32(b[8:]))}
	if h.wide() {
		s.offset, s.size = h.word(b[24:]), h.word(b[32:])
	} else {
		s.offset, s.size = h.word(b[16:]), h.word(b[20:])
	}
	return s
}

// holds says whether what stands at an address is of this segment.
func (s *elfSegment) holds(address uint64) bool {
	return address >= s.address && address-s.address < s.size
}
