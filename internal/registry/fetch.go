package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/coaming/coaming/internal/verdict"
)

// MaxManifest is the most bytes of a manifest or an index that are read.
const MaxManifest = 8 << 20

// Document is a manifest or an index.
type Document struct {
	MediaType string
	Digest    string // of Text
	Text      []byte
}

// accepted are the forms of manifests and indexes that are read.
var accepted = []string{
	"application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json",
	"application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.docker.distribution.manifest.v2+json",
}

// Manifest asks for a manifest or an index by its tag or digest, at the mirrors first. What has a digest is held to it.
func (r *Repository) Manifest(ctx context.Context, tagOrDigest string) (*Document, error) {
	ctx, cancel := r.client.within(ctx)
	defer cancel()
	var errs []error
	for _, e := range r.endpoints {
		d, err := e.manifest(ctx, tagOrDigest)
		if err == nil {
			return d, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, r.failed(tagOrDigest, errs)
}

// failed tells what each host said, and what may help.
func (r *Repository) failed(what string, errs []error) error {
	joined := fmt.Errorf("ask for %s at %s: %w", what, hostOf(r.name.RegistryStr())+"/"+r.name.RepositoryStr(), joinLines(errs))
	if e, ok := errors.AsType[*verdict.RemedyError](joined); ok {
		return &verdict.RemedyError{Err: joined, Remedy: e.Remedy}
	}
	last := errs[len(errs)-1]
	switch {
	case refused(last):
		return &verdict.RemedyError{Err: joined, Remedy: "Log in: name a docker config file with --auth-file, or use --username and --password-stdin."}
	case missing(last):
		return &verdict.RemedyError{Err: joined, Remedy: "See whether the name and the tag are right; some registries say this of what may not be read, too."}
	}
	return joined
}

// joinLines puts errors on one line.
func joinLines(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	var words []string
	for _, err := range errs {
		words = append(words, err.Error())
	}
	return &several{strings.Join(words, "; "), errs}
}

type several struct {
	text string
	errs []error
}

func (s *several) Error() string   { return s.text }
func (s *several) Unwrap() []error { return s.errs }

func (e *endpoint) manifest(ctx context.Context, tagOrDigest string) (*Document, error) {
	answer, err := e.get(ctx, "/manifests/"+tagOrDigest, http.Header{"Accept": {strings.Join(accepted, ", ")}})
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close() //nolint:errcheck // nothing was written
	if answer.ContentLength > MaxManifest {
		return nil, fmt.Errorf("%s answers with a manifest of %d bytes, and at most %d are read", e.at.RegistryStr(), answer.ContentLength, MaxManifest)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, MaxManifest+1))
	if err != nil {
		return nil, e.masked(fmt.Errorf("%s answers with a manifest that breaks off: %w", e.at.RegistryStr(), err))
	}
	if len(text) > MaxManifest {
		return nil, fmt.Errorf("%s answers with a manifest of more than %d bytes", e.at.RegistryStr(), MaxManifest)
	}
	sum := sha256.Sum256(text)
	d := &Document{Digest: "sha256:" + hex.EncodeToString(sum[:]), Text: text}
	d.MediaType, _, _ = mime.ParseMediaType(answer.Header.Get("Content-Type"))
	want := answer.Header.Get("Docker-Content-Digest")
	if strings.Contains(tagOrDigest, ":") {
		want = tagOrDigest
	}
	if strings.HasPrefix(want, "sha256:") && want != d.Digest {
		return nil, fmt.Errorf("%s answers with a manifest whose digest is %s, not %s: it is damaged or was tampered with", e.at.RegistryStr(), d.Digest, want)
	}
	return d, d.check()
}

// check refuses the manifests of before 2016, which name no configuration and whose digest leaves out a part.
func (d *Document) check() error {
	var v struct {
		SchemaVersion int    `json:"schemaVersion"`
		MediaType     string `json:"mediaType"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(d.Text, []byte("\ufeff")), &v); err != nil {
		return errors.New("the manifest is no JSON")
	}
	if v.SchemaVersion == 1 || strings.Contains(d.MediaType, "distribution.manifest.v1+") {
		return &verdict.RemedyError{
			Err: errors.New("the manifest is of Docker's schema 1, which is not read"), Remedy: "Pull and push the image again with a tool of these days.",
		}
	}
	if v.MediaType != "" {
		d.MediaType = v.MediaType
	}
	return nil
}

// Blob opens a blob by its digest, at the mirrors first, and says how many bytes it has, -1 where the registry does
// not. The stream is not held to the digest: who reads it whole does that. Where a connection breaks, the rest is asked
// for, twice at most.
func (r *Repository) Blob(ctx context.Context, digest string) (io.ReadCloser, int64, error) {
	if _, err := name.NewDigest(r.name.Name() + "@" + digest); err != nil {
		return nil, 0, fmt.Errorf("%.100q is no digest", digest)
	}
	var errs []error
	for _, e := range r.endpoints {
		b, err := e.blob(ctx, digest, 0)
		if err == nil {
			return b, b.size, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, 0, r.failed(digest, errs)
}

// blob is a stream that is taken up again where it breaks off.
type blob struct {
	*paced
	ctx    context.Context //nolint:containedctx // a reader has nowhere else to take it from
	from   *endpoint
	digest string
	size   int64
	n      int64 // bytes read of it
	breaks int
}

func (e *endpoint) blob(ctx context.Context, digest string, from int64) (*blob, error) {
	inner, cancel := context.WithCancel(ctx)
	header := http.Header{}
	if from > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	answer, err := e.get(inner, "/blobs/"+digest, header)
	if err != nil {
		cancel()
		return nil, err
	}
	if from > 0 && (answer.StatusCode != http.StatusPartialContent || !strings.HasPrefix(answer.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", from))) {
		cancel()
		_ = answer.Body.Close()
		return nil, errors.New("the rest is not to be had by itself")
	}
	pace := e.client.Pace
	if pace == 0 {
		pace = 4 << 10
	}
	p := &paced{body: answer.Body, cancel: cancel, first: e.client.timeout(), pace: pace}
	return &blob{paced: p, ctx: ctx, from: e, digest: digest, size: answer.ContentLength}, nil
}

// Read takes the stream up again where it broke off.
func (b *blob) Read(p []byte) (int, error) {
	n, err := b.paced.Read(p)
	b.n += int64(n)
	if err == nil || errors.Is(err, io.EOF) || b.ctx.Err() != nil {
		return n, err
	}
	if _, slow := errors.AsType[errSlow](err); slow || b.breaks >= repetitions || b.n == 0 || !broken(err) {
		return n, b.from.masked(err)
	}
	b.breaks++
	next, again := b.from.blob(b.ctx, b.digest, b.n)
	if again != nil {
		return n, b.from.masked(err)
	}
	_ = b.Close()
	next.waited, next.paced.n = b.waited, b.paced.n
	b.paced = next.paced
	return n, nil
}
