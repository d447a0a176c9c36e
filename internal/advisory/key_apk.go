package advisory

import "strings"

// apkSuffixes are the words of a suffix in their order; "" is a version without one.
var apkSuffixes = [...]string{"alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p"}

// apkKey follows apk-tools' version.c: numbers, a letter, suffixes, a hash that says nothing, a build.
func apkKey(dst []byte, version string) ([]byte, bool) {
	dst, rest, ok := appendApkNumbers(dst, version)
	if !ok {
		return dst, false
	}
	letter := byte(0)
	if rest != "" && 'a' <= rest[0] && rest[0] <= 'z' {
		letter, rest = rest[0], rest[1:]
	}
	dst = append(dst, letter)
	for strings.HasPrefix(rest, "_") {
		if dst, rest, ok = appendApkSuffix(dst, rest[1:]); !ok {
			return dst, false
		}
	}
	dst = append(dst, apkSuffixEnd)
	if strings.HasPrefix(rest, "~") {
		hash := strings.TrimLeft(rest[1:], "0123456789abcdef")
		if len(hash) == len(rest)-1 {
			return dst, false
		}
		rest = hash
	}
	build := ""
	if after, found := strings.CutPrefix(rest, "-r"); found {
		build, rest = after[:digits(after)], after[digits(after):]
	}
	return appendNumber(dst, build, 0), rest == ""
}

// appendApkNumbers appends the numbers. All but the first are compared as text when they begin with
// a zero, and then sort before the others. A number that is missing equals a single zero.
func appendApkNumbers(dst []byte, s string) (key []byte, rest string, ok bool) {
	zeros := 0 // ".0" seen, which count only when a number follows
	for first := true; ; first = false {
		n := digits(s)
		number := s[:n]
		switch {
		case n == 0:
			return append(dst, 0), s, !first
		case first:
			dst = appendNumber(dst, number, 2)
		case number == "0":
			zeros++
		case strings.Trim(number, "0") == "":
			return dst, s, false // 1.00 equals 1 and is over 1.0, which does too
		default:
			for ; zeros > 0; zeros-- {
				dst = appendWord(append(dst, 1), "0")
			}
			if number[0] == '0' {
				dst = appendWord(append(dst, 1), number)
			} else {
				dst = appendNumber(dst, number, 2)
			}
		}
		if s = s[n:]; !strings.HasPrefix(s, ".") {
			return append(dst, 0), s, true
		}
		s = s[1:]
	}
}

// apkSuffixEnd stands between the suffixes of versions before a release and of those after it.
const apkSuffixEnd = 5

func appendApkSuffix(dst []byte, s string) (key []byte, rest string, ok bool) {
	for i, word := range apkSuffixes {
		after, found := strings.CutPrefix(s, word)
		if !found || word == "" {
			continue
		}
		n := digits(after)
		if word == "cvs" && strings.Trim(after[:n], "0") == "" {
			return dst, s, false // equals no suffix at all
		}
		return appendNumber(append(dst, byte(i)+1), after[:n], 0), after[n:], true
	}
	return dst, s, false
}
