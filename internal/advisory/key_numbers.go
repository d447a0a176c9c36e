package advisory

import "strings"

// cranKey follows R's package_version: numbers, of which a version with more is the later one.
func cranKey(dst []byte, version string) ([]byte, bool) { return appendNumbers(dst, version, ".-") }

// hackageKey follows Haskell's Data.Version in the same way.
func hackageKey(dst []byte, version string) ([]byte, bool) { return appendNumbers(dst, version, ".") }

func appendNumbers(dst []byte, s, separators string) ([]byte, bool) {
	for {
		n := digits(s)
		if n == 0 {
			return dst, false
		}
		dst = appendNumber(dst, s[:n], 1)
		if s = s[n:]; s == "" {
			return append(dst, 0), true
		}
		if strings.IndexByte(separators, s[0]) < 0 {
			return dst, false
		}
		s = s[1:]
	}
}

// pubKey is a semantic version's whose build counts, too, as text.
func pubKey(dst []byte, version string) ([]byte, bool) {
	dst, ok := semverKey(dst, version)
	_, build, _ := strings.Cut(version, "+")
	return append(dst, build...), ok
}
