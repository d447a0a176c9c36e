package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// ociLayout is an OCI layout (opencontainers/image-spec, image-layout.md) in a store.
type ociLayout struct{ store }

func (l ociLayout) manifest(_ context.Context, digest string) (io.ReadCloser, int64, error) {
	return l.open("blobs/sha256/" + strings.TrimPrefix(digest, "sha256:"))
}

func (l ociLayout) blob(ctx context.Context, digest string) (io.ReadCloser, int64, error) {
	return l.manifest(ctx, digest)
}

// openManifest finds the image that is meant. Archives of docker save that are OCI layouts too are read as these.
func openManifest(ctx context.Context, s store, o *Options) (*manifest, error) {
	var top indexOrManifest
	err := read(s, "index.json", &top)
	if err == nil {
		m, err := openImage(ctx, ociLayout{s}, top.Manifests, o)
		if err == nil {
			m.form = "oci-layout"
		}
		return m, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var list []saved
	if err := read(s, "manifest.json", &list); errors.Is(err, fs.ErrNotExist) {
		return nil, &verdict.RemedyError{
			Err:    errors.New("it has neither an index.json (OCI layout) nor a manifest.json (docker save)"),
			Remedy: "Give an OCI layout, an archive of docker save, or a root directory.",
		}
	} else if err != nil {
		return nil, err
	}
	return openSaved(s, list, o)
}

// read reads a document of a store by its name.
func read(s store, name string, v any) error {
	_, err := readSummed(s, name, v)
	return err
}

// readSummed is read, and gives the document's digest.
func readSummed(s store, name string, v any) (digest string, err error) {
	r, size, err := s.open(name)
	if err != nil {
		return "", err
	}
	text, err := document(r, size, name, v)
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:]), err
}

// openSaved finds the image in an archive of docker save (moby's image/spec).
func openSaved(s store, list []saved, o *Options) (*manifest, error) {
	var candidates []candidate
	for i, d := range list {
		c := candidate{}
		c.Size, c.Digest = int64(i), strings.TrimSuffix(d.Config, ".json")
		if len(d.RepoTags) > 0 {
			c.name = d.RepoTags[0]
		}
		if slices.Contains(d.RepoTags, o.Reference) {
			c.name = o.Reference
		}
		candidates = append(candidates, c)
	}
	chosen, err := choose(candidates, &Options{Reference: o.Reference})
	if err != nil {
		return nil, err
	}
	image := list[chosen.Size]
	var c config
	id, err := readSummed(s, image.Config, &c)
	if err != nil {
		return nil, err
	}
	m := &manifest{name: chosen.name, form: "docker-archive", id: id}
	if c.OS != "" {
		m.platform = c.String()
	}
	if len(c.RootFS.DiffIDs) != len(image.Layers) {
		return nil, fmt.Errorf("manifest.json names %d layers and %s %d", len(image.Layers), image.Config, len(c.RootFS.DiffIDs))
	}
	for i, file := range image.Layers {
		open := func(context.Context) (io.ReadCloser, int64, error) { return s.open(file) }
		m.layers = append(m.layers, blob{open: open, file: file, digest: c.RootFS.DiffIDs[i], plain: true})
	}
	tell(m.layers, &c)
	m.base = baseOf(nil, &c, len(m.layers))
	m.config = &c
	return m, nil
}
