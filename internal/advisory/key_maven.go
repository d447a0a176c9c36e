package advisory

import (
	"slices"
	"strings"
)

// What a Maven version may go on with, in the order of ComparableVersion. Unknown words behind a dot
// (1.0.v2020), and known ones behind a dot and a zero (1.0.0.Beta1, in which the zeros cannot be
// trimmed), sort in circles with some of these, so that versions with them have no key.
const (
	mavenDotWord  = iota + 1 // .alpha: before the release
	mavenDashWord            // -alpha
	mavenEnd
	mavenPatch     // -sp
	mavenOther     // -jre
	mavenDashDigit // -1
	mavenDotDigit  // .1
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
	if !allDigits(tokens[0].text) {
		return dst, false
	}
	dst = appendMavenNumber(dst, tokens[0].text)
	for i, t := range tokens[1:] {
		word := slices.Index(mavenWords[:], t.text)
		switch {
		case allDigits(t.text) && t.dash:
			dst = appendMavenNumber(append(dst, mavenDashDigit), t.text)
		case allDigits(t.text):
			dst = appendMavenNumber(append(dst, mavenDotDigit), t.text)
		case !t.dash && (word < 0 || t.text == "sp" || i > 0 && tokens[i].text == "0" && !tokens[i].dash):
			return dst, false
		case !t.dash:
			dst = append(dst, mavenDotWord, byte(word))
		case t.text == "":
			return dst, false // -final before more: it equals nothing at all
		case t.text == "sp":
			dst = append(dst, mavenPatch)
		case word >= 0:
			dst = append(dst, mavenDashWord, byte(word))
		default:
			dst = appendWord(append(dst, mavenOther), t.text)
		}
	}
	return append(dst, mavenEnd), true
}

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
