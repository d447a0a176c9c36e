package trust

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/coaming/coaming/internal/verdict"
)

// Registry is a repository of a registry, with what stands beside its images. Requests are made here rather than by
// go-containerregistry's remote, which reads but the first page of what refers to an image.
type Registry struct {
	repository name.Repository
	client     *http.Client
}

// Access is how a registry is spoken to.
type Access struct {
	Keychain  authn.Keychain // nil is what docker and its like have stored
	Transport http.RoundTripper
	UserAgent string
	// Plain allows HTTP without encryption; registries on this machine are spoken to so anyway.
	Plain bool
}

// accept are the manifests that may be asked for.
const accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, " +
	"application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json, " +
	"application/vnd.oci.artifact.manifest.v1+json"

// OpenRegistry finds the image that a reference names, by tag or digest, and the repository that it stands in.
func OpenRegistry(ctx context.Context, reference string, a Access) (*Registry, Subject, error) {
	var options []name.Option
	if a.Plain {
		options = append(options, name.Insecure)
	}
	ref, err := name.ParseReference(strings.TrimPrefix(reference, "oci://"), options...)
	if err != nil {
		return nil, Subject{}, &verdict.RemedyError{Err: fmt.Errorf("%q names no image: %w", reference, err), Remedy: "Name one as REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST, or a directory or archive that there is."}
	}
	keychain := a.Keychain
	if keychain == nil {
		keychain = authn.DefaultKeychain
	}
	who, err := authn.Resolve(ctx, keychain, ref.Context())
	if err != nil {
		return nil, Subject{}, fmt.Errorf("find credentials for %s: %w", ref.Context(), err)
	}
	through, err := transport.NewWithContext(ctx, ref.Context().Registry, who, transport.NewUserAgent(a.Transport, a.UserAgent), []string{ref.Scope(transport.PullScope)})
	if err != nil {
		return nil, Subject{}, fmt.Errorf("reach %s: %w", ref.Context().RegistryStr(), err)
	}
	r := &Registry{repository: ref.Context(), client: &http.Client{Transport: through}}
	text, header, err := r.get(ctx, "manifests/"+ref.Identifier(), maxManifest)
	if err != nil {
		return nil, Subject{}, fmt.Errorf("find %s: %w", ref, err)
	}
	s := Subject{Name: reference, Repository: ref.Context().Name(), Digest: sumOf(text), MediaType: mediaType(header, text), Size: int64(len(text))}
	if d, ok := ref.(name.Digest); ok && d.DigestStr() != s.Digest {
		return nil, Subject{}, fmt.Errorf("find %s: the registry answers with an image of another digest, %s", ref, s.Digest)
	}
	return r, s, nil
}

func sumOf(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// mediaType is that of a manifest: what it says itself, or what the registry says of it.
func mediaType(header http.Header, text []byte) string {
	var m manifest
	if json.Unmarshal(text, &m) == nil && m.MediaType != "" {
		return m.MediaType
	}
	kind, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	return kind
}

// get reads an answer whole, or fails: fs.ErrNotExist when there is none.
func (r *Registry) get(ctx context.Context, path string, most int64) ([]byte, http.Header, error) {
	address := url.URL{Scheme: r.repository.Scheme(), Host: r.repository.RegistryStr(), Path: "/v2/" + r.repository.RepositoryStr() + "/" + path}
	return r.ask(ctx, address.String(), most)
}

func (r *Registry) ask(ctx context.Context, address string, most int64) ([]byte, http.Header, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("Accept", accept)
	answer, err := r.client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close() //nolint:errcheck // it was only read
	switch {
	case answer.StatusCode == http.StatusNotFound:
		return nil, nil, fmt.Errorf("the registry has no such image: %w", fs.ErrNotExist)
	case answer.StatusCode != http.StatusOK:
		return nil, nil, refused{answer.StatusCode}
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("the registry's answer is over %d bytes", most)
	}
	return text, answer.Header, err
}

// refused is a registry's answer that is neither yes nor "there is none".
type refused struct{ status int }

// Error says what the registry answered.
func (e refused) Error() string {
	return fmt.Sprintf("the registry answers %d %s", e.status, http.StatusText(e.status))
}

// Evidence gathers what stands beside an image in its repository (Source).
func (r *Registry) Evidence(ctx context.Context, digest string) ([]Evidence, []string, error) {
	return gather(ctx, r, digest)
}

func (r *Registry) manifest(ctx context.Context, tag string) ([]byte, error) {
	text, _, err := r.get(ctx, "manifests/"+tag, maxManifest)
	return text, err
}

func (r *Registry) fetch(ctx context.Context, d descriptor, most int64) ([]byte, error) {
	if _, err := digestBytes(d.Digest); err != nil {
		return nil, err
	}
	kind := "blobs/"
	if strings.Contains(d.MediaType, "manifest") || strings.Contains(d.MediaType, "image.index") {
		kind = "manifests/"
	}
	text, _, err := r.get(ctx, kind+d.Digest, most)
	if err != nil {
		return nil, err
	}
	if sumOf(text) != d.Digest {
		return nil, fmt.Errorf("fetch %s: its bytes have another digest", d.Digest)
	}
	return text, nil
}

// maxPages is how many pages of what refers to an image are read.
const maxPages = 64

// referrers asks the registry's API, page by page, and where there is none the tag that stands in for it
// (github.com/opencontainers/distribution-spec, "Listing Referrers").
func (r *Registry) referrers(ctx context.Context, digest string) ([]descriptor, error) {
	address := url.URL{Scheme: r.repository.Scheme(), Host: r.repository.RegistryStr(), Path: "/v2/" + r.repository.RepositoryStr() + "/referrers/" + digest}
	var list []descriptor
	for next := &address; next != nil; {
		text, header, err := r.ask(ctx, next.String(), maxManifest)
		status, isRefused := errors.AsType[refused](err)
		absent := errors.Is(err, fs.ErrNotExist) || isRefused && (status.status == http.StatusBadRequest || status.status == http.StatusMethodNotAllowed || status.status == http.StatusNotAcceptable)
		if len(list) == 0 && (absent || err == nil && !strings.HasPrefix(header.Get("Content-Type"), "application/vnd.oci.image.index")) {
			return r.fallback(ctx, digest)
		}
		if err != nil {
			return list, err
		}
		var page index
		if err := json.Unmarshal(text, &page); err != nil {
			return list, fmt.Errorf("read the list of referrers: %w", err)
		}
		list = append(list, page.Manifests...)
		if next = following(next, header.Get("Link")); next != nil && len(list) > maxPages*maxReferrers {
			return list, fmt.Errorf("over %d manifests refer to it", maxPages*maxReferrers)
		}
		if next != nil && len(page.Manifests) == 0 {
			return list, errors.New("the registry's list of referrers does not end")
		}
	}
	return list, nil
}

// following is the next page as the Link header names it (RFC 8288), on the same host; nil when there is none.
func following(from *url.URL, link string) *url.URL {
	target, rest, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(link), "<"), ">")
	if !ok || !strings.Contains(rest, "next") {
		return nil
	}
	next, err := from.Parse(target)
	if err != nil || next.Host != from.Host || next.Scheme != from.Scheme {
		return nil
	}
	return next
}

// fallback is the index under the tag by which clients keep referrers where the registry does not.
func (r *Registry) fallback(ctx context.Context, digest string) ([]descriptor, error) {
	text, err := r.manifest(ctx, strings.Replace(digest, ":", "-", 1))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list index
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("read the list of referrers: %w", err)
	}
	return list.Manifests, nil
}
