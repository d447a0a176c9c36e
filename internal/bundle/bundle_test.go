package bundle_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/bundle"
	"github.com/coaming/coaming/internal/rule"
)

var two = []rule.File{{Name: "b/two.yaml", Text: "id: two\n"}, {Name: "a.yaml", Text: "id: one\n"}}

func written(t *testing.T, files []rule.File) []byte {
	t.Helper()
	blob, err := bundle.Write("ours", "1.0", files)
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

func TestWriteAndRead(t *testing.T) {
	blob := written(t, two)
	reversed := slices.Clone(two)
	slices.Reverse(reversed)
	if !bytes.Equal(blob, written(t, reversed)) {
		t.Error("the order of the files changes the bytes")
	}
	m, files, err := bundle.Read(blob, "x.tgz")
	if err != nil {
		t.Fatal(err)
	}
	want := []rule.File{{Name: "x.tgz:a.yaml", Text: "id: one\n", Origin: "x.tgz"}, {Name: "x.tgz:b/two.yaml", Text: "id: two\n", Origin: "x.tgz"}}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if m.Name != "ours" || m.Version != "1.0" || len(m.Files) != 2 || m.Files[0].Path != "a.yaml" || m.Files[0].Size != 8 {
		t.Errorf("manifest %+v", m)
	}
	// No time, owner or name of a machine.
	z, err := gzip.NewReader(bytes.NewReader(blob))
	if err != nil {
		t.Fatal(err)
	}
	if !z.ModTime.IsZero() || z.Name != "" || z.Comment != "" {
		t.Errorf("gzip header %+v", z.Header)
	}
	h, err := tar.NewReader(z).Next()
	if err != nil || h.ModTime.Unix() != 0 || h.Uid != 0 || h.Uname != "" || h.Mode != 0o644 {
		t.Errorf("tar header %+v, %v", h, err)
	}
}

func TestWriteRefuses(t *testing.T) {
	for name, files := range map[string][]rule.File{
		"nothing":   nil,
		"twice":     {{Name: "a.yaml"}, {Name: "a.yaml"}},
		"outside":   {{Name: "../a.yaml"}},
		"absolute":  {{Name: "/a.yaml"}},
		"not clean": {{Name: "a/../b.yaml"}},
		"no rule":   {{Name: "a.sh"}},
		"backslash": {{Name: `a\b.yaml`}},
		"control":   {{Name: "a\nb.yaml"}},
	} {
		if _, err := bundle.Write("ours", "1.0", files); err == nil {
			t.Errorf("%s is written", name)
		}
	}
	for _, bad := range [][2]string{{"", "1"}, {"Ours", "1"}, {"a b", "1"}, {"../x", "1"}, {"ours", ""}, {"ours", "1 0"}, {"ours", "-1"}} {
		if _, err := bundle.Write(bad[0], bad[1], two); err == nil {
			t.Errorf("name %q and version %q are taken", bad[0], bad[1])
		}
	}
}

// entry is one entry of a hostile archive.
type entry struct {
	tar.Header
	text string
}

func file(name, text string) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(text)), Mode: 0o644}, text}
}

func manifest(files ...entry) entry {
	m := bundle.Manifest{Name: "ours", Version: "1"}
	for _, f := range files {
		sum := sha256.Sum256([]byte(f.text))
		m.Files = append(m.Files, bundle.Entry{Path: f.Name, SHA256: hex.EncodeToString(sum[:]), Size: len(f.text)})
	}
	text, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return file("bundle.json", string(text))
}

