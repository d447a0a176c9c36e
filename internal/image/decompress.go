package image

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

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
