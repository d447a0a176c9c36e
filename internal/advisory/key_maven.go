package advisory

import (
	"bytes"
	"slices"
	"strings"
)

// What a Maven version may go on with, in the order of ComparableVersion as long as both versions go on.
const (
	mavenDotWord  = iota + 1 // .alpha: before the release
	mavenDotOther            // .v2020, .sp: see compareMaven
	mavenDashWord            // -alpha
	mavenEnd
	mavenPatch     // -sp
	mavenOther     // -jre
	mavenDashDigit // -1
	mavenDotDigit  // .1
)

// What stands behind the end of a key: whether compareMaven must look closer.
const (
	mavenEven = iota
	mavenOdd
)

// mavenWords are the qualifiers with an order of their own; "" is a release.
var mavenWords = [...]string{"alpha", "beta", "milestone", "rc", "snapshot", "", "sp"}

type mavenToken struct {
	dash bool
	text string // lower-case, numbers without leading zeros
}

func mavenKey(dst []byte, version string) ([]byte, bool) {
	var store [24]mavenToken
	tokens := trimMaven(splitMaven(store[:0], strings.ToLower(version)))
	dst = appendMavenFirst(dst, tokens[0].text)
	odd, last := byte(mavenEven), tokens[0]
	last.dash = true
	for _, t := range tokens[1:] {
		word := slices.Index(mavenWords[:], t.text)
		switch {
		case allDigits(t.text) && t.dash:
			dst = appendMavenNumber(append(dst, mavenDashDigit), t.text)
		case allDigits(t.text):
			dst = appendMavenNumber(append(dst, mavenDotDigit), t.text)
		case t.text == "":
			return dst, false // -final before more: it equals nothing at all
		case !t.dash && word < 0 && t.text < "0":
			return dst, false // the end counts as a zero here, which this is before
		case !t.dash && (word < 0 || t.text == "sp"):
			odd = mavenOdd
			dst = appendWord(append(dst, mavenDotOther, byte(word+1)), t.text)
		case !t.dash:
			if last.text == "0" && !last.dash {
				odd = mavenOdd
			}
			dst = append(dst, mavenDotWord, byte(word))
		case t.text == "sp":
			dst = append(dst, mavenPatch)
		case word >= 0:
			dst = append(dst, mavenDashWord, byte(word))
		default:
			dst = appendWord(append(dst, mavenOther), t.text)
		}
		last = t
	}
	return append(dst, mavenEnd, odd), true
}

// appendMavenFirst appends what a version begins with, mostly a number: words come before numbers.
func appendMavenFirst(dst []byte, text string) []byte {
	if allDigits(text) {
		return appendMavenNumber(append(dst, 2), text)
	}
	word := slices.Index(mavenWords[:], text)
	if word < 0 {
		word = len(mavenWords)
	}
	return appendWord(append(dst, 1, byte(word)), text)
}

// compareMaven compares two keys. The order of ComparableVersion has circles, which no order of bytes can
// have: 1-alpha is before 1, 1 before 1.x, and 1.x before 1-alpha, since an unknown word behind a dot is before all
// that stands behind a hyphen, and yet after nothing at all. So too 1.0.alpha is before 1, 1 before 1.0.1, and 1.0.alpha
// after 1-alpha. Keys with such places are known by their last byte; all others are compared as bytes.
func compareMaven(a, b []byte) int {
	if a[len(a)-1] == mavenEven && b[len(b)-1] == mavenEven {
		return bytes.Compare(a, b)
	}
	n := min(len(a), len(b))
	at := 0
	for at < n && a[at] == b[at] {
		at++
	}
	switch {
	case at == n:
		return bytes.Compare(a, b)
	case a[at] == mavenEnd && goesOn(b, at):
		return -afterEnd(b[at:])
	case b[at] == mavenEnd && goesOn(a, at):
		return afterEnd(a[at:])
	}
	return bytes.Compare(a[at:], b[at:])
}

// goesOn says whether a key has more where the other one ends: the place is then the beginning of a token in both. An
// end is followed by its own last byte alone.
func goesOn(key []byte, at int) bool { return at+2 < len(key) }

// afterEnd is the order of a version that goes on and one that ends.
func afterEnd(rest []byte) int {
	for len(rest) > 2 && rest[0] == mavenDotDigit && rest[1] == 0 {
		rest = rest[2:] // .0 says nothing
	}
	switch rest[0] {
	case mavenDotWord, mavenDashWord:
		return -1
	}
	return 1
}

// isOdd says whether a key's place depends on what it is compared with.
func isOdd(key []byte) bool { return len(key) > 0 && key[len(key)-1] == mavenOdd }

func appendMavenNumber(dst []byte, number string) []byte { return appendNumber(dst, number, 0) }

// splitMaven splits at dots, hyphens, and between digits and others; the latter counts as a hyphen.
func splitMaven(tokens []mavenToken, s string) []mavenToken {
	dash := false
	for {
		end := strings.IndexAny(s, "-.")
		part := s
		if end >= 0 {
			part = s[:end]
		}
		if part == "" {
			tokens = append(tokens, mavenToken{dash, "0"})
		}
		for part != "" {
			n := digits(part)
			if n > 0 {
				number := strings.TrimLeft(part[:n], "0")
				if number == "" {
					number = "0"
				}
				tokens = append(tokens, mavenToken{dash, number})
			} else {
				for n < len(part) && !isDigit(part[n]) {
					n++
				}
				tokens = append(tokens, mavenToken{dash, mavenWord(part[:n], n < len(part))})
			}
			part, dash = part[n:], true
		}
		if end < 0 {
			return tokens
		}
		dash, s = s[end] == '-', s[end+1:]
	}
}

// mavenWord spells a qualifier in one way; numbered says whether a digit follows it.
func mavenWord(word string, numbered bool) string {
	switch word {
	case "cr":
		return "rc"
	case "ga", "final", "release":
		return ""
	}
	if numbered {
		switch word {
		case "a":
			return "alpha"
		case "b":
			return "beta"
		case "m":
			return "milestone"
		}
	}
	return word
}

// trimMaven takes away what says nothing at the end and before each hyphen.
func trimMaven(tokens []mavenToken) []mavenToken {
	for i := len(tokens) - 1; i > 0; {
		if tokens[i].text == "0" || tokens[i].text == "" {
			tokens = slices.Delete(tokens, i, i+1)
			i--
			continue
		}
		for i >= 0 && !tokens[i].dash {
			i--
		}
		i--
	}
	return tokens
}
