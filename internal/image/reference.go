package image

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/registry"
	"github.com/coaming/coaming/internal/verdict"
)

// ReadReference catalogues the image that a reference names in its registry: the one for the platform, of an index.
func ReadReference(ctx context.Context, ref name.Reference, o Options) (*fact.Image, *verdict.Coverage, error) {
	if o.Registry == nil {
		return nil, nil, fmt.Errorf("open image %s: registries are not asked here", ref)
	}
	l := o.begin(ref.String())
	repository, err := o.Registry.Repository(ref.Context())
	if err != nil {
		return nil, nil, fmt.Errorf("open image %s: %w", ref, err)
	}
	top, err := repository.Manifest(ctx, ref.Identifier())
	if err != nil {
		return nil, nil, fmt.Errorf("open image: %w", err)
	}
	remote := &remote{repository: repository, top: top}
	m, err := openImage(ctx, remote, []descriptor{{MediaType: top.MediaType, Digest: top.Digest}}, &o)
	if err != nil {
		return nil, nil, fmt.Errorf("open image %s: %w", ref, err)
	}
	m.form, m.name, m.reference = "registry", "", fullName(ref)
	img, coverage, err := readManifest(ctx, ref.String(), m, &o, l)
	if err == nil {
		img.Reference = ref.String()
	}
	return img, coverage, err
}

// fullName is a reference as people write it in full: docker.io/library/debian:12.
func fullName(ref name.Reference) string {
	if rest, ok := strings.CutPrefix(ref.Name(), name.DefaultRegistry+"/"); ok {
		return "docker.io/" + rest
	}
	return ref.Name()
}

// remote are the contents of a repository.
type remote struct {
	repository *registry.Repository
	top        *registry.Document // which has been asked for already
}

func (r *remote) manifest(ctx context.Context, digest string) (io.ReadCloser, int64, error) {
	d := r.top
	if digest != d.Digest {
		var err error
		if d, err = r.repository.Manifest(ctx, digest); err != nil {
			return nil, 0, err
		}
	}
	return io.NopCloser(bytes.NewReader(d.Text)), int64(len(d.Text)), nil
}

// isRemote says whether contents are those of a registry.
func isRemote(c contents) bool {
	_, is := c.(*remote)
	return is
}

func (r *remote) blob(ctx context.Context, digest string) (io.ReadCloser, int64, error) {
	return r.repository.Blob(ctx, digest)
}
