package image

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/registry"
	"github.com/coaming/coaming/internal/verdict"
)

// containerd's own root, and what stands where in it (containerd's docs/content-flow.md).
const (
	containerdRoot    = "/var/lib/containerd"
	containerdContent = "io.containerd.content.v1.content"
	containerdImages  = "io.containerd.metadata.v1.bolt/meta.db"
)

// stood is an image that containerd knows.
type stood struct {
	namespace, name string
	target          descriptor
}

// readContainerd catalogues an image out of containerd's content store: its layers as they were pulled, read from its
// files, whether containerd runs or not.
func readContainerd(ctx context.Context, name string, o *Options) (*fact.Image, *verdict.Coverage, error) {
	dir := cmp.Or(o.ContainerdRoot, containerdRoot)
	shown := schemeContainerd + name
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, &verdict.RemedyError{Err: fmt.Errorf("open image %s: %w", shown, err), Remedy: "Run on the node as root, and name containerd's root with --containerd-root where it is another."}
	}
	defer root.Close() //nolint:errcheck // nothing was written
	list, err := containerdList(ctx, root)
	if err != nil {
		return nil, nil, fmt.Errorf("open image %s: read %s: %w", shown, containerdImages, err)
	}
	image, err := pick(list, name, o.Namespace)
	if err != nil {
		return nil, nil, fmt.Errorf("open image %s: %w", shown, err)
	}
	m, err := openImage(ctx, contentStore{root}, []descriptor{image.target}, o)
	if err != nil {
		return nil, nil, fmt.Errorf("open image %s: %w", shown, err)
	}
	m.form, m.name = "containerd", ""
	if image.name != name {
		m.name = image.name
	}
	return readManifest(ctx, shown, m, o, o.begin(shown))
}

// contentStore holds blobs by their digests.
type contentStore struct{ root *os.Root }

func (c contentStore) blob(_ context.Context, digest string) (io.ReadCloser, int64, error) {
	file, info, err := openRegular(c.root, containerdContent+"/blobs/"+strings.Replace(digest, ":", "/", 1))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("%s is not in containerd's content store, which may keep no layers that are unpacked", digest)
	}
	if err != nil {
		return nil, 0, err
	}
	return file, info.Size(), nil
}

func (c contentStore) manifest(ctx context.Context, digest string) (io.ReadCloser, int64, error) {
	return c.blob(ctx, digest)
}

// containerdList reads which images there are, again where containerd wrote meanwhile.
func containerdList(ctx context.Context, root *os.Root) ([]stood, error) {
	file, _, err := openRegular(root, containerdImages)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // nothing was written
	const tries = 50
	for range tries {
		db, err := openBolt(file)
		if err != nil {
			return nil, err
		}
		list, err := imagesOf(db)
		if db.unchanged() {
			return list, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil, errors.New("containerd writes to it all the time: try again")
}

// imagesOf reads the images of every namespace: v1/NAMESPACE/images/NAME/target (containerd's metadata/buckets.go).
func imagesOf(db *boltFile) ([]stood, error) {
	var list []stood
	var errs []error
	top, ok, err := db.top().bucket("v1")
	if err != nil || !ok {
		return nil, errors.Join(err, errors.New("it holds no images in the form of version 1"))
	}
	err = top.each(func(namespace, value []byte, nested bool) bool {
		if !nested {
			return true
		}
		inside, err := top.inside(value)
		if err != nil {
			errs = append(errs, err)
			return false
		}
		images, ok, err := inside.bucket("images")
		if err != nil || !ok {
			errs = append(errs, err)
			return err == nil
		}
		err = images.each(func(name, value []byte, nested bool) bool {
			image, err := images.inside(value)
			if err != nil || !nested || len(list) >= maxMembers {
				return err == nil
			}
			if d, ok := targetOf(image); ok {
				list = append(list, stood{string(namespace), string(name), d})
			}
			return true
		})
		errs = append(errs, err)
		return err == nil
	})
	return list, errors.Join(append(errs, err)...)
}

// targetOf reads the descriptor of an image.
func targetOf(image bucket) (descriptor, bool) {
	var d descriptor
	target, ok, err := image.bucket("target")
	if err != nil || !ok {
		return d, false
	}
	err = target.each(func(key, value []byte, _ bool) bool {
		switch string(key) {
		case "digest":
			d.Digest = string(value)
		case "mediatype":
			d.MediaType = string(value)
		case "size":
			d.Size, _ = binary.Varint(value)
		}
		return true
	})
	return d, err == nil && digestForm.MatchString(d.Digest)
}

// pick finds the image of a name: as containerd has it, as Kubernetes would read it, or by its digest. Kubernetes' own
// namespace comes first where several know it.
func pick(list []stood, name, namespace string) (*stood, error) {
	full := name
	if ref, err := registry.ParseImage(name); err == nil {
		full = strings.Replace(ref.Name(), "index.docker.io/", "docker.io/", 1)
	}
	slices.SortStableFunc(list, func(a, b stood) int {
		rank := func(s stood) int { return map[string]int{"k8s.io": -2, "default": -1}[s.namespace] }
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.namespace, b.namespace))
	})
	for _, matches := range []func(s *stood) bool{
		func(s *stood) bool { return s.name == name },
		func(s *stood) bool { return s.name == full },
		func(s *stood) bool { return s.target.Digest == name || strings.HasSuffix(name, "@"+s.target.Digest) },
	} {
		for i := range list {
			if (namespace == "" || list[i].namespace == namespace) && matches(&list[i]) {
				return &list[i], nil
			}
		}
	}
	var there []string
	for _, s := range list {
		if namespace == "" || s.namespace == namespace {
			there = append(there, s.name)
		}
	}
	const most = 10
	more := ""
	if n := len(there); n > most {
		there, more = there[:most], fmt.Sprintf(" and %d more", n-most)
	}
	return nil, &verdict.RemedyError{
		Err: fmt.Errorf("containerd has no image %q; it has %s%s", name, cmp.Or(strings.Join(there, ", "), "none"), more), Remedy: "Name one of these.",
	}
}
