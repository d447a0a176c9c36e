package image

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// small keeps a fuzzer's inputs from being slow, not from being read.
var small = Limits{Entries: 1000, Packages: 1000, Layers: 10, Bytes: 16 << 20, Ratio: 400, Path: 1000, Gaps: 10}

func FuzzLayer(f *testing.F) {
	raw := tarOf(f, node("a", "1"), tar.Header{Name: ".wh.x"}, tar.Header{Name: "y", Typeflag: tar.TypeLink, Linkname: "../z"})
	f.Add(raw)
	f.Add(gzipped(f, raw))
	f.Add(zstded(f, raw))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l := &ledger{limit: small.Gaps}
		o := &Options{Limits: small}
		s := newStratum(0, o, l)
		err := readBlob(t.Context(), single(raw), s)
		if err != nil && len(s.finds)+len(s.plain) > small.Entries {
			t.Errorf("%d finds", len(s.finds)+len(s.plain))
		}
		for _, g := range l.gaps {
			if strings.Contains(g.message, brokeOff) {
				t.Error(g.message)
			}
		}
	})
}

// fuzzReader gives the reader of the file at a path what it does not expect. What it tells has a name, or is told to be broken.
func fuzzReader(f *testing.F, at string, seeds ...string) {
	f.Helper()
	for _, text := range seeds {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		found, err := readerOf(at, true)(&input{path: at, size: int64(len(text)), r: bytes.NewReader(text)})
		if err != nil || found == nil {
			return
		}
		for _, p := range found.packages {
			if p.Name == "" || len(p.Name) > len(text)*8+len(at) {
				t.Errorf("%s: %+v", at, p)
			}
		}
	})
}

func FuzzDpkg(f *testing.F) {
	fuzzReader(f, "var/lib/dpkg/status", "Package: a\nVersion: 1\nSource: b (2)\n\n")
}

func FuzzDpkgList(f *testing.F) { fuzzReader(f, "var/lib/dpkg/info/a.list", "/.\n/usr/bin/a\n") }

func FuzzDpkgSums(f *testing.F) {
	fuzzReader(f, "var/lib/dpkg/status.d/a.md5sums", "0123  usr/bin/a\n")
}

func FuzzApk(f *testing.F)     { fuzzReader(f, "lib/apk/db/installed", "P:a\nV:1\nF:x\nR:y\n\n") }
func FuzzRelease(f *testing.F) { fuzzReader(f, "etc/os-release", "ID=\"debian\"\n") }

func FuzzRpm(f *testing.F) {
	var seeds []string
	for _, name := range []string{"rpmdb.sqlite", "Packages", "Packages.db"} {
		if raw, err := os.ReadFile(filepath.Join("..", "rpmdb", "testdata", name)); err == nil {
			seeds = append(seeds, string(raw))
		}
	}
	fuzzReader(f, "var/lib/rpm/Packages", seeds...)
}

func FuzzRpmManifest(f *testing.F) {
	fuzzReader(f, "var/lib/rpmmanifest/container-manifest-2", "a\t1-2\t\t\t\t\t\tx\t3\ta-1-2.src.rpm\n")
}

func FuzzNode(f *testing.F) {
	fuzzReader(f, "node_modules/a/package.json", `{"name":"a","version":["1"]}`)
}
func FuzzPython(f *testing.F) { fuzzReader(f, "a.dist-info/METADATA", "Name: a\nVersion: 1\n\n") }

func FuzzGem(f *testing.F) {
	fuzzReader(f, "specifications/a.gemspec", "s.name = \"a\"\ns.version = \"1\"\n")
}

func FuzzNugetDeps(f *testing.F) {
	fuzzReader(f, "a.deps.json", `{"libraries":{"a/1":{"type":"package"}}}`)
}

func FuzzPackagesConfig(f *testing.F) {
	fuzzReader(f, "packages.config", `<packages><package id="a" version="1"/></packages>`)
}

func FuzzNuspec(f *testing.F) {
	fuzzReader(f, "a/1/a.nuspec", `<package><metadata><id>a</id><version>1</version></metadata></package>`)
}

func FuzzComposer(f *testing.F) {
	fuzzReader(f, "composer/installed.json", `[{"name":"a","version":"1"}]`, `{"packages":[{"name":"a","version":"1"}]}`)
}

func FuzzHex(f *testing.F) {
	fuzzReader(f, "hex_metadata.config", "{<<\"name\">>,<<\"a\">>}.\n{<<\"version\">>,<<\"1\">>}.\n")
}

