package image

import (
	"bytes"
	"compress/zlib"
	"debug/buildinfo"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	yaml "github.com/coaming/coaming/internal/document"
)

func deflated(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, err := w.Write([]byte(text))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func readBinary(t testing.TB, at string, raw []byte) (string, error) {
	t.Helper()
	f, err := readerOf(at, true)(&input{path: at, size: int64(len(raw)), r: struct{ io.Reader }{bytes.NewReader(raw)}})
	if f == nil {
		return "", err
	}
	var list []string
	for _, p := range f.packages {
		list = append(list, strings.TrimSpace(p.Ecosystem+" "+p.Name+" "+p.Version))
	}
	return strings.Join(list, ", "), err
}

// TestCrates looks for the section in every form of program, wherever it falls in a block.
func TestCrates(t *testing.T) {
	const list = `{"packages":[{"name":"serde","version":"1.0.1","source":"crates.io"},{"name":"cc","version":"1.0","source":"crates.io","kind":"build"},{"name":"shop","version":"0.1.0","source":"local","root":true,"dependencies":[0]}]}`
	const want = "crates.io serde 1.0.1, crates.io shop 0.1.0"
	for name, head := range map[string]string{"elf": "\x7fELF\x02\x01\x01", "pe": "MZ\x90\x00", "mach-o": "\xcf\xfa\xed\xfe", "mach-o, big": "\xfe\xed\xfa\xcf"} {
		for _, before := range []int{4096, windowSize - 20, windowSize - 1, windowSize, 3*windowSize + 7} {
			raw := make([]byte, before)
			copy(raw, head)
			for i := len(head) + 60; i < len(raw); i++ {
				raw[i] = byte(i * 7)
			}
			for i := 100; i+2 < len(raw); i += 1000 {
				copy(raw[i:], "\x78\x9c\xab") // what looks like a beginning
			}
			raw = append(raw, deflated(t, list)...)
			raw = append(raw, make([]byte, 5000)...)
			if got, err := readBinary(t, "usr/bin/shop", raw); got != want || err != nil {
				t.Errorf("%s, %d: got %q, %v", name, before, got, err)
			}
		}
	}
	for text, want := range map[string]string{`{"packages":[{"name":"x"}]}`: "without name or version", `{"packages":[{`: "does not parse"} {
		raw := append(append([]byte("MZ"), make([]byte, 5000)...), deflated(t, text)...)
		if got, err := readBinary(t, "x", append(raw, make([]byte, 100)...)); got != "" || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
}

// TestCargo builds a real program of several crates with the section that cargo-auditable gives it, and asks cargo for the crates.
func TestCargo(t *testing.T) {
	if _, err := exec.LookPath("cargo"); err != nil {
		t.Skip("no cargo here to build a program with")
	}
	crate := func(name, version, dependencies string) string {
		return fmt.Sprintf("[package]\nname = %q\nversion = %q\nedition = \"2021\"\n[dependencies]\n%s", name, version, dependencies)
	}
	dir := files(t, map[string][]byte{
		"Cargo.toml": []byte(crate("coaming-shop", "0.3.1", "coaming-a = {path=\"a\"}\ncoaming-b = {path=\"b\"}\n")), "src/main.rs": []byte(
			"#[used]\n#[link_section = \".dep-v0\"]\nstatic AUDIT: [u8; include_bytes!(\"../audit\").len()] = *include_bytes!(\"../audit\");\nfn main() { println!(\"{} {}\", coaming_a::n(), AUDIT[0]); }\n"),
		"a/Cargo.toml": []byte(crate("coaming-a", "1.2.3", "coaming-b = {path=\"../b\"}\n")), "a/src/lib.rs": []byte("pub fn n() -> u32 { coaming_b::n() + 1 }\n"),
		"b/Cargo.toml": []byte(crate("coaming-b", "2.0.0-rc.1", "")), "b/src/lib.rs": []byte("pub fn n() -> u32 { 41 }\n"),
	})
	cargo := func(args ...string) []byte {
		cmd := exec.CommandContext(t.Context(), "cargo", args...)
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			t.Skipf("cargo does not build here: %v", err)
		}
		return out
	}
	var metadata struct {
		Packages []struct{ Name, Version string }
	}
	if err := json.Unmarshal(cargo("metadata", "--offline", "--format-version", "1"), &metadata); err != nil {
		t.Fatal(err)
	}
	var want []string
	var audit []map[string]string
	for _, p := range metadata.Packages {
		want = append(want, p.Name+" "+p.Version)
		audit = append(audit, map[string]string{"name": p.Name, "version": p.Version, "source": "local"})
	}
	text, err := json.Marshal(map[string]any{"packages": audit})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "audit"), deflated(t, string(text)), 0o600); err != nil {
		t.Fatal(err)
	}
	cargo("build", "--offline", "--quiet")
	raw, err := os.ReadFile(filepath.Join(dir, "target", "debug", "coaming-shop"))
	if err != nil {
		t.Skip(err)
	}
	got, err := readBinary(t, "usr/bin/shop", raw)
	if err != nil {
		t.Error(err)
	}
	compare(t, strings.Split(strings.ReplaceAll(got, "crates.io ", ""), ", "), want, 3)
}

