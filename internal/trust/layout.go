package trust

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// store gives documents and blobs by their digests: a registry, or an OCI layout.
type store interface {
	// manifest is the manifest that a tag names; fs.ErrNotExist when there is none.
	manifest(ctx context.Context, tag string) ([]byte, error)
	// fetch is a blob or a manifest, whose digest was checked.
	fetch(ctx context.Context, d descriptor, most int64) ([]byte, error)
	// referrers are the manifests that name a digest as their subject.
	referrers(ctx context.Context, digest string) ([]descriptor, error)
}

// The documents: github.com/opencontainers/image-spec, manifest.md and image-index.md.
type (
	descriptor struct {
		MediaType    string            `json:"mediaType"`
		ArtifactType string            `json:"artifactType"`
		Digest       string            `json:"digest"`
		Size         int64             `json:"size"`
		Annotations  map[string]string `json:"annotations"`
	}
	index struct {
		Manifests []descriptor `json:"manifests"`
	}
	manifest struct {
		MediaType    string       `json:"mediaType"`
		ArtifactType string       `json:"artifactType"`
		Config       descriptor   `json:"config"`
		Layers       []descriptor `json:"layers"`
		Blobs        []descriptor `json:"blobs"` // of the artefact manifest that notation once used
		Subject      *descriptor  `json:"subject"`
	}
)

// Layout is an OCI layout with what stands beside its images, as 'cosign save' and 'oras copy -r' write it.
type Layout struct {
	// Open opens a file of the layout; an error that is fs.ErrNotExist says that there is none.
	Open func(name string) (io.ReadCloser, int64, error)

	top *index
}

// Evidence gathers what stands beside an image in the layout (Source).
func (l *Layout) Evidence(ctx context.Context, digest string) ([]Evidence, []string, error) {
	if err := l.readIndex(); err != nil {
		return nil, nil, err
	}
	return gather(ctx, l, digest)
}

func (l *Layout) readIndex() error {
	if l.top != nil {
		return nil
	}
	text, err := l.read("index.json", maxManifest)
	if err != nil {
		return err
	}
	l.top = &index{}
	if err := json.Unmarshal(text, l.top); err != nil {
		return fmt.Errorf("read index.json: %w", err)
	}
	return nil
}

func (l *Layout) read(name string, most int64) ([]byte, error) {
	file, size, err := l.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	if size > most {
		return nil, fmt.Errorf("read %s: %d bytes are over %d", name, size, most)
	}
	text, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return text, nil
}

// refName is the annotation that names an image of a layout; cosign's own for what it saves beside.
const (
	refName    = "org.opencontainers.image.ref.name"
	cosignKind = "kind"
)

// cosignKinds are how 'cosign save' marks what it saves beside an image, by the end of the tag that it comes from.
var cosignKinds = map[string]string{".sig": "dev.cosignproject.cosign/sigs", ".att": "dev.cosignproject.cosign/atts"}

func (l *Layout) manifest(ctx context.Context, tag string) ([]byte, error) {
	for _, d := range l.top.Manifests {
		name := d.Annotations[refName]
		if name == tag || strings.HasSuffix(name, ":"+tag) {
			return l.fetch(ctx, d, maxManifest)
		}
	}
	// The tags of what was saved are gone; one image's signatures are those that are there.
	for _, d := range l.top.Manifests {
		if kind := cosignKinds[tag[max(0, len(tag)-4):]]; kind != "" && d.Annotations[cosignKind] == kind {
			return l.fetch(ctx, d, maxManifest)
		}
	}
	return nil, fs.ErrNotExist
}

func (l *Layout) fetch(_ context.Context, d descriptor, most int64) ([]byte, error) {
	if _, err := digestBytes(d.Digest); err != nil {
		return nil, err
	}
	text, err := l.read("blobs/sha256/"+strings.TrimPrefix(d.Digest, "sha256:"), most)
	if err != nil {
		return nil, err
	}
	return text, held(d.Digest, text)
}

// held says whether bytes are those of a digest.
func held(digest string, text []byte) error {
	if sum := sha256.Sum256(text); "sha256:"+hex.EncodeToString(sum[:]) != digest {
		return fmt.Errorf("read %s: its bytes have another digest", digest)
	}
	return nil
}

// referrers looks through the layout's own index, and through that of the tag by which registries without the API keep them.
func (l *Layout) referrers(ctx context.Context, digest string) ([]descriptor, error) {
	var list []descriptor
	for i, d := range l.top.Manifests {
		if i == maxReferrers {
			return list, fmt.Errorf("the layout has over %d manifests", maxReferrers)
		}
		if d.Digest == digest || strings.Contains(d.MediaType, "index") || strings.Contains(d.MediaType, "manifest.list") {
			continue
		}
		var m manifest
		text, err := l.fetch(ctx, d, maxManifest)
		if err != nil || json.Unmarshal(text, &m) != nil {
			continue // it is not told whom it is about
		}
		if m.Subject != nil && m.Subject.Digest == digest {
			list = append(list, d)
		}
	}
	fallback, err := l.manifest(ctx, strings.Replace(digest, ":", "-", 1))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return list, err
	}
	var more index
	if err := json.Unmarshal(fallback, &more); err != nil {
		return list, fmt.Errorf("read the list of referrers: %w", err)
	}
	return append(list, more.Manifests...), nil
}
