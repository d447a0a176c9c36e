package signature

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	kjson "sigs.k8s.io/json"
)

// Cosign keeps the signatures of an image as layers of another one: each is a payload of "simple signing",
// and the signature over its bytes is an annotation (github.com/sigstore/cosign specs/SIGNATURE_SPEC.md).
const (
	PayloadType = "application/vnd.dev.cosign.simplesigning.v1+json"
	Annotation  = "dev.cosignproject.cosign/signature"
)

// claimTypes are what a payload says that it is: cosign's word, and the older one of simple signing itself.
var claimTypes = []string{"cosign container image signature", "atomic container signature"}

// MaxClaim is the size of a payload that is read, in bytes.
const MaxClaim = 64 << 10

// digestForm is a digest that is long enough to speak of one image alone.
var digestForm = regexp.MustCompile(`^(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$`)

// Claim is what a payload of simple signing says: that an image of this digest is the one that
// the signer means. What it says besides is not read.
type Claim struct {
	// Reference is the name that the signer knew the image by. It may be moved: it proves nothing.
	Reference string
	Digest    string
}

type claim struct {
	Critical critical       `json:"critical"`
	Optional map[string]any `json:"optional"`
}

type critical struct {
	Identity identity `json:"identity"`
	Image    image    `json:"image"`
	Type     string   `json:"type"`
}

type identity struct {
	Reference string `json:"docker-reference"`
}

type image struct {
	Digest string `json:"docker-manifest-digest"`
}

// Payload is the claim as the bytes that are signed.
func (c Claim) Payload() ([]byte, error) {
	var full claim
	full.Critical = critical{Identity: identity{c.Reference}, Image: image{c.Digest}, Type: claimTypes[0]}
	text, err := json.Marshal(full)
	if err != nil {
		return nil, fmt.Errorf("write payload: %w", err)
	}
	return text, nil
}

// ParseClaim reads a payload of simple signing. One that could be read in two ways (a field twice, a field
// in another case) is none: who signed it may have meant the other.
func ParseClaim(payload []byte) (Claim, error) {
	if len(payload) > MaxClaim {
		return Claim{}, fmt.Errorf("a payload of %d bytes is over %d", len(payload), MaxClaim)
	}
	var full claim
	strict, err := kjson.UnmarshalStrict(payload, &full, kjson.DisallowDuplicateFields)
	if err := errors.Join(append(strict, err)...); err != nil {
		return Claim{}, fmt.Errorf("it is no payload of simple signing: %w", err)
	}
	c := Claim{Reference: full.Critical.Identity.Reference, Digest: full.Critical.Image.Digest}
	switch {
	case full.Critical.Type != claimTypes[0] && full.Critical.Type != claimTypes[1]:
		return Claim{}, fmt.Errorf("its payload says that it is %q, not a signature of an image", bounded(full.Critical.Type))
	case !digestForm.MatchString(c.Digest):
		return Claim{}, errors.New("its payload names no digest of an image")
	}
	return c, nil
}

// bounded is a text from outside, short enough for a message.
func bounded(text string) string {
	const most = 100
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}
