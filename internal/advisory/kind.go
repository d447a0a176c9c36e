package advisory

import "strings"

// languages are the ecosystems of languages: all others are distributions of operating systems or none that is known.
var languages = func() map[string]bool {
	known := map[string]bool{}
	for _, name := range purlEcosystems {
		known[name] = true
	}
	return known
}()

// IsLanguage says whether an ecosystem is that of a language, whose packages stand side by side in several versions.
func IsLanguage(ecosystem string) bool {
	kind, _, _ := strings.Cut(ecosystem, ":")
	return languages[kind]
}

// NamesSource says whether an ecosystem's advisories name source packages, not the packages that are installed.
func NamesSource(ecosystem string) bool {
	kind, _, _ := strings.Cut(ecosystem, ":")
	switch kind {
	case "Debian", "Ubuntu", "Alpine", "Wolfi", "Chainguard", "MinimOS", "Alpaquita":
		return true
	}
	return false
}
