package advisory

import "strings"

// rpmKey follows rpmvercmp: the epoch, the version, and the release, whose absence sorts first.
func rpmKey(dst []byte, version string) ([]byte, bool) {
	epoch, rest, found := strings.Cut(version, ":")
	if !found || digits(epoch) != len(epoch) {
		epoch, rest = "", version
	}
	name, release, hasRelease := strings.Cut(rest, "-")
	if name == "" {
		return dst, false
	}
	dst = appendRPM(appendNumber(dst, epoch, 0), name)
	if !hasRelease {
		return append(dst, 0), true
	}
	return appendRPM(append(dst, 1), release), true
}

// What a part of a version may go on with, in its order.
const (
	rpmTilde = iota + 1
	rpmEnd
	rpmCaret
	rpmLetters
	rpmDigits
)

// appendRPM appends the segments; what separates them only separates.
func appendRPM(dst []byte, s string) []byte {
	for s != "" {
		n := 1
		switch c := s[0]; {
		case c == '~':
			dst = append(dst, rpmTilde)
		case c == '^':
			dst = append(dst, rpmCaret)
		case isDigit(c):
			n = digits(s)
			dst = appendNumber(append(dst, rpmDigits), s[:n], 0)
		case isLetter(c):
			for n < len(s) && isLetter(s[n]) {
				n++
			}
			dst = appendWord(append(dst, rpmLetters), s[:n])
		}
		s = s[n:]
	}
	return append(dst, rpmEnd)
}
