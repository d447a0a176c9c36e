package image

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// tarOf packs headers whose Linkname is the content, where they are of regular files.
func tarOf(t testing.TB, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		text := ""
		if h.Typeflag == 0 || h.Typeflag == tar.TypeReg {
			h.Typeflag, text, h.Linkname = tar.TypeReg, h.Linkname, ""
			h.Size = int64(len(text))
		}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(raw)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstded(t testing.TB, raw []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(raw, nil)
}

func digestOf(raw []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(raw)) }

// files writes files by name below a new directory.
func files(t testing.TB, named map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range named {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// blobs is an OCI layout in the making.
type blobs map[string][]byte

func (b blobs) add(text []byte) descriptor {
	d := descriptor{Digest: digestOf(text), Size: int64(len(text))}
	b["blobs/"+strings.Replace(d.Digest, ":", "/", 1)] = text
	return d
}

func (b blobs) document(t testing.TB, v any) descriptor {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b.add(text)
}

// image adds an image for an architecture.
func (b blobs) image(t testing.TB, architecture string, layers ...[]byte) descriptor {
	t.Helper()
	m := indexOrManifest{Config: b.document(t, map[string]any{"os": "linux", "architecture": architecture})}
	for _, l := range layers {
		m.Layers = append(m.Layers, b.add(l))
	}
	d := b.document(t, m)
	d.Platform = &platform{OS: "linux", Architecture: architecture}
	return d
}

// layout closes an OCI layout with its index.
func (b blobs) layout(t testing.TB, list ...descriptor) string {
	t.Helper()
	text, err := json.Marshal(indexOrManifest{Manifests: list})
	if err != nil {
		t.Fatal(err)
	}
	b["index.json"], b["oci-layout"] = text, []byte(`{"imageLayoutVersion":"1.0.0"}`)
	return files(t, b)
}

func layout(t testing.TB, layers ...[]byte) string {
	t.Helper()
	b := blobs{}
	return b.layout(t, b.image(t, "amd64", layers...))
}

func mustRead(t testing.TB, path string, o Options) (*fact.Image, *verdict.Coverage) {
	t.Helper()
	img, c, err := Read(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	return img, c
}

// told are packages as "name version @layer".
func told(img *fact.Image) string {
	var list []string
	for _, p := range img.Packages {
		list = append(list, fmt.Sprintf("%s %s @%d", p.Name, p.Version, p.Layer))
	}
	return strings.Join(list, ", ")
}

func node(name, version string) tar.Header {
	return tar.Header{Name: "app/node_modules/" + name + "/package.json", Linkname: fmt.Sprintf(`{"name":%q,"version":%q}`, name, version)}
}

// single is a blob by itself.
func single(text []byte) *blob {
	return &blob{digest: digestOf(text), open: func(context.Context) (io.ReadCloser, int64, error) {
		return io.NopCloser(bytes.NewReader(text)), int64(len(text)), nil
	}}
}

// blobFile is where an OCI layout keeps a blob.
func blobFile(digest string) string { return "blobs/" + strings.Replace(digest, ":", "/", 1) }
