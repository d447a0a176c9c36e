package image

import (
	"bytes"
	"debug/elf"
	"strings"
)

// symbols sums up what is there for debuggers and linkers alone.
func (e *programEye) symbols() {
	p := e.p
	step := p.sections.size
	if step < p.lengths()[2] {
		return
	}
	for b := e.secs.text; len(b) >= step; b = b[step:] {
		s := p.section(b)
		if s.size > maxProgram || s.flags&elf.SHF_ALLOC != 0 {
			continue
		}
		if s.kind == elf.SHT_SYMTAB || s.kind == elf.SHT_PROGBITS && s.size >= 4096 { // .comment and its like are small
			p.symbols += int64(s.size) //nolint:gosec // at most maxProgram
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
	if p.wide() {
		word = 8
	}
	var needs, paths []uint64
	table := uint64(0)
	for d := e.dyn.text; len(d) >= 2*word; d = d[2*word:] {
		tag, value := elf.DynTag(p.word(d)), p.word(d[word:]) //nolint:gosec // a tag is small
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
		if !l.holds(table) {
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
