package image

import (
	"bytes"
	"debug/elf"
	"errors"
)

// goELF is where in an ELF file Go's linker may have put what it tells.
type goELF struct {
	start, end int64 // from the first to the last byte that is loaded as writable
	isGo       bool  // Go's linker made it
	loads      []elfSegment
}

// place is where in the file what is loaded at an address stands, less than 0 when nothing is.
func (g *goELF) place(address uint64) int64 {
	for _, l := range g.loads {
		if l.holds(address) {
			return int64(l.offset + (address - l.address)) //nolint:gosec // both at most maxProgram
		}
	}
	return -1
}

// readGoELF reads the head of an ELF file. It is nil for what is no program.
func readGoELF(block []byte) (*goELF, error) {
	if len(block) < elfWide[0] {
		return nil, nil
	}
	head, _ := readElfHead(block)
	segments, ok := head.segments(block)
	if !ok {
		return nil, errors.New("the program headers of the ELF file do not stand near its beginning")
	}
	note := goNote(&head)
	g := &goELF{}
	for _, s := range segments {
		switch s.kind {
		case elf.PT_NOTE:
			size := uint64(len(block))
			g.isGo = g.isGo || s.offset < size && s.size < size && bytes.Contains(block[s.offset:min(s.offset+s.size, size)], note)
		case elf.PT_LOAD:
			if err := g.load(s); err != nil {
				return nil, err
			}
		default:
		}
	}
	return g, nil
}

// goNote begins the note that Go's linker leaves: its kind, and the name Go.
func goNote(h *elfHead) []byte {
	const buildID = 4
	kind := make([]byte, 4, 8)
	h.order.PutUint32(kind, buildID)
	return append(kind, "Go\x00\x00"...)
}

// load notes what is loaded.
func (g *goELF) load(s elfSegment) error {
	if s.size == 0 {
		return nil
	}
	if s.offset > maxProgram || s.size > maxProgram {
		return errors.New("the program headers of the ELF file lead out of it")
	}
	g.loads = append(g.loads, s)
	if s.flags&elf.PF_W == 0 {
		return nil
	}
	if from := int64(s.offset); g.end == 0 || from < g.start { //nolint:gosec // at most maxProgram
		g.start = from
	}
	g.end = max(g.end, int64(s.offset+s.size)) //nolint:gosec // at most twice maxProgram
	return nil
}