func FuzzErlang(f *testing.F) { fuzzReader(f, "lib/a/ebin/a.app", `{application, a, [{vsn, "1"}]}.`) }
func FuzzOTP(f *testing.F)    { fuzzReader(f, "releases/25/OTP_VERSION", "25.1\n") }

func FuzzConanLock(f *testing.F) {
	fuzzReader(f, "conan.lock", `{"requires":["a/1#x"]}`, `{"graph_lock":{"nodes":{"1":{"ref":"a/1"}}}}`)
}

func FuzzConanInfo(f *testing.F) { fuzzReader(f, "conaninfo.txt", "[requires]\na/1.0\n") }
func FuzzConda(f *testing.F)     { fuzzReader(f, "conda-meta/a.json", `{"name":"a","version":"1"}`) }

func FuzzJar(f *testing.F) {
	at, text := pom("g.h", "a", "1")
	inner := string(zipOf(f, at, text))
	fuzzReader(f, "a-1.jar", inner, string(zipOf(f, "x.jar|store", inner, "META-INF/MANIFEST.MF", "Implementation-Version: 1\n", "META-INF/maven/g/a/pom.xml", "<project><version>1</version></project>")))
}

func FuzzEgg(f *testing.F) {
	fuzzReader(f, "a.egg", string(zipOf(f, "EGG-INFO/PKG-INFO", "Name: a\nVersion: 1\n")))
}

func FuzzYarn(f *testing.F) {
	fuzzReader(f, ".yarn/cache/a.zip", string(zipOf(f, "node_modules/a/package.json", `{"name":"a","version":"1"}`)))
}

func FuzzJavaRelease(f *testing.F) { fuzzReader(f, "release", "JAVA_VERSION=\"17\"\n") }
func FuzzGoRoot(f *testing.F)      { fuzzReader(f, "go/VERSION", "go1.21\n") }

func FuzzSections(f *testing.F) {
	f.Add([]byte("\x7fELF\x02\x01\x01"))
	if raw, err := os.ReadFile(os.Args[0]); err == nil {
		f.Add(raw[:4096])
	}
	f.Fuzz(func(_ *testing.T, raw []byte) { maySpeak(bytes.NewReader(raw)) })
}

// FuzzProgram gives programs of every kind, under a name that the table of bundled programs knows.
func FuzzProgram(f *testing.F) {
	seeds := []string{
		"\x7fELF\x02\x01\x01" + string(make([]byte, 60)) + goMagic, "MZ" + string(make([]byte, 100)) + string(deflated(f, `{"packages":[{"name":"a","version":"1"}]}`)),
		string(oldProgram(binary.LittleEndian, 8, "go1.17", "path\tx\n")), string(oldProgram(binary.BigEndian, 4, "go1.17", "path\tx\n")),
		"\x7fELF BusyBox v1.36.1",
	}
	if raw, err := os.ReadFile(os.Args[0]); err == nil {
		seeds = append(seeds, string(raw[:4096]))
	}
	fuzzReader(f, "bin/busybox", seeds...)
}

func FuzzArchive(f *testing.F) {
	b := blobs{}
	dir := b.layout(f, b.image(f, "amd64", tarOf(f, node("a", "1"))))
	var members []tar.Header
	for name, text := range b {
		members = append(members, tar.Header{Name: name, Linkname: string(text)})
	}
	_ = dir
	f.Add(tarOf(f, members...))
	f.Add(tarOf(f, tar.Header{Name: "manifest.json", Linkname: `[{"Config":"c","Layers":["l"]}]`}, tar.Header{Name: "c", Typeflag: tar.TypeSymlink, Linkname: "c"}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		file := filepath.Join(t.TempDir(), "a.tar")
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		img, c, err := Read(t.Context(), file, Options{Limits: small})
		if err == nil && (img == nil || c == nil) {
			t.Error("neither an image nor an error")
		}
		if c != nil {
			for _, g := range c.Gaps {
				if strings.Contains(g.Message, brokeOff) {
					t.Error(g.Message)
				}
			}
		}
		// The same bytes as a stream tell the same, but for archives that end early or name a member twice.
		streamed, d, again := Read(t.Context(), "-", Options{Limits: small, Stdin: bytes.NewReader(raw)})
		if err == nil && again == nil && c.Complete() && d.Complete() && told(img) != told(streamed) {
			t.Errorf("a file tells %s, a stream %s", told(img), told(streamed))
		}
	})
}
