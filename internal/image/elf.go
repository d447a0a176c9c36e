package image

import (
	"debug/elf"
	"math"
	"strings"
)

// elfFile is a program: what it needs to start, and what is odd about it.
type elfFile struct {
	elfHead
	interpreter string
	needs       []string // DT_NEEDED
	runpath     []string // DT_RUNPATH or DT_RPATH
	packed      string
	symbols     int64
	doubt       string // why what it needs is not known
}

// Bounds on what is kept of one program while it passes.
const (
	programHead = 64 << 10
	maxFirst    = 8 << 20   // of the segment in which the names of libraries stand
	maxRoom     = 1 << 20   // of the room for it that is kept for the next file: few have more there
	maxDynamic  = 64 << 10  // of the dynamic section
	maxSections = 512 << 10 // of the table of sections
	maxNeeds    = 1024
)

// programEye reads an executable in one pass.
type programEye struct {
	size   int64 // of the file
	head   []byte
	at     int64
	parsed bool
	loads  []elfSegment
	parts  []*part
	dyn    *part
	interp *part
	secs   *part
	p      *elfFile
	scr    *script
	buffer *[]byte // for the first segment, used again for the next file
}

// part is a piece of the file that is kept.
type part struct {
	from, to int64
	text     []byte
	room     int // that it will need, as far as is known beforehand
}

func (p *part) see(at int64, piece []byte) {
	from, to := max(p.from, at), min(p.to, at+int64(len(piece)))
	if from >= to {
		return
	}
	if need := len(p.text) + int(to-from); need > cap(p.text) {
		p.text = append(make([]byte, 0, min(int(p.to-p.from), max(p.room, 2*need))), p.text...)
	}
	p.text = append(p.text, piece[from-at:to-at]...)
}

func (p *part) whole() bool { return int64(len(p.text)) == p.to-p.from }

func (e *programEye) see(piece []byte) bool {
	at := e.at
	e.at += int64(len(piece))
	if !e.parsed {
		e.head = append(e.head, piece[:min(len(piece), programHead-len(e.head))]...)
		if len(e.head) >= 4 && !isELF(e.head) && string(e.head[:2]) != "#!" {
			return false
		}
		if len(e.head) < programHead {
			return true
		}
		begun := int64(len(e.head))
		e.begin()
		for _, p := range e.parts {
			p.see(0, e.head)
		}
		rest := begun - at
		if rest >= int64(len(piece)) {
			return e.wants()
		}
		at, piece = begun, piece[rest:]
	}
	for _, p := range e.parts {
		p.see(at, piece)
	}
	return e.wants()
}

func (e *programEye) wants() bool {
	for _, p := range e.parts {
		if p.to > e.at {
			return true
		}
	}
	return false
}

// next is where the first part stands that was not seen whole (choosy).
func (e *programEye) next() int64 {
	if !e.parsed {
		return e.at
	}
	next := int64(math.MaxInt64)
	for _, p := range e.parts {
		if p.to > e.at {
			next = min(next, max(p.from, e.at))
		}
	}
	return next
}

func (e *programEye) jump(to int64) { e.at = to }

// begin reads the head, and decides what must be kept of the rest.
func (e *programEye) begin() {
	e.parsed = true
	if strings.HasPrefix(string(e.head[:min(2, len(e.head))]), "#!") {
		e.scr = scriptOf(e.head)
		return
	}
	if len(e.head) < elfNarrow[0] || !isELF(e.head) {
		return
	}
	head, whole := readElfHead(e.head)
	p := &elfFile{elfHead: head}
	e.p = p
	if !whole {
		p.doubt = "the program is cut off"
		return
	}
	segments, ok := head.segments(e.head)
	if !ok {
		p.doubt = "its program headers do not stand near its beginning"
		return
	}
	if len(segments) == 0 {
		return
	}
	for _, s := range segments {
		e.segment(s)
	}
	t := head.sections
	if length := t.count * t.size; t.offset > 0 && t.offset < maxProgram && length > 0 && length <= maxSections {
		e.secs = e.keep(int64(t.offset), int64(length)) //nolint:gosec // bounded
	} else if t.offset == 0 || t.count == 0 {
		p.packed = packedBy(e.head, e.loads, head.entry)
	}
	if e.dyn != nil && len(e.loads) > 0 {
		first := e.loads[0]
		kept := &part{from: int64(first.offset), to: int64(min(first.offset+first.size, first.offset+maxFirst))} //nolint:gosec // bounded by segment
		kept.text, kept.room = (*e.buffer)[:0], int(min(kept.to, e.size)-kept.from)
		e.parts = append(e.parts, kept)
	}
}

func (e *programEye) keep(from, length int64) *part {
	p := &part{from: from, to: from + length}
	e.parts = append(e.parts, p)
	return p
}

// segment keeps what is needed of one.
func (e *programEye) segment(s elfSegment) {
	if s.offset > maxProgram || s.size > maxProgram {
		e.p.doubt = "its program headers lead out of it"
		return
	}
	switch s.kind {
	case elf.PT_LOAD:
		e.loads = append(e.loads, s)
	case elf.PT_INTERP:
		if s.size > 1 && s.size < 4096 {
			e.interp = e.keep(int64(s.offset), int64(s.size)) //nolint:gosec // bounded
		}
	case elf.PT_DYNAMIC:
		if s.size > maxDynamic {
			e.p.doubt = "its dynamic section is too large"
			return
		}
		if s.size > 0 {
			e.dyn = e.keep(int64(s.offset), int64(s.size)) //nolint:gosec // bounded
		}
	default:
	}
}

// tell puts together what was kept.
func (e *programEye) tell(r *record) {
	if !e.parsed {
		e.begin()
		for _, p := range e.parts {
			p.see(0, e.head)
		}
	}
	if e.p != nil {
		if e.interp != nil {
			e.p.interpreter = strings.TrimRight(string(e.interp.text), "\x00")
		}
		if e.secs != nil && e.secs.whole() {
			e.symbols()
		}
		if e.dyn != nil {
			e.dynamic()
		}
	}
	for _, p := range e.parts {
		if cap(p.text) > cap(*e.buffer) && cap(p.text) <= maxRoom {
			*e.buffer = p.text[:0]
		}
	}
	r.program, r.script = e.p, e.scr
}
