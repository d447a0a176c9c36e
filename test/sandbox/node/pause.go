package node

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
)

// waiting is machine code, by architecture, that sleeps in the kernel for ever.
var waiting = map[string]struct {
	machine uint16 // of the ELF header
	code    []byte
}{
	"amd64": {62, []byte{
		0xb8, 34, 0, 0, 0, // mov eax, 34 (pause)
		0x0f, 0x05, // syscall
		0xeb, 0xf7, // jmp to the first
	}},
	"arm64": {183, []byte{
		0x00, 0x00, 0x80, 0xd2, // mov x0, 0
		0x01, 0x00, 0x80, 0xd2, // mov x1, 0
		0x02, 0x00, 0x80, 0xd2, // mov x2, 0
		0x03, 0x00, 0x80, 0xd2, // mov x3, 0
		0x28, 0x09, 0x80, 0xd2, // mov x8, 73 (ppoll)
		0x01, 0x00, 0x00, 0xd4, // svc 0
		0xfa, 0xff, 0xff, 0x17, // b to the first
	}},
}

// Pause is a program that does nothing: what keeps a pod's namespaces while its containers come and go. It is one page of
// code behind the two headers that the kernel reads (elf(5)), so that no compiler and no image from elsewhere is needed.
func Pause() ([]byte, error) {
	w, ok := waiting[runtime.GOARCH]
	if !ok {
		return nil, fmt.Errorf("no pause program for %s", runtime.GOARCH)
	}
	const base, headers, section = 0x400000, 64 + 56, 0x1000
	var b bytes.Buffer
	b.Write([]byte{0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}) // 64 bits, little-endian
	size := uint64(headers + len(w.code))
	for _, field := range []any{
		uint16(2), w.machine, uint32(1), uint64(base + headers), uint64(64), uint64(0), uint32(0), // executable, entry, where the program header is
		uint16(64), uint16(56), uint16(1), uint16(0), uint16(0), uint16(0),
		uint32(1), uint32(5), uint64(0), uint64(base), uint64(base), size, size, uint64(section), // load all of it, to read and execute
	} {
		if err := binary.Write(&b, binary.LittleEndian, field); err != nil {
			return nil, fmt.Errorf("write pause program: %w", err)
		}
	}
	b.Write(w.code)
	return b.Bytes(), nil
}
