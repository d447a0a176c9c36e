package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/coaming/coaming/internal/registry"
	"github.com/coaming/coaming/internal/verdict"
)

// peakOf is the most that the heap grew by while f ran, in MiB, looked at every two milliseconds.
func peakOf(f func()) int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	base, most := m.HeapAlloc, m.HeapAlloc
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	f()
	close(stop)
	<-stopped
	return int((most - base) >> 20)
}

// imageOf is an image of one layer, which is made of parts.
func imageOf(t testing.TB, layer ...[]byte) string {
	t.Helper()
	return layout(t, bytes.Join(layer, nil))
}

// headerOf is the head of a tar whose one file claims to have so many bytes.
func headerOf(t testing.TB, name string, size int64) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := tar.NewWriter(&b).WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o644, Format: tar.FormatGNU}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sparseOf is a tar of one sparse file (GNU's old form) of which 512 bytes are stored, and of as many as it claims the rest are nothing.
func sparseOf(t testing.TB, name string, size int64) []byte {
	t.Helper()
	h := headerOf(t, name, 512)
	h[156] = 'S'
	number := func(at int, n int64) {
		field := h[at : at+12]
		clear(field)
		field[0] = 0x80
		binary.BigEndian.PutUint64(field[4:], uint64(n)) //nolint:gosec // not negative
	}
	number(386, 0)
	number(398, 512)
	number(410, size)
	number(422, 0)
	number(483, size)
	copy(h[148:156], "        ")
	sum := 0
	for _, c := range h[:512] {
		sum += int(c)
	}
	copy(h[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return append(append(h, bytes.Repeat([]byte("x"), 512)...), make([]byte, 1024)...)
}

// repeated is a stream of compressed members, or frames, all but the first of which hold a MiB of nothing.
func repeated(first, again []byte, n int) []byte {
	return append(bytes.Clone(first), bytes.Repeat(again, n)...)
}

// TestHostileArchives holds what archives may do: a clear gap or error, in bounded memory and time.
func TestHostileArchives(t *testing.T) {
	nothing := make([]byte, 1<<20)
	gz, zs := gzipped(t, nothing), zstded(t, nothing)
	scaled := 1
	if testing.Short() {
		scaled = 10
	}
	files := 1_000_000 / scaled
	for title, tt := range map[string]struct {
		layer func() []byte
		want  string // of the one gap; "" is none
		told  string
	}{
		"a million tiny files": {func() []byte { return manyFiles(t, files) }, "", "last 1 @0"},
		"a bomb of gzip": {func() []byte {
			return repeated(gzipped(t, headerOf(t, "bomb", 40<<30)), gz, 3000)
		}, "more than 400 times its size", ""},
		"a bomb of gzip that is looked into": {func() []byte {
			return repeated(gzipped(t, headerOf(t, "var/lib/dpkg/status", 200<<20)), gz, 200)
		}, "longer than", ""},
		"a bomb of zstd": {func() []byte {
			return repeated(zstded(t, headerOf(t, "bomb", 40<<30)), zs, 3000)
		}, "more than 400 times its size", ""},
		"a window of zstd": {func() []byte {
			return append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8}, 0x01, 0x00, 0x00) // 2^41 bytes of window
		}, "window size exceeded", ""},
		"a sparse file of a TiB":     {func() []byte { return sparseOf(t, "var/lib/dpkg/status", 1<<40) }, "more than 68719476736 bytes", ""},
		"a sparse file of 200 MiB":   {func() []byte { return sparseOf(t, "lib/apk/db/installed", 200<<20) }, "a line is longer", ""},
		"a sparse file nobody reads": {func() []byte { return sparseOf(t, "var/cache/x", 32<<30) }, "", ""},
		"a path of a MiB":            {func() []byte { return tarOf(t, tar.Header{Name: strings.Repeat("d/", 400_000) + "f"}) }, "", "*"},
		"hard links in a circle": {func() []byte {
			return tarOf(t, tar.Header{Name: "node_modules/a/package.json", Typeflag: tar.TypeLink, Linkname: "node_modules/b/package.json"}, tar.Header{Name: "node_modules/b/package.json", Typeflag: tar.TypeLink, Linkname: "node_modules/a/package.json"})
		}, "*", ""},
		"eStargz": {func() []byte {
			toc := gzipped(t, tarOf(t, tar.Header{Name: "stargz.index.json", Linkname: `{"version":1,"entries":[]}`}))
			return bytes.Join([][]byte{gzipped(t, entryOf(t, node("a", "1"))), gzipped(t, entryOf(t, tar.Header{Name: ".prefetch.landmark", Linkname: "\xf0"})), gzipped(t, entryOf(t, node("b", "1"))), toc, gzipped(t, nil)}, nil)
		}, "", "a 1 @0, b 1 @0"},
		"zstd:chunked": {func() []byte {
			skipped := append([]byte{0x50, 0x2a, 0x4d, 0x18, 8, 0, 0, 0}, "manifest"...)
			return bytes.Join([][]byte{skipped, zstded(t, entryOf(t, node("a", "1"))), zstded(t, tarOf(t, node("b", "1"))), skipped, skipped}, nil)
		}, "", "a 1 @0, b 1 @0"},
		"gzip that is cut between members": {func() []byte { return gzipped(t, entryOf(t, node("a", "1"))) }, "", "a 1 @0"}, // a tar may end without its end marker
		"gzip with a wrong sum": {func() []byte {
			b := gzipped(t, tarOf(t, node("a", "1")))
			b[len(b)-6] ^= 1
			return b
		}, "checksum", "a 1 @0"},
		"zstd with a wrong sum": {func() []byte {
			b := zstded(t, tarOf(t, node("a", "1")))
			b[len(b)-2] ^= 1
			return b
		}, "CRC", "*"},
		"something behind gzip": {func() []byte { return append(gzipped(t, tarOf(t, node("a", "1"))), "something else"...) }, "invalid header", "a 1 @0"},
	} {
		t.Run(title, func(t *testing.T) {
			path := imageOf(t, tt.layer())
			var got string
			var gaps []verdict.Gap
			begun := time.Now()
			peak := peakOf(func() {
				img, c := mustRead(t, path, Options{})
				got, gaps = told(img), c.Gaps
			})
			if peak > 64 {
				t.Errorf("the heap grew by %d MiB", peak)
			}
			t.Logf("%d MiB, %s", peak, time.Since(begun).Round(time.Millisecond))
			if got != tt.told && tt.told != "*" {
				t.Errorf("got %s, want %s", got, tt.told)
			}
			if tt.told == "*" && len(gaps) == 0 {
				t.Error("no gap")
			}
			if tt.want == "" && tt.told != "*" && len(gaps) > 0 {
				t.Errorf("gaps %v, want none", gaps)
			}
			if tt.want != "" && tt.want != "*" && (len(gaps) != 1 || !strings.Contains(gaps[0].Message, tt.want) || gaps[0].Remedy == "") {
				t.Errorf("gaps %+v, want one with %q", gaps, tt.want)
			}
		})
	}
}

// entryOf is a part of a tar, without its end.
func entryOf(t testing.TB, h tar.Header) []byte {
	whole := tarOf(t, h)
	return whole[:len(whole)-1024]
}

// manyFiles is a layer of tiny files, the last of which is a package.
func manyFiles(t testing.TB, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	h := tar.Header{Mode: 0o644, Format: tar.FormatUSTAR}
	for i := range n {
		h.Name = fmt.Sprintf("d%d/%d", i%1000, i)
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := z.Write(tarOf(t, node("last", "1"))); err != nil { // w holds nothing back: its last file is empty
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestManyLayers reads sixty layers of 50 MiB, and refuses more layers than an image has.
func TestManyLayers(t *testing.T) {
	frames := 50
	if testing.Short() {
		frames = 5
	}
	var layers [][]byte
	for i := range 60 {
		head := append(headerOf(t, fmt.Sprint("large", i), int64(frames)<<20), nil...)
		layers = append(layers, bytes.Join([][]byte{zstded(t, head), bytes.Repeat(zstded(t, make([]byte, 1<<20)), frames), zstded(t, tarOf(t, node(fmt.Sprint("p", i), "1")))}, nil))
	}
	path := layout(t, layers...)
	n := 0
	peak := peakOf(func() {
		img, c := mustRead(t, path, Options{})
		if n = len(img.Packages); !c.Complete() {
			t.Errorf("gaps %v", c.Gaps)
		}
	})
	if n != 60 || peak > 64 {
		t.Errorf("%d packages, and the heap grew by %d MiB", n, peak)
	}
	t.Log(peak, "MiB")
	many := make([][]byte, 600)
	for i := range many {
		many[i] = tarOf(t)
	}
	if _, _, err := Read(t.Context(), layout(t, many...), Options{}); err == nil || !strings.Contains(err.Error(), "600 layers") {
		t.Errorf("600 layers: %v", err)
	}
}

// TestHostileIndexes reads indexes that lead nowhere.
func TestHostileIndexes(t *testing.T) {
	const kind = "application/vnd.oci.image.index.v1+json"
	index := func(b blobs, list ...descriptor) descriptor {
		d := b.document(t, indexOrManifest{Manifests: list})
		d.MediaType = kind
		return d
	}
	for title, tt := range map[string]struct {
		make func(b blobs) descriptor
		want string
	}{
		"deep": {func(b blobs) descriptor {
			d := b.image(t, runtime.GOARCH, tarOf(t))
			for range 6 {
				d = index(b, d)
			}
			return d
		}, "4 deep"},
		"wide": {func(b blobs) descriptor {
			var list []descriptor
			for i := range 100 {
				d := b.image(t, runtime.GOARCH, tarOf(t, node(strconv.Itoa(i), "1")))
				list = append(list, index(b, d))
			}
			return index(b, list...)
		}, "more than 64 indexes"},
		"in a circle": {func(b blobs) descriptor {
			d := descriptor{MediaType: kind, Digest: digestOf([]byte("circle"))}
			text := fmt.Sprintf(`{"manifests":[{"mediaType":%q,"digest":%q}]}`, kind, d.Digest)
			b[blobFile(d.Digest)] = []byte(text)
			return d
		}, "tampered with"},
		"an index that is called an image": {func(b blobs) descriptor {
			d := index(b, b.image(t, runtime.GOARCH, tarOf(t)))
			d.MediaType = ""
			return d
		}, "an index stands where"},
		"schema 1": {func(b blobs) descriptor {
			return b.document(t, map[string]any{"schemaVersion": 1, "fsLayers": []string{}})
		}, "schema 1"},
		"a chart": {func(b blobs) descriptor {
			return b.document(t, map[string]any{"config": map[string]any{"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": digestOf(nil)}})
		}, "no image but an artefact"},
		"a manifest of 9 MiB": {func(b blobs) descriptor { return b.add(bytes.Repeat([]byte(" "), 9<<20)) }, "more than the 8388608"},
		"nothing":             {func(b blobs) descriptor { return index(b) }, "no such image"},
	} {
		t.Run(title, func(t *testing.T) {
			b := blobs{}
			_, _, err := Read(t.Context(), b.layout(t, tt.make(b)), Options{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestLayersElsewhere leaves a gap where a layer must be fetched from where no word named, and where a registry gives
// another one than it promised.
func TestLayersElsewhere(t *testing.T) {
	good := gzipped(t, tarOf(t, node("a", "1")))
	foreign := tarOf(t, node("f", "1"))
	b := blobs{}
	m := indexOrManifest{Config: b.document(t, map[string]any{"os": "linux", "architecture": runtime.GOARCH}), Layers: []descriptor{b.add(good)}}
	m.Layers = append(m.Layers, descriptor{MediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", Digest: digestOf(foreign), Size: int64(len(foreign)), URLs: []string{"http://127.0.0.1:1/never"}})
	d := b.document(t, m)
	img, c := mustRead(t, b.layout(t, d), Options{})
	if told(img) != "a 1 @0" || len(c.Gaps) != 1 || !strings.Contains(c.Gaps[0].Remedy, "from its maker") {
		t.Errorf("got %s, gaps %+v", told(img), c.Gaps)
	}
	for title, tt := range map[string]struct {
		send func(w http.ResponseWriter)
		want string
	}{
		"shorter":  {func(w http.ResponseWriter) { _, _ = w.Write(good[:len(good)/2]) }, "bytes"},
		"in parts": {func(w http.ResponseWriter) { _, _ = w.Write(good[:20]); _ = http.NewResponseController(w).Flush() }, "missing"},
		"longer": {func(w http.ResponseWriter) {
			_ = http.NewResponseController(w).Flush()
			_, _ = w.Write(append(bytes.Clone(good), "more"...))
		}, "more bytes than in the manifest"},
		"another":   {func(w http.ResponseWriter) { _, _ = w.Write(gzipped(t, tarOf(t, node("x", "1")))) }, ""},
		"not there": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }, "404"},
		"without end": {func(w http.ResponseWriter) {
			_ = http.NewResponseController(w).Flush()
			_, _ = io.CopyN(w, endless{}, 1<<30)
		}, "more bytes than in the manifest"},
	} {
		t.Run(title, func(t *testing.T) {
			host := serve(t, func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, digestOf(good)) {
					return false
				}
				tt.send(w)
				return true
			})
			b := blobs{}
			d := b.image(t, runtime.GOARCH, good, tarOf(t, node("b", "1")))
			b.push(t, host, "shop", "1", d)
			img, c, err := Read(t.Context(), host+"/shop:1", asking(&registry.Client{}))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(told(img), "x 1") || !strings.Contains(told(img), "b 1 @1") || len(c.Gaps) != 1 || !strings.Contains(c.Gaps[0].Message, tt.want) {
				t.Errorf("got %s, gaps %+v, want %q", told(img), c.Gaps, tt.want)
			}
		})
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// TestStreams reads archives that pass once: in any order, compressed as a whole, from Docker's engine.
func TestStreams(t *testing.T) {
	layer := tarOf(t, node("a", "1"))
	config := `{"os":"linux","architecture":"amd64","rootfs":{"diff_ids":["` + digestOf(layer) + `","` + digestOf(layer) + `"]}}`
	first := []tar.Header{
		{Name: "manifest.json", Linkname: `[{"Config":"c.json","RepoTags":["shop:1"],"Layers":["x/layer.tar","y/layer.tar"]}]`},
		{Name: "c.json", Linkname: config},
		{Name: "x/layer.tar", Linkname: string(layer)},
		{Name: "y/layer.tar", Typeflag: tar.TypeSymlink, Linkname: "../x/layer.tar"},
		{Name: "repositories", Linkname: `{}`},
		{Name: "VERSION", Linkname: "1.0"},
	}
	last := []tar.Header{first[2], first[3], first[1], first[0]}
	b := blobs{}
	b.layout(t, b.image(t, "amd64", gzipped(t, layer), zstded(t, tarOf(t, node("b", "1")))))
	var oci []tar.Header
	for name, text := range b {
		oci = append(oci, tar.Header{Name: name, Linkname: string(text)})
	}
	wrong := bytes.Replace(tarOf(t, last...), []byte(`"version":"1"`), []byte(`"version":"2"`), 1)
	for title, tt := range map[string]struct {
		archive []byte
		told    string
		gaps    int
	}{
		"manifest first": {tarOf(t, first...), "a 1 @1", 0}, "manifest last": {tarOf(t, last...), "a 1 @1", 0}, "OCI": {tarOf(t, oci...), "a 1 @0, b 1 @1", 0},
		"gzip": {gzipped(t, tarOf(t, last...)), "a 1 @1", 0}, "zstd": {zstded(t, tarOf(t, oci...)), "a 1 @0, b 1 @1", 0},
		"a wrong digest": {wrong, "", 2}, "a layer less": {tarOf(t, last[2:]...), "", 2},
	} {
		t.Run(title, func(t *testing.T) {
			img, c, err := Read(t.Context(), "-", Options{Stdin: bytes.NewReader(tt.archive)})
			if err != nil {
				t.Fatal(err)
			}
			if told(img) != tt.told || len(c.Gaps) != tt.gaps {
				t.Errorf("got %s, gaps %v", told(img), c.Gaps)
			}
			file := filepath.Join(t.TempDir(), "a.tar")
			if err := os.WriteFile(file, tt.archive, 0o600); err != nil {
				t.Fatal(err)
			}
			if img, c := mustRead(t, file, Options{}); told(img) != tt.told || len(c.Gaps) != tt.gaps {
				t.Errorf("as a file: got %s, gaps %v", told(img), c.Gaps)
			}
		})
	}
	for title, archive := range map[string][]byte{"cut": tarOf(t, first...)[:1600], "empty": nil, "no tar": []byte(strings.Repeat("no tar ", 500))} {
		if _, _, err := Read(t.Context(), "-", Options{Stdin: bytes.NewReader(archive)}); err == nil {
			t.Errorf("%s: no error", title)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Read(ctx, "-", Options{Stdin: bytes.NewReader(tarOf(t, first...))}); err == nil {
		t.Error("it went on when the command had ended")
	}
}
