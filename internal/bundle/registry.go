package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/coaming/coaming/internal/signature"
	"github.com/coaming/coaming/internal/verdict"
)

// A bundle in a registry is an OCI artefact of one layer, the .tgz itself. Its signature is where
// cosign keeps it: an image beside it, tagged sha256-DIGEST.sig, whose layers are payloads of
// "simple signing", each with its signature as an annotation (internal/signature).

// Artefact is a kind of file that a registry keeps.
type Artefact struct {
	What   string          // in the words of messages
	Layer  types.MediaType // of the one layer, which is the file
	Config types.MediaType
	Max    int64  // bytes
	Remedy string // what prints the name of one
}

// The artefacts: bundles of rules, and indexes of advisories.
var (
	Rules = Artefact{
		What: "bundle of rules", Layer: "application/vnd.coaming.rules.v1.tar+gzip", Config: "application/vnd.coaming.rules.config.v1+json",
		Max: MaxBundle, Remedy: "coaming rule push",
	}
	Advisories = Artefact{
		What: "index of advisories", Layer: "application/vnd.coaming.advisories.v1", Config: "application/vnd.coaming.advisories.config.v1+json",
		Max: 2 << 30, Remedy: "coaming db push",
	}
)

// Scheme begins the name of a bundle in a registry.
const Scheme = "oci://"

// maxSignatures is how many signatures of one bundle are looked at.
const maxSignatures = 64

// Registry speaks to registries with the credentials that docker and its like have stored.
type Registry struct {
	Artefact  Artefact
	Transport http.RoundTripper
	UserAgent string
}

func (r *Registry) options(ctx context.Context) []remote.Option {
	return []remote.Option{
		remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithUserAgent(r.UserAgent),
		remote.WithTransport(bounded{r.Transport, r.Artefact.Max}), remote.WithJobs(1),
	}
}

// bounded ends answers that are longer than an artefact may be.
type bounded struct {
	http.RoundTripper
	most int64
}

// RoundTrip bounds the answer's body.
func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(request)
	if err != nil {
		return answer, err
	}
	answer.Body = &limited{answer.Body, b.most}
	return answer, nil
}

type limited struct {
	io.ReadCloser
	left int64
}

// Read fails where the limit is passed: an answer that is cut would look whole.
func (l *limited) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, errors.New("the registry's answer is larger than what is asked for may be")
	}
	return n, err
}

// Push stores a bundle under a name with a tag, signed when there is a key, and returns the name
// with its digest.
func (r *Registry) Push(ctx context.Context, reference string, blob []byte, key *PrivateKey) (string, error) {
	tag, err := name.NewTag(strings.TrimPrefix(reference, Scheme), name.StrictValidation)
	if err != nil {
		return "", &verdict.RemedyError{Err: fmt.Errorf("push: %w", err), Remedy: "Name it REGISTRY/NAME:TAG."}
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), r.Artefact.Config)
	image, err = mutate.AppendLayers(image, static.NewLayer(blob, r.Artefact.Layer))
	if err != nil {
		return "", fmt.Errorf("make artefact: %w", err)
	}
	digest, err := image.Digest()
	if err != nil {
		return "", fmt.Errorf("make artefact: %w", err)
	}
	if err := remote.Write(tag, image, r.options(ctx)...); err != nil {
		return "", fmt.Errorf("push %s: %w", tag, err)
	}
	named := tag.Context().Digest(digest.String())
	if key != nil {
		if err := r.sign(ctx, named, key); err != nil {
			return "", err
		}
	}
	return Scheme + named.String(), nil
}

// signatureTag is where cosign keeps the signatures of a digest.
func signatureTag(d name.Digest) name.Tag {
	return d.Context().Tag(strings.ReplaceAll(d.DigestStr(), ":", "-") + ".sig")
}

// sign adds a signature to those that are there.
func (r *Registry) sign(ctx context.Context, d name.Digest, key *PrivateKey) error {
	payload, err := signature.Claim{Reference: d.Context().Name(), Digest: d.DigestStr()}.Payload()
	if err != nil {
		return err
	}
	signed, err := key.Sign(payload)
	if err != nil {
		return err
	}
	signatures := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if there, err := remote.Image(signatureTag(d), r.options(ctx)...); err == nil {
		signatures = there
	} else if !isMissing(err) {
		return fmt.Errorf("read signatures: %w", err)
	}
	signatures, err = mutate.Append(signatures, mutate.Addendum{
		Layer: static.NewLayer(payload, signature.PayloadType), Annotations: map[string]string{signature.Annotation: signed},
	})
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	if err := remote.Write(signatureTag(d), signatures, r.options(ctx)...); err != nil {
		return fmt.Errorf("push signature: %w", err)
	}
	return nil
}