func archive(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for _, e := range entries {
		h := e.Header
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func squeezed(t *testing.T, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestReadRefuses(t *testing.T) {
	a, b := file("a.yaml", "id: a\n"), file("b.yaml", "id: b\n")
	link := entry{tar.Header{Typeflag: tar.TypeSymlink, Name: "a.yaml", Linkname: "/etc/passwd"}, ""}
	hard := entry{tar.Header{Typeflag: tar.TypeLink, Name: "a.yaml", Linkname: "b.yaml"}, ""}
	huge := file("a.yaml", strings.Repeat("x", 1<<20+1))
	many := make([]entry, 0, 20_000)
	for i := range 10_001 {
		many = append(many, file(fmt.Sprintf("r%05d.yaml", i), ""))
	}
	fat := make([]entry, 0, 80)
	for i := range 70 {
		fat = append(fat, file(fmt.Sprintf("r%05d.yaml", i), strings.Repeat(" ", 1<<20)))
	}
	whole := archive(t, manifest(a), a)
	tests := map[string]struct {
		blob []byte
		want string
	}{
		"nothing":                 {nil, "unpack"},
		"no gzip":                 {[]byte("hello"), "unpack"},
		"no tar":                  {squeezed(t, []byte("hello")), "unpack"},
		"no entry":                {archive(t), "bundle.json is missing"},
		"no manifest":             {archive(t, a), `"a.yaml" stands where bundle.json belongs`},
		"a manifest that is none": {archive(t, file("bundle.json", "{")), "bundle.json"},
		"an unknown field":        {archive(t, file("bundle.json", `{"name":"a","version":"1","files":[],"extra":1}`)), "extra"},
		"a field in other case":   {archive(t, file("bundle.json", `{"Name":"a","version":"1","files":[]}`)), "Name"},
		"no files":                {archive(t, manifest()), "names 0 files"},
		"a missing file":          {archive(t, manifest(a, b), a), "b.yaml is missing"},
		"a file too many":         {archive(t, manifest(a), a, b), `"b.yaml" is not in bundle.json`},
		"another file":            {archive(t, manifest(a), file("a.yaml", "id: x\n")), "is not the file"},
		"out of order":            {archive(t, manifest(b, a), b, a), "out of order"},
		"twice":                   {archive(t, manifest(a, a), a, a), "out of order"},
		"outside":                 {archive(t, manifest(file("../a.yaml", "")), file("../a.yaml", "")), "leads outside"},
		"absolute":                {archive(t, manifest(file("/a.yaml", "")), file("/a.yaml", "")), "leads outside"},
		"no rule file":            {archive(t, manifest(file("a.sh", "")), file("a.sh", "")), "no rule file"},
		"a link":                  {archive(t, manifest(entry{a.Header, ""}), link), "no plain file"},
		"a hard link":             {archive(t, manifest(entry{a.Header, ""}), hard), "no plain file"},
		"a huge file":             {archive(t, manifest(huge), huge), "over 1048576"},
		"a huge file, belied":     {archive(t, manifest(a), huge), "over 1048576"},
		"too many files":          {archive(t, append([]entry{manifest(many...)}, many...)...), "10001 files"},
		"many files, belied":      {archive(t, append([]entry{manifest(many[0])}, many...)...), "is not in bundle.json"},
		"too much in all":         {archive(t, append([]entry{manifest(fat...)}, fat...)...), "files have over"},
		"a bomb":                  {squeezed(t, make([]byte, 1<<28)), "bundle.json is missing"},
		"a bomb behind it":        {append(slices.Clone(whole), squeezed(t, make([]byte, 1<<28))...), "behind its last file"},
		"something behind it":     {append(slices.Clone(whole), 'x'), "behind its last file"},
		"cut":                     {whole[:len(whole)-5], "unpack"},
		"too large":               {make([]byte, bundle.MaxBundle+1), "over 16777216"},
		"not UTF-8":               {archive(t, manifest(file("a.yaml", "\xff")), file("a.yaml", "\xff")), "not UTF-8"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err := bundle.Read(test.blob, "x.tgz")
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
			if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 100 {
				t.Errorf("it took %d MiB", mib)
			}
		})
	}
}

func TestReadFolder(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"b.yaml": "b", "deep/a.yml": "a", "README.md": "x", ".hidden.yaml": "x", ".git/x.yaml": "x",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, err := bundle.ReadFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimPrefix(f.Name, dir+string(filepath.Separator)))
	}
	if diff := cmp.Diff([]string{"b.yaml", filepath.Join("deep", "a.yml")}, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "link.yaml")); err != nil {
		t.Skipf("no links here: %v", err)
	}
	if _, err := bundle.ReadFolder(dir); err == nil || !strings.Contains(err.Error(), "no plain file") {
		t.Errorf("a link is read: %v", err)
	}
	if _, err := bundle.ReadFolder(filepath.Join(dir, "none")); err == nil {
		t.Error("a folder that is not there is no error")
	}
	if err := os.WriteFile(filepath.Join(dir, "large.yaml"), make([]byte, 1<<20+1), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := bundle.ReadFolder(filepath.Join(dir, "large.yaml")); err == nil || !strings.Contains(err.Error(), "over 1048576 bytes") {
		t.Errorf("a file of over 1 MiB is read: %v", err)
	}
}

// FuzzRead demands that what is read as a bundle is one: written again it reads the same.
func FuzzRead(f *testing.F) {
	blob, err := bundle.Write("ours", "1.0", two)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(blob)
	f.Add(blob[:len(blob)/2])
	f.Add([]byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, blob []byte) {
		m, files, err := bundle.Read(blob, "o")
		if err != nil {
			return
		}
		for i := range files {
			files[i].Name, files[i].Origin = strings.TrimPrefix(files[i].Name, "o:"), ""
		}
		again, err := bundle.Write(m.Name, m.Version, files)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		m2, _, err := bundle.Read(again, "o")
		if err != nil || !cmp.Equal(m, m2) {
			t.Errorf("%+v became %+v, %v", m, m2, err)
		}
	})
}
