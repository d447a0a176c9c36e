package image

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	doc "github.com/coaming/coaming/internal/document"
)

// elfOf writes a small ELF program of 64 bits: {interpreter, needs: [libraries], runpath, architecture, symbols: bytes,
// packed: upx|entropy}. It has the headers that loaders read, and no code.
func elfOf(v doc.Value) ([]byte, error) {
	machine := elf.EM_X86_64
	if name := v.Get("architecture").Str(); name != "" {
		found := false
		for m, n := range architectures {
			if n == name {
				machine, found = m, true
			}
		}
		if !found {
			return nil, fmt.Errorf("elf: there is no architecture %q", name)
		}
	}
	b := &elfBuilder{names: []byte{0}}
	b.interpreter = v.Get("interpreter").Str()
	for _, n := range words(v.Get("needs")) {
		b.dynamic = append(b.dynamic, uint64(elf.DT_NEEDED), b.name(n))
	}
	if p := v.Get("runpath").Str(); p != "" {
		b.dynamic = append(b.dynamic, uint64(elf.DT_RUNPATH), b.name(p))
	}
	b.symbols, _ = v.Get("symbols").Int()
	b.packed = v.Get("packed").Str()
	return b.bytes(machine), nil
}

type elfBuilder struct {
	interpreter, packed string
	names               []byte
	dynamic             []uint64
	symbols             int64
}

func (b *elfBuilder) name(s string) uint64 {
	at := len(b.names)
	b.names = append(append(b.names, s...), 0)
	return uint64(at)
}

const (
	elfBase   = 0x400000
	elfHeader = 64
	elfSeg    = 56
)

func (b *elfBuilder) bytes(machine elf.Machine) []byte {
	type segment struct {
		kind, flags  uint32
		offset, size int
	}
	segments := 4
	at := elfHeader + segments*elfSeg
	interp := at
	at += len(b.interpreter) + 1
	names := at
	at = (at + len(b.names) + 7) &^ 7
	dyn := at
	entries := append(bytes.Clone(nil), 0)[:0]
	list := append(append([]uint64{}, b.dynamic...), uint64(elf.DT_STRTAB), uint64(elfBase+names), 0, 0)
	for _, n := range list {
		entries = binary.LittleEndian.AppendUint64(entries, n)
	}
	at += len(entries)
	code := at
	text := make([]byte, 256)
	if b.packed != "" {
		text = make([]byte, 32<<10)
		random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time
		for i := range text {
			text[i] = byte(random.Uint32())
		}
		if b.packed == "upx" {
			copy(text, "UPX!")
		}
	}
	end := code + len(text)
	out := make([]byte, code, end)
	copy(out, elf.ELFMAG)
	out[elf.EI_CLASS], out[elf.EI_DATA], out[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	le := binary.LittleEndian
	le.PutUint16(out[16:], uint16(elf.ET_DYN))
	le.PutUint16(out[18:], uint16(machine))
	le.PutUint32(out[20:], 1)
	le.PutUint64(out[24:], uint64(elfBase+code))
	le.PutUint64(out[32:], elfHeader)
	le.PutUint16(out[52:], elfHeader)
	le.PutUint16(out[54:], elfSeg)
	le.PutUint16(out[56:], uint16(segments))
	put := []segment{
		{uint32(elf.PT_LOAD), uint32(elf.PF_R | elf.PF_X), 0, end},
		{uint32(elf.PT_NULL), 0, 0, 0},
		{uint32(elf.PT_NULL), 0, 0, 0},
		{uint32(elf.PT_GNU_STACK), uint32(elf.PF_R | elf.PF_W), 0, 0},
	}
	if b.interpreter != "" {
		put[1] = segment{uint32(elf.PT_INTERP), uint32(elf.PF_R), interp, len(b.interpreter) + 1}
		put[2] = segment{uint32(elf.PT_DYNAMIC), uint32(elf.PF_R | elf.PF_W), dyn, len(entries)}
	} else if len(b.dynamic) > 0 { // a library
		put[2] = segment{uint32(elf.PT_DYNAMIC), uint32(elf.PF_R | elf.PF_W), dyn, len(entries)}
	}
	for i, s := range put {
		h := out[elfHeader+i*elfSeg:]
		le.PutUint32(h, s.kind)
		le.PutUint32(h[4:], s.flags)
		for n, value := range []int{s.offset, elfBase + s.offset, elfBase + s.offset, s.size, s.size, 0x1000} {
			le.PutUint64(h[8+8*n:], uint64(value)) //nolint:gosec // small
		}
	}
	copy(out[interp:], b.interpreter)
	copy(out[names:], b.names)
	copy(out[dyn:], entries)
	out = append(out, text...)
	if b.packed != "" {
		return out
	}
	// A table of sections, as all have that nobody took it from: an empty one, and the symbols.
	symbols := make([]byte, b.symbols)
	shoff := len(out) + len(symbols)
	le.PutUint64(out[40:], uint64(shoff)) //nolint:gosec // small
	le.PutUint16(out[58:], 64)
	le.PutUint16(out[60:], 2)
	sections := make([]byte, 128)
	if len(symbols) > 0 {
		le.PutUint32(sections[64+4:], uint32(elf.SHT_SYMTAB))
		le.PutUint64(sections[64+24:], uint64(len(out)))
		le.PutUint64(sections[64+32:], uint64(len(symbols)))
	}
	return append(append(out, symbols...), sections...)
}
