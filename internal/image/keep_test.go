package image

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// keptHere is a keeper that stands in no file.
type keptHere map[string][]byte

func (m keptHere) Get(key string) []byte          { return m[key] }
func (m keptHere) Put(key string, content []byte) { m[key] = content }
func (m keptHere) Secret() ([16]byte, error)      { return [16]byte{1, 2, 3}, nil }

// TestKeptLayersTellTheSame reads an image twice, and demands the same of what was kept of its layers, and nothing of it
// for a file that is no longer what its name says.
func TestKeptLayersTellTheSame(t *testing.T) {
	base := tarOf(t, tar.Header{Name: "etc/os-release", Linkname: "ID=debian\nVERSION_ID=12\n"},
		tar.Header{Name: "var/lib/dpkg/status", Linkname: "Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\nPackage: b\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n"},
		tar.Header{Name: "usr/bin/su", Linkname: "\x7fELF", Mode: 0o4755}, tar.Header{Name: "root/.ssh/id_rsa", Linkname: "x"},
		tar.Header{Name: "node_modules/broken/package.json", Linkname: "{"}, node("gone", "1"))
	top := tarOf(t, tar.Header{Name: "app/node_modules/.wh.gone"}, node("new", "2"),
		tar.Header{Name: "var/lib/dpkg/status", Linkname: "Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\nPackage: b\nStatus: install ok installed\nArchitecture: all\nVersion: 2\n"})
	dir := layout(t, gzipped(t, base), gzipped(t, top))
	kept := keptHere{}
	plain, plainGaps := mustRead(t, dir, Options{})
	first, _ := mustRead(t, dir, Options{Keeper: kept})
	if len(kept) != 2 {
		t.Fatalf("%d layers are kept, want 2", len(kept))
	}
	second, gaps := mustRead(t, dir, Options{Keeper: kept})
	if d := cmp.Diff(plain, first); d != "" {
		t.Errorf("keeping changes what is told:\n%s", d)
	}
	if d := cmp.Diff(plain, second); d != "" {
		t.Errorf("what was kept tells something else:\n%s", d)
	}
	if d := cmp.Diff(plainGaps, gaps); d != "" || len(gaps.Gaps) != 1 {
		t.Errorf("gaps:\n%s", d)
	}
	since := map[string]int{}
	for _, p := range second.Packages {
		since[p.Name] = p.Since
	}
	if want := map[string]int{"a": 0, "b": 1, "new": 1}; !cmp.Equal(since, want) {
		t.Errorf("packages are there since %v, want %v", since, want)
	}
	for _, layer := range plain.Layers {
		file := filepath.Join(dir, "blobs", strings.Replace(layer.Digest, ":", "/", 1))
		if err := os.WriteFile(file, gzipped(t, tarOf(t, node("evil", "1"))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if img, gaps := mustRead(t, dir, Options{Keeper: kept}); len(gaps.Gaps) < 2 || len(img.Packages) > 0 {
		t.Errorf("layers that were exchanged: %d packages, gaps %v", len(img.Packages), gaps.Gaps)
	}
	for key := range kept {
		kept[key] = kept[key][:len(kept[key])/2]
	}
	if _, gaps := mustRead(t, dir, Options{Keeper: kept}); gaps.Complete() || len(gaps.Gaps) < 2 {
		t.Errorf("gaps %v", gaps.Gaps)
	}
}

// TestDamagedLayersAreNotKept demands that what was cut off or is not what the manifest names is read again the next time.
func TestDamagedLayersAreNotKept(t *testing.T) {
	whole := gzipped(t, tarOf(t, node("a", "1")))
	kept := keptHere{}
	mustRead(t, layout(t, whole[:len(whole)-12]), Options{Keeper: kept})
	b := blobs{}
	d := b.image(t, "amd64", whole)
	for name, text := range b {
		if string(text) == string(whole) {
			b[name] = gzipped(t, tarOf(t, node("b", "1")))
		}
	}
	mustRead(t, b.layout(t, d), Options{Keeper: kept})
	if len(kept) != 0 {
		t.Errorf("%d layers are kept", len(kept))
	}
}

// FuzzKept reads anything as what was kept of a layer.
func FuzzKept(f *testing.F) {
	s := newStratum(0, &Options{}, &ledger{})
	s.finds["a"] = &find{owner: "x", owned: []string{"y"}}
	s.paths = []uint64{1, 2}
	raw, err := encode(nil, &keptLayer{stratum: *s, gaps: []gap{{file: "f", message: "m"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte{})
	f.Fuzz(func(_ *testing.T, raw []byte) {
		k := keptLayer{stratum: *newStratum(0, &Options{}, &ledger{})}
		_ = decode(raw, &k)
	})
}

// TestBases reads where a base ends in the histories that builders write.
func TestBases(t *testing.T) {
	step := func(by string, empty bool) made { return made{CreatedBy: by, EmptyLayer: empty} }
	for name, test := range map[string]struct {
		history []made
		layers  int
		want    int
	}{
		"docker build":         {[]made{step("/bin/sh -c #(nop) ADD file:1 in /", false), step(`/bin/sh -c #(nop)  CMD ["bash"]`, true), step("/bin/sh -c apt-get install x", false)}, 2, 1},
		"BuildKit, two bases":  {[]made{step("ADD rootfs", false), step(`CMD ["bash"]`, true), step("RUN y", false), step(`ENTRYPOINT ["node"]`, true), step("COPY . .", false), step(`CMD ["app"]`, true)}, 3, 2},
		"a base by itself":     {[]made{step("ADD rootfs", false), step(`CMD ["bash"]`, true)}, 1, 0},
		"no command":           {[]made{step("ADD rootfs", false), step("RUN y", false)}, 2, 0},
		"a history of another": {[]made{step("ADD rootfs", false), step(`CMD ["bash"]`, true), step("RUN y", false)}, 3, 0},
	} {
		got := 0
		if b := baseOf(nil, &config{History: test.history}, test.layers); b != nil {
			got = b.Layers
		}
		if got != test.want {
			t.Errorf("%s: %d layers are the base's, want %d", name, got, test.want)
		}
	}
}
