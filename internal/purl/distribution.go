package purl

import (
	"cmp"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// managers are the types of package URLs that distributions have, by OSV's name; deb, apk and rpm in a package
// URL say so themselves.
var managers = map[string]string{
	"Debian": "deb", "Ubuntu": "deb", "Alpine": "apk", "Alpaquita": "apk", "Wolfi": "apk", "Chainguard": "apk", "MinimOS": "apk",
	"AlmaLinux": "rpm", "Rocky Linux": "rpm", "Red Hat": "rpm", "openSUSE": "rpm", "SUSE": "rpm", "Mageia": "rpm", "openEuler": "rpm",
	"Fedora": "rpm", "Amazon Linux": "rpm", "Oracle Linux": "rpm", "Photon OS": "rpm", "Azure Linux": "rpm",
}

// ids are the IDs in os-release of namespaces that package URLs have in place of them.
var ids = map[string]string{
	"redhat": "rhel", "rockylinux": "rocky", "amazon": "amzn", "oraclelinux": "ol", "oracle": "ol", "suse": "sles", "azure": "azurelinux",
}

// namespaces are those of IDs in os-release that are called otherwise.
var namespaces = map[string]string{"rhel": "redhat", "opensuse-leap": "opensuse", "opensuse-tumbleweed": "opensuse", "sles": "suse", "sled": "suse"}

// codenames are the releases that are mostly called by their names.
var codenames = map[string]string{
	"wheezy": "7", "jessie": "8", "stretch": "9", "buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14",
	"trusty": "14.04", "xenial": "16.04", "bionic": "18.04", "focal": "20.04", "jammy": "22.04", "noble": "24.04",
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
	} else if known := distributions[strings.ToLower(release)]; known != "" && release != "" {
		id, release = strings.ToLower(release), "" // debian, and no release
	}
	if number := codenames[strings.ToLower(release)]; number != "" {
		release = number
	}
	if id == "" {
		return nil
	}
	id = cmp.Or(ids[id], id)
	return &fact.System{ID: id, Version: release}
}

// managed says whether the package is one of a distribution.
func (p URL) managed() bool { return p.Type == "deb" || p.Type == "apk" || p.Type == "rpm" }
