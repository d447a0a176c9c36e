package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// configured is an OCI layout of one layer with a configuration.
func configured(t testing.TB, configuration map[string]any, entries ...tar.Header) string {
	t.Helper()
	b := blobs{}
	m := indexOrManifest{Config: b.document(t, configuration), Layers: []descriptor{b.add(tarOf(t, entries...))}}
	return b.layout(t, b.document(t, m))
}

// fromHost are the entries of a tar for files of this machine, with the links that lead to them.
func fromHost(t *testing.T, paths ...string) []tar.Header {
	t.Helper()
	var list []tar.Header
	seen := map[string]bool{}
	var add func(name string)
	add = func(name string) {
		for _, dir := range prefixes(strings.TrimPrefix(name, "/")) {
			at := "/" + dir
			info, err := os.Lstat(at)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode()&fs.ModeSymlink == 0 {
				continue
			}
			target, err := os.Readlink(at)
			if err != nil {
				t.Fatal(err)
			}
			if !seen[dir] {
				seen[dir] = true
				list = append(list, tar.Header{Name: dir, Typeflag: tar.TypeSymlink, Linkname: target})
			}
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(at), target)
			}
			add(filepath.Join(target, strings.TrimPrefix(name, at)))
			return
		}
		if seen[name] {
			return
		}
		seen[name] = true
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, tar.Header{Name: strings.TrimPrefix(name, "/"), Mode: 0o755, Linkname: string(text)})
	}
	for _, p := range paths {
		add(p)
	}
	return list
}

// loaded are the files that the dynamic loader says a program loads.
func loaded(t *testing.T, program string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ldd", program).Output()
	if err != nil {
		t.Skipf("ldd %s: %v", program, err)
	}
	var list []string
	for word := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(word, "/") {
			list = append(list, word)
		}
	}
	return list
}

// TestSlimRootRuns makes a root of nothing but what slim says is needed, of a real program, and runs it there.
func TestSlimRootRuns(t *testing.T) {
	const program = "/bin/ls"
	if runtime.GOOS != "linux" {
		t.Skip("there is no ldd here")
	}
	libraries := loaded(t, program)
	decoy := tar.Header{Name: "usr/share/decoy", Linkname: strings.Repeat("x", 5000)}
	tool := tar.Header{Name: "usr/bin/decoy", Mode: 0o755, Linkname: "#!/bin/sh\n"}
	at := configured(t, map[string]any{"os": "linux", "architecture": runtime.GOARCH, "config": map[string]any{"Entrypoint": []string{program}}},
		append(fromHost(t, append(slices.Clone(libraries), program)...), decoy, tool)...)
	for name, used := range map[string][]string{"by what it is linked with": nil, "by what was opened": append(slices.Clone(libraries), program, "/proc/self/status", "/run/made-later")} {
		t.Run(name, func(t *testing.T) {
			s, _, err := Slim(t.Context(), at, Options{}, used)
			if err != nil {
				t.Fatal(err)
			}
			if s.Runtime != "glibc" || !strings.HasPrefix(s.Proposal, "gcr.io/distroless/") || s.Observed != (used != nil) {
				t.Errorf("got %q on %q (%s)", s.Runtime, s.Proposal, s.Reason)
			}
			if used != nil && (len(s.Files) != 1 || s.Files[0].Path != "usr/bin/decoy" || strings.Join(s.Unknown, " ") != "run/made-later") {
				t.Errorf("not opened %+v, not there %v", s.Files, s.Unknown)
			}
			root := t.TempDir()
			for _, f := range s.Needed {
				copyInto(t, root, f)
			}
			if _, err := os.Stat(filepath.Join(root, "usr/share/decoy")); err == nil {
				t.Error("what nothing needs is needed")
			}
			if os.Getuid() != 0 {
				t.Skip("chroot needs root")
			}
			out, err := exec.CommandContext(t.Context(), "chroot", root, program, "/").CombinedOutput()
			if err != nil || !strings.Contains(string(out), "lib") {
				t.Errorf("in the slim root: %v: %s", err, out)
			}
			// The proof must be able to fail: without its libraries it does not run.
			for _, l := range libraries {
				name, _ := filepath.EvalSymlinks(l)
				_ = os.Remove(filepath.Join(root, name))
			}
			if _, err := exec.CommandContext(t.Context(), "chroot", root, program, "/").CombinedOutput(); err == nil {
				t.Error("it runs without its libraries")
			}
		})
	}
}

