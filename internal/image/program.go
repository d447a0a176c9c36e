package image

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"math"
	"strings"
)

// program is an ELF file: what it needs to start, and what is odd about it. The forms are those of elf(5).
type program struct {
	machine     elf.Machine
	class       elf.Class
	order       binary.ByteOrder
	interpreter string
	needs       []string // DT_NEEDED
	runpath     []string // DT_RUNPATH or DT_RPATH
	packed      string
	symbols     int64
	doubt       string // why what it needs is not known
}

// script is a text that names its interpreter.
type script struct {
	interpreter string
	background  bool // a shell's that leaves programs running behind it
}

// Bounds on what is kept of one program while it passes.
const (
	programHead = 64 << 10
	maxFirst    = 8 << 20   // of the segment in which the names of libraries stand
	maxDynamic  = 64 << 10  // of the dynamic section
	maxSections = 512 << 10 // of the table of sections
	maxNeeds    = 1024
)

// programEye reads an executable in one pass.
type programEye struct {
	head   []byte
	at     int64
	parsed bool
	loads  []load
	parts  []*part
	dyn    *part
	secs   *part
	shsize int
	p      *program
	scr    *script
	buffer *[]byte // for the first segment, used again for the next file
	entry  uint64
}

// load is a segment that is loaded.
type load struct {
	offset, address, size uint64
	executable            bool
}

// part is a piece of the file that is kept.
type part struct {
	from, to int64
	text     []byte
}

func (p *part) see(at int64, piece []byte) {
	from, to := max(p.from, at), min(p.to, at+int64(len(piece)))
	if from < to {
		p.text = append(p.text, piece[from-at:to-at]...)
	}
}

func (p *part) whole() bool { return int64(len(p.text)) == p.to-p.from }

