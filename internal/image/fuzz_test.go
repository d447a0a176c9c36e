package image

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
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
		if err != nil && len(s.finds) > small.Entries {
			t.Errorf("%d finds", len(s.finds))
		}
	})
}

// FuzzReaders gives every reader of one file what it does not expect.
func FuzzReaders(f *testing.F) {
	places := []string{
		"var/lib/dpkg/status", "var/lib/dpkg/info/a.list", "var/lib/dpkg/status.d/a.md5sums", "lib/apk/db/installed", "etc/os-release",
		"node_modules/a/package.json", "a.dist-info/METADATA", "specifications/a.gemspec", "bin/program",
	}
	f.Add(0, []byte("Package: a\nVersion: 1\nSource: b (2)\n\n"))
	f.Add(3, []byte("P:a\nV:1\nF:x\nR:y\n\n"))
	f.Add(4, []byte("ID=\"debian\"\n"))
	f.Add(5, []byte(`{"name":"a","version":["1"]}`))
	if program, err := os.ReadFile(os.Args[0]); err == nil {
		f.Add(8, program[:4096])
	}
	f.Add(8, append(append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 60)...), goMagic...))
	f.Fuzz(func(t *testing.T, place int, text []byte) {
		at := places[uint(place)%uint(len(places))]
		found, err := readerOf(at, true)(&input{path: at, size: int64(len(text)), r: bytes.NewReader(text)})
		if err != nil || found == nil {
			return
		}
		for _, p := range found.packages {
			if p.Name == "" || p.Ecosystem == "" {
				t.Errorf("%s: %+v", at, p)
			}
		}
	})
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
	})
}
