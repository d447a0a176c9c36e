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
	if a.ledger.tells(isDatabase) {
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

// linked tells of package databases that stand behind a symbolic link, their own or that of a directory above them. Links are
// not followed: what is behind them is not read, unless it is itself where a database is looked for.
func (a *assembly) linked() {
	v := viewOf(a.strata...)
	for _, at := range databases() {
		link, layer, target := v.firstLink(at)
		if target == "" {
			continue
		}
		behind, ok := v.resolve(at)
		if !ok || isDatabase(behind) {
			continue
		}
		if what, _, _ := v.at(behind); what == nothing {
			continue // the link leads to nothing that a package manager could read
		}
		a.ledger.add(gap{
			layer: layer, file: at, code: verdict.GapUnreadable,
			message: fmt.Sprintf("%.200s is a link to %.200q, which was not followed: the packages behind it are not known", link, target),
			remedy:  "Keep the package database in its own place, without links.",
		})
	}
}

// firstLink is the first symbolic link on the way to a path, its layer and what it holds, "" where there is none.
func (t *view) firstLink(name string) (at string, layer int, target string) {
	for i := 1; i <= len(name); i++ {
		if i < len(name) && name[i] != '/' {
			continue
		}
		if _, layer, r := t.at(name[:i]); r != nil && r.isLink() {
			return name[:i], layer, r.link
		}
	}
	return "", -1, ""
}

func isDatabase(at string) bool { return slices.Contains(databases(), at) }

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
