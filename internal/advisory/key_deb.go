package advisory

import "strings"

// debKey follows deb-version(7): the epoch, then the upstream version, then the revision ("0" when there is none).
func debKey(dst []byte, version string) ([]byte, bool) {
	version = strings.TrimSpace(version)
	epoch, rest, found := strings.Cut(version, ":")
	if !found {
		epoch, rest = "0", version
	}
	if !allDigits(epoch) {
		return dst, false
	}
	upstream, revision := rest, "0"
	if i := strings.LastIndexByte(rest, '-'); i >= 0 {
		upstream, revision = rest[:i], rest[i+1:]
	}
	dst = appendNumber(dst, epoch, 0)
	return appendDeb(appendDeb(dst, upstream), revision), true
}

// debEnd ends a run of other characters than digits: only a tilde sorts before it.
const debEnd = 2

// appendDeb appends runs of other characters and of digits by turns; the former is first, empty or not.
func appendDeb(dst []byte, s string) []byte {
	for first := true; first || s != ""; first = false {
		for s != "" && !isDigit(s[0]) {
			switch c := s[0]; {
			case c == '~':
				dst = append(dst, 1)
			case isLetter(c):
				dst = append(dst, c)
			default:
				dst = append(dst, c|0x80)
			}
			s = s[1:]
		}
		n := digits(s)
		dst = appendNumber(append(dst, debEnd), s[:n], 0)
		s = s[n:]
	}
	return append(dst, debEnd)
}
