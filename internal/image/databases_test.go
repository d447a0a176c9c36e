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
