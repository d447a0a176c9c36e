package image

import (
	"bytes"
	"io"
)

// maxNames bounds the names of an ELF file's sections.
const maxNames = 1 << 20

// maySpeak says whether an ELF file that may be jumped about in has a section in which something is told of its packages; a
// layer's files pass anyway, those of a root directory need not be read for nothing. What cannot be seen may be there.
func maySpeak(r io.ReaderAt) bool {
	block := make([]byte, elfWide[0])
	if n, _ := r.ReadAt(block, 0); n < len(block) || !isELF(block) {
		return true
	}
	head, _ := readElfHead(block)
	t, least := head.sections, head.lengths()[2]
	if t.offset == 0 || t.offset > maxProgram || t.size < least || head.names == 0 || head.names >= t.count {
		return true
	}
	entry := make([]byte, least)
	if n, _ := r.ReadAt(entry, int64(t.offset)+int64(head.names*t.size)); n < len(entry) { //nolint:gosec // at most maxProgram
		return true
	}
	names := head.section(entry)
	if names.offset == 0 || names.offset > maxProgram || names.size == 0 || names.size > maxNames {
		return true
	}
	text := make([]byte, names.size)
	if n, _ := r.ReadAt(text, int64(names.offset)); n < len(text) { //nolint:gosec // at most maxProgram
		return true
	}
	return bytes.Contains(text, []byte(".go.buildinfo\x00")) || bytes.Contains(text, []byte(".dep-v0\x00"))
}
