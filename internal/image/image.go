// Package image opens images (OCI layouts, archives of docker save, references in registries) and root
// directories, and catalogues what is inside: the distribution and the packages, each with the file that tells
// of it and the layer it came in. A layer is read once, as a stream; nothing is unpacked, no link is followed
// and nothing is written. It observes and never judges; what it could not read is a gap in the coverage. It asks
// no registry but the one that it is told to. The commands in cli import it.
package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/registry"
	"github.com/coaming/coaming/internal/verdict"
)

// Options say which image is meant and how much of it is read.
type Options struct {
	// Platform chooses among the images of an index, "linux/arm64"; "" is linux on this machine's architecture.
	Platform string
	// Reference chooses among the images of an archive by name or digest; "" is the only one.
	Reference string
	// Known is a list of files that are known to be bad; nil is the one that is built in.
	Known *KnownBad
	// described is told of what was noted of the files; may be nil.
	described func(*described)
	// Registry asks registries; nil asks none.
	Registry *registry.Client
	// Mounts reads what other file systems hold below a root directory, too.
	Mounts bool
	// Stdin is an archive, where "-" is read.
	Stdin io.Reader
	// DockerSocket is where Docker's engine listens; "" is /var/run/docker.sock.
	DockerSocket string
	// ContainerdRoot is the directory that containerd keeps its state in; "" is /var/lib/containerd. Namespace is the one
	// of containerd's that is looked in; "" is all, Kubernetes' first.
	ContainerdRoot string
	Namespace      string
	// Limits bound the work; the zero value is DefaultLimits.
	Limits Limits
	// Documents reads the image's documents and none of its layers.
	Documents bool
	// Stored is the most bytes that the layers of an image may have as they are stored; 0 is no bound.
	Stored int64
	// Partial makes an end of the context a gap: what had been read until then counts.
	Partial bool
	// Progress is told of how many more entries of layers and directories were read, now and then and from several goroutines;
	// may be nil.
	Progress func(more int)
	// Keeper keeps what was read of a layer for the next image that has it; nil keeps nothing.
	Keeper Keeper

	secret [16]byte
}

// Limits bound what one image may cost. What is over a bound is a gap.
type Limits struct {
	Entries  int   // files, directories and links of one layer
	Packages int   // packages of one image
	Layers   int   // layers of one image
	Bytes    int64 // bytes of one layer, uncompressed
	Ratio    int64 // uncompressed bytes for one stored byte, asked after the first GiB
	Path     int   // bytes of one path
	Gaps     int   // gaps that are told one by one
}

// DefaultLimits are wide enough for any image that was built to be run.
var DefaultLimits = Limits{
	Entries: 4 << 20, Packages: 250_000, Layers: 512, Bytes: 64 << 30, Ratio: 400, Path: 4096, Gaps: 200,
}

// Read opens what a word names and catalogues it: a path, or a reference in a registry (see placeOf). The error says
// that there is no image to speak of; whatever else could not be read is a gap in the coverage.
func Read(ctx context.Context, word string, o Options) (*fact.Image, *verdict.Coverage, error) {
	switch k, rest := placeOf(word); k {
	case inRegistry:
		ref, err := registry.Parse(rest)
		if err != nil {
			return nil, nil, fmt.Errorf("open image: %w", err)
		}
		return ReadReference(ctx, ref, o)
	case inStream:
		if o.Stdin == nil {
			return nil, nil, errors.New("open image: there is no standard input")
		}
		o.begin("")
		return readStream(ctx, "standard input", o.Stdin, &o)
	case inDocker:
		o.begin("")
		return readDocker(ctx, rest, &o)
	case inContainerd:
		o.begin("")
		return readContainerd(ctx, rest, &o)
	default:
		return readPath(ctx, rest, &o)
	}
}

// begin is what every way of reading starts with.
func (o *Options) begin(name string) *ledger {
	if o.Limits == (Limits{}) {
		o.Limits = DefaultLimits
	}
	o.takeSecret()
	return &ledger{path: name, limit: o.Limits.Gaps}
}

