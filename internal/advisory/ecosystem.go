package advisory

import (
	"strings"

	"github.com/coaming/coaming/internal/catalog"
)

// NormalEcosystem is the one spelling of an ecosystem that advisories and packages share: releases of
// distributions as their advisories name them, without minor releases and editions that share them.
func NormalEcosystem(ecosystem string) string {
	kind, release, found := strings.Cut(ecosystem, ":")
	if !found || release == "" {
		return strings.TrimSuffix(ecosystem, ":")
	}
	switch kind {
	case "Debian", "AlmaLinux", "Rocky Linux", "Mageia", "Oracle Linux":
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
	}
	return kind + ":" + release
}

// NormalName is the one spelling of a package's name in its ecosystem.
func NormalName(ecosystem, name string) string {
	switch ecosystem {
	case "PyPI": // peps.python.org/pep-0503
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
	}
	return name
}

// normalVersion takes away what only some write.
func normalVersion(ecosystem, version string) string {
	if ecosystem == "Go" {
		return strings.TrimPrefix(version, "go") // runtime.Version
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
