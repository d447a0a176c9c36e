package image

import (
	"cmp"
	"strings"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
)

// The ecosystem of a package of a distribution until os-release has told which one it is.
const (
	dpkg = "dpkg"
	apk  = "apk"
	rpm  = "rpm"
)

func managed(p *fact.Package) bool {
	return p.Ecosystem == dpkg || p.Ecosystem == apk || p.Ecosystem == rpm
}

// ecosystems are OSV's names (ossf.github.io/osv-schema) of distributions by the ID in os-release.
var ecosystems = map[string]string{
	"debian": "Debian", "ubuntu": "Ubuntu", "alpine": "Alpine", "wolfi": "Wolfi", "chainguard": "Chainguard", "minimos": "MinimOS", "echo": "Echo",
	"almalinux": "AlmaLinux", "rocky": "Rocky Linux", "rhel": "Red Hat", "fedora": "Fedora", "amzn": "Amazon Linux", "ol": "Oracle Linux",
	"mageia": "Mageia", "openeuler": "openEuler", "photon": "Photon OS", "azurelinux": "Azure Linux", "mariner": "Azure Linux", "alpaquita": "Alpaquita",
	"sles": "SUSE", "sled": "SUSE", "sles_sap": "SUSE", "sle_hpc": "SUSE", "sle-micro": "SUSE", "sl-micro": "SUSE", "suse-microos": "SUSE",
	"opensuse-leap": "openSUSE", "opensuse-tumbleweed": "openSUSE", "opensuse-leap-micro": "openSUSE", "opensuse": "openSUSE",
}

// distribution is the ecosystem of a package that a package manager put there. A distribution made from
// another keeps its own name: advisories for the one say nothing certain of the other.
func distribution(s *fact.System) string {
	if s == nil || s.ID == "" {
		return ""
	}
	name := cmp.Or(ecosystems[s.ID], s.ID)
	if release := releaseOf(s); release != "" {
		return name + ":" + release
	}
	return name // rolling, or testing and unstable, which name none
}

// releaseOf is a release as advisories for the distribution name it, "" where they name none.
func releaseOf(s *fact.System) string {
	major, _, _ := strings.Cut(s.Version, ".")
	switch s.ID {
	case "wolfi", "chainguard", "minimos", "echo":
		return ""
	case "alpine":
		return alpineRelease(s.Version)
	case "almalinux", "rocky", "ol", "mageia", "azurelinux", "mariner":
		return major
	case "rhel":
		if rest, ok := strings.CutPrefix(s.Edition, "cpe:/o:redhat:"); ok && strings.HasPrefix(rest, "enterprise_linux:") {
			return rest
		}
		return major
	case "openeuler": // 22.03 (LTS-SP3)
		if _, edition, ok := strings.Cut(strings.TrimSuffix(s.Edition, ")"), " ("); ok && s.Version != "" {
			return s.Version + "-" + edition
		}
	case "opensuse-tumbleweed":
		return "Tumbleweed"
	}
	if product := suseProducts[s.ID]; product != "" {
		return strings.TrimSpace(product + " " + suseRelease(s))
	}
	return s.Version
}

func alpineRelease(version string) string {
	if version == "" {
		return ""
	}
	parts := strings.SplitN(version, ".", 3)
	if len(parts) > 2 {
		if strings.Contains(parts[2], "_") { // 3.21.0_alpha20240807
			return "edge"
		}
		version = parts[0] + "." + parts[1]
	}
	return "v" + version
}

// suseProducts are the words in which SUSE's advisories name what os-release names by ID.
var suseProducts = map[string]string{
	"sles": "Linux Enterprise Server", "sled": "Linux Enterprise Desktop", "sles_sap": "Linux Enterprise Server for SAP Applications",
	"sle_hpc": "Linux Enterprise High Performance Computing", "sle-micro": "Linux Enterprise Micro", "suse-microos": "Linux Enterprise Micro", "sl-micro": "Linux Micro",
	"opensuse-leap": "Leap", "opensuse": "Leap", "opensuse-leap-micro": "Leap Micro",
}

// suseRelease says 15 SP5 for 15.5: releases to 15 have service packs. Micro and Leap count in numbers.
func suseRelease(s *fact.System) string {
	if !strings.HasPrefix(s.ID, "sle") || s.ID == "sle-micro" {
		return s.Version
	}
	major, pack, found := strings.Cut(s.Version, ".")
	if len(major) != 2 || major > "15" {
		return s.Version
	}
	if !found || pack == "0" {
		return major
	}
	return major + " SP" + pack
}

// endOfLife is the day on which the distribution ends to mend a release.
func endOfLife(s *fact.System) string {
	date, _ := catalog.SystemEndOfLife(s.ID, s.Version)
	return date
}
