package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// The list of what refers to an image: github.com/opencontainers/distribution-spec, "Listing Referrers".
const (
	indexType = "application/vnd.oci.image.index.v1+json"
	maxPages  = 64
)

// Referrers are the descriptors of the manifests that name a digest as their subject, each as JSON: by the registry's
// API, page by page, or where it has none by the tag that stands in for it. A host that knows of none is no reason not to ask the next.
func (r *Repository) Referrers(ctx context.Context, digest string) ([]json.RawMessage, error) {
	ctx, cancel := r.client.within(ctx)
	defer cancel()
	var errs []error
	for _, e := range r.endpoints {
		list, err := e.referrers(ctx, digest)
		if len(list) > 0 {
			return list, err
		}
		if err != nil && !missing(err) {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return nil, r.failed("what refers to "+digest, errs)
	}
	return nil, nil
}

// Missing says whether every host that was asked answered that there is no such thing.
func Missing(err error) bool {
	if s, ok := errors.AsType[*several](err); ok {
		for _, one := range s.errs {
			if !missing(one) {
				return false
			}
		}
		return true
	}
	return missing(err)
}

// withoutAPI says whether an answer is that of a registry that does not know what was asked.
func withoutAPI(err error) bool {
	a, ok := errors.AsType[*answerError](err)
	return ok && (a.status == http.StatusNotFound || a.status == http.StatusBadRequest || a.status == http.StatusMethodNotAllowed || a.status == http.StatusNotAcceptable)
}

func (e *endpoint) referrers(ctx context.Context, digest string) ([]json.RawMessage, error) {
	var list []json.RawMessage
	what := "/referrers/" + digest
	for page := range maxPages {
		next, more, err := e.referrersPage(ctx, what)
		if page == 0 && (withoutAPI(err) || errors.Is(err, errNoIndex)) {
			return e.fallbackReferrers(ctx, digest)
		}
		list = append(list, more...)
		switch {
		case err != nil || next == "":
			return list, err
		case len(more) == 0:
			return list, fmt.Errorf("%s lists what refers to the image without an end", e.at.RegistryStr())
		}
		what = "/referrers/" + digest + "?" + next
	}
	return list, fmt.Errorf("%s lists over %d pages of what refers to the image", e.at.RegistryStr(), maxPages)
}

// errNoIndex is an answer of another kind than a list of referrers.
var errNoIndex = errors.New("the answer is no index")

// referrersPage is one page, and the query of the next.
func (e *endpoint) referrersPage(ctx context.Context, what string) (next string, list []json.RawMessage, err error) {
	answer, err := e.get(ctx, what, http.Header{"Accept": {indexType}})
	if err != nil {
		return "", nil, err
	}
	defer answer.Body.Close() //nolint:errcheck // nothing was written
	if !strings.HasPrefix(answer.Header.Get("Content-Type"), indexType) {
		return "", nil, errNoIndex
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, MaxManifest+1))
	if err != nil || len(text) > MaxManifest {
		return "", nil, e.masked(errors.Join(err, fmt.Errorf("%s lists what refers to the image in %d bytes or more", e.at.RegistryStr(), len(text))))
	}
	list, err = descriptors(text)
	return following(answer.Header.Get("Link")), list, err
}

func descriptors(text []byte) ([]json.RawMessage, error) {
	var index struct {
		Manifests []json.RawMessage `json:"manifests"`
	}
	if err := json.Unmarshal(text, &index); err != nil {
		return nil, fmt.Errorf("the list of what refers to the image is no JSON: %w", err)
	}
	return index.Manifests, nil
}

// following is the query of the next page as the Link header names it (RFC 8288), "" when there is none. Nothing else of
// the header is followed.
func following(link string) string {
	target, rest, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(link), "<"), ">")
	if !ok || !strings.Contains(rest, "next") {
		return ""
	}
	next, err := url.Parse(target)
	if err != nil {
		return ""
	}
	return next.Query().Encode()
}

// fallbackReferrers is the index under the tag by which clients keep referrers where the registry does not.
func (e *endpoint) fallbackReferrers(ctx context.Context, digest string) ([]json.RawMessage, error) {
	d, err := e.manifest(ctx, strings.Replace(digest, ":", "-", 1))
	if err != nil {
		return nil, err
	}
	return descriptors(d.Text)
}
