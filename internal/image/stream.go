package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// streamed is an archive that passes once: what describes the images is kept, and every layer is looked into as it
// passes, since which ones make up an image may stand behind them.
type streamed struct {
	documents map[string][]byte
	layers    map[string]*streamedLayer
	links     map[string]string
	kept      int // bytes of documents
	members   int
}

type streamedLayer struct {
	stratum *stratum
	ledger  *ledger
	sums    sums
	size    int64
	err     error
}

// maxKept bounds the documents of an archive that are kept until it has passed.
const maxKept = 64 << 20

// readStream catalogues an archive that can be read but once, compressed as a whole or not.
func readStream(ctx context.Context, name string, r io.Reader, o *Options) (*fact.Image, *verdict.Coverage, error) {
	s := &streamed{documents: map[string][]byte{}, layers: map[string]*streamedLayer{}, links: map[string]string{}}
	l := o.begin(name)
	if err := s.pass(ctx, &summed{r: r, ctx: ctx}, o); err != nil {
		return nil, nil, fmt.Errorf("open image %s: %w", name, err)
	}
	m, err := openManifest(ctx, s, o)
	if err != nil {
		return nil, nil, fmt.Errorf("open image %s: %w", name, err)
	}
	if len(m.layers) > o.Limits.Layers {
		return nil, nil, fmt.Errorf("open image %s: it has %d layers, and at most %d are read", name, len(m.layers), o.Limits.Layers)
	}
	strata := make([]*stratum, len(m.layers))
	for i := range m.layers {
		strata[i] = s.layer(&m.layers[i], i, o, l)
	}
	return finish(name, m, strata, o, l)
}

// pass reads the archive from its beginning to its end.
func (s *streamed) pass(ctx context.Context, r io.Reader, o *Options) error {
	raw, err := decompress(bufio.NewReaderSize(r, 64<<10))
	if err != nil {
		return err
	}
	defer raw.Close() //nolint:errcheck // nothing was written
	tr := tar.NewReader(raw)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &verdict.RemedyError{Err: fmt.Errorf("it is no whole tar: %w", err), Remedy: "Give an OCI layout, an archive of docker save, or a directory."}
		}
		if s.members++; s.members > maxMembers {
			return fmt.Errorf("the archive has more than %d members", maxMembers)
		}
		at, _ := clean(h.Name)
		switch h.Typeflag {
		case tar.TypeReg:
			if err := s.member(ctx, at, h.Size, tr, o); err != nil {
				return err
			}
		case tar.TypeSymlink:
			s.links[at] = path.Join(path.Dir(at), h.Linkname)
		case tar.TypeLink:
			s.links[at] = path.Clean(h.Linkname)
		}
	}
}

// member keeps a document, and looks into what may be a layer.
func (s *streamed) member(ctx context.Context, at string, size int64, r io.Reader, o *Options) error {
	buffered := bufio.NewReaderSize(r, 4096)
	head, _ := buffered.Peek(512)
	if start := bytes.TrimLeft(head, " \t\r\n\ufeff"); size <= maxDocument && len(start) > 0 && (start[0] == '{' || start[0] == '[') {
		text, err := io.ReadAll(buffered)
		if s.kept += len(text); err == nil && s.kept > maxKept {
			err = fmt.Errorf("the archive has more than %d bytes of documents", maxKept)
		}
		s.documents[at] = text
		return err
	}
	if len(head) < 512 && !isCompressed(head) {
		return nil // repositories, VERSION
	}
	if len(s.layers) >= 4*o.Limits.Layers {
		return fmt.Errorf("the archive has more than %d layers", 4*o.Limits.Layers)
	}
	layer := &streamedLayer{size: size, ledger: &ledger{limit: o.Limits.Gaps}}
	layer.stratum = newStratum(0, o, layer.ledger)
	b := &blob{open: func(context.Context) (io.ReadCloser, int64, error) { return io.NopCloser(buffered), size, nil }}
	layer.sums, layer.err = pass(ctx, b, layer.stratum)
	layer.stratum.finish()
	s.layers[at] = layer
	_, err := io.Copy(io.Discard, buffered)
	return cmp.Or(ctx.Err(), err)
}

// open opens a document.
func (s *streamed) open(name string) (io.ReadCloser, int64, error) {
	text, ok := s.documents[s.follow(name)]
	if !ok {
		return nil, 0, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
	}
	return io.NopCloser(bytes.NewReader(text)), int64(len(text)), nil
}

// follow goes along links.
func (s *streamed) follow(name string) string {
	at := path.Clean(name)
	for range maxHops {
		next, ok := s.links[at]
		if !ok {
			break
		}
		at = next
	}
	return at
}

// layer is what was seen of a layer of the image that was meant, held to its digest.
func (s *streamed) layer(b *blob, number int, o *Options, l *ledger) *stratum {
	layer := s.layers[s.follow(cmp.Or(b.file, "blobs/"+strings.Replace(b.digest, ":", "/", 1)))]
	if layer == nil {
		l.add(b.gap(number, errors.New("it is not in the archive")))
		return newStratum(number, o, l)
	}
	err := layer.err
	if err == nil && b.size > 0 && b.size != layer.size {
		err = fmt.Errorf("it has %d bytes, and %d in the manifest", layer.size, b.size)
	}
	if err == nil {
		err = layer.sums.check(b)
	}
	if errors.Is(err, errDigest) {
		l.add(b.gap(number, err))
		return newStratum(number, o, l)
	}
	for _, g := range layer.ledger.gaps {
		g.layer = number
		l.add(g)
	}
	l.addMore(layer.ledger.more)
	if err != nil {
		l.add(b.gap(number, err))
	}
	return layer.stratum
}
