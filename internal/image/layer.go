package image

import (
	"archive/tar"
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

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
			if o.Partial {
				return nil
			}
			return ctx.Err()
		})
	}
	return strata, group.Wait()
}

// errDigest says that a layer is not the one that the manifest names.
var errDigest = errors.New("its digest is not the one that the image names")

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
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		g.message, g.remedy = "the layer was not read whole: the reading was stopped", "Ask again, and let it come to its end."
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
	if b.diffID != "" && s.plain != "" && s.plain != b.diffID {
		return fmt.Errorf("%w: it unpacks to %s, and to %.80s in the configuration (diff_ids), so that no engine starts it", errDigest, s.plain, b.diffID)
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
	if b.plain || b.digest == "" || b.diffID != "" {
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
	s.step()
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
