package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"cmp"
	"compress/bzip2"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"github.com/coaming/coaming/internal/verdict"
)

// readLayers reads all layers, as many at once as there are cores. Its error is that of the context alone.
func readLayers(ctx context.Context, layers []blob, o *Options, l *ledger) ([]*stratum, error) {
	strata := make([]*stratum, len(layers))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range layers {
		group.Go(func() error {
			strata[i] = catalogued(ctx, &layers[i], i, o, l)
			return ctx.Err()
		})
	}
	return strata, group.Wait()
}

// errDigest says that a layer is not the one that the manifest names.
var errDigest = errors.New("its digest is not the one in the manifest")

// readLayer reads one layer. A layer that ends early counts as far as it goes; one whose digest is wrong not at all.
func readLayer(ctx context.Context, b *blob, number int, o *Options, l *ledger) *stratum {
	read, _ := readWhole(ctx, b, number, o, l)
	return read
}

// readWhole is readLayer, and says whether the layer was read to its end and is the one that the manifest names.
func readWhole(ctx context.Context, b *blob, number int, o *Options, l *ledger) (read *stratum, whole bool) {
	collected := newStratum(number, o, l)
	err := readBlob(ctx, b, collected)
	collected.finish()
	if err == nil {
		return collected, true
	}
	l.add(b.gap(number, err))
	if errors.Is(err, errDigest) {
		collected = newStratum(number, o, l)
		collected.finish()
	}
	collected.notes.unseen = fmt.Sprintf("layer %d was not read whole: %v", number, err)
	return collected, false
}

// gap says why a layer was not read whole.
func (b *blob) gap(number int, err error) gap {
	g := gap{layer: number, code: verdict.GapUnreadable, message: "the layer was not read whole: " + err.Error(), remedy: "Pull or save the image again."}
	if b.foreign {
		g.remedy = "The layer is to be had from its maker alone: save the image where it has been pulled."
	}
	if _, over := errors.AsType[boundError](err); over {
		g.code, g.remedy = verdict.GapTooLarge, "Build the image without it, or read the parts by themselves."
	}
	return g
}

// boundError says that something is over a limit.
type boundError string

func (e boundError) Error() string { return string(e) }

// readBlob lets a layer pass and holds it to its digest.
func readBlob(ctx context.Context, b *blob, into *stratum) error {
	got, err := pass(ctx, b, into)
	if got != (sums{}) {
		if wrong := got.check(b); wrong != nil {
			return wrong
		}
	}
	return err
}

// sums are the digests of a layer that was read whole: as it is stored, and of the tar within. One that was not asked
// for is "".
type sums struct{ stored, plain string }

func (s sums) check(b *blob) error {
	got := s.stored
	if b.plain {
		got = s.plain
	}
	if got != b.digest {
		return fmt.Errorf("%w: it has %s, and %.80s in the manifest", errDigest, got, b.digest)
	}
	return nil
}

// pass lets a layer pass: it is read and hashed, decompressed, and looked into, each a few blocks ahead of the next. Of
// a blob without a digest both sums are made.
func pass(ctx context.Context, b *blob, into *stratum) (sums, error) {
	ctx, cancel := context.WithCancel(ctx)
	r, size, err := b.open(ctx)
	if err != nil {
		cancel()
		return sums{}, err
	}
	defer r.Close() //nolint:errcheck // nothing was written
	if b.size > 0 && size >= 0 && size != b.size {
		cancel()
		return sums{}, fmt.Errorf("it has %d bytes, and %d in the manifest", size, b.size)
	}
	if b.size > 0 {
		r = &exact{r, b.size}
	}
	stored := &summed{r: r, ctx: ctx}
	if !b.plain || b.digest == "" {
		stored.sum = sha256.New()
	}
	fetched := readAhead(stored)
	defer fetched.Close()
	defer cancel()
	raw := bufio.NewReaderSize(fetched, 32<<10)
	tarred, err := decompress(raw)
	if err != nil {
		return sums{}, err
	}
	defer tarred.Close() //nolint:errcheck // nothing was written
	limits := &into.options.Limits
	unpacked := &summed{r: tarred, ctx: ctx, most: limits.Bytes, stored: stored, ratio: limits.Ratio}
	if b.plain || b.digest == "" {
		unpacked.sum = sha256.New()
	}
	passing := readAhead(unpacked)
	walked := into.walk(passing)
	_, stopped := errors.AsType[boundError](walked)
	if !stopped && ctx.Err() == nil { // what stands behind the end of the tar is part of the digest
		err = passing.drain()
	}
	if walked = cmp.Or(walked, err, ctx.Err()); stopped || err != nil || ctx.Err() != nil {
		cancel() // what waits for the network waits no longer
		passing.Close()
		return sums{}, walked // the rest was not read, so that nothing is known of the digest
	}
	passing.Close()
	if _, err := io.Copy(io.Discard, raw); err != nil {
		return sums{}, cmp.Or(walked, err)
	}
	return sums{stored.digest(), unpacked.digest()}, walked
}

