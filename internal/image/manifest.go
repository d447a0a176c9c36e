package image

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// manifest is an image as its own documents describe it.
type manifest struct {
	name, form, digest, id, platform string
	layers                           []blob
	base                             *fact.Base
}

// blob is one layer where it stands in the store.
type blob struct {
	file      string
	digest    string // what must be the digest of the stored bytes; where plain is set, of the tar within
	size      int64  // of the stored bytes as the manifest has it; 0 when nothing says
	plain     bool
	diffID    string // of the tar within, where the configuration tells
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
	}
	platform struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
		Variant      string `json:"variant"`
	}
	// indexOrManifest has the fields of both: which of the two a document is, only its content tells.
	indexOrManifest struct {
		Manifests []descriptor `json:"manifests"`
		Config    descriptor   `json:"config"`
		Layers    []descriptor `json:"layers"`

		Annotations map[string]string `json:"annotations"`
	}
	config struct {
		platform
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
		Config struct {
			Labels map[string]string
		} `json:"config"`
		History []made `json:"history"`
	}
	made struct {
		CreatedBy  string `json:"created_by"`
		EmptyLayer bool   `json:"empty_layer"`
	}
	saved struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
)

func (p *platform) String() string {
	text := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		text += "/" + p.Variant
	}
	return text
}

// openManifest finds the image that is meant. Archives of docker save that are OCI layouts too are read as these.
func openManifest(s store, o *Options) (*manifest, error) {
	var top indexOrManifest
	_, err := document(s, "index.json", &top)
	if err == nil {
		return openLayout(s, &top, o)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var list []saved
	if _, err := document(s, "manifest.json", &list); errors.Is(err, fs.ErrNotExist) {
		return nil, &verdict.RemedyError{
			Err:    errors.New("it has neither an index.json (OCI layout) nor a manifest.json (docker save)"),
			Remedy: "Give an OCI layout, an archive of docker save, or a root directory.",
		}
	} else if err != nil {
		return nil, err
	}
	return openSaved(s, list, o)
}

// maxDepth is how deep indexes may stand in indexes.
const maxDepth = 4

func openLayout(s store, top *indexOrManifest, o *Options) (*manifest, error) {
	var candidates []candidate
	if err := gather(s, top.Manifests, "", maxDepth, &candidates); err != nil {
		return nil, err
	}
	chosen, err := choose(candidates, o)
	if err != nil {
		return nil, err
	}
	m := &manifest{name: chosen.name, form: "oci-layout", digest: chosen.Digest}
	var doc indexOrManifest
	if err := verified(s, &chosen.descriptor, &doc); err != nil {
		return nil, err
	}
	var c config
	if err := verified(s, &doc.Config, &c); err != nil {
		return nil, err
	}
	m.id = doc.Config.Digest
	if c.OS != "" {
		m.platform = c.String()
	}
	for _, d := range doc.Layers {
		file, err := blobFile(d.Digest)
		if err != nil {
			return nil, err
		}
		m.layers = append(m.layers, blob{file: file, digest: d.Digest, size: d.Size})
	}
	tell(m.layers, &c)
	m.base = baseOf(doc.Annotations, &c, len(m.layers))
	return m, nil
}

// candidate is an image that an index names.
type candidate struct {
	descriptor
	name string
}

// gather lists the images below an index, in its order.
func gather(s store, list []descriptor, name string, depth int, into *[]candidate) error {
	for _, d := range list {
		if d.Annotations["vnd.docker.reference.type"] != "" || len(*into) >= maxMembers {
			continue // an attestation about an image
		}
		named := cmp.Or(d.Annotations["io.containerd.image.name"], d.Annotations["org.opencontainers.image.ref.name"], name)
		if !strings.Contains(d.MediaType, "index") && !strings.Contains(d.MediaType, "manifest.list") {
			*into = append(*into, candidate{d, named})
			continue
		}
		if depth == 0 {
			return fmt.Errorf("indexes stand more than %d deep in one another", maxDepth)
		}
		var inner indexOrManifest
		if err := verified(s, &d, &inner); err != nil {
			return err
		}
		if err := gather(s, inner.Manifests, named, depth-1, into); err != nil {
			return err
		}
	}
	return nil
}

// choose takes the one image that the options leave.
func choose(list []candidate, o *Options) (*candidate, error) {
	if o.Reference != "" {
		list = slices.DeleteFunc(slices.Clone(list), func(c candidate) bool { return c.name != o.Reference && c.Digest != o.Reference })
	}
	left := list
	if o.Platform != "" || len(list) > 1 {
		want := cmp.Or(o.Platform, "linux/"+runtime.GOARCH)
		left = slices.DeleteFunc(slices.Clone(list), func(c candidate) bool {
			return c.Platform != nil && c.Platform.String() != want && !strings.HasPrefix(c.Platform.String(), want+"/")
		})
	}
	if len(left) == 1 {
		return &left[0], nil
	}
	if len(left) == 0 && len(list) > 0 {
		return nil, &verdict.RemedyError{Err: errors.New("no image is for the platform; there is " + names(list)), Remedy: "Name one of these with --platform."}
	}
	if len(left) == 0 {
		return nil, errors.New("there is no such image inside")
	}
	return nil, &verdict.RemedyError{Err: errors.New("there are several images inside: " + names(left)), Remedy: "Name one with --reference, by its name or digest."}
}

// names lists images for a message.
func names(list []candidate) string {
	const most = 10
	var words []string
	for _, c := range list[:min(most, len(list))] {
		word := cmp.Or(c.name, c.Digest)
		if c.Platform != nil {
			word += " " + c.Platform.String()
		}
		words = append(words, word)
	}
	if len(list) > most {
		words = append(words, fmt.Sprintf("and %d more", len(list)-most))
	}
	return strings.Join(words, ", ")
}

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// blobFile is where an OCI layout keeps a blob.
func blobFile(digest string) (string, error) {
	if !digestForm.MatchString(digest) {
		return "", fmt.Errorf("%.100q is no sha256 digest", digest)
	}
	return "blobs/sha256/" + strings.TrimPrefix(digest, "sha256:"), nil
}

// verified reads a document and holds it to its digest.
func verified(s store, d *descriptor, v any) error {
	file, err := blobFile(d.Digest)
	if err != nil {
		return err
	}
	text, err := document(s, file, v)
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(text); "sha256:"+hex.EncodeToString(sum[:]) != d.Digest {
		return fmt.Errorf("read %s: its digest is sha256:%x: the image is damaged or was tampered with", file, sum)
	}
	return nil
}

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
	text, err := document(s, image.Config, &c)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	m := &manifest{name: chosen.name, form: "docker-archive", id: "sha256:" + hex.EncodeToString(sum[:])}
	if c.OS != "" {
		m.platform = c.String()
	}
	if len(c.RootFS.DiffIDs) != len(image.Layers) {
		return nil, fmt.Errorf("manifest.json names %d layers and %s %d", len(image.Layers), image.Config, len(c.RootFS.DiffIDs))
	}
	for i, file := range image.Layers {
		m.layers = append(m.layers, blob{file: file, digest: c.RootFS.DiffIDs[i], plain: true})
	}
	tell(m.layers, &c)
	m.base = baseOf(nil, &c, len(m.layers))
	return m, nil
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
