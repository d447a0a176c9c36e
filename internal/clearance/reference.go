package clearance

import (
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/registry"
	"github.com/coaming/coaming/internal/verdict"
)

// reference is an image as a container names it.
type reference struct {
	repository name.Repository
	// tag is "" where a digest is named; a tag beside a digest says nothing.
	tag, digest string
}

// parse reads a reference as Kubernetes does.
func parse(image string) (reference, error) {
	ref, err := registry.ParseImage(image)
	if err != nil {
		return reference{}, &verdict.RemedyError{Err: err, Remedy: "Name the image as REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST."}
	}
	r := reference{repository: ref.Context()}
	switch ref := ref.(type) {
	case name.Digest:
		r.digest = ref.DigestStr()
	default:
		r.tag = ref.Identifier()
	}
	return r, nil
}

// key is what the reference is known by, whatever way it was written.
func (r *reference) key() string {
	if r.digest != "" {
		return r.at(r.digest)
	}
	return r.repository.Name() + ":" + r.tag
}

// at is what an image of the same repository is known by. Two repositories with one digest are two: findings name the repository.
func (r *reference) at(digest string) string { return r.repository.Name() + "@" + digest }

// allowed says why a registry is not asked.
func (c *Clearance) allowed(r *reference) error {
	if len(c.Registries) == 0 {
		return nil
	}
	for _, pattern := range c.Registries {
		if enforcement.Matches(pattern, r.repository.Name()) || enforcement.Matches(pattern, "docker.io/"+r.repository.RepositoryStr()) && r.repository.RegistryStr() == name.DefaultRegistry {
			return nil
		}
	}
	return &verdict.RemedyError{
		Err:    fmt.Errorf("%s is in none of the registries that are asked", r.repository.Name()),
		Remedy: "Take the image from one that is, or add this one to the settings of the gate (--images-from-registry).",
	}
}