// exact ends a stream with an error that has more or fewer bytes than the manifest says.
type exact struct {
	io.ReadCloser
	left int64
}

func (e *exact) Read(p []byte) (int, error) {
	n, err := e.ReadCloser.Read(p)
	e.left -= int64(n)
	switch {
	case e.left < 0:
		return n, errors.New("it has more bytes than in the manifest")
	case errors.Is(err, io.EOF) && e.left > 0:
		return n, fmt.Errorf("%d bytes are missing of those in the manifest: %w", e.left, io.ErrUnexpectedEOF)
	}
	return n, err
}

// summed counts what passes, hashes it, and ends when the context does or a limit is passed.
type summed struct {
	r    io.Reader
	sum  hash.Hash       // nil hashes nothing
	ctx  context.Context //nolint:containedctx // a reader has nowhere else to take it from
	n    atomic.Int64
	most int64 // bytes that may pass, 0 any

	stored *summed // the compressed form of what passes, for ratio
	ratio  int64
}

// digest is that of what has passed, "" where nothing was hashed.
func (s *summed) digest() string {
	if s.sum == nil {
		return ""
	}
	return "sha256:" + hex.EncodeToString(s.sum.Sum(nil))
}

func (s *summed) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.r.Read(p)
	passed := s.n.Add(int64(n))
	if s.sum != nil {
		s.sum.Write(p[:n])
	}
	switch {
	case s.most > 0 && passed > s.most:
		return n, boundError(fmt.Sprintf("it unpacks to more than %d bytes", s.most))
	case s.stored != nil && passed > 1<<30 && passed/s.ratio > s.stored.n.Load():
		return n, boundError(fmt.Sprintf("it unpacks to more than %d times its size", s.ratio))
	}
	return n, err
}

// maxWindow bounds what a zstd frame may ask to be kept in memory; the tools that make images ask for 8 MiB at most.
const maxWindow = 32 << 20

// isCompressed knows the forms that a layer may be compressed in by their first bytes: what media types say is often wrong.
func isCompressed(head []byte) bool {
	return bytes.HasPrefix(head, []byte{0x1f, 0x8b}) || bytes.HasPrefix(head, []byte("BZh")) ||
		bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}) || bytes.HasPrefix(head, []byte("\xfd7zXZ")) ||
		len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte{0x2a, 0x4d, 0x18})
}

func decompress(r *bufio.Reader) (io.ReadCloser, error) {
	head, _ := r.Peek(6)
	switch {
	case len(head) == 0:
		return nil, errors.New("it is empty")
	case !isCompressed(head):
		return io.NopCloser(r), nil
	case head[0] == 0x1f:
		return gzip.NewReader(r)
	case head[0] == 'B':
		return io.NopCloser(bzip2.NewReader(r)), nil
	case head[0] == 0xfd:
		return nil, errors.New("it is compressed with xz, which is not read")
	}
	z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return z.IOReadCloser(), nil
}

// walk takes one entry of the tar after the other.
func (s *stratum) walk(r *ahead) error {
	tr := tar.NewReader(r)
	for n := 0; ; n++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if n >= s.options.Limits.Entries {
			return boundError(fmt.Sprintf("it has more than %d entries", n))
		}
		at, inside := clean(h.Name)
		if !inside {
			s.gap(strings.ToValidUTF8(h.Name, "?"), verdict.GapUnreadable, "the path leads out of the image", "Build the image with a tool that writes no such paths.")
			continue
		}
		if len(at) > s.options.Limits.Path {
			s.gap(at[:100]+"…", verdict.GapTooLarge, fmt.Sprintf("the path has %d bytes", len(at)), "Build the image with shorter paths.")
			continue
		}
		if err := s.entry(at, h, tr, r); err != nil {
			return err
		}
	}
}

// entry takes one entry of the tar.
func (s *stratum) entry(at string, h *tar.Header, tr *tar.Reader, r *ahead) error {
	if s.hide(at) || at == "" {
		return nil
	}
	e := &s.current
	*e = entry{
		path: at, layer: s.number, mode: h.FileInfo().Mode(), uid: h.Uid, gid: h.Gid, modified: h.ModTime, link: h.Linkname, header: h,
	}
	switch h.Typeflag {
	case tar.TypeDir:
		s.directory(at)
	case tar.TypeReg, tar.TypeGNUSparse:
		s.present(at)
		// A sparse file has more bytes than the tar: they are work, too.
		if most := s.options.Limits.Bytes; r.taken+s.sparse > most-h.Size {
			return boundError(fmt.Sprintf("its files have more than %d bytes", most))
		}
		before := r.taken
		e.size = h.Size
		read := s.read(e, s.observe(e), tr)
		s.sparse += max(0, read-(r.taken-before))
		return nil
	case tar.TypeLink:
		s.present(at)
		target, inside := clean(h.Linkname)
		e.link, e.hard = target, true
		s.link(at, target, inside)
	default:
		s.present(at)
	}
	s.observe(e)
	return nil
}
