package advisory

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/google/osv-scalibr/semantic"
)

// A key is a version as bytes whose bytewise order is the ecosystem's order of versions. Comparing two
// is one memcmp and no allocation, against microseconds of parsing (and a little more for Maven, whose
// order has circles). Not every version has one: what nobody would write is not worth the code. Then both versions are compared by google/osv-scalibr/semantic, which is also the judge of the
// keys in the tests.
//
// Numbers in keys are a length and the digits without leading zeros, so that they sort by value
// whatever their size; texts end in a byte below every character.

// maxVersion is the longest version that gets a key, in bytes; it keeps lengths of numbers in one byte.
const maxVersion = 240

// scheme is one order of versions, which several ecosystems share.
type scheme struct {
	judge string // an ecosystem by which semantic knows the order
	key   func(dst []byte, version string) ([]byte, bool)
	// circles are keys that bytes alone do not order; nil where there are none.
	circles func(a, b []byte) int
}

// order compares two keys.
func (s *scheme) order(a, b []byte) int {
	if s.circles != nil {
		return s.circles(a, b)
	}
	return bytes.Compare(a, b)
}

var (
	debScheme       = &scheme{"Debian", debKey, nil}
	rpmScheme       = &scheme{"Red Hat", rpmKey, nil}
	apkScheme       = &scheme{"Alpine", apkKey, nil}
	semverScheme    = &scheme{"npm", semverKey, nil}
	pythonScheme    = &scheme{"PyPI", pythonKey, nil}
	mavenScheme     = &scheme{"Maven", mavenKey, compareMaven}
	gemScheme       = &scheme{"RubyGems", gemKey, nil}
	nugetScheme     = &scheme{"NuGet", nugetKey, nil}
	packagistScheme = &scheme{"Packagist", packagistKey, nil}
	pubScheme       = &scheme{"Pub", pubKey, nil}
	cranScheme      = &scheme{"CRAN", cranKey, nil}
	hackageScheme   = &scheme{"Hackage", hackageKey, nil}
)

// schemes are the orders by OSV's ecosystems, less their releases (ossf.github.io/osv-schema,
// "Defined Ecosystems").
var schemes = map[string]*scheme{
	"Debian": debScheme, "Ubuntu": debScheme, "Echo": debScheme,
	"AlmaLinux": rpmScheme, "Rocky Linux": rpmScheme, "Red Hat": rpmScheme, "SUSE": rpmScheme, "openSUSE": rpmScheme,
	"Mageia": rpmScheme, "openEuler": rpmScheme, "Azure Linux": rpmScheme, "Photon OS": rpmScheme, "Amazon Linux": rpmScheme, "Oracle Linux": rpmScheme, "Fedora": rpmScheme,
	"Alpine": apkScheme, "Wolfi": apkScheme, "Chainguard": apkScheme, "MinimOS": apkScheme, "Alpaquita": apkScheme,
	"BellSoft Hardened Containers": apkScheme,
	"npm":                          semverScheme, "Go": semverScheme, "crates.io": semverScheme, "Hex": semverScheme, "Bitnami": semverScheme,
	"ConanCenter": semverScheme, "SwiftURL": semverScheme, "Julia": semverScheme, "GHC": semverScheme, "Bioconductor": semverScheme,
	"Docker Hardened Images": semverScheme,
	"PyPI":                   pythonScheme, "Maven": mavenScheme, "RubyGems": gemScheme, "NuGet": nugetScheme, "Packagist": packagistScheme,
	"Pub": pubScheme, "CRAN": cranScheme, "Hackage": hackageScheme,
}

// schemeOf is the order of an ecosystem's versions, nil where it is not known.
func schemeOf(ecosystem string) *scheme {
	kind, _, _ := strings.Cut(ecosystem, ":")
	return schemes[kind]
}

// Key appends the key of a version of the ecosystem to dst; ok is false where it has none.
func Key(dst []byte, ecosystem, version string) (key []byte, ok bool) {
	s := schemeOf(ecosystem)
	if s == nil {
		return dst, false
	}
	return s.makeKey(dst, version)
}

func (s *scheme) makeKey(dst []byte, version string) ([]byte, bool) {
	if s.key == nil || len(version) > maxVersion || !printable(version) {
		return dst, false
	}
	key, ok := s.key(dst, version)
	if !ok {
		return slices.Clip(dst), false
	}
	return key, true
}

// printable says whether a text is ASCII without control characters.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// Compare gives the order of two versions of an ecosystem: below 0, 0 or above 0. It fails where the ecosystem's
// order is not known, or where one is no version of it.
func Compare(ecosystem, a, b string) (int, error) {
	s := schemeOf(ecosystem)
	if s == nil {
		return 0, fmt.Errorf("the order of versions of %q is not known", ecosystem)
	}
	return s.compare(a, b)
}

func (s *scheme) compare(a, b string) (int, error) {
	var left, right [2 * maxVersion]byte
	x, okX := s.makeKey(left[:0], a)
	y, okY := s.makeKey(right[:0], b)
	if okX && okY {
		return s.order(x, y), nil
	}
	return s.compareText(a, b)
}

// maxForeign is the longest version handed to semantic, in bytes: it is not made for hostile input, and
// its big numbers cost the square of their digits.
const maxForeign = 1024

func (s *scheme) compareText(a, b string) (int, error) {
	if len(a) > maxForeign || len(b) > maxForeign {
		return 0, fmt.Errorf("a version of over %d bytes", maxForeign)
	}
	v, err := semantic.Parse(a, s.judge)
	if err != nil {
		return 0, fmt.Errorf("read version %q: %w", a, err)
	}
	order, err := v.CompareStr(b)
	if err != nil {
		return 0, fmt.Errorf("compare version %q: %w", b, err)
	}
	return order, nil
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// digits is how many digits a text begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

func allDigits(s string) bool { return s != "" && digits(s) == len(s) }

// appendNumber appends a number: its length without leading zeros plus base, then its digits.
func appendNumber(dst []byte, digits string, base byte) []byte {
	digits = strings.TrimLeft(digits, "0")
	return append(append(dst, base+byte(len(digits))), digits...)
}

// appendWord appends a text and its end.
func appendWord(dst []byte, text string) []byte { return append(append(dst, text...), 0) }
