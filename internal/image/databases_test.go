package image

import (
	"archive/tar"
	"slices"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/verdict"
)

func messages(c *verdict.Coverage) []string {
	var list []string
	for _, g := range c.Gaps {
		list = append(list, g.Location.File+": "+g.Message)
	}
	return list
}

func written(name, text string) tar.Header { return tar.Header{Name: name, Linkname: text} }

func release(id string) tar.Header { return written("etc/os-release", "ID="+id+"\nVERSION_ID=12\n") }

// TestMissingDatabases asks that a distribution without packages is never taken for one with none.
func TestMissingDatabases(t *testing.T) {
	status := written("var/lib/dpkg/status", "Package: a\nStatus: install ok installed\nVersion: 1\n\n")
	for name, tt := range map[string]struct {
		entries []tar.Header
		want    string // part of the one gap, "" for none
	}{
		"none at all":          {[]tar.Header{release("debian")}, "no database of dpkg"},
		"empty":                {[]tar.Header{release("debian"), written("var/lib/dpkg/status", "")}, "no database of dpkg"},
		"another manager's":    {[]tar.Header{release("alpine"), status}, "no database of apk"},
		"a kin":                {[]tar.Header{written("usr/lib/os-release", "ID=shopos\nID_LIKE=\"rhel fedora\"\n"), status}, "no database of rpm"},
		"an unknown one":       {[]tar.Header{release("shopos")}, "its package manager is not known"},
		"an unknown with some": {[]tar.Header{release("shopos"), status}, ""},
		"there":                {[]tar.Header{release("debian"), status}, ""},
		"nothing told":         {[]tar.Header{written("app", "x")}, ""},
		"pacman":               {[]tar.Header{release("arch"), written("var/lib/pacman/local/bash-5.2-1/desc", "%NAME%\nbash\n")}, "packages of pacman"},
		"portage":              {[]tar.Header{release("gentoo"), written("var/db/pkg/app-shells/bash-5.2/PF", "bash-5.2\n")}, "packages of portage"},
		"nix":                  {[]tar.Header{written("nix/store/abc-bash-5.2/share/a", "x"), written("nix/store/abc-bash-5.2/share/b", "x")}, "packages of nix"},
		"nix in Debian":        {[]tar.Header{release("debian"), status, written("nix/store/abc-bash-5.2/share/a", "x")}, "packages of nix"},
	} {
		t.Run(name, func(t *testing.T) {
			_, c := mustRead(t, layout(t, tarOf(t, tt.entries...)), Options{})
			got := messages(c)
			if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if slices.ContainsFunc(c.Gaps, func(g verdict.Gap) bool { return g.Remedy == "" }) {
				t.Errorf("no remedy: %v", c.Gaps)
			}
		})
	}
}

// TestLinkedDatabases asks that no link hides packages without a word, and that links between the places of databases are none of it.
func TestLinkedDatabases(t *testing.T) {
	link := func(name, to string) tar.Header {
		return tar.Header{Name: name, Linkname: to, Typeflag: tar.TypeSymlink}
	}
	const dpkgText, apkText = "Package: a\nStatus: install ok installed\nVersion: 1\n\n", "P:a\nV:1\n\n"
	for name, tt := range map[string]struct {
		entries []tar.Header
		want    string // part of the one gap, "" for none
	}{
		"a directory":        {[]tar.Header{release("debian"), link("var/lib/dpkg", "/usr/lib/sysimage/dpkg"), written("usr/lib/sysimage/dpkg/status", dpkgText)}, `var/lib/dpkg is a link to "/usr/lib/sysimage/dpkg"`},
		"a file":             {[]tar.Header{release("alpine"), link("lib/apk/db/installed", "/data/inst"), written("data/inst", apkText)}, `lib/apk/db/installed is a link to "/data/inst"`},
		"far above":          {[]tar.Header{link("var", "data"), written("data/lib/dpkg/status", dpkgText)}, `var is a link to "data"`},
		"in two hops":        {[]tar.Header{link("var", "x"), link("x", "data"), written("data/lib/dpkg/status", dpkgText)}, `var is a link to "x"`},
		"beside a decoy":     {[]tar.Header{release("alpine"), written("lib/apk/db/installed", apkText), link("var/lib/dpkg/status", "/d"), written("d", dpkgText)}, `var/lib/dpkg/status is a link`},
		"merged usr":         {[]tar.Header{release("alpine"), link("lib", "usr/lib"), written("usr/lib/apk/db/installed", apkText)}, ""},
		"nothing behind it":  {[]tar.Header{link("var/lib/dpkg", "/gone")}, ""},
		"one that was taken": {[]tar.Header{link("var", "data"), written("data/lib/dpkg/status", dpkgText), written("var", "")}, ""},
		"a circle":           {[]tar.Header{release("debian"), link("var", "var")}, "no database of dpkg"},
	} {
		t.Run(name, func(t *testing.T) {
			_, c := mustRead(t, layout(t, tarOf(t, tt.entries...)), Options{})
			got := messages(c)
			if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
