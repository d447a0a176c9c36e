package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

func (p *platform) String() string {
	text := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		text += "/" + p.Variant
	}
	return text
}

// candidate is an image that an index names.
type candidate struct {
	descriptor
	name string
}

// gathering lists the images below an index.
type gathering struct {
	contents contents
	found    []candidate
	indexes  int
}

// gather goes through indexes in their order.
func (g *gathering) gather(ctx context.Context, list []descriptor, name string, depth int) error {
	for _, d := range list {
		if d.Annotations["vnd.docker.reference.type"] != "" || len(g.found) >= maxMembers {
			continue // an attestation about an image
		}
		named := cmp.Or(d.Annotations["io.containerd.image.name"], d.Annotations["org.opencontainers.image.ref.name"], name)
		if !isIndex(d.MediaType) {
			g.found = append(g.found, candidate{d, named})
			continue
		}
		if depth == 0 {
			return fmt.Errorf("indexes stand more than %d deep in one another", maxDepth)
		}
		if g.indexes++; g.indexes > maxIndexes {
			return fmt.Errorf("there are more than %d indexes", maxIndexes)
		}
		var inner indexOrManifest
		if err := verified(ctx, g.contents.manifest, d.Digest, &inner); err != nil {
			return err
		}
		if err := g.gather(ctx, inner.Manifests, named, depth-1); err != nil {
			return err
		}
	}
	return nil
}

func isIndex(mediaType string) bool {
	return strings.Contains(mediaType, "index") || strings.Contains(mediaType, "manifest.list")
}

// ErrOtherPlatform says that no image is for the platform that was asked for.
var ErrOtherPlatform = errors.New("no image is for the platform")

// choose takes the one image that the options leave.
func choose(list []candidate, o *Options) (*candidate, error) {
	if o.Reference != "" {
		list = slices.DeleteFunc(slices.Clone(list), func(c candidate) bool { return c.name != o.Reference && c.Digest != o.Reference })
	}
	list = distinct(list)
	left := list
	if o.Platform != "" || len(list) > 1 {
		left = forPlatform(list, cmp.Or(o.Platform, "linux/"+runtime.GOARCH))
	}
	if len(left) == 1 {
		return &left[0], nil
	}
	if len(left) == 0 && len(list) > 0 {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("%w; there is %s", ErrOtherPlatform, names(list)), Remedy: "Name one of these with --platform."}
	}
	if len(left) == 0 {
		return nil, ErrNotInside
	}
	return nil, &verdict.RemedyError{Err: errors.New("there are several images inside: " + names(left)), Remedy: "Name one with --reference, by its name or digest."}
}

// distinct leaves out what is the same image under another name.
func distinct(list []candidate) []candidate {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(list), func(c candidate) bool {
		key := c.Digest
		if c.Platform != nil {
			key += " " + c.Platform.String()
		}
		again := seen[key]
		seen[key] = true
		return again
	})
}

// variants are the ones that are meant where a platform names none, and there are several.
var variants = map[string]string{"amd64": "v1", "arm64": "v8", "arm": "v7"}

// forPlatform leaves the images for a platform. One that names no platform may be for any. Where several variants are
// left, the one that was named is meant, or the usual one.
func forPlatform(list []candidate, want string) []candidate {
	left := slices.DeleteFunc(slices.Clone(list), func(c candidate) bool {
		return c.Platform != nil && c.Platform.String() != want && !strings.HasPrefix(c.Platform.String(), want+"/")
	})
	architecture := want[strings.IndexByte(want, '/')+1:]
	for _, exact := range []string{want, want + "/" + variants[architecture]} {
		of := slices.DeleteFunc(slices.Clone(left), func(c candidate) bool { return c.Platform == nil || c.Platform.String() != exact })
		if len(of) == 1 {
			return of
		}
	}
	return left
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
