package advisory

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
)

// PURL is a package URL (github.com/package-url/purl-spec) taken apart.
type PURL struct {
	Type, Namespace, Name, Version string
	Qualifiers                     map[string]string
	Subpath                        string
}

// ParsePURL takes a package URL apart.
func ParsePURL(text string) (PURL, error) {
	p := PURL{}
	rest, found := strings.CutPrefix(text, "pkg:")
	if !found || len(text) > 4*maxName {
		return p, fmt.Errorf("%.100q is no package URL", text)
	}
	rest = strings.TrimLeft(rest, "/")
	rest, p.Subpath = cutLast(rest, "#")
	rest, query := cutLast(rest, "?")
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if value == "" {
			continue
		}
		decoded, err := url.PathUnescape(value)
		if err != nil {
			return p, fmt.Errorf("%.100q is no package URL: %w", text, err)
		}
		if p.Qualifiers == nil {
			p.Qualifiers = map[string]string{}
		}
		p.Qualifiers[strings.ToLower(key)] = decoded
	}
	// The version's @ is the last one behind the last slash: npm's scopes may stand unescaped.
	at := strings.LastIndexByte(rest, '@')
	if at > strings.LastIndexByte(rest, '/') {
		rest, p.Version = rest[:at], rest[at+1:]
	}
	kind, path, found := strings.Cut(rest, "/")
	if !found || kind == "" {
		return p, fmt.Errorf("%.100q is no package URL: it names no package", text)
	}
	p.Type = strings.ToLower(kind)
	path = strings.Trim(path, "/")
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		p.Namespace, path = path[:i], path[i+1:]
	}
	p.Name = path
	for _, field := range []*string{&p.Namespace, &p.Name, &p.Version, &p.Subpath} {
		decoded, err := url.PathUnescape(*field)
		if err != nil {
			return p, fmt.Errorf("%.100q is no package URL: %w", text, err)
		}
		*field = decoded
	}
	if p.Name == "" {
		return p, fmt.Errorf("%.100q is no package URL: it names no package", text)
	}
	return p, nil
}

func cutLast(s, sep string) (before, after string) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):]
	}
	return s, ""
}

// purlEcosystems is OSV's ecosystem of each type that has one alone.
var purlEcosystems = map[string]string{
	"npm": "npm", "golang": "Go", "pypi": "PyPI", "maven": "Maven", "gem": "RubyGems", "cargo": "crates.io", "nuget": "NuGet",
	"composer": "Packagist", "hex": "Hex", "conan": "ConanCenter", "bitnami": "Bitnami", "pub": "Pub", "cran": "CRAN", "hackage": "Hackage",
	"swift": "SwiftURL", "julia": "Julia",
}

// purlDistributions is OSV's ecosystem of each namespace of deb, apk and rpm.
var purlDistributions = map[string]string{
	"debian": "Debian", "ubuntu": "Ubuntu", "alpine": "Alpine", "wolfi": "Wolfi", "chainguard": "Chainguard", "minimos": "MinimOS",
	"almalinux": "AlmaLinux", "rocky": "Rocky Linux", "rockylinux": "Rocky Linux", "redhat": "Red Hat", "rhel": "Red Hat",
	"opensuse": "openSUSE", "suse": "SUSE", "sles": "SUSE", "mageia": "Mageia", "openeuler": "openEuler", "fedora": "Fedora",
	"amzn": "Amazon Linux", "amazon": "Amazon Linux", "oraclelinux": "Oracle Linux", "oracle": "Oracle Linux", "photon": "Photon OS",
	"azurelinux": "Azure Linux",
}

// codenames are the releases that are mostly called by their names.
var codenames = map[string]string{
	"wheezy": "7", "jessie": "8", "stretch": "9", "buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14",
	"trusty": "14.04", "xenial": "16.04", "bionic": "18.04", "focal": "20.04", "jammy": "22.04", "noble": "24.04",
}

// Package is the package as advisories name it. An ecosystem that OSV does not have stays empty, and so
// unknown. A distribution's source package comes from the qualifier upstream, where it is given.
func (p PURL) Package() Package {
	to := Package{Ecosystem: purlEcosystems[p.Type], Name: p.Name, Version: p.Version}
	switch p.Type {
	case "deb", "apk", "rpm":
		to.Ecosystem = purlDistributions[strings.ToLower(p.Namespace)]
		if release := p.release(); release != "" && to.Ecosystem != "" {
			to.Ecosystem += ":" + release
		}
		if epoch := p.Qualifiers["epoch"]; epoch != "" && !strings.Contains(p.Version, ":") {
			to.Version = epoch + ":" + p.Version
		}
		to.Module = cmp.Or(p.Qualifiers["rpmmod"], p.Qualifiers["modularitylabel"])
		if source := p.Qualifiers["upstream"]; source != "" {
			to = to.builtFrom(source)
		}
	case "maven":
		to.Name = p.Namespace + ":" + p.Name
	case "npm", "golang", "composer", "swift":
		if p.Namespace != "" {
			to.Name = p.Namespace + "/" + p.Name
		}
	case "hex", "conan":
	}
	return to
}

// builtFrom is the package as its distribution names it, when its source is "name@version" or the file of a source rpm.
func (p Package) builtFrom(source string) Package {
	kind, _, _ := strings.Cut(p.Ecosystem, ":")
	if namings[kind] == byBinary || p.Ecosystem == "" {
		return p
	}
	name, version, found := strings.Cut(source, "@")
	if rest, isFile := strings.CutSuffix(source, ".src.rpm"); isFile {
		release := strings.LastIndexByte(rest, '-')
		at := strings.LastIndexByte(rest[:max(release, 0)], '-')
		if at <= 0 {
			return p
		}
		name, version, found = rest[:at], withEpoch(kind, rest[at+1:], p.Version), true
	}
	p.Binary, p.BinaryVersion, p.Name = p.Name, p.Version, name
	if found {
		p.Version = version
	}
	return p
}

// release is that of the qualifier distro: "debian-12", "12", "bookworm", "alpine-3.18.4".
func (p PURL) release() string {
	release := p.Qualifiers["distro"]
	if i := strings.LastIndexByte(release, '-'); i >= 0 {
		release = release[i+1:]
	}
	if number := codenames[strings.ToLower(release)]; number != "" {
		return number
	}
	return release
}
