package image

import (
	"bytes"
	"debug/elf"
	"io"
)

// maxNames bounds the names of an ELF file's sections.
const maxNames = 1 << 20

// maySpeak says whether an ELF file that may be jumped about in has a section in which something is told of its packages; a
// layer's files pass anyway, those of a root directory need not be read for nothing. What cannot be seen may be there.
func maySpeak(r io.ReaderAt) bool {
	head := make([]byte, 64)
	if n, _ := r.ReadAt(head, 0); n < len(head) || string(head[:4]) != elf.ELFMAG {
		return true
	}
	order := elfOrder(head)
	table, size, count, names := int64(order.Uint32(head[32:])), int64(order.Uint16(head[46:])), int64(order.Uint16(head[48:])), int64(order.Uint16(head[50:]))
	wide := elf.Class(head[elf.EI_CLASS]) == elf.ELFCLASS64
	least := int64(40)
	if wide {
		table, size, count, names = int64(order.Uint64(head[40:])), int64(order.Uint16(head[58:])), int64(order.Uint16(head[60:])), int64(order.Uint16(head[62:])) //nolint:gosec // asked below
		least = 64
	}
	if table <= 0 || table > maxProgram || size < least || names == 0 || names >= count {
		return true
	}
	entry := make([]byte, least)
	if n, _ := r.ReadAt(entry, table+names*size); n < len(entry) {
		return true
	}
	offset, length := int64(order.Uint32(entry[16:])), int64(order.Uint32(entry[20:]))
	if wide {
		offset, length = int64(order.Uint64(entry[24:])), int64(order.Uint64(entry[32:])) //nolint:gosec // asked below
	}
	if offset <= 0 || offset > maxProgram || length <= 0 || length > maxNames {
		return true
	}
	text := make([]byte, length)
	if n, _ := r.ReadAt(text, offset); n < len(text) {
		return true
	}
	return bytes.Contains(text, []byte(".go.buildinfo\x00")) || bytes.Contains(text, []byte(".dep-v0\x00"))
}
