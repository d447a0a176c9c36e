package purl

import (
	"cmp"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// ecosystems is OSV's ecosystem of each type that has one alone.
var ecosystems = map[string]string{
	"npm": "npm", "golang": "Go", "pypi": "PyPI", "maven": "Maven", "gem": "RubyGems", "cargo": "crates.io", "nuget": "NuGet",
	"composer": "Packagist", "hex": "Hex", "conan": "ConanCenter", "bitnami": "Bitnami", "pub": "Pub", "cran": "CRAN", "hackage": "Hackage",
	"swift": "SwiftURL", "julia": "Julia",
}

// types is the way back.
var types = func() map[string]string {
	back := map[string]string{}
	for kind, ecosystem := range ecosystems {
		back[ecosystem] = kind
	}
	return back
}()

// others are types (github.com/package-url/purl-spec) of which OSV has no ecosystem; they stand for themselves.
var others = map[string]bool{
	"alpm": true, "bitbucket": true, "brew": true, "cocoapods": true, "conda": true, "cpan": true, "docker": true, "elm": true, "github": true,
	"gitlab": true, "huggingface": true, "luarocks": true, "mlflow": true, "oci": true, "opam": true, "qpkg": true, "swid": true, "vscode-extension": true,
}

// Package is the package that a package URL names, as an image's catalogue has it. An ecosystem that OSV does not have
// stays empty, and so unknown; a distribution that OSV does not have keeps its own name.
func (p URL) Package() fact.Package {
	to := fact.Package{Ecosystem: ecosystems[p.Type], Name: p.Name, Version: p.Version}
	switch p.Type {
	case "deb", "apk", "rpm":
		to.Ecosystem = Distribution(p.System())
		to.Architecture = p.Qualifiers["arch"]
		if epoch := p.Qualifiers["epoch"]; epoch != "" && !strings.Contains(p.Version, ":") {
			to.Version = epoch + ":" + p.Version
		}
		if to.Source, to.SourceVersion = p.upstream(); to.Source != "" && to.SourceVersion == "" && p.Type != "rpm" {
			to.SourceVersion = to.Version
		}
		to.Module = cmp.Or(p.Qualifiers["rpmmod"], p.Qualifiers["modularitylabel"])
	case "maven":
		to.Name = p.Namespace + ":" + p.Name
	default:
		if p.Namespace != "" && p.Type != "hex" && p.Type != "conan" {
			to.Name = p.Namespace + "/" + p.Name
		}
	}
	return to
}

// upstream is the source package of the qualifier upstream: "openssl", "openssl@3.0.11-1", and of rpm
// "openssl-3.0.7-24.el9.src.rpm".
func (p URL) upstream() (name, version string) {
	upstream := p.Qualifiers["upstream"]
	if file, found := strings.CutSuffix(upstream, ".rpm"); found && p.Type == "rpm" {
		file = file[:max(0, strings.LastIndexByte(file, '.'))] // src or nosrc
		release := strings.LastIndexByte(file, '-')
		if release > 0 {
			if at := strings.LastIndexByte(file[:release], '-'); at > 0 {
				return file[:at], file[at+1:]
			}
		}
		return "", ""
	}
	name, version, _ = strings.Cut(upstream, "@")
	return name, version
}

// Of is the package URL of a package in an image whose distribution is the system. ok is false where nothing tells of
// which kind the package is; it then is of the type generic.
func Of(p *fact.Package, system *fact.System) (u URL, ok bool) {
	u = URL{Type: types[p.Ecosystem], Name: p.Name, Version: p.Version}
	switch u.Type {
	case "":
		switch u.Type = manager(p, system); {
		case u.Type != "":
		case others[p.Ecosystem]:
			u.Type = p.Ecosystem
			u.split("/")
			return u, true
		default:
			u.Type = "generic"
			return u, false
		}
		u.distribute(p, system)
		return u, true
	case "maven":
		u.split(":")
	case "npm", "swift":
		u.split("/")
	case "golang":
		u.Name = strings.ToLower(u.Name)
		u.split("/")
	case "composer":
		u.Name = strings.ToLower(u.Name)
		u.split("/")
	case "pypi":
		u.Name = strings.ReplaceAll(strings.ToLower(u.Name), "_", "-")
	case "hex", "bitnami", "pub":
		u.Name = strings.ToLower(u.Name)
	}
	return u, true
}

// split takes the namespace off the name.
func (p *URL) split(separator string) {
	if i := strings.LastIndex(p.Name, separator); i > 0 {
		p.Namespace, p.Name = p.Name[:i], p.Name[i+len(separator):]
	}
}

// manager is the type of a distribution's package, "" where it is none's.
func manager(p *fact.Package, system *fact.System) string {
	kind, _, _ := strings.Cut(p.Ecosystem, ":")
	if known := managers[kind]; known != "" {
		return known
	}
	if p.Ecosystem != Distribution(system) {
		return ""
	}
	// A distribution that OSV does not know, or none at all: where the package stands tells its manager.
	for _, base := range []struct{ part, kind string }{{"lib/dpkg/", "deb"}, {"lib/apk/", "apk"}, {"lib/rpm/", "rpm"}, {"sysimage/rpm/", "rpm"}} {
		if strings.Contains(p.Place, base.part) {
			return base.kind
		}
	}
	return ""
}

// distribute adds what packages of distributions have: who made them, for which release, and out of what.
func (p *URL) distribute(of *fact.Package, system *fact.System) {
	p.Qualifiers = map[string]string{"arch": of.Architecture}
	id, release := "", ""
	if system != nil && of.Ecosystem == Distribution(system) {
		id, release = strings.ToLower(system.ID), system.Version
	} else {
		var kind string
		kind, release, _ = strings.Cut(of.Ecosystem, ":")
		id = idOf(kind)
		if p.Type == "apk" {
			release = strings.TrimPrefix(release, "v")
		}
	}
	if p.Namespace = id; namespaces[id] != "" {
		p.Namespace = namespaces[id]
	}
	if id != "" && release != "" {
		p.Qualifiers["distro"] = id + "-" + release
	}
	if p.Type == "rpm" {
		if epoch, version, found := strings.Cut(p.Version, ":"); found {
			p.Qualifiers["epoch"], p.Version = epoch, version
		}
	} else {
		p.Name = strings.ToLower(p.Name)
	}
	p.Qualifiers["upstream"], p.Qualifiers["rpmmod"] = upstream(p.Type, of), of.Module
}

// idOf is the ID in os-release of a distribution by OSV's name, and of another its name.
func idOf(kind string) string {
	switch kind {
	case "Red Hat":
		return "rhel"
	case "Rocky Linux":
		return "rocky"
	case "Amazon Linux":
		return "amzn"
	case "Oracle Linux":
		return "ol"
	case "Photon OS":
		return "photon"
	case "Azure Linux":
		return "azurelinux"
	}
	return strings.ToLower(kind)
}

// upstream is the qualifier that names the source package, "" where it is called like the package.
func upstream(kind string, of *fact.Package) string {
	version := of.SourceVersion
	switch {
	case kind == "rpm" && of.Source != "" && strings.Count(version, "-") == 1:
		return of.Source + "-" + version + ".src.rpm" // the name that rpm has for it
	case kind == "rpm" && of.Source != "" && version != "":
		return of.Source + "@" + version
	case kind == "rpm":
		return of.Source
	case of.Source == "" || of.Source == of.Name && (version == "" || version == of.Version):
		return ""
	case version != "" && version != of.Version:
		return of.Source + "@" + version
	}
	return of.Source
}

// IsLanguage says whether an ecosystem of OSV's is that of a language, whose packages stand side by side in several
// versions: all others are distributions of operating systems, or none that is known.
func IsLanguage(ecosystem string) bool {
	kind, _, _ := strings.Cut(ecosystem, ":")
	return types[kind] != ""
}
