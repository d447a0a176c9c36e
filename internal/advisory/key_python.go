package advisory

import "strings"

// pythonKey follows PEP 440; what PEP 440 does not allow has no key.
func pythonKey(dst []byte, version string) ([]byte, bool) {
	s := strings.TrimPrefix(strings.Trim(strings.ToLower(version), " "), "v")
	epoch := ""
	if n := digits(s); n > 0 && strings.HasPrefix(s[n:], "!") {
		epoch, s = s[:n], s[n+1:]
	}
	dst = appendNumber(dst, epoch, 0)
	dst, s, ok := appendPythonRelease(dst, s)
	if !ok {
		return dst, false
	}
	pre, s := cutPythonPart(s, pythonPre[:])
	var post pythonPart
	if n := digits(strings.TrimPrefix(s, "-")); strings.HasPrefix(s, "-") && n > 0 {
		post, s = pythonPart{rank: 1, number: s[1 : 1+n]}, s[1+n:]
	} else {
		post, s = cutPythonPart(s, pythonPost[:])
	}
	dev, s := cutPythonPart(s, pythonDev[:])
	switch {
	case pre.rank > 0:
		dst = appendNumber(append(dst, pre.rank), pre.number, 0)
	case post.rank == 0 && dev.rank > 0:
		dst = append(dst, 0) // 1.0.dev1 is before 1.0a1
	default:
		dst = append(dst, 9)
	}
	if post.rank > 0 {
		dst = appendNumber(append(dst, 1), post.number, 0)
	} else {
		dst = append(dst, 0)
	}
	if dev.rank > 0 {
		dst = appendNumber(append(dst, 0), dev.number, 0)
	} else {
		dst = append(dst, 1)
	}
	local, found := strings.CutPrefix(s, "+")
	if !found && s != "" || found && local == "" {
		return dst, false
	}
	return appendPythonLocal(dst, local)
}

// appendPythonRelease appends the numbers less trailing zeros, which say nothing.
func appendPythonRelease(dst []byte, s string) (key []byte, rest string, ok bool) {
	significant := len(dst)
	for {
		n := digits(s)
		if n == 0 {
			return dst, s, false
		}
		dst = appendNumber(dst, s[:n], 1)
		if dst[len(dst)-1] != 1 { // a number other than zero ends in a digit
			significant = len(dst)
		}
		if s = s[n:]; len(s) < 2 || s[0] != '.' || !isDigit(s[1]) {
			return append(dst[:significant], 0), s, true
		}
		s = s[1:]
	}
}

// pythonPart is a pre-, post- or development release; rank is 0 where there is none.
type pythonPart struct {
	rank   byte
	number string
}

type pythonWord struct {
	word string
	rank byte
}

// The spellings, each before those it begins with.
var (
	pythonPre = [...]pythonWord{
		{"alpha", 1}, {"a", 1}, {"beta", 2}, {"b", 2}, {"c", 3}, {"rc", 3}, {"preview", 3}, {"pre", 3},
	}
	pythonPost = [...]pythonWord{{"post", 1}, {"rev", 1}, {"r", 1}}
	pythonDev  = [...]pythonWord{{"dev", 1}}
)

func cutPythonPart(s string, words []pythonWord) (part pythonPart, rest string) {
	bare := cutSeparator(s)
	for _, w := range words {
		if after, found := strings.CutPrefix(bare, w.word); found {
			after = cutSeparator(after)
			n := digits(after)
			return pythonPart{w.rank, after[:n]}, after[n:]
		}
	}
	return pythonPart{}, s
}

func cutSeparator(s string) string {
	if s != "" && strings.IndexByte("-_.", s[0]) >= 0 {
		return s[1:]
	}
	return s
}

func appendPythonLocal(dst []byte, local string) ([]byte, bool) {
	for {
		n := strings.IndexAny(local, "-_.")
		part := local
		if n >= 0 {
			part = local[:n]
		}
		for i := range len(part) {
			if !isDigit(part[i]) && !isLetter(part[i]) {
				return dst, false
			}
		}
		switch {
		case allDigits(part):
			dst = appendNumber(append(dst, 2), part, 0)
		case part == "" && local != "":
			return dst, false
		default:
			dst = appendWord(append(dst, 1), part)
		}
		if n < 0 {
			return append(dst, 0), true
		}
		if local = local[n+1:]; local == "" {
			return dst, false
		}
	}
}
