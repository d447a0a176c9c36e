package image

import (
	"bytes"
	"debug/elf"
	"testing"
)

// needsOf is what debug/elf says of a file.
func needsOf(name string) (needs []string, interpreter string, ok bool) {
	f, err := elf.Open(name)
	if err != nil {
		return nil, "", false
	}
	defer f.Close() //nolint:errcheck // nothing was written
	if needs, err = f.ImportedLibraries(); err != nil {
		return nil, "", false
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			text := make([]byte, p.Filesz)
			if _, err := p.ReadAt(text, 0); err == nil {
				interpreter = string(bytes.TrimRight(text, "\x00"))
			}
		}
	}
	return needs, interpreter, true
}

// FuzzELF reads anything as a program, in pieces.
func FuzzELF(f *testing.F) {
	for _, b := range []*elfBuilder{
		{names: []byte{0}}, {names: []byte{0}, interpreter: "/lib/ld.so", dynamic: []uint64{1, 1}}, {names: []byte{0}, packed: "upx"}, {names: []byte{0}, symbols: 100},
	} {
		f.Add(b.bytes(elf.EM_X86_64), 100)
	}
	f.Add([]byte("#!/bin/sh\nx &\n"), 3)
	f.Fuzz(func(t *testing.T, text []byte, piece int) {
		piece = max(1, min(piece, 1<<16))
		var buffer []byte
		e := &programEye{buffer: &buffer}
		for rest := text; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
			if !e.see(rest[:min(piece, len(rest))]) {
				break
			}
		}
		r := &record{}
		e.tell(r)
		if r.program != nil && (len(r.program.needs) > maxNeeds || r.program.symbols < 0) {
			t.Errorf("%+v", r.program)
		}
	})
}
