package advisory

import "strings"

// IsVersion says whether a text is a version of an ecosystem; of an ecosystem whose order is not known, whether it may be one.
func IsVersion(ecosystem, version string) bool {
	s := schemeOf(ecosystem)
	if s == nil {
		return isBare(version)
	}
	return s.valid(normalVersion(NormalEcosystem(ecosystem), version))
}

// valid says whether the text is a version of the order.
func (s *scheme) valid(version string) bool { return s.mayBe(version) && s.places(version) }

// places says whether the order has a place for the text, version or not.
func (s *scheme) places(version string) bool {
	if _, ok := s.makeKey(nil, version); ok {
		return true
	}
	_, err := s.compareText(version, version)
	return err == nil
}

// foreigners are the bytes that stand in no version: of ranges (>=1.2, 1.x || 2, [1,2)), of properties that nobody replaced
// (${project.version}), of what is no plain text.
var foreigners = func() (set [256]bool) {
	for b := range set {
		set[b] = b <= ' ' || b >= 0x7f || strings.IndexByte("<>=|*,;()[]{}\"'`$%?&", byte(b)) >= 0
	}
	return set
}()

func isBare(version string) bool {
	for i := range len(version) {
		if foreigners[version[i]] {
			return false
		}
	}
	return version != ""
}

// mayBe says whether a text has the look of a version: some orders give every text a place, where "latest" is below all
// numbers. Most begin with a digit, behind a v or not; those of rpm need not, and in Maven every word is one but the two that mean
// whichever is the newest.
func (s *scheme) mayBe(version string) bool {
	if !isBare(version) {
		return false
	}
	switch s {
	case rpmScheme:
		return true
	case mavenScheme:
		return version != "LATEST" && version != "RELEASE" && version != "latest" && version != "release"
	}
	n := 0
	for n < 2 && (version[n] == 'v' || version[n] == 'V') {
		if n++; n == len(version) {
			return false
		}
	}
	return isDigit(version[n])
}