// copyInto copies a file of this machine, or a link, below a root.
func copyInto(t *testing.T, root, name string) {
	t.Helper()
	to := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if target, err := os.Readlink("/" + name); err == nil {
		if err := os.Symlink(target, to); err != nil {
			t.Fatal(err)
		}
		return
	}
	text, err := os.ReadFile("/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o755); err != nil {
		t.Fatal(err)
	}
}

// TestSlimFollowsPackages tells apart what the start needs by the packages' own words.
func TestSlimFollowsPackages(t *testing.T) {
	const status = "Package: shop\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\nDepends: data (>= 1), mawk | awk\nInstalled-Size: 10\n\n" +
		"Package: data\nStatus: install ok installed\nVersion: 1\nArchitecture: all\nInstalled-Size: 20\n\n" +
		"Package: gawk\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\nProvides: awk\nInstalled-Size: 30\n\n" +
		"Package: apt\nStatus: install ok installed\nVersion: 2\nArchitecture: amd64\nInstalled-Size: 4000\n"
	program, err := (&elfBuilder{names: []byte{0}}).bytes(62), error(nil)
	if err != nil {
		t.Fatal(err)
	}
	at := configured(t, map[string]any{"os": "linux", "architecture": "amd64", "config": map[string]any{"Entrypoint": []string{"shop"}, "ExposedPorts": map[string]any{"80/tcp": struct{}{}}}},
		tar.Header{Name: "etc/os-release", Linkname: "ID=debian\nVERSION_ID=12\n"}, tar.Header{Name: "var/lib/dpkg/status", Linkname: status},
		tar.Header{Name: "var/lib/dpkg/info/shop.list", Linkname: "/usr/bin/shop\n"}, tar.Header{Name: "var/lib/dpkg/info/apt.list", Linkname: "/usr/bin/apt\n"},
		tar.Header{Name: "usr/bin/shop", Mode: 0o755, Linkname: string(program)}, tar.Header{Name: "usr/bin/apt", Mode: 0o755, Linkname: string(program)})
	s, _, err := Slim(t.Context(), at, Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Packages) != 1 || s.Packages[0].Name != "apt" || s.Packages[0].Size != 4000<<10 || s.Runtime != "static" || s.Observed {
		text, _ := json.Marshal(s)
		t.Errorf("got %s", text)
	}
	if len(s.Capabilities) != 1 || s.Capabilities[0].Name != "NET_BIND_SERVICE" {
		t.Errorf("got %+v", s.Capabilities)
	}
	s, _, err = Slim(t.Context(), at, Options{}, []string{"/usr/bin/shop"})
	if err != nil || !s.Observed || len(s.Packages) != 3 {
		t.Errorf("of what was opened all others are unused: %+v, %v", s.Packages, err)
	}
}

// TestProgramsOfThisMachine reads real programs in one pass, in pieces of any size, as debug/elf reads them from files.
func TestProgramsOfThisMachine(t *testing.T) {
	files, _ := filepath.Glob("/usr/bin/*")
	libraries, _ := filepath.Glob("/usr/lib/*/lib[acps]*.so.*")
	read := 0
	for _, name := range append(libraries, files[:min(len(files), 400)]...) {
		if read >= 200 {
			break
		}
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() || info.Size() > 8<<20 {
			continue
		}
		needs, interpreter, ok := needsOf(name)
		if !ok {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		read++
		var buffer []byte
		e := &programEye{buffer: &buffer}
		for rest := text; len(rest) > 0; {
			n := min(len(rest), 1+len(rest)%7000)
			if !e.see(rest[:n]) {
				break
			}
			rest = rest[n:]
		}
		r := &record{}
		e.tell(r)
		if r.program == nil || !slices.Equal(r.program.needs, needs) || r.program.interpreter != interpreter || r.program.doubt != "" || r.program.packed != "" {
			t.Errorf("%s: got %+v, want %v, %s", name, r.program, needs, interpreter)
		}
		if bytes.Contains(text[:min(len(text), 64)], []byte("#!")) {
			t.Errorf("%s is a script", name)
		}
	}
	if read == 0 {
		t.Skip("there is no program that debug/elf reads")
	}
}
