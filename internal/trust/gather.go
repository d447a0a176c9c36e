package trust

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/notaryproject/notation-core-go/signature/cose"
	"github.com/notaryproject/notation-core-go/signature/jws"

	"github.com/coaming/coaming/internal/signature"
)

// bundleType begins the media type of sigstore's bundles: application/vnd.dev.sigstore.bundle.v0.3+json, and
// application/vnd.dev.sigstore.bundle+json;version=0.2 before it.
const bundleType = "application/vnd.dev.sigstore.bundle"

// tags are where cosign keeps what it has made without the API for referrers, by how the tag ends.
var tags = []string{".sig", ".att"}

// gatherer collects the evidence that a store holds about one digest.
type gatherer struct {
	store  store
	list   []Evidence
	unseen []string
	bytes  int64
	bodies map[string][]byte // by digest: many signatures are over one payload
	full   bool
}

// gather looks where signatures stand: cosign's tags, and what refers to the image. That one place cannot be read says
// nothing of the other.
func gather(ctx context.Context, s store, digest string) ([]Evidence, []string, error) {
	if _, err := digestBytes(digest); err != nil {
		return nil, nil, err
	}
	g := &gatherer{store: s, bodies: map[string][]byte{}}
	for _, end := range tags {
		tag := strings.Replace(digest, ":", "-", 1) + end
		text, err := s.manifest(ctx, tag)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			g.missed(tag, err)
		default:
			g.layers(ctx, tag, text)
		}
	}
	list, err := s.referrers(ctx, digest)
	if err != nil {
		g.missed("the list of what refers to the image", err)
	}
	seen := map[string]bool{}
	for _, d := range list {
		if g.full || seen[d.Digest] {
			continue
		}
		if len(seen) == maxReferrers {
			g.missed("what refers to the image", fmt.Errorf("%d manifests do, and the first %d were looked at", len(list), maxReferrers))
			break
		}
		seen[d.Digest] = true
		g.referrer(ctx, d, digest)
	}
	return g.list, g.unseen, nil
}

func (g *gatherer) missed(what string, err error) {
	const most = 20
	if len(g.unseen) < most {
		g.unseen = append(g.unseen, flat(what+": "+err.Error()))
	}
}

// layers takes the layers of one of cosign's tags.
func (g *gatherer) layers(ctx context.Context, place string, text []byte) {
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		g.missed(place, err)
		return
	}
	for i, d := range m.Layers {
		g.piece(ctx, fmt.Sprintf("%s[%d]", place, i), d)
	}
}

// speaks says whether what refers to an image may vouch for it, by its type; most of what refers (SBOMs as they are,
// scan results) is not signed and is not fetched.
func speaks(artifactType string) bool {
	for _, prefix := range []string{
		bundleType, notationArtifact, signature.EnvelopeType, signature.PayloadType, signature.InTotoType,
		"application/vnd.dev.cosign.", "application/vnd.oci.empty", "application/vnd.oci.image.config", "application/vnd.cncf.notary",
	} {
		if strings.HasPrefix(artifactType, prefix) {
			return true
		}
	}
	return artifactType == "" // an old list of referrers does not tell
}

func (g *gatherer) referrer(ctx context.Context, d descriptor, digest string) {
	if !speaks(d.ArtifactType) {
		return
	}
	text, err := g.store.fetch(ctx, d, maxManifest)
	if err != nil {
		g.missed(d.Digest, err)
		return
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		g.missed(d.Digest, err)
		return
	}
	if m.Subject == nil || m.Subject.Digest != digest {
		return // it stands in the list, and says itself that it is about another
	}
	for _, layer := range append(m.Layers, m.Blobs...) {
		g.piece(ctx, d.Digest, layer)
	}
}

// piece fetches one layer, if it is of a form that vouches.
func (g *gatherer) piece(ctx context.Context, place string, d descriptor) {
	form, ok := formOf(d.MediaType)
	if !ok || g.full {
		return
	}
	if len(g.list) == maxEvidence {
		g.full = true
		g.missed("signatures and attestations", fmt.Errorf("there are more than %d, and the first were looked at", maxEvidence))
		return
	}
	body, known := g.bodies[d.Digest]
	if !known {
		var err error
		if body, err = g.body(ctx, d); err != nil {
			g.missed(place, err)
			return
		}
		g.bodies[d.Digest] = body
	}
	g.list = append(g.list, Evidence{Form: form, Place: place, MediaType: d.MediaType, Body: body, Annotations: d.Annotations})
}

func (g *gatherer) body(ctx context.Context, d descriptor) ([]byte, error) {
	most := min(maxBody, maxAll-g.bytes)
	if d.Size > most {
		return nil, fmt.Errorf("%d bytes are more than are read of one image", d.Size)
	}
	body, err := g.store.fetch(ctx, d, most)
	g.bytes += int64(len(body))
	return body, err
}

// formOf is the form of a layer by its media type; ok is false for what is none.
func formOf(mediaType string) (Form, bool) {
	switch {
	case mediaType == signature.PayloadType:
		return Cosign, true
	case mediaType == signature.EnvelopeType || mediaType == signature.InTotoType:
		return DSSE, true
	case strings.HasPrefix(mediaType, bundleType):
		return Bundle, true
	case mediaType == jws.MediaTypeEnvelope || mediaType == cose.MediaTypeEnvelope:
		return Notation, true
	}
	return "", false
}

// Files are bundles of sigstore that stand in files: 'cosign download', 'gh attestation download'. A file may hold several, a line each.
type Files []Evidence

// OpenFiles reads bundles from files.
func OpenFiles(names []string) (Files, error) {
	var list Files
	var errs []error
	for _, name := range names {
		text, err := readFile("", name, maxBody)
		if err != nil {
			errs = append(errs, fmt.Errorf("read bundle: %w", err))
			continue
		}
		if json.Valid(text) {
			list = append(list, Evidence{Form: formOfText(text), Place: name, Body: text})
			continue
		}
		for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
			list = append(list, Evidence{Form: formOfText([]byte(line)), Place: fmt.Sprintf("%s:%d", name, i+1), Body: []byte(line)})
		}
	}
	return list, errors.Join(errs...)
}

// formOfText tells a bundle from an envelope.
func formOfText(text []byte) Form {
	var head struct {
		PayloadType string `json:"payloadType"`
	}
	if json.Unmarshal(text, &head) == nil && head.PayloadType != "" {
		return DSSE
	}
	return Bundle
}

// Evidence is all of them: which image they are about, they say themselves (Source).
func (f Files) Evidence(context.Context, string) ([]Evidence, []string, error) { return f, nil, nil }

// both are two sources.
type both [2]Source

// Both is a source that looks in two places. That one of them cannot be read leaves what the other has.
func Both(a, b Source) Source { return both{a, b} }

// Evidence is that of the one and then of the other (Source).
func (b both) Evidence(ctx context.Context, digest string) ([]Evidence, []string, error) {
	var list []Evidence
	var unseen []string
	for _, s := range b {
		some, missed, err := s.Evidence(ctx, digest)
		list, unseen = append(list, some...), append(unseen, missed...)
		if err != nil {
			unseen = append(unseen, flat(err.Error()))
		}
	}
	return list, unseen, nil
}
