package advisory

import (
	"strings"

	"github.com/coaming/coaming/internal/catalog"
)

// NormalEcosystem is the one spelling of an ecosystem that advisories and packages share: releases of
// distributions as their advisories name them, without minor releases and editions that share them.
func NormalEcosystem(ecosystem string) string {
	kind, release, found := strings.Cut(ecosystem, ":")
	if !found || release == "" || rolling[kind] {
		return kind
	}
	switch kind {
	case "Debian", "AlmaLinux", "Rocky Linux", "Mageia", "Oracle Linux", "Azure Linux":
		release, _, _ = strings.Cut(release, ".")
	case "Alpine", "Alpaquita":
		release = "v" + strings.TrimPrefix(release, "v")
		if parts := strings.SplitN(release, ".", 3); len(parts) == 3 {
			release = parts[0] + "." + parts[1]
		}
		if !isDigit(release[len(release)-1]) {
			release = release[1:] // edge
		}
	case "Ubuntu":
		release = strings.TrimSuffix(release, ":LTS")
	case "Red Hat":
		if rest, found := strings.CutPrefix(release, "enterprise_linux:"); found {
			release, _, _ = strings.Cut(rest, ":")
		}
		if digits(release) > 0 {
			release, _, _ = strings.Cut(release, ".")
		}
	case "SUSE":
		release = suseRelease(release)
	case "openSUSE":
		if digits(release) > 0 {
			release = "Leap " + release
		}
	}
	return kind + ":" + release
}

// rolling are the distributions whose advisories know no releases, whatever an image says of itself.
var rolling = map[string]bool{"Wolfi": true, "Chainguard": true, "MinimOS": true, "CleanStart": true}

// suseRelease is the release of SLE that a product or module belongs to, as os-release tells it: "15.5" of
// "Linux Enterprise Module for Basesystem 15 SP5". Most packages of a server are in modules, which share its
// updates. Products of their own (Micro, Manager) keep their names.
func suseRelease(product string) string {
	name, number := cutLastField(product)
	pack := ""
	if after, found := strings.CutPrefix(number, "SP"); found {
		pack, _, _ = strings.Cut(after, "-") // SP3-LTSS
		name, number = cutLastField(name)
	}
	if !strings.HasPrefix(name, "Linux Enterprise ") || strings.HasSuffix(name, "Micro") {
		return product
	}
	number, _, _ = strings.Cut(number, "-")
	if !allDigits(number) || pack != "" && !allDigits(pack) {
		return product
	}
	if pack == "" {
		return number
	}
	return number + "." + pack
}

// cutLastField parts the last word from those before it.
func cutLastField(s string) (before, last string) {
	i := strings.LastIndexByte(s, ' ')
	if i < 0 {
		return "", s
	}
	return s[:i], s[i+1:]
}

// NormalName is the one spelling of a package's name in its ecosystem.
func NormalName(ecosystem, name string) string {
	switch ecosystem {
	case "PyPI": // peps.python.org/pep-0503
		if !needsPEP503(name) {
			return name
		}
		var b strings.Builder
		for i, part := range strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' || r == '.' }) {
			if i > 0 {
				b.WriteByte('-')
			}
			b.WriteString(strings.ToLower(part))
		}
		return b.String()
	case "NuGet", "Packagist":
		return strings.ToLower(name)
	case "Go":
		if name == "go" || name == "std" {
			return "stdlib"
		}
		if name == "cmd" {
			return "toolchain"
		}
	}
	return name
}

// needsPEP503 says whether a name is other than small letters, digits and single hyphens.
func needsPEP503(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c == '-' && (i == 0 || i+1 == len(name) || name[i-1] == '-') || c == '_' || c == '.' || 'A' <= c && c <= 'Z' || c >= 0x80 {
			return true
		}
	}
	return false
}

// normalVersion takes away what only some write.
func normalVersion(ecosystem, version string) string {
	if ecosystem == "Go" {
		return goVersion(version)
	}
	return version
}

// goVersion writes runtime.Version's form as the advisories' semantic version: go1.21rc2 is 1.21.0-rc.2. What
// stands behind a blank (experiments, a distribution's own build) says nothing of the source.
func goVersion(version string) string {
	version = strings.TrimPrefix(version, "go")
	version, _, _ = strings.Cut(version, " ")
	n := digits(version)
	if n == 0 || n == len(version) || version[n] != '.' {
		return version
	}
	minor := n + 1 + digits(version[n+1:])
	for _, word := range []string{"rc", "beta"} {
		if number, found := strings.CutPrefix(version[minor:], word); found && allDigits(number) {
			return version[:minor] + ".0-" + word + "." + number
		}
	}
	return version
}

// distributions are the ecosystems whose advisories are made for one release, and end with it.
var distributions = map[string]string{
	"Debian": "docker.io/library/debian", "Ubuntu": "docker.io/library/ubuntu", "Alpine": "docker.io/library/alpine",
	"AlmaLinux": "docker.io/library/almalinux", "Rocky Linux": "docker.io/library/rockylinux", "Fedora": "docker.io/library/fedora",
	"Oracle Linux": "docker.io/library/oraclelinux", "Amazon Linux": "docker.io/library/amazonlinux",
	"Red Hat": "", "SUSE": "", "openSUSE": "", "Mageia": "", "openEuler": "", "Photon OS": "", "Azure Linux": "", "Alpaquita": "",
}

// EndOfLife is the date, "2022-06-30", of the last advisories for a release of a distribution; ok is false where the
// calendar does not know the release, or that it will end.
func EndOfLife(ecosystem string) (date string, ok bool) {
	kind, release, _ := strings.Cut(ecosystem, ":")
	image := distributions[kind]
	if image == "" || release == "" {
		return "", false
	}
	return catalog.ImageEndOfLife(image + ":" + strings.TrimPrefix(release, "v"))
}
