package image

import (
	"archive/tar"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/fact"
)

// ask runs a package manager, the judge of what is installed, or skips where there is none.
func ask(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("no %s here to compare with", name)
	}
	out, err := exec.CommandContext(t.Context(), name, args...).Output()
	if err != nil && len(out) == 0 { // npm ls complains of what lacks and tells all the same
		t.Skipf("%s does not answer here: %v", name, err)
	}
	return string(out)
}

// compare wants the same packages, and at least some.
func compare(t *testing.T, got, want []string, least int) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if len(want) < least {
		t.Skipf("only %d packages to compare with", len(want))
	}
	if diff := cmp.Diff(slices.Compact(want), slices.Compact(got)); diff != "" {
		t.Errorf("the manager's own list and ours differ (-theirs +ours):\n%s", diff)
	}
}

func packages(img *fact.Image, ecosystem string) []string {
	var list []string
	for _, p := range img.Packages {
		if p.Ecosystem == ecosystem {
			list = append(list, p.Name+" "+p.Version)
		}
	}
	return list
}

// TestDpkgQuery packs this machine's own database into an image and asks dpkg-query for the same.
func TestDpkgQuery(t *testing.T) {
	answer := ask(t, "dpkg-query", "-W", "-f", "${db:Status-Status}|${Package} ${Version} ${Architecture} ${source:Package} ${source:Version}\n")
	var want []string
	for line := range strings.Lines(answer) {
		if state, rest, _ := strings.Cut(strings.TrimSpace(line), "|"); state != "config-files" && state != "not-installed" {
			want = append(want, rest)
		}
	}
	var entries []tar.Header
	lists, _ := filepath.Glob("/var/lib/dpkg/info/*.list")
	for _, file := range append(lists, "/var/lib/dpkg/status", "/usr/lib/os-release") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, tar.Header{Name: file[1:], Linkname: string(text)})
	}
	img, c := mustRead(t, layout(t, gzipped(t, tarOf(t, entries...))), Options{})
	var got []string
	for _, p := range img.Packages {
		got = append(got, strings.Join([]string{p.Name, p.Version, p.Architecture, p.Source, p.SourceVersion}, " "))
	}
	compare(t, got, want, 20)
	if !c.Complete() {
		t.Errorf("gaps %v", c.Gaps)
	}
	for _, name := range []string{"bash", "libc6", "dpkg"} {
		files := ask(t, "dpkg-query", "-L", name)
		i := slices.IndexFunc(img.Packages, func(p fact.Package) bool { return p.Name == name })
		if i < 0 {
			t.Errorf("no %s", name)
			continue
		}
		for line := range strings.Lines(files) {
			line = strings.TrimSpace(line)
			if at, _ := clean(line); strings.HasPrefix(line, "/") && at != "" && !slices.Contains(img.Packages[i].Files, at) {
				t.Errorf("%s has %s", name, line)
			}
		}
	}
}

// TestGoVersion streams Go's own programs and this test through an image and asks debug/buildinfo, which go version -m prints.
func TestGoVersion(t *testing.T) {
	programs := []string{os.Args[0], filepath.Join(runtime.GOROOT(), "bin", "gofmt")} //nolint:staticcheck // tests run where Go is
	for _, program := range programs {
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			continue
		}
		want := []string{"stdlib " + strings.TrimPrefix(info.GoVersion, "go")}
		add := func(path, version string) {
			if path != "" {
				want = append(want, path+" "+version)
			}
		}
		add(info.Main.Path, info.Main.Version)
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			add(m.Path, m.Version)
		}
		text, err := os.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		img, c := mustRead(t, layout(t, tarOf(t, tar.Header{Name: "bin/program", Mode: 0o755, Linkname: string(text)})), Options{})
		compare(t, packages(img, "Go"), want, 1)
		if !c.Complete() {
			t.Errorf("%s: gaps %v", program, c.Gaps)
		}
	}
}

// TestNpmList reads the tree that npm itself was installed as, and asks npm for it.
func TestNpmList(t *testing.T) {
	root := strings.TrimSpace(ask(t, "npm", "root", "--global"))
	var want []string
	for line := range strings.Lines(ask(t, "npm", "ls", "--global", "--all", "--parseable", "--long")) {
		line = strings.TrimSpace(line)
		_, named, _ := strings.Cut(line, ":")
		named, _, _ = strings.Cut(named, ":") // behind it, what npm has to say of it
		if i := strings.LastIndexByte(named, '@'); i > 0 && named[i+1:] != "" {
			want = append(want, named[:i]+" "+named[i+1:])
		}
	}
	named := map[string][]byte{}
	_ = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "package.json" && d.Type().IsRegular() {
			at, _ := filepath.Rel(root, file)
			named["lib/node_modules/"+filepath.ToSlash(at)], err = os.ReadFile(file)
		}
		return err
	})
	img, _ := mustRead(t, files(t, named), Options{})
	compare(t, packages(img, "npm"), want, 20)
}

// TestPipList reads a Python's own directory and asks its pip.
func TestPipList(t *testing.T) {
	prefix := strings.TrimSpace(ask(t, "python3", "-c", "import site; print(site.getsitepackages()[0])"))
	var listed []struct{ Name, Version string }
	if err := json.Unmarshal([]byte(ask(t, "python3", "-m", "pip", "list", "--format", "json", "--path", prefix, "--disable-pip-version-check")), &listed); err != nil {
		t.Skip(err)
	}
	var want []string
	for _, p := range listed {
		want = append(want, fmt.Sprintf("%s %s", p.Name, p.Version))
	}
	img, _ := mustRead(t, prefix, Options{})
	compare(t, packages(img, "PyPI"), want, 2)
}
