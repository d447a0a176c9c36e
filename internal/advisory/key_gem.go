package advisory

import "strings"

// What a gem's version may go on with, in the order of Gem::Version: a word, its end, a number.
const (
	gemWord = iota + 1
	gemEnd
	gemNumber
)

// gemKey follows Gem::Version: segments between dots and between digits and others; zeros at the end of the
// numbers before the first word, and at the end of all, say nothing.
func gemKey(dst []byte, version string) ([]byte, bool) {
	significant, words, zeros := len(dst), false, false
	for segment := range strings.SplitSeq(version, ".") {
		if segment == "" {
			return dst, false
		}
		for segment != "" {
			n := digits(segment)
			if n == 0 {
				for n < len(segment) && !isDigit(segment[n]) {
					n++
				}
				if words && zeros {
					return dst, false // a.0.b is below a, which a.0 equals
				}
				dst = appendWord(append(dst[:significant], gemWord), segment[:n])
				significant, words, zeros = len(dst), true, false
				segment = segment[n:]
				continue
			}
			number := segment[:n]
			segment = segment[n:]
			dst = appendNumber(append(dst, gemNumber), number, 0)
			if strings.Trim(number, "0") == "" {
				if zeros = true; n > 1 {
					return dst, false
				}
				continue
			}
			significant, zeros = len(dst), false
		}
	}
	return append(dst[:significant], gemEnd), true
}
