package trust

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	sigstore "github.com/sigstore/sigstore/pkg/signature"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/signature"
)

// examineSigstore verifies what cosign and other clients of sigstore make, by keys or by the identity in a certificate.
func (s *Signer) examineSigstore(w *work, e *Evidence) outcome {
	candidates, err := entitiesOf(e)
	if err != nil {
		return outcome{why: flat(err.Error())}
	}
	var o outcome
	for _, c := range candidates {
		if o = s.examineEntity(w, c); o.why == "" {
			break
		}
	}
	return o
}

// examineEntity verifies one signature, and then what it is over: the image that is asked about, and no other.
func (s *Signer) examineEntity(w *work, c *entity) outcome {
	content, err := c.VerificationContent()
	if err != nil {
		return outcome{why: flat(err.Error())}
	}
	if (content.Certificate() == nil) != (len(s.keys) > 0) {
		if len(s.keys) == 0 || !c.mayBeKeyed() {
			return outcome{why: "it is signed with " + map[bool]string{true: "a key", false: "a certificate"}[content.Certificate() == nil]}
		}
		content = &bundle.PublicKey{}
		c.content = content
	}
	digest, err := digestBytes(w.subject.Digest)
	if err != nil {
		return outcome{why: err.Error()}
	}
	o := s.verify(c, func() verify.ArtifactPolicyOption {
		if c.payload != nil {
			return verify.WithArtifact(bytes.NewReader(c.payload)) // each key reads it anew
		}
		return verify.WithArtifactDigest("sha256", digest)
	})
	if o.why != "" {
		return o.outcome
	}
	if c.payload != nil {
		claim, err := signature.ParseClaim(c.payload)
		if err == nil && claim.Digest != w.subject.Digest {
			err = fmt.Errorf("it is the signature of another image, %s", claim.Digest)
		}
		if err != nil {
			return outcome{why: flat(err.Error())}
		}
	}
	if c.envelope != nil {
		statement, err := parseStatement(c.envelope.Payload, w.subject.Digest)
		if err != nil {
			return outcome{why: flat(err.Error())}
		}
		statement.bind(s, o.certificate)
		o.statement = statement
	}
	return o.outcome
}

// proof is an outcome with the certificate that it rests on.
type proof struct {
	outcome
	certificate *certificate.Summary
}

// verify hands the signature to sigstore-go, with the signer's means as all that is trusted.
func (s *Signer) verify(c *entity, artifact func() verify.ArtifactPolicyOption) proof {
	if len(s.keys) == 0 {
		return s.verifyKeyless(c, artifact)
	}
	why := ""
	for _, key := range s.keys {
		var trusted root.TrustedMaterial = root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) { return keyVerifier{key}, nil })
		options := []verify.VerifierOption{verify.WithNoObserverTimestamps()}
		if s.root != nil {
			trusted = root.TrustedMaterialCollection{trusted, s.root}
			options = []verify.VerifierOption{verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1)}
		}
		result, err := verified(c, trusted, options, artifact(), verify.WithKey())
		if err != nil {
			why = flat(err.Error())
			continue
		}
		made := fact.Signature{Key: key.ID(), Logged: s.root != nil}
		clock(&made, result)
		return proof{outcome: outcome{signature: made}}
	}
	return proof{outcome: outcome{why: why}}
}

func (s *Signer) verifyKeyless(c *entity, artifact func() verify.ArtifactPolicyOption) proof {
	var options []verify.VerifierOption
	if s.WithoutLog {
		options = append(options, verify.WithSignedTimestamps(1))
	} else {
		options = append(options, verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1))
	}
	if !s.WithoutSCT {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	result, err := verified(c, s.root, options, artifact(), verify.WithoutIdentitiesUnsafe()) // identities are asked below
	if err != nil {
		return proof{outcome: outcome{why: flat(err.Error())}}
	}
	if result.Signature == nil || result.Signature.Certificate == nil {
		return proof{outcome: outcome{why: "it is signed without a certificate"}}
	}
	cert := result.Signature.Certificate
	who := flat(cert.SubjectAlternativeName) + " of " + flat(cert.Issuer)
	if !s.identity.MatchString(cert.SubjectAlternativeName) || !s.issuer.MatchString(cert.Issuer) {
		return proof{outcome: outcome{why: "it was signed by " + who, stranger: who}}
	}
	made := fact.Signature{Identity: cert.SubjectAlternativeName, Issuer: cert.Issuer, Logged: !s.WithoutLog}
	if content, err := c.VerificationContent(); err == nil && content.Certificate() != nil {
		made.Key = keyID(content.Certificate())
	}
	clock(&made, result)
	return proof{outcome: outcome{signature: made}, certificate: cert}
}

func verified(c *entity, trusted root.TrustedMaterial, options []verify.VerifierOption, artifact verify.ArtifactPolicyOption, who verify.PolicyOption) (*verify.VerificationResult, error) {
	verifier, err := verify.NewVerifier(trusted, options...)
	if err != nil {
		return nil, err
	}
	return verifier.Verify(c, verify.NewPolicy(artifact, who))
}

// clock says when a signature was made, by the earliest clock that was verified.
func clock(made *fact.Signature, result *verify.VerificationResult) {
	var first time.Time
	for _, t := range result.VerifiedTimestamps {
		if t.Timestamp.IsZero() || t.Timestamp.Unix() <= 0 || (!first.IsZero() && !t.Timestamp.Before(first)) {
			continue
		}
		first = t.Timestamp
		made.Clock = "timestamp"
		if t.Type == "Tlog" {
			made.Clock = "log"
		}
	}
	if !first.IsZero() {
		made.Time = first.UTC().Format(time.RFC3339)
	}
}

func digestBytes(digest string) ([]byte, error) {
	sum, ok := strings.CutPrefix(digest, "sha256:")
	raw, err := hex.DecodeString(sum)
	if !ok || err != nil || len(raw) != sha256.Size {
		return nil, fmt.Errorf("%q is no sha256 digest", digest)
	}
	return raw, nil
}

func keyID(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// keyVerifier lets sigstore-go verify by a key of ours: what a signature is stands in internal/signature alone.
type keyVerifier struct{ key *signature.PublicKey }

// ValidAtTime says that a key has no end (root.TimeConstrainedVerifier).
func (keyVerifier) ValidAtTime(time.Time) bool { return true }

// PublicKey is the key (sigstore's signature.Verifier).
func (k keyVerifier) PublicKey(...sigstore.PublicKeyOption) (crypto.PublicKey, error) {
	return k.key.Key(), nil
}

// VerifySignature verifies a message, or a digest where one is given in its place.
func (k keyVerifier) VerifySignature(made, message io.Reader, options ...sigstore.VerifyOption) error {
	raw, err := io.ReadAll(io.LimitReader(made, signature.MaxClaim))
	if err != nil {
		return err
	}
	var digest []byte
	for _, o := range options {
		o.ApplyDigest(&digest)
	}
	ok := false
	if len(digest) > 0 {
		ok = k.key.VerifiesDigest(digest, raw)
	} else if text, err := io.ReadAll(message); err == nil {
		ok = k.key.VerifiesRaw(text, raw)
	}
	if !ok {
		return errors.New("it is not signed by the key")
	}
	return nil
}

// b64 is base64 as annotations have it.
func b64(text string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.TrimSpace(text))
}
