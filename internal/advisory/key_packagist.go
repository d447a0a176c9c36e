package advisory

import "strings"

// What a PHP version may go on with, in the order of version_compare; words that it does not know
// count as dev.
const (
	phpDev = iota + 1
	phpAlpha
	phpBeta
	phpRC
	phpEnd
	phpNumber
	phpPatch
)

// packagistKey follows PHP's version_compare after the v that Composer allows.
func packagistKey(dst []byte, version string) ([]byte, bool) {
	s := strings.TrimPrefix(strings.TrimPrefix(version, "v"), "V")
	for part := range strings.FieldsFuncSeq(s+".", func(r rune) bool { return strings.ContainsRune(".-_+", r) }) {
		for part != "" {
			n := digits(part)
			if n == 0 {
				for n < len(part) && !isDigit(part[n]) {
					n++
				}
				rank := phpRank(part[:n])
				if rank == 0 {
					return dst, false
				}
				dst = append(dst, rank)
			} else if n > 18 {
				return dst, false // over what PHP holds in an integer
			} else {
				dst = appendNumber(append(dst, phpNumber), part[:n], 0)
			}
			part = part[n:]
		}
	}
	// Of separators in a row one counts. One at an end makes an empty part, by which a version is not even itself.
	return append(dst, phpEnd), s != "" && !phpSeparates(s[0]) && !phpSeparates(s[len(s)-1])
}

func phpSeparates(c byte) bool { return strings.IndexByte(".-_+", c) >= 0 }

func phpRank(word string) byte {
	switch {
	case strings.HasPrefix(word, "#"):
		return 0
	case strings.HasPrefix(word, "dev"):
		return phpDev
	case strings.HasPrefix(word, "a"):
		return phpAlpha
	case strings.HasPrefix(word, "b"):
		return phpBeta
	case strings.HasPrefix(word, "rc"), strings.HasPrefix(word, "RC"):
		return phpRC
	case strings.HasPrefix(word, "p"):
		return phpPatch
	}
	return phpDev
}