// readPath catalogues what stands at a path.
func readPath(ctx context.Context, path string, o *Options) (*fact.Image, *verdict.Coverage, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, &verdict.RemedyError{
			Err:    fmt.Errorf("open image: there is no file or directory %q", path),
			Remedy: "An image in a registry is named with its registry and a tag or a digest, registry.example/shop:1.4, or as oci://…; one in docker by 'docker save -o image.tar REF'.",
		}
	case err != nil:
		return nil, nil, fmt.Errorf("open image: %w", err)
	}
	l := o.begin(path)
	if info.IsDir() {
		root, err := os.OpenRoot(path)
		if err != nil {
			return nil, nil, fmt.Errorf("open image: %w", err)
		}
		defer root.Close() //nolint:errcheck // nothing was written
		if _, err := root.Stat("oci-layout"); err != nil {
			return readRoot(ctx, path, root, o, l)
		}
		return readStored(ctx, path, folder{root}, o, l)
	}
	if img, coverage, found, err := readBill(path, &o.Limits); found {
		return img, coverage, err
	}
	archive, err := openArchive(path)
	if errors.Is(err, errCompressed) {
		return readFile(ctx, path, o)
	}
	if err != nil {
		return nil, nil, err
	}
	defer archive.Close() //nolint:errcheck // nothing was written
	return readStored(ctx, path, archive, o, l)
}

// readFile catalogues an archive that is compressed as a whole, so that it can be read but once.
func readFile(ctx context.Context, path string, o *Options) (*fact.Image, *verdict.Coverage, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("open image: %w", err)
	}
	defer file.Close() //nolint:errcheck // nothing was written
	return readStream(ctx, path, file, o)
}

// readStored catalogues the image in a store.
func readStored(ctx context.Context, path string, s store, o *Options, l *ledger) (*fact.Image, *verdict.Coverage, error) {
	m, err := openManifest(ctx, s, o)
	if err != nil {
		return nil, nil, fmt.Errorf("open image %s: %w", path, err)
	}
	return readManifest(ctx, path, m, o, l)
}

// readManifest catalogues the image that a manifest describes.
func readManifest(ctx context.Context, name string, m *manifest, o *Options, l *ledger) (*fact.Image, *verdict.Coverage, error) {
	if len(m.layers) > o.Limits.Layers {
		return nil, nil, fmt.Errorf("open image %s: it has %d layers, and at most %d are read", name, len(m.layers), o.Limits.Layers)
	}
	if o.Documents {
		return about(name, m), l.coverage(), nil
	}
	if n := m.stored(); o.Stored > 0 && n > o.Stored {
		return nil, nil, fmt.Errorf("open image %s: its layers have %d bytes, and at most %d are read", name, n, o.Stored)
	}
	strata, err := readLayers(ctx, m.layers, o, l)
	if err != nil {
		return nil, nil, err
	}
	return finish(name, m, strata, o, l)
}

// about is an image as its documents tell of it.
func about(name string, m *manifest) *fact.Image {
	img := &fact.Image{Name: name, Form: m.form, Digest: m.digest, ID: m.id, Platform: m.platform, Base: m.base}
	if m.name != "" {
		img.Name += " (" + m.name + ")"
		img.Reference = m.name
	}
	for _, b := range m.layers {
		command, _ := masked(b.createdBy)
		img.Layers = append(img.Layers, fact.Layer{Digest: b.digest, DiffID: b.diffID, CreatedBy: command})
	}
	return img
}

// finish puts together what the layers of an image told.
func finish(name string, m *manifest, strata []*stratum, o *Options, l *ledger) (*fact.Image, *verdict.Coverage, error) {
	img := about(name, m)
	if n := len(m.config.RootFS.DiffIDs); n > 0 && n != len(m.layers) {
		l.add(gap{
			layer: -1, code: verdict.GapUnreadable, message: fmt.Sprintf("the configuration names %d layers (diff_ids), and the manifest %d: no engine starts it", n, len(m.layers)),
			remedy: "Pull or save the image again.",
		})
	}
	assemble(img, strata, o, l)
	describe(img, m, strata)
	if o.described != nil {
		o.described(&described{img, viewOf(strata...)})
	}
	return img, l.coverage(), nil
}
