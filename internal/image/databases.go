package image

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// families are the distributions by the package manager that all of their packages stand in the database of: ID of
// os-release(5), and the words of ID_LIKE where the ID is not here.
var families = map[string]string{
	"debian": dpkg, "ubuntu": dpkg, "echo": dpkg, "raspbian": dpkg, "kali": dpkg, "devuan": dpkg, "linuxmint": dpkg, "pop": dpkg,
	"alpine": apk, "wolfi": apk, "chainguard": apk, "minimos": apk, "alpaquita": apk, "postmarketos": apk,
	"rhel": rpm, "fedora": rpm, "centos": rpm, "almalinux": rpm, "rocky": rpm, "ol": rpm, "amzn": rpm, "mageia": rpm, "openeuler": rpm, "azurelinux": rpm,
	"mariner": rpm, "photon": rpm, "suse": rpm, "sles": rpm, "opensuse": rpm, "opensuse-leap": rpm, "opensuse-tumbleweed": rpm, "sle-micro": rpm,
}

// foreigners are the databases that nothing here reads, by what their paths begin with.
var foreigners = []struct{ begin, manager string }{
	{"var/lib/pacman/local/", "pacman"},
	{"var/db/pkg/", "portage"},
	{"nix/store/", "nix"},
	{"nix/var/nix/db/", "nix"},
	{"gnu/store/", "guix"},
	{"var/lib/opkg/", "opkg"},
	{"usr/lib/opkg/", "opkg"},
	{"var/lib/chisel/", "chisel"},
}

func unreadManager(manager string) string {
	return "the packages of " + manager + " are here, and its database is not read"
}

// foreign notes that a file belongs to a database that nothing reads. The first one of a layer stands for all.
func (s *stratum) foreign(at string) {
	for _, f := range foreigners {
		if !strings.HasPrefix(at, f.begin) {
			continue
		}
		if what := unreadManager(f.manager); s.unread[what] == nil {
			s.unread[what] = []string{strings.Clone(at)}
		}
	}
}

// familyOf is the package manager of a distribution, "" where nothing tells.
func familyOf(s *fact.System, like []string) string {
	if family := families[s.ID]; family != "" {
		return family
	}
	for _, id := range like {
		if family := families[id]; family != "" {
			return family
		}
	}
	return ""
}

// missing says that a distribution told its name and none of its packages: the database is not there, is empty, or holds
// none. Where something else of it was not read, that has been told.
func (a *assembly) missing() {
	s := a.image.System
	if s == nil || s.ID == "" {
		return
	}
	family := familyOf(s, a.like)
	if a.managers[family] || family == "" && len(a.managers) > 0 {
		return
	}
	for _, layer := range a.strata {
		for _, f := range foreigners {
			if layer.unread[unreadManager(f.manager)] != nil {
				return
			}
		}
	}
	if a.ledger.tells(func(file string) bool { return slices.Contains(databases(), file) }) {
		return
	}
	what := "its package manager is not known"
	if family != "" {
		what = "no database of " + family + " with a package was found"
	}
	a.ledger.add(gap{
		layer: -1, file: a.release, code: verdict.GapUnreadable,
		message: fmt.Sprintf("it is %.100s, and %s: what the distribution brought is not known", cmp.Or(s.Name, s.ID), what),
		remedy:  "Keep the package database in the image, or give an SBOM of what is inside.",
	})
}

// databases are the paths at which package databases are looked for.
var databases = sync.OnceValue(func() []string {
	list := []string{"var/lib/dpkg/status", "var/lib/dpkg/status.d", "lib/apk/db/installed", "usr/lib/apk/db/installed", "var/lib/rpmmanifest/container-manifest-2"}
	for _, dir := range []string{"var/lib/rpm", "usr/var/lib/rpm", "lib/sysimage/rpm", "usr/lib/sysimage/rpm", "share/rpm", "usr/share/rpm"} {
		for _, name := range []string{"Packages", "Packages.db", "rpmdb.sqlite"} {
			list = append(list, path.Join(dir, name))
		}
	}
	for _, f := range foreigners {
		list = append(list, strings.TrimSuffix(f.begin, "/"))
	}
	return list
})
