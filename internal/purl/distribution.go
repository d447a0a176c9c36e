package purl

import (
	"cmp"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// distributions are OSV's names (ossf.github.io/osv-schema) of distributions by the ID in os-release, and by the
// namespace of a package URL, where that is another.
var distributions = map[string]string{
	"debian": "Debian", "ubuntu": "Ubuntu", "alpine": "Alpine", "alpaquita": "Alpaquita", "wolfi": "Wolfi", "chainguard": "Chainguard",
	"minimos": "MinimOS", "almalinux": "AlmaLinux", "rocky": "Rocky Linux", "rockylinux": "Rocky Linux", "redhat": "Red Hat", "rhel": "Red Hat",
	"opensuse": "openSUSE", "opensuse-leap": "openSUSE", "opensuse-tumbleweed": "openSUSE", "suse": "SUSE", "sles": "SUSE", "sled": "SUSE",
	"mageia": "Mageia", "openeuler": "openEuler", "fedora": "Fedora", "amzn": "Amazon Linux", "amazon": "Amazon Linux", "ol": "Oracle Linux",
	"oraclelinux": "Oracle Linux", "oracle": "Oracle Linux", "photon": "Photon OS", "azurelinux": "Azure Linux",
}

// managers are the types of package URLs that distributions have, by OSV's name; deb, apk and rpm in a package
// URL say so themselves.
var managers = map[string]string{
	"Debian": "deb", "Ubuntu": "deb", "Alpine": "apk", "Alpaquita": "apk", "Wolfi": "apk", "Chainguard": "apk", "MinimOS": "apk",
	"AlmaLinux": "rpm", "Rocky Linux": "rpm", "Red Hat": "rpm", "openSUSE": "rpm", "SUSE": "rpm", "Mageia": "rpm", "openEuler": "rpm",
	"Fedora": "rpm", "Amazon Linux": "rpm", "Oracle Linux": "rpm", "Photon OS": "rpm", "Azure Linux": "rpm",
}

// namespaces are those that are not the ID in os-release.
var namespaces = map[string]string{"rhel": "redhat", "opensuse-leap": "opensuse", "opensuse-tumbleweed": "opensuse", "sles": "suse", "sled": "suse"}

// codenames are the releases that are mostly called by their names.
var codenames = map[string]string{
	"wheezy": "7", "jessie": "8", "stretch": "9", "buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14",
	"trusty": "14.04", "xenial": "16.04", "bionic": "18.04", "focal": "20.04", "jammy": "22.04", "noble": "24.04",
}

// Distribution is the ecosystem of the packages of a distribution, "Debian:12", "" where nothing says which one it is.
// A distribution made from another keeps its own name: advisories for the one say nothing certain of the other.
// Wolfi and Chainguard have no releases.
func Distribution(s *fact.System) string {
	if s == nil || s.ID == "" {
		return ""
	}
	name := cmp.Or(distributions[strings.ToLower(s.ID)], s.ID)
	version := s.Version
	switch name {
	case "Wolfi", "Chainguard":
		return name
	case "Alpine", "Alpaquita":
		parts := strings.SplitN(version, ".", 3)
		if len(parts) > 2 {
			if strings.Contains(parts[2], "_") { // 3.21.0_alpha20240807
				return name + ":edge"
			}
			version = parts[0] + "." + parts[1]
		}
		if version != "" && '0' <= version[0] && version[0] <= '9' {
			version = "v" + version
		}
	}
	if version == "" {
		return name // testing and unstable name no release
	}
	return name + ":" + version
}

// System is the distribution that a package URL of deb, apk or rpm names; nil when it names none.
// Its release is that of the qualifier distro: "debian-12", "12", "bookworm", "alpine-3.18.4".
func (p URL) System() *fact.System {
	if !p.managed() {
		return nil
	}
	id, release := strings.ToLower(p.Namespace), p.Qualifiers["distro"]
	if i := strings.LastIndexByte(release, '-'); i > 0 {
		id, release = strings.ToLower(release[:i]), release[i+1:]
	} else if known := distributions[strings.ToLower(release)]; known != "" {
		id, release = strings.ToLower(release), "" // debian, and no release
	}
	if number := codenames[strings.ToLower(release)]; number != "" {
		release = number
	}
	if id == "" {
		return nil
	}
	return &fact.System{ID: id, Version: release}
}

// managed says whether the package is one of a distribution.
func (p URL) managed() bool { return p.Type == "deb" || p.Type == "apk" || p.Type == "rpm" }
