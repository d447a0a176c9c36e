// Package rpmjudge asks knqyf263/go-rpmdb about the same databases of rpm as our reader: those of real
// distributions, in all three forms and both orders of bytes, that the judge's module carries for its own tests. A
// module of its own, so that the judge and its SQLite stay out of the product.
package rpmjudge

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/glebarez/go-sqlite" // the judge's driver
	judge "github.com/knqyf263/go-rpmdb/pkg"

	"github.com/coaming/coaming/internal/rpmdb"
)

func TestRealDatabases(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/knqyf263/go-rpmdb").Output()
	if err != nil {
		t.Fatal(err)
	}
	var databases []string
	for _, name := range []string{"Packages", "Packages.db", "rpmdb.sqlite"} {
		list, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "pkg", "testdata", "*", name))
		if err != nil {
			t.Fatal(err)
		}
		databases = append(databases, list...)
	}
	if len(databases) < 10 {
		t.Skipf("the judge's module carries only %d databases", len(databases))
	}
	total := 0
	for _, file := range databases {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			want, ours := theirs(t, file), ours(t, file)
			slices.Sort(want)
			slices.Sort(ours)
			for i := range max(len(want), len(ours)) {
				if i >= len(want) || i >= len(ours) || want[i] != ours[i] {
					t.Fatalf("%d packages, and the judge has %d; the first that differs: %.300q, %.300q", len(ours), len(want), at(ours, i), at(want, i))
				}
			}
			total += len(ours)
		})
	}
	t.Logf("%d packages of %d databases are the same", total, len(databases))
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}

// theirs copies the database first: the judge's SQLite writes beside it.
func theirs(t *testing.T, file string) []string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), filepath.Base(file))
	if err := os.WriteFile(copied, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := judge.Open(copied)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // nothing was written
	packages, err := db.ListPackages()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, p := range packages {
		files, err := p.InstalledFileNames()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, line(p.Name, uint32(p.EpochNum()), p.Version, p.Release, p.Arch, p.SourceRpm, p.Modularitylabel, files))
	}
	return list
}

func ours(t *testing.T, file string) []string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	if err := rpmdb.Read(f, info.Size(), func(p *rpmdb.Package) {
		list = append(list, line(p.Name, p.Epoch, p.Version, p.Release, p.Arch, p.SourceRPM, p.Module, p.Files))
	}); err != nil {
		t.Error(err)
	}
	return list
}

func line(name string, epoch uint32, version, release, arch, source, module string, files []string) string {
	if source == "(none)" { // the judge's word for none
		source = ""
	}
	return fmt.Sprintf("%s %d %s %s %s %s %s %s", name, epoch, version, release, arch, source, module, strings.Join(files, " "))
}