// TestSectionsSpareReading reads the same programs as a stream and as files to jump about in: both tell the same.
func TestSectionsSpareReading(t *testing.T) {
	spared := 0
	list, _ := filepath.Glob("/usr/bin/*")
	for _, file := range append(list[:min(len(list), 150)], os.Args[0]) {
		raw, err := os.ReadFile(file)
		if err != nil || len(raw) < 4 || len(raw) > 64<<20 || !isNative(raw) {
			continue
		}
		streamed, err1 := readProgram(&input{path: "x", size: int64(len(raw)), r: struct{ io.Reader }{bytes.NewReader(raw)}}, nil)
		jumped, err2 := readProgram(&input{path: "x", size: int64(len(raw)), r: bytes.NewReader(raw)}, nil)
		if !reflect.DeepEqual(streamed, jumped) || (err1 == nil) != (err2 == nil) {
			t.Errorf("%s: %v, %v and %v, %v", file, streamed, err1, jumped, err2)
		}
		if !maySpeak(bytes.NewReader(raw)) {
			spared++
		}
	}
	if spared == 0 {
		t.Skip("there are no programs here that tell nothing")
	}
}

// oldProgram lays a Go program down as linkers did before Go 1.18: one part that is read, with the strings, and one that is
// written, with the build information and the heads of the strings.
func oldProgram(order binary.AppendByteOrder, size int, version, modules string) []byte {
	const page, base = 0x1000, 0x400000
	address := func(b []byte, n uint64) []byte {
		if size == 4 {
			return order.AppendUint32(b, uint32(n))
		}
		return order.AppendUint64(b, n)
	}
	big := order.AppendUint16(nil, 1)[0] == 0
	head := []byte{0x7f, 'E', 'L', 'F', byte(size / 4), 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if big {
		head[5] = 2
	}
	head = order.AppendUint16(head, 2)
	head = order.AppendUint16(head, 62)
	head = order.AppendUint32(head, 1)
	ehsize, phsize := 52, 32
	if size == 8 {
		ehsize, phsize = 64, 56
	}
	for _, n := range []uint64{0, uint64(ehsize), 0} {
		head = address(head, n)
	}
	head = order.AppendUint32(head, 0)
	for _, n := range []int{ehsize, phsize, 3, 0, 0, 0} {
		head = order.AppendUint16(head, uint16(n))
	}
	part := func(kind, flags uint32, offset, length uint64) {
		head = order.AppendUint32(head, kind)
		if size == 8 {
			head = order.AppendUint32(head, flags)
		}
		for _, n := range []uint64{offset, base + offset, base + offset, length, length} {
			head = address(head, n)
		}
		if size == 4 {
			head = order.AppendUint32(head, flags)
		}
		head = address(head, page)
	}
	part(4, 4, 0xf00, 16) // the note that Go's linker puts there
	part(1, 5, 0, 2*page)
	part(1, 6, 2*page, page)
	raw := make([]byte, 3*page)
	copy(raw, head)
	note := order.AppendUint32(nil, 4)
	note = order.AppendUint32(note, 0)
	note = order.AppendUint32(note, 4)
	copy(raw[0xf00:], append(note, "Go\x00\x00"...))
	copy(raw[page:], "go1.4go1.17.1"+version+"goroutine")
	text := string(moduleStart) + modules + string(moduleEnd)
	copy(raw[page+0x100:], text)
	info := append([]byte(goMagic), byte(size), 0)
	if big {
		info[goFlags] = goBig
	}
	info = address(address(info, base+2*page+0x80), base+2*page+0x40)
	copy(raw[2*page:], info)
	copy(raw[2*page+0x80:], address(address(nil, base+page+13), uint64(len(version))))
	copy(raw[2*page+0x40:], address(address(nil, base+page+0x100), uint64(len(text))))
	return raw
}

// TestOldGo asks debug/buildinfo, which has the file to jump about in, about programs of the older form. No compiler of that age is to be
// had here: the program is laid down by hand.
func TestOldGo(t *testing.T) {
	const modules = "path\texample.com/shop\nmod\texample.com/shop\tv1.2.3\th1:x=\ndep\tgolang.org/x/text\tv0.3.0\th1:x=\n"
	for name, raw := range map[string][]byte{
		"64 bits":          oldProgram(binary.LittleEndian, 8, "go1.17.13", modules),
		"32 bits":          oldProgram(binary.LittleEndian, 4, "go1.17.13", modules),
		"64 bits, big":     oldProgram(binary.BigEndian, 8, "go1.17.13", modules),
		"a version before": oldProgram(binary.LittleEndian, 8, "devel +c5", modules),
	} {
		t.Run(name, func(t *testing.T) {
			info, err := buildinfo.Read(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			var want strings.Builder
			want.WriteString("Go stdlib " + strings.TrimPrefix(info.GoVersion, "go") + ", Go " + info.Main.Path + " " + info.Main.Version)
			for _, m := range info.Deps {
				want.WriteString(", Go " + m.Path + " " + m.Version)
			}
			if got, err := readBinary(t, "usr/bin/shop", raw); got != want.String() || err != nil {
				t.Errorf("got  %s, %v\nwant %s", got, err, want.String())
			}
		})
	}
}

func TestLinkedVersion(t *testing.T) {
	for flags, want := range map[string]string{
		"-s -w -X main.version=1.2.3": "v1.2.3", `-X "github.com/a/b/version.Version=v3.0.1-rc1"`: "v3.0.1-rc1", "-X main.commit=1.2.3": "(devel)",
		"-X a.Version=1.2.3 -X b.Version=2.0.0": "(devel)", "-X=a.GitVersion=v1.31.0": "v1.31.0", "": "(devel)",
	} {
		list, err := goPackages("go1.25.0", "path\tx\nmod\texample.com/x\t(devel)\t\nbuild\t-ldflags="+strconv.Quote(flags)+"\n")
		if err != nil || len(list) != 2 || list[1].Version != want {
			t.Errorf("%s: got %+v, %v, want %s", flags, list, err, want)
		}
	}
}

// TestTables holds the tables to their form: groups in patterns, and nothing that would make them slow.
func TestTables(t *testing.T) {
	for name, text := range map[string]string{"bundled": bundledTable, "artifacts": artifactTable} {
		docs, errs := yaml.Read(yaml.NewText(text), 1)
		if len(docs) != 1 || len(errs) > 0 || docs[0].Doubt() != nil {
			t.Fatalf("%s: %v", name, errs)
		}
	}
	count := 0
	for _, list := range marks() {
		for _, m := range list {
			count++
			begin, _ := m.version.LiteralPrefix()
			if m.version.NumSubexp() != 1 || m.name == "" || len(m.files) == 0 || m.near == "" && !m.stem && len(begin) < 4 {
				t.Errorf("%+v", m)
			}
		}
	}
	if a := artifacts(); count < 30 || len(a.names) < 50 || len(a.beginnings) < 10 {
		t.Errorf("%d programs, %d artifacts, %d beginnings", count, len(a.names), len(a.beginnings))
	}
}

// TestBundled asks programs of this machine for their versions, and reads them as an image would have them that no package manager knows.
func TestBundled(t *testing.T) {
	number := regexp.MustCompile(`\d+\.\d+(?:\.\d+)*`)
	tried := 0
	for name, args := range map[string][]string{
		"bash": {"--version"}, "perl": {"-e", "print substr($^V, 1)"}, "openssl": {"version"}, "git": {"--version"}, "node": {"--version"}, "curl": {"--version"},
		"busybox": {}, "nginx": {"-v"}, "redis-server": {"--version"}, "memcached": {"--version"}, "haproxy": {"-v"}, "sqlite3": {"--version"}, "python3": {"-c", "import platform, sys; print(platform.python_version())"},
	} {
		file, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if name == "python3" {
			out, err := exec.CommandContext(t.Context(), file, "-c", "import os, sys; print(os.path.realpath(sys.executable))").Output()
			if err != nil {
				continue
			}
			file, _ = exec.LookPath(strings.TrimSpace(string(out)))
		}
		out, _ := exec.CommandContext(t.Context(), file, args...).CombinedOutput()
		if file, err = filepath.EvalSymlinks(file); err != nil {
			continue
		}
		raw, err := os.ReadFile(file)
		if err != nil || len(marksOf(file)) == 0 || len(raw) < 4 || !isNative(raw) {
			continue
		}
		want, silent := number.FindString(string(out)), slices.ContainsFunc(marksOf(file), func(m *mark) bool { return m.silent })
		got, err := readBinary(t, file[1:], raw)
		if got == "" && silent {
			continue // a launcher
		}
		if tried++; err != nil || !strings.HasSuffix(got, " "+want) {
			t.Errorf("%s: got %q, %v, and it says %s", file, got, err, want)
		}
	}
	t.Logf("%d programs asked", tried)
	if tried == 0 {
		t.Skip("none of the programs is here")
	}
}

// TestBundledOwned leaves out what a package owns, and says of a program whose release does not show that it is there.
func TestBundledOwned(t *testing.T) {
	busybox := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 5000)...)
	busybox = append(append(busybox, "BusyBox v1.36.1 (2023)"...), make([]byte, 5000)...)
	status := "Package: busybox\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:1.36.1-1\n"
	for list, want := range map[string]string{"/bin/busybox\n": "busybox 1:1.36.1-1 @0, memcached  @0", "/bin/other\n": "busybox 1.36.1 @0, memcached  @0, busybox 1:1.36.1-1 @0"} {
		img, c := mustRead(t, files(t, map[string][]byte{
			"var/lib/dpkg/status": []byte(status), "var/lib/dpkg/info/busybox.list": []byte(list), "bin/busybox": busybox, "usr/local/bin/memcached": []byte("\x7fELF" + strings.Repeat("\x00", 100)),
			"etc/os-release": []byte("ID=debian\nVERSION_ID=12\n"), "opt/memcached": []byte("#!/bin/sh\n"),
		}), Options{})
		parts := strings.Split(told(img), ", ")
		wanted := strings.Split(want, ", ")
		slices.Sort(parts)
		slices.Sort(wanted)
		if !slices.Equal(parts, wanted) || !c.Complete() {
			t.Errorf("got %s, want %s; gaps %v", told(img), want, c.Gaps)
		}
	}
}
