package advisory

import "strings"

// What a gem's version may go on with behind any number of zeros, in the order of Gem::Version.
const (
	gemWord = iota + 1
	gemEnd
	gemNumber
)

// gemKey follows Gem::Version: segments of digits or letters, a hyphen being .pre., and without end zeros behind the last.
// Zeros right before the first word say nothing. Other zeros stand as their number before what ends them: a word comes
// before a zero, so the fewer zeros before it the earlier it is; with a number it is the other way round.
func gemKey(dst []byte, version string) ([]byte, bool) {
	zeros, words := 0, false
	for segment := range strings.SplitSeq(strings.ReplaceAll(version, "-", ".pre."), ".") {
		if segment == "" && !strings.Contains(version, "-") {
			return dst, false
		}
		for segment != "" {
			n := digits(segment)
			if n == 0 {
				for n < len(segment) && isLetter(segment[n]) {
					n++
				}
				if n == 0 {
					return dst, false
				}
				if !words {
					zeros = 0
				}
				dst = appendWord(append(dst, gemWord, byte(zeros)), segment[:n])
				zeros, words = 0, true
			} else if strings.Trim(segment[:n], "0") == "" {
				zeros++
			} else {
				dst = appendNumber(append(dst, gemNumber, ^byte(zeros)), segment[:n], 0)
				zeros = 0
			}
			segment = segment[n:]
		}
	}
	return append(dst, gemEnd), true // zeros are fewer than characters, and those fewer than 256
}
