package trust

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/coaming/coaming/internal/registry"
	"github.com/coaming/coaming/internal/verdict"
)

// Registry is a repository of a registry, with what stands beside its images.
type Registry struct{ repository *registry.Repository }

// OpenRegistry finds the image that a reference names, by tag or digest, and the repository that it stands in. An error
// that is Unreached leaves open whether there is one.
func OpenRegistry(ctx context.Context, client *registry.Client, reference string) (*Registry, Subject, error) {
	ref, err := registry.ParseImage(strings.TrimPrefix(reference, "oci://"))
	if err != nil {
		return nil, Subject{}, &verdict.RemedyError{Err: err, Remedy: "Name one as REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST, or a directory or archive that there is."}
	}
	repository, err := client.Repository(ref.Context())
	if err != nil {
		return nil, Subject{}, err
	}
	d, err := repository.Manifest(ctx, ref.Identifier())
	switch {
	case err != nil && registry.Missing(err):
		return nil, Subject{}, err
	case err != nil:
		return nil, Subject{}, &Unreached{err}
	}
	return &Registry{repository}, Subject{
		Name: reference, Repository: nameOf(ref.Context().Name()), Digest: d.Digest, MediaType: d.MediaType, Size: int64(len(d.Text)),
	}, nil
}

// nameOf is the name of a repository as people write it and policies match it: docker.io/library/debian.
func nameOf(repository string) string {
	if rest, ok := strings.CutPrefix(repository, "index.docker.io/"); ok {
		return "docker.io/" + rest
	}
	return repository
}

// Evidence gathers what stands beside an image in its repository (Source).
func (r *Registry) Evidence(ctx context.Context, digest string) ([]Evidence, []string, error) {
	return gather(ctx, r, digest)
}

func (r *Registry) manifest(ctx context.Context, tag string) ([]byte, error) {
	d, err := r.repository.Manifest(ctx, tag)
	if err != nil {
		return nil, absent(err)
	}
	return d.Text, nil
}

// absent marks an error that says that there is none.
func absent(err error) error {
	if registry.Missing(err) {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}

func (r *Registry) fetch(ctx context.Context, d descriptor, most int64) ([]byte, error) {
	if _, err := digestBytes(d.Digest); err != nil {
		return nil, err
	}
	if strings.Contains(d.MediaType, "manifest") || strings.Contains(d.MediaType, "image.index") {
		m, err := r.repository.Manifest(ctx, d.Digest) // held to its digest
		if err != nil {
			return nil, err
		}
		return m.Text, nil
	}
	body, size, err := r.repository.Blob(ctx, d.Digest)
	if err != nil {
		return nil, err
	}
	defer body.Close() //nolint:errcheck // it was only read
	if size > most {
		return nil, fmt.Errorf("fetch %s: %d bytes are over %d", d.Digest, size, most)
	}
	text, err := io.ReadAll(io.LimitReader(body, most+1))
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", d.Digest, err)
	}
	if int64(len(text)) > most {
		return nil, fmt.Errorf("fetch %s: it has over %d bytes", d.Digest, most)
	}
	return text, held(d.Digest, text)
}

func (r *Registry) referrers(ctx context.Context, digest string) ([]descriptor, error) {
	raw, err := r.repository.Referrers(ctx, digest)
	list := make([]descriptor, 0, len(raw))
	for _, text := range raw {
		var d descriptor
		if bad := json.Unmarshal(text, &d); bad != nil {
			return list, fmt.Errorf("read the list of referrers: %w", bad)
		}
		list = append(list, d)
	}
	return list, err
}

// Unreached is that a registry was asked and gave no answer about the image: neither yes nor no.
type Unreached struct{ Err error }

// Error is the cause's text.
func (e *Unreached) Error() string { return e.Err.Error() }

// Unwrap is the cause.
func (e *Unreached) Unwrap() error { return e.Err }
