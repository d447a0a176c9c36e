package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"

	"github.com/coaming/coaming/internal/verdict"
)

// Files are the documents and blobs of an OCI layout, in a directory or a tar, for who looks beside the images.
type Files struct {
	store
	io.Closer
}

// OpenFiles opens the layout at a path.
func OpenFiles(path string) (*Files, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open image: %w", err)
	}
	if info.IsDir() {
		root, err := os.OpenRoot(path)
		if err != nil {
			return nil, fmt.Errorf("open image: %w", err)
		}
		return layoutOf(path, &Files{folder{root}, root})
	}
	archive, err := openArchive(path)
	if err != nil {
		return nil, err
	}
	return layoutOf(path, &Files{archive, archive})
}

// layoutOf demands an OCI layout: nothing else has digests that somebody could have signed.
func layoutOf(path string, f *Files) (*Files, error) {
	file, _, err := f.Open("index.json")
	if err == nil {
		return f, file.Close()
	}
	err = fmt.Errorf("open image %s: %w", path, errors.Join(err, f.Close()))
	if errors.Is(err, fs.ErrNotExist) {
		err = &verdict.RemedyError{Err: fmt.Errorf("open image %s: it has no index.json, and so is no OCI layout", path), Remedy: "Signatures are of the digest of an image's manifest, which root directories and archives of old have not: give an OCI layout or the image's name in its registry."}
	}
	return nil, err
}

// Open opens a file of the layout by its name; an error that is fs.ErrNotExist says that there is none.
func (f *Files) Open(name string) (io.ReadCloser, int64, error) { return f.open(name) }

// Top is an image of a layout as its index has it: what a signature is about.
type Top struct {
	Digest, MediaType string
	Size              int64
	Name              string // that the index gives it, "" when none
}

// Top finds the image that is meant: the index or manifest that the layout's own index names, not one inside of it.
// reference chooses among several by name or digest.
func (f *Files) Top(ctx context.Context, reference string) (Top, error) {
	var top indexOrManifest
	if err := read(f.store, "index.json", &top); err != nil {
		return Top{}, err
	}
	var found []Top
	for i := range top.Manifests {
		d := &top.Manifests[i]
		name := d.Annotations["org.opencontainers.image.ref.name"]
		if full := d.Annotations["io.containerd.image.name"]; full != "" {
			name = full
		}
		beside, err := isBeside(ctx, f.store, d)
		if err != nil {
			return Top{}, err
		}
		if !beside && (reference == "" || reference == name || reference == d.Digest) {
			found = append(found, Top{d.Digest, d.MediaType, d.Size, name})
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0 && reference == "":
		return Top{}, errors.New("the layout holds no image")
	case len(found) == 0:
		return Top{}, fmt.Errorf("the layout holds no image %q", reference)
	}
	return Top{}, &verdict.RemedyError{Err: fmt.Errorf("the layout holds %d images: %s and others", len(found), found[0].Digest), Remedy: "Choose one with --reference NAME or its digest."}
}

// besideTag is a tag by which signatures and lists of them are kept beside an image.
var besideTag = regexp.MustCompile(`(^|:)sha256-[0-9a-f]{64}(\.[a-z]+)?$`)

// isBeside says whether a manifest is not an image of its own but stands beside one: it names a subject, or is what
// 'cosign save' writes.
func isBeside(ctx context.Context, s store, d *descriptor) (bool, error) {
	kind := d.Annotations["kind"]
	if kind == "dev.cosignproject.cosign/sigs" || kind == "dev.cosignproject.cosign/atts" || besideTag.MatchString(d.Annotations["org.opencontainers.image.ref.name"]) {
		return true, nil
	}
	var m struct {
		Subject      *descriptor `json:"subject"`
		ArtifactType string      `json:"artifactType"`
	}
	if err := verified(ctx, ociLayout{s}.manifest, d.Digest, &m); err != nil {
		return false, err
	}
	return m.Subject != nil, nil
}
