package advisory

import (
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// By which of its names a distribution's advisories know a package, where it is not the source's alone.
type naming byte

const (
	bySource naming = iota
	byBinary
	byBoth
)

// namings are the distributions that name other packages than sources in OSV's records. The records of
// the apk distributions with images of their own, and of Rocky Linux, name now the one and now the other.
var namings = map[string]naming{
	"AlmaLinux": byBinary, "Red Hat": byBinary, "Oracle Linux": byBinary, "Amazon Linux": byBinary, "Fedora": byBinary,
	"Rocky Linux": byBoth, "Wolfi": byBoth, "Chainguard": byBoth, "MinimOS": byBoth, "CleanStart": byBoth,
}

// Installed is a package of an image as its advisories name it.
func Installed(p *fact.Package) Package {
	to := Package{Ecosystem: p.Ecosystem, Name: p.Name, Version: p.Version, Owner: p.Owner, Module: p.Module, Vendor: p.Vendor}
	kind, _, _ := strings.Cut(p.Ecosystem, ":")
	if !isDistribution(kind) || p.Source == "" || namings[kind] == byBinary {
		return to
	}
	to.Binary, to.BinaryVersion = p.Name, p.Version
	to.Name = p.Source
	if p.SourceVersion != "" {
		to.Version = withEpoch(kind, p.SourceVersion, p.Version)
	}
	return to
}

// isDistribution says whether the packages of an ecosystem are those of an operating system.
func isDistribution(kind string) bool {
	switch schemes[kind] {
	case debScheme, rpmScheme, apkScheme:
		return true
	}
	return false
}

// withEpoch gives the version of a source rpm, whose file name has no epoch, that of the package.
func withEpoch(kind, source, binary string) string {
	if schemes[kind] != rpmScheme || strings.Contains(source, ":") {
		return source
	}
	if epoch, _, found := strings.Cut(binary, ":"); found && allDigits(epoch) {
		return epoch + ":" + source
	}
	return source
}

// foreign says who made a package of a distribution, where it was not the distribution: "" where nothing shows
// that. What a vendor's own repository brings has other versions, and the distribution's advisories do
// not speak of it.
func foreign(kind string, p *Package) string {
	switch schemes[kind] {
	case debScheme:
		return foreignDeb(p)
	case rpmScheme:
		own := rpmVendors[kind]
		vendor := strings.TrimSpace(p.Vendor)
		if len(own) == 0 || vendor == "" || vendor == "(none)" {
			return ""
		}
		for _, word := range own {
			if len(vendor) >= len(word) && strings.EqualFold(vendor[:len(word)], word) {
				return ""
			}
		}
		return vendor
	}
	return ""
}

// rpmVendors are how the distributions begin the tag Vendor of their own packages.
var rpmVendors = map[string][]string{
	"AlmaLinux": {"AlmaLinux"}, "Rocky Linux": {"Rocky"}, "Red Hat": {"Red Hat"}, "Oracle Linux": {"Oracle"},
	"Amazon Linux": {"Amazon"}, "SUSE": {"SUSE", "openSUSE"}, "openSUSE": {"openSUSE", "SUSE"}, "Fedora": {"Fedora"},
	"Mageia": {"Mageia"}, "Photon OS": {"VMware", "Broadcom"}, "Azure Linux": {"Microsoft"}, "openEuler": {"http://openeuler.org", "openEuler"},
}

// debVendors are the domains of those who keep repositories of .debs of their own, as their packages' field
// Maintainer names them. A maintainer of Debian may write from any other.
var debVendors = []string{
	"docker.com", "nodesource.com", "nginx.com", "f5.com", "microsoft.com", "google.com", "hashicorp.com", "elastic.co",
	"mongodb.com", "oracle.com", "mariadb.com", "mariadb.org", "percona.com", "redis.com", "redis.io", "grafana.com",
	"gitlab.com", "cloudflare.com", "confluent.io", "datadoghq.com", "newrelic.com", "splunk.com", "influxdata.com", "clickhouse.com",
	"rabbitmq.com", "vmware.com", "broadcom.com", "nvidia.com", "amd.com", "intel.com", "azul.com", "bell-sw.com", "github.com", "influxdb.com",
}

// debMarks stand in the versions of such .debs.
var debMarks = []string{
	"nodesource", ".pgdg", "ppa", ".gbp", "~buster", "~bullseye", "~bookworm", "~trixie", "~bionic", "~focal", "~jammy", "~noble",
}

func foreignDeb(p *Package) string {
	for _, mark := range debMarks {
		if strings.Contains(p.Version, mark) {
			return "whoever writes versions like " + p.Version
		}
	}
	vendor := strings.TrimSpace(p.Vendor)
	_, domain, address := strings.Cut(vendor, "@")
	if !address {
		for _, own := range []string{"", "Debian", "Ubuntu"} {
			if strings.EqualFold(vendor, own) {
				return ""
			}
		}
		return vendor
	}
	domain = strings.ToLower(strings.TrimRight(domain, "> "))
	for _, known := range debVendors {
		if domain == known || strings.HasSuffix(domain, "."+known) {
			return vendor
		}
	}
	return ""
}
