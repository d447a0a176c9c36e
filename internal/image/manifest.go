package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// manifest is an image as its own documents describe it.
type manifest struct {
	name, form, digest, id, platform string
	reference                        string // in a registry
	layers                           []blob
	base                             *fact.Base
	config                           *config
	annotations                      map[string]string
}

// stored is how many bytes the layers have as they are stored, as far as the manifest tells.
func (m *manifest) stored() int64 {
	n := int64(0)
	for i := range m.layers {
		if n += m.layers[i].size; n < 0 {
			return math.MaxInt64
		}
	}
	return n
}

// blob is one layer.
type blob struct {
	open      func(context.Context) (io.ReadCloser, int64, error) // its stored bytes, and how many they are, -1 where nothing tells
	digest    string                                              // what must be the digest of the stored bytes; where plain is set, of the tar within
	size      int64                                               // of the stored bytes as the manifest has it; 0 when nothing says
	plain     bool
	diffID    string // of the tar within, where the configuration tells
	foreign   bool   // registries need not have it
	addressed bool   // whoever is asked for it gives what has that digest, or is found out when it is read
	file      string // where it stands in an archive of docker save
	createdBy string
}

// The documents of an image: github.com/opencontainers/image-spec, and moby's image/spec for docker save.
type (
	descriptor struct {
		MediaType   string            `json:"mediaType"`
		Digest      string            `json:"digest"`
		Size        int64             `json:"size"`
		Platform    *platform         `json:"platform"`
		Annotations map[string]string `json:"annotations"`
		URLs        []string          `json:"urls,omitempty"`
	}
	platform struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
		Variant      string `json:"variant"`
	}
	// indexOrManifest has the fields of both: which of the two a document is, only its content tells.
	indexOrManifest struct {
		SchemaVersion int          `json:"schemaVersion,omitempty"`
		MediaType     string       `json:"mediaType,omitempty"`
		Manifests     []descriptor `json:"manifests,omitempty"`
		Config        descriptor   `json:"config"`
		Layers        []descriptor `json:"layers"`

		Annotations map[string]string `json:"annotations,omitempty"`
	}
	config struct {
		platform
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
		History []made `json:"history"`
		Created string `json:"created"`
		Config  launch `json:"config"`
	}
	made struct {
		CreatedBy  string `json:"created_by"`
		EmptyLayer bool   `json:"empty_layer"`
	}
	// launch is what a container starts with.
	launch struct {
		User         string
		ExposedPorts map[string]struct{}
		Env          []string
		Entrypoint   []string
		Cmd          []string
		Volumes      map[string]struct{}
		WorkingDir   string
		Labels       map[string]string
		OnBuild      []string
		Healthcheck  *struct{ Test []string }
	}
	saved struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
)

// contents are the manifests and blobs of images by their digests, wherever they are kept. What they return is held
// to its digest by who reads it. The size is -1 where nothing tells.
type contents interface {
	manifest(ctx context.Context, digest string) (io.ReadCloser, int64, error)
	blob(ctx context.Context, digest string) (io.ReadCloser, int64, error)
}

// maxDepth is how deep indexes may stand in indexes, and maxIndexes how many are read.
const (
	maxDepth   = 4
	maxIndexes = 64
)

// openImage chooses among the images that are listed, and reads what describes it.
func openImage(ctx context.Context, c contents, list []descriptor, o *Options) (*manifest, error) {
	g := gathering{contents: c}
	if err := g.gather(ctx, list, "", maxDepth); err != nil {
		return nil, err
	}
	chosen, err := choose(g.found, o)
	if err != nil {
		return nil, err
	}
	m := &manifest{name: chosen.name, digest: chosen.Digest}
	var doc indexOrManifest
	if err := verified(ctx, c.manifest, chosen.Digest, &doc); err != nil {
		return nil, err
	}
	if err := doc.check(); err != nil {
		return nil, err
	}
	m.id = doc.Config.Digest
	var about config
	if err := verified(ctx, c.blob, doc.Config.Digest, &about); err != nil {
		return nil, err
	}
	if about.OS != "" {
		m.platform = about.String()
	}
	if o.Platform != "" && chosen.Platform == nil && about.OS != "" && len(forPlatform([]candidate{{descriptor{Platform: &about.platform}, ""}}, o.Platform)) == 0 {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("the image is for %s, not for %s: %w", m.platform, o.Platform, ErrOtherPlatform), Remedy: "Leave out --platform to read it."}
	}
	for _, d := range doc.Layers {
		if !digestForm.MatchString(d.Digest) {
			return nil, fmt.Errorf("%.100q is no sha256 digest", d.Digest)
		}
		open := func(ctx context.Context) (io.ReadCloser, int64, error) { return c.blob(ctx, d.Digest) }
		m.layers = append(m.layers, blob{open: open, digest: d.Digest, size: d.Size, foreign: len(d.URLs) > 0 || isForeign(d.MediaType), addressed: isRemote(c)})
	}
	tell(m.layers, &about)
	m.base = baseOf(doc.Annotations, &about, len(m.layers))
	m.config, m.annotations = &about, doc.Annotations
	return m, nil
}

// isForeign knows layers that registries may leave out, to be had from elsewhere.
func isForeign(mediaType string) bool {
	return strings.Contains(mediaType, ".nondistributable.") || strings.Contains(mediaType, ".foreign.")
}

// check says why a document is no image's manifest.
func (d *indexOrManifest) check() error {
	switch {
	case d.SchemaVersion == 1:
		return &verdict.RemedyError{
			Err: errors.New("its manifest is of Docker's schema 1, which is not read"), Remedy: "Pull and push the image again with a tool of these days.",
		}
	case d.Config.Digest == "" && len(d.Manifests) > 0:
		return errors.New("an index stands where its own index speaks of an image")
	case d.Config.MediaType != "" && !slices.Contains(configTypes, d.Config.MediaType):
		return &verdict.RemedyError{
			Err: fmt.Errorf("it is no image but an artefact of type %.100q", d.Config.MediaType), Remedy: "Name an image that containers are run from.",
		}
	}
	return nil
}

// configTypes are the media types of images' configurations; old tools wrote the last.
var configTypes = []string{"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json", "application/octet-stream"}

// ErrNotInside says that an archive or a layout holds no image of that name.
var ErrNotInside = errors.New("there is no such image inside")

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// verified reads a document and holds it to its digest.
func verified(ctx context.Context, open func(context.Context, string) (io.ReadCloser, int64, error), digest string, v any) error {
	if !digestForm.MatchString(digest) {
		return fmt.Errorf("%.100q is no sha256 digest", digest)
	}
	r, size, err := open(ctx, digest)
	if err != nil {
		return err
	}
	text, err := document(r, size, digest, v)
	if text == nil {
		return err
	}
	if sum := sha256.Sum256(text); "sha256:"+hex.EncodeToString(sum[:]) != digest {
		return fmt.Errorf("read %s: its digest is sha256:%x: the image is damaged or was tampered with", digest, sum)
	}
	return err
}

// tell gives the layers the commands that made them, where the history has one for each.
func tell(layers []blob, c *config) {
	if len(c.RootFS.DiffIDs) == len(layers) {
		for i := range layers {
			layers[i].diffID = c.RootFS.DiffIDs[i]
		}
	}
	var commands []string
	for _, h := range c.History {
		if !h.EmptyLayer {
			commands = append(commands, h.CreatedBy)
		}
	}
	if len(commands) != len(layers) {
		return
	}
	for i := range layers {
		layers[i].createdBy = commands[i]
	}
}
