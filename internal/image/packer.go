package image

import (
	"bytes"
	"debug/elf"
	"math"
)

// crowded is how many bits a byte of packed code has at least; that of compilers has about 6.
const crowded = 7.3

// packedBy says what packed a program that has no table of sections: the packer that names itself, or "entropy" where
// the code that it begins with is as even as only packed or encrypted data is.
func packedBy(head []byte, loads []elfSegment, entry uint64) string {
	if bytes.Contains(head, []byte("UPX!")) {
		return "upx"
	}
	for _, l := range loads {
		if l.flags&elf.PF_X == 0 || !l.holds(entry) || l.offset >= uint64(len(head)) {
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