func isMissing(err error) bool {
	refused, ok := errors.AsType[*transport.Error](err)
	return ok && refused.StatusCode == http.StatusNotFound
}

// ParseReference reads oci://REGISTRY/NAME@sha256:DIGEST. A tag alone is refused: what it names today it
// need not name tomorrow.
func (a Artefact) ParseReference(reference string) (name.Digest, error) {
	d, err := name.NewDigest(strings.TrimPrefix(reference, Scheme), name.StrictValidation)
	if err != nil {
		return d, &verdict.RemedyError{
			Err:    fmt.Errorf("%s names no %s by its digest", reference, a.What),
			Remedy: "Name it as oci://REGISTRY/NAME@sha256:DIGEST, as '" + a.Remedy + "' prints it.",
		}
	}
	return d, nil
}

// Pull fetches a bundle by its digest. Where there are keys, one of them must have signed it.
func (r *Registry) Pull(ctx context.Context, reference string, keys []*PublicKey) ([]byte, error) {
	d, err := r.Artefact.ParseReference(reference)
	if err != nil {
		return nil, err
	}
	if len(keys) > 0 {
		if err := r.verify(ctx, d, keys); err != nil {
			return nil, err
		}
	}
	image, err := remote.Image(d, r.options(ctx)...)
	if err != nil {
		return nil, fmt.Errorf("pull %s: %w", d, err)
	}
	layers, err := image.Layers()
	if err != nil {
		return nil, fmt.Errorf("pull %s: %w", d, err)
	}
	if len(layers) != 1 {
		return nil, fmt.Errorf("pull %s: it has %d layers, one %s has one", d, len(layers), r.Artefact.What)
	}
	if t, err := layers[0].MediaType(); err != nil || t != r.Artefact.Layer {
		return nil, fmt.Errorf("pull %s: its layer is %q, that of one %s is %s", d, t, r.Artefact.What, r.Artefact.Layer)
	}
	return readLayer(layers[0], r.Artefact.Max)
}

// readLayer reads a layer, whose digest is verified while it is read.
func readLayer(l v1.Layer, most int64) ([]byte, error) {
	if size, err := l.Size(); err != nil || size > most {
		return nil, fmt.Errorf("pull: a layer of %d bytes, over %d", size, most)
	}
	body, err := l.Compressed()
	if err != nil {
		return nil, fmt.Errorf("pull: %w", err)
	}
	blob, err := io.ReadAll(io.LimitReader(body, most+1))
	if err := errors.Join(err, body.Close()); err != nil {
		return nil, fmt.Errorf("pull: %w", err)
	}
	return blob, nil
}

// verify demands a signature by one of the keys over the digest.
func (r *Registry) verify(ctx context.Context, d name.Digest, keys []*PublicKey) error {
	image, err := remote.Image(signatureTag(d), r.options(ctx)...)
	if isMissing(err) {
		return &NotSigned{What: d.String(), Why: "it has no signature"}
	}
	if err != nil {
		return fmt.Errorf("read signatures of %s: %w", d, err)
	}
	manifest, err := image.Manifest()
	if err != nil {
		return fmt.Errorf("read signatures of %s: %w", d, err)
	}
	for i, layer := range manifest.Layers {
		if i == maxSignatures {
			break
		}
		if layer.MediaType != signature.PayloadType {
			continue
		}
		l, err := image.LayerByDigest(layer.Digest)
		if err != nil {
			continue
		}
		payload, err := readLayer(l, maxSignature)
		if err == nil && VerifiedBy(keys, payload, layer.Annotations[signature.Annotation]) && claims(payload, d.DigestStr()) {
			return nil
		}
	}
	return &NotSigned{What: d.String(), Why: "none of its signatures is by the key"}
}

// claims says whether a signed payload speaks of that digest.
func claims(payload []byte, digest string) bool {
	c, err := signature.ParseClaim(payload)
	return err == nil && c.Digest == digest
}

// NotSigned is a bundle that no key that was named has signed.
type NotSigned struct{ What, Why string }

// Error says what is not signed, and why it is thought so.
func (e *NotSigned) Error() string { return e.What + " is not to be trusted: " + e.Why }
