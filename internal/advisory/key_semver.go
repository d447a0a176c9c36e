package advisory

import "strings"

// semverKey follows semver.org, section 11, with a leading v and fewer numbers than three allowed.
func semverKey(dst []byte, version string) ([]byte, bool) { return appendSemver(dst, version, 3) }

// nugetKey is the same with up to four numbers, and without regard to case.
func nugetKey(dst []byte, version string) ([]byte, bool) {
	if strings.HasPrefix(version, "V") {
		return dst, false // a pre-release to semantic
	}
	return appendSemver(dst, strings.ToLower(version), 4)
}

// semverRelease is in the place of the first pre-release identifier of a version that has none.
const semverRelease = 0xff

func appendSemver(dst []byte, version string, numbers int) ([]byte, bool) {
	rest := strings.TrimPrefix(version, "v")
	if rest == "" {
		return dst, false
	}
	for i := range numbers {
		n := digits(rest)
		if n == 0 && rest != "" && (i == 0 || isDigit(rest[0]) || rest[0] == '.') {
			return dst, false
		}
		dst = appendNumber(dst, rest[:n], 0)
		rest = rest[n:]
		if i+1 < numbers && len(rest) > 1 && rest[0] == '.' && isDigit(rest[1]) {
			rest = rest[1:]
		}
	}
	if strings.HasPrefix(rest, ".") {
		return dst, false // more numbers than there may be, or an odd place for a dot
	}
	pre, _, _ := strings.Cut(rest, "+")
	pre = strings.TrimPrefix(pre, "-")
	if pre == "" {
		return append(dst, semverRelease), true
	}
	return appendIdentifiers(dst, pre)
}

// appendIdentifiers appends what stands between dots: numbers sort before texts.
func appendIdentifiers(dst []byte, s string) ([]byte, bool) {
	for id := range strings.SplitSeq(s, ".") {
		switch {
		case allDigits(id):
			dst = appendNumber(append(dst, 1), id, 0)
		default:
			dst = appendWord(append(dst, 2), id)
		}
	}
	return append(dst, 0), true
}
