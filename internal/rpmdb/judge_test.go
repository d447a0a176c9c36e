package rpmdb

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// run runs one of rpm's or Berkeley DB's programs, or skips where there is none.
func run(t *testing.T, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("no %s here to make or read a database with", name)
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	var complaint bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, complaint.Bytes())
	}
	return out
}

const asked = `%{NAME}|%{EPOCHNUM}|%{VERSION}-%{RELEASE}|%{ARCH}|%{SOURCERPM}|%{MODULARITYLABEL}|[%{FILENAMES} ]\n`

// built makes packages with rpmbuild, as many as a page of no form holds, among them one with a header of many pages.
func built(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	var spec strings.Builder
	spec.WriteString("Name: coaming-sample\nVersion: 1.2.3\nRelease: 4.el9\nEpoch: 7\nSummary: s\nLicense: Apache-2.0\nModularityLabel: shop:1:20261122:abcdef\nBuildArch: noarch\n%description\nd\n")
	const parts = 70
	for i := range parts {
		_, _ = fmt.Fprintf(&spec, "%%package -n part%d\nSummary: s\nVersion: %d~rc1\n%s%%description -n part%d\nd\n", i, i, []string{"", "Epoch: 0\n"}[i%2], i)
	}
	spec.WriteString("%install\n")
	for i := range parts {
		_, _ = fmt.Fprintf(&spec, "mkdir -p %%{buildroot}/opt/part%d\n", i)
	}
	spec.WriteString("cd %{buildroot}/opt/part69; for i in $(seq 4000); do : > a-file-with-a-long-name-$i; done\n%files\n")
	for i := range parts - 1 {
		_, _ = fmt.Fprintf(&spec, "%%files -n part%d\n/opt/part%d\n", i, i)
	}
	_, _ = fmt.Fprintf(&spec, "%%files -n part%d\n/opt/part%d\n/usr/lib\n", parts-1, parts-1)
	file := filepath.Join(dir, "sample.spec")
	text := strings.Replace(spec.String(), "%install\n", "%install\nmkdir -p %{buildroot}/usr/lib; : > %{buildroot}/usr/lib/coaming.so\n", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, nil, "rpmbuild", "-bb", "--quiet", "--define", "_topdir "+dir, "--define", "_binary_payload w1.gzdio", file)
	return filepath.Join(dir, "RPMS", "noarch")
}

// installed makes a database of the packages with rpm itself.
func installed(t *testing.T, packages string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	files, err := filepath.Glob(filepath.Join(packages, "*.rpm"))
	if err != nil || len(files) < 10 {
		t.Fatal(err, files)
	}
	options := []string{"--root", dir, "--dbpath", "/db"}
	run(t, nil, "rpm", append(options, "--initdb")...)
	run(t, nil, "rpm", append(append(options, "-i", "--justdb", "--nodeps", "--noscripts"), files...)...)
	return dir
}

// told is what a database tells, one line a package, in the form that rpm was asked for.
func told(t *testing.T, file string) []string {
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
	if err := Read(f, info.Size(), func(p *Package) {
		none := func(s string) string {
			if s == "" {
				return "(none)"
			}
			return s
		}
		files := strings.Join(p.Files, " ")
		if files != "" {
			files += " "
		}
		list = append(list, strings.Join([]string{p.Name, strconv.Itoa(int(p.Epoch)), p.Version + "-" + p.Release, none(p.Arch), none(p.SourceRPM), none(p.Module), files}, "|"))
	}); err != nil {
		t.Errorf("%s: %v", file, err)
	}
	return list
}

func compare(t *testing.T, got []string, answer []byte) {
	t.Helper()
	want := strings.Split(strings.TrimSuffix(string(answer), "\n"), "\n")
	slices.Sort(want)
	slices.Sort(got)
	if len(want) < 60 {
		t.Fatalf("rpm itself tells only %d packages", len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rpm's own list and ours differ (-rpm +ours):\n%s", diff)
	}
}

// TestRpm makes a database of real packages in the form that rpm writes today, and asks rpm for the same.
func TestRpm(t *testing.T) {
	packages := built(t)
	dir := installed(t, packages)
	// As upgrades and removals leave it: pages freed, and taken again by others.
	options := []string{"--root", dir, "--dbpath", "/db"}
	run(t, nil, "rpm", append(options, "-e", "--justdb", "--nodeps", "--noscripts", "part69", "part3", "part42")...)
	again, _ := filepath.Glob(filepath.Join(packages, "part[36]9-*.rpm"))
	run(t, nil, "rpm", append(append(options, "-i", "--justdb", "--nodeps", "--noscripts", "--force"), again...)...)
	compare(t, told(t, filepath.Join(dir, "db", "rpmdb.sqlite")), run(t, nil, "rpm", append(options, "-qa", "--qf", asked)...))
}

// headers are those that rpm wrote, by their numbers.
func headers(t *testing.T, dir string) map[int][]byte {
	t.Helper()
	rows := run(t, nil, "sqlite3", filepath.Join(dir, "db", "rpmdb.sqlite"), "select hnum, hex(blob) from Packages")
	list := map[int][]byte{}
	for row := range strings.Lines(string(rows)) {
		number, blob, _ := strings.Cut(strings.TrimSpace(row), "|")
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(err)
		}
		if list[n], err = hex.DecodeString(blob); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// TestNDB lays the headers that rpm wrote down in rpm's own form by the description in its lib/backend/ndb/rpmpkg.c: Debian
// builds rpm without that form, so that there is no tool here to write it.
func TestNDB(t *testing.T) {
	dir := installed(t, built(t))
	file := filepath.Join(t.TempDir(), "Packages.db")
	if err := os.WriteFile(file, ndb(headers(t, dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	compare(t, told(t, file), run(t, nil, "rpm", "--root", dir, "--dbpath", "/db", "-qa", "--qf", asked))
}

// TestBerkeley gives the headers that rpm wrote to Berkeley DB's own loader, in both orders of bytes, and has rpm read the
// result: rpm itself no longer writes that form.
func TestBerkeley(t *testing.T) {
	dir := installed(t, built(t))
	blobs := headers(t, dir)
	for order, option := range map[string]string{"little": "1234", "big": "4321"} {
		for _, page := range []string{"4096", "512", "65536"} {
			t.Run(order+page, func(t *testing.T) {
				var dump strings.Builder
				dump.WriteString("VERSION=3\nformat=bytevalue\ntype=hash\ndb_lorder=" + option + "\ndb_pagesize=" + page + "\nHEADER=END\n")
				dump.WriteString(" 00000000\n 48000000\n") // rpm's next number
				for n, blob := range blobs {
					_, _ = fmt.Fprintf(&dump, " %02x%02x0000\n %x\n", n&0xff, n>>8, blob)
				}
				dump.WriteString("DATA=END\n")
				root := t.TempDir()
				if err := os.Mkdir(filepath.Join(root, "db"), 0o700); err != nil {
					t.Fatal(err)
				}
				file := filepath.Join(root, "db", "Packages")
				run(t, []byte(dump.String()), "db5.3_load", file)
				if order == "big" { // rpm reads its own machine's order alone
					compare(t, told(t, file), run(t, nil, "rpm", "--root", dir, "--dbpath", "/db", "-qa", "--qf", asked))
					return
				}
				answer := run(t, nil, "rpm", "--root", root, "--dbpath", "/db", "--define", "_db_backend bdb_ro", "-qa", "--qf", asked)
				compare(t, told(t, file), answer)
			})
		}
	}
}