func (e *programEye) see(piece []byte) bool {
	at := e.at
	e.at += int64(len(piece))
	if !e.parsed {
		e.head = append(e.head, piece[:min(len(piece), programHead-len(e.head))]...)
		if len(e.head) >= 4 && string(e.head[:4]) != elf.ELFMAG && string(e.head[:2]) != "#!" {
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
		if rest := begun - at; rest < int64(len(piece)) {
			at, piece = begun, piece[rest:]
		} else {
			return e.wants()
		}
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

// begin reads the head, and decides what must be kept of the rest.
func (e *programEye) begin() {
	e.parsed = true
	if strings.HasPrefix(string(e.head[:min(2, len(e.head))]), "#!") {
		e.scr = scriptOf(e.head)
		return
	}
	if len(e.head) < 52 || string(e.head[:4]) != elf.ELFMAG {
		return
	}
	h := e.head
	p := &program{class: elf.Class(h[elf.EI_CLASS]), order: binary.LittleEndian}
	if elf.Data(h[elf.EI_DATA]) == elf.ELFDATA2MSB {
		p.order = binary.BigEndian
	}
	p.machine = elf.Machine(p.order.Uint16(h[18:]))
	e.p = p
	phoff, shoff, phsize, phnum, shsize, shnum := uint64(p.order.Uint32(h[28:])), uint64(p.order.Uint32(h[32:])), h[42:], h[44:], h[46:], h[48:]
	e.entry = uint64(p.order.Uint32(h[24:]))
	least := 32
	if p.class == elf.ELFCLASS64 {
		if len(h) < 64 {
			p.doubt = "the program is cut off"
			return
		}
		phoff, shoff, phsize, phnum, shsize, shnum = p.order.Uint64(h[32:]), p.order.Uint64(h[40:]), h[54:], h[56:], h[58:], h[60:]
		e.entry, least = p.order.Uint64(h[24:]), 56
	}
	size, count := int(p.order.Uint16(phsize)), int(p.order.Uint16(phnum))
	e.shsize = int(p.order.Uint16(shsize))
	sections := int(p.order.Uint16(shnum))
	if count == 0 {
		return // an object file
	}
	if size < least || phoff > uint64(len(h)) || phoff+uint64(size*count) > uint64(len(h)) {
		p.doubt = "its program headers do not stand near its beginning"
		return
	}
	for i := range count {
		e.segment(h[int(phoff)+i*size:], p) //nolint:gosec // within the head
	}
	if table := sections * e.shsize; shoff > 0 && shoff < maxProgram && table > 0 && table <= maxSections {
		e.secs = e.keep(int64(shoff), int64(table)) //nolint:gosec // bounded
	} else if shoff == 0 || sections == 0 {
		p.packed = packedBy(h, e.loads, e.entry)
	}
	if e.dyn != nil && len(e.loads) > 0 {
		first := e.loads[0]
		kept := &part{from: int64(first.offset), to: int64(min(first.offset+first.size, first.offset+maxFirst))} //nolint:gosec // bounded by segment
		kept.text = (*e.buffer)[:0]
		e.parts = append(e.parts, kept)
	}
}

func (e *programEye) keep(from, length int64) *part {
	p := &part{from: from, to: from + length}
	e.parts = append(e.parts, p)
	return p
}

// segment reads one program header.
func (e *programEye) segment(h []byte, p *program) {
	kind, flags := elf.ProgType(p.order.Uint32(h)), elf.ProgFlag(0)
	var offset, address, size uint64
	if p.class == elf.ELFCLASS64 {
		flags, offset, address, size = elf.ProgFlag(p.order.Uint32(h[4:])), p.order.Uint64(h[8:]), p.order.Uint64(h[16:]), p.order.Uint64(h[32:])
	} else {
		offset, address, size, flags = uint64(p.order.Uint32(h[4:])), uint64(p.order.Uint32(h[8:])), uint64(p.order.Uint32(h[16:])), elf.ProgFlag(p.order.Uint32(h[24:]))
	}
	if offset > maxProgram || size > maxProgram {
		p.doubt = "its program headers lead out of it"
		return
	}
	switch kind {
	case elf.PT_LOAD:
		e.loads = append(e.loads, load{offset, address, size, flags&elf.PF_X != 0})
	case elf.PT_INTERP:
		if end := offset + size; end <= uint64(len(e.head)) && size > 1 && size < 4096 {
			p.interpreter = strings.TrimRight(string(e.head[offset:end]), "\x00")
		} else {
			p.doubt = "the name of its loader does not stand near its beginning"
		}
	case elf.PT_DYNAMIC:
		if size > maxDynamic {
			p.doubt = "its dynamic section is too large"
			return
		}
		if size > 0 {
			e.dyn = e.keep(int64(offset), int64(size)) //nolint:gosec // bounded
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
		if e.secs != nil && e.secs.whole() {
			e.sections()
		}
		if e.dyn != nil {
			e.dynamic()
		}
	}
	for _, p := range e.parts {
		if cap(p.text) > cap(*e.buffer) && cap(p.text) <= maxFirst {
			*e.buffer = p.text[:0]
		}
	}
	r.program, r.script = e.p, e.scr
}

// sections sums up what is there for debuggers and linkers alone.
func (e *programEye) sections() {
	p := e.p
	least := 40
	if p.class == elf.ELFCLASS64 {
		least = 64
	}
	if e.shsize < least {
		return
	}
	for h := e.secs.text; len(h) >= e.shsize; h = h[e.shsize:] {
		kind := elf.SectionType(p.order.Uint32(h[4:]))
		flags, size := uint64(p.order.Uint32(h[8:])), uint64(p.order.Uint32(h[20:]))
		if p.class == elf.ELFCLASS64 {
			flags, size = p.order.Uint64(h[8:]), p.order.Uint64(h[32:])
		}
		if size > maxProgram || elf.SectionFlag(flags)&elf.SHF_ALLOC != 0 {
			continue
		}
		if kind == elf.SHT_SYMTAB || kind == elf.SHT_PROGBITS && size >= 4096 { // .comment and its like are small
			p.symbols += int64(size) //nolint:gosec // at most maxProgram
		}
	}
}

// dynamic reads which libraries it needs.
func (e *programEye) dynamic() {
	p := e.p
	if !e.dyn.whole() {
		p.doubt = "the program is cut off"
		return
	}
	word := 4
	if p.class == elf.ELFCLASS64 {
		word = 8
	}
	read := func(b []byte) uint64 {
		if word == 8 {
			return p.order.Uint64(b)
		}
		return uint64(p.order.Uint32(b))
	}
	var needs, paths []uint64
	table := uint64(0)
	for d := e.dyn.text; len(d) >= 2*word; d = d[2*word:] {
		tag, value := elf.DynTag(read(d)), read(d[word:]) //nolint:gosec // a tag is small
		if tag == elf.DT_NULL {
			break
		}
		switch tag {
		case elf.DT_NEEDED:
			if len(needs) < maxNeeds {
				needs = append(needs, value)
			}
		case elf.DT_RPATH, elf.DT_RUNPATH:
			paths = append(paths, value)
		case elf.DT_STRTAB:
			table = value
		default:
		}
	}
	for _, n := range needs {
		if name, ok := e.text(table, n); ok {
			p.needs = append(p.needs, name)
		} else {
			p.doubt = "the names of the libraries that it needs do not stand near its beginning"
		}
	}
	for _, n := range paths {
		if text, ok := e.text(table, n); ok {
			p.runpath = append(p.runpath, strings.Split(text, ":")...)
		}
	}
}

// text is a string of the table at an address.
func (e *programEye) text(table, at uint64) (string, bool) {
	for _, l := range e.loads {
		if table < l.address || table-l.address >= l.size {
			continue
		}
		offset := int64(l.offset + (table - l.address) + at) //nolint:gosec // within a segment
		for _, p := range e.parts {
			if offset < p.from || offset >= p.from+int64(len(p.text)) {
				continue
			}
			rest := p.text[offset-p.from:]
			if end := bytes.IndexByte(rest[:min(len(rest), 4096)], 0); end > 0 {
				return string(rest[:end]), true
			}
		}
	}
	return "", false
}

// crowded is how many bits a byte of packed code has at least; that of compilers has about 6.
const crowded = 7.3

// packedBy says what packed a program that has no table of sections: the packer that names itself, or "entropy" where
// the code that it begins with is as even as only packed or encrypted data is.
func packedBy(head []byte, loads []load, entry uint64) string {
	if bytes.Contains(head, []byte("UPX!")) {
		return "upx"
	}
	for _, l := range loads {
		if !l.executable || entry < l.address || entry-l.address >= l.size || l.offset >= uint64(len(head)) {
			continue
		}
		code := head[l.offset:min(uint64(len(head)), l.offset+l.size)]
		if len(code) >= 16<<10 && entropy(code) >= crowded {
			return "entropy"
		}
	}
	return ""
}

// entropy is how many bits a byte has.
func entropy(text []byte) float64 {
	var count [256]int
	for _, c := range text {
		count[c]++
	}
	bitsOf := 0.0
	for _, n := range count {
		if n > 0 {
			p := float64(n) / float64(len(text))
			bitsOf -= p * math.Log2(p)
		}
	}
	return bitsOf
}

// scriptOf reads the first line, and whether commands of a shell go to the background.
func scriptOf(text []byte) *script {
	line, rest, _ := bytes.Cut(text[2:], []byte("\n"))
	words := strings.Fields(string(line[:min(len(line), 512)]))
	if len(words) == 0 {
		return &script{}
	}
	s := &script{interpreter: words[0]}
	if strings.HasSuffix(words[0], "/env") {
		for _, w := range words[1:] {
			if !strings.HasPrefix(w, "-") && !strings.Contains(w, "=") {
				s.interpreter = w
				break
			}
		}
	}
	if !isShell(s.interpreter) {
		return s
	}
	for line := range bytes.Lines(rest) {
		line, _, _ = bytes.Cut(bytes.TrimSpace(line), []byte(" #"))
		if len(line) > 1 && line[0] != '#' && line[len(line)-1] == '&' && line[len(line)-2] != '&' {
			s.background = true
		}
	}
	return s
}

func isShell(at string) bool {
	switch at[strings.LastIndexByte(at, '/')+1:] {
	case "sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "busybox":
		return true
	}
	return false
}
