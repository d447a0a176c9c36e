package trust

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/notaryproject/notation-core-go/revocation"
	"github.com/notaryproject/notation-core-go/revocation/crl"
	"github.com/notaryproject/notation-core-go/revocation/purpose"
	"github.com/notaryproject/notation-core-go/revocation/result"
	core "github.com/notaryproject/notation-core-go/signature"
	"github.com/notaryproject/notation-core-go/signature/cose"
	"github.com/notaryproject/notation-core-go/signature/jws"
	"github.com/notaryproject/notation-go"
	"github.com/notaryproject/notation-go/dir"
	"github.com/notaryproject/notation-go/verifier"
	"github.com/notaryproject/notation-go/verifier/trustpolicy"
	"github.com/notaryproject/notation-go/verifier/truststore"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// notationArtifact is the type of a manifest that carries a signature of notation.
const notationArtifact = "application/vnd.cncf.notary.signature"

// maxNotation is the size of an envelope of notation, in bytes, and of a certificate of its trust store.
const maxNotation = 4 << 20

// notationVerifier verifies by a trust policy and a trust store of notation.
type notationVerifier struct {
	verifier notation.Verifier
	made     [][sha256.Size]byte // digests of what it is made of
}

// openNotation reads a folder as notation keeps its configuration.
func openNotation(folder string, o Options) (*notationVerifier, error) {
	const remedy = "Name a folder with trustpolicy.json and truststore/x509/ca/NAME/*.pem, as notation keeps its configuration."
	document, text, err := trustPolicy(folder)
	if err != nil {
		return nil, &verdict.RemedyError{Err: err, Remedy: remedy}
	}
	options, err := validators(o)
	if err != nil {
		return nil, fmt.Errorf("notation: %w", err)
	}
	v, err := verifier.NewWithOptions(document, truststore.NewX509TrustStore(dir.NewSysFS(folder)), nil, options)
	if err != nil {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("read trust policy of %s: %w", folder, err), Remedy: remedy}
	}
	made, err := sums(filepath.Join(folder, "truststore"))
	if err != nil {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("read trust store: %w", err), Remedy: remedy}
	}
	return &notationVerifier{verifier: v, made: append(made, sha256.Sum256(text))}, nil
}

// trustPolicy reads the document; notation prefers the name that tells images from files.
func trustPolicy(folder string) (*trustpolicy.Document, []byte, error) {
	text, err := readFile(folder, "trustpolicy.oci.json", maxRoot)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = readFile(folder, "trustpolicy.json", maxRoot)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read trust policy: %w", err)
	}
	document := &trustpolicy.Document{}
	if err := json.Unmarshal(text, document); err != nil {
		return nil, nil, fmt.Errorf("read trust policy of %s: %w", folder, err)
	}
	return document, text, nil
}

// maxStore is how many files a trust store may hold.
const maxStore = 10_000

// sums are the digests of the files of a trust store, in order; the store itself reads them when it must.
func sums(folder string) ([][sha256.Size]byte, error) {
	var list [][sha256.Size]byte
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case len(list) > maxStore:
			return fmt.Errorf("%s holds over %d files", folder, maxStore)
		case !d.Type().IsRegular():
			return nil
		}
		if info, err := d.Info(); err != nil || info.Size() > maxNotation {
			return fmt.Errorf("%s is no certificate", path)
		}
		text, err := os.ReadFile(path)
		list = append(list, sha256.Sum256(text), sha256.Sum256([]byte(path[len(folder):])))
		return err
	})
	return list, err
}

// validators are who is asked about revocation: the authorities, or nobody.
func validators(o Options) (verifier.VerifierOptions, error) {
	if o.Revocation == nil {
		return verifier.VerifierOptions{RevocationCodeSigningValidator: unasked{}, RevocationTimestampingValidator: unasked{}}, nil
	}
	fetcher, err := crl.NewHTTPFetcher(o.Revocation)
	if err != nil {
		return verifier.VerifierOptions{}, err
	}
	var list [2]revocation.Validator
	for i, p := range []purpose.Purpose{purpose.CodeSigning, purpose.Timestamping} {
		if list[i], err = revocation.NewWithOptions(revocation.Options{OCSPHTTPClient: o.Revocation, CRLFetcher: fetcher, CertChainPurpose: p}); err != nil {
			return verifier.VerifierOptions{}, err
		}
	}
	return verifier.VerifierOptions{RevocationCodeSigningValidator: list[0], RevocationTimestampingValidator: list[1]}, nil
}

// unasked asks nobody: a certificate that names somebody to ask may be revoked, and one that names nobody cannot be.
type unasked struct{}

// ValidateContext says so of each certificate (revocation.Validator).
func (unasked) ValidateContext(_ context.Context, o revocation.ValidateContextOptions) ([]*result.CertRevocationResult, error) {
	list := make([]*result.CertRevocationResult, len(o.CertChain))
	for i, cert := range o.CertChain {
		is := result.ResultUnknown
		if i == len(o.CertChain)-1 || len(cert.OCSPServer)+len(cert.CRLDistributionPoints) == 0 {
			is = result.ResultNonRevokable // the root, or nobody to ask
		}
		list[i] = &result.CertRevocationResult{Result: is, ServerResults: []*result.ServerResult{result.NewServerResult(is, "", nil)}}
	}
	return list, nil
}

// examine verifies an envelope. Whatever the trust policy tolerates, a signature whose certificate leads to nobody trusted is none.
func (n *notationVerifier) examine(ctx context.Context, w *work, e *Evidence) outcome {
	if len(e.Body) > maxNotation {
		return outcome{why: fmt.Sprintf("an envelope of %d bytes is over %d", len(e.Body), maxNotation)}
	}
	if e.MediaType != jws.MediaTypeEnvelope && e.MediaType != cose.MediaTypeEnvelope {
		return outcome{why: fmt.Sprintf("%q is no envelope of notation", flat(e.MediaType))}
	}
	if w.subject.Repository == "" || w.subject.Size == 0 {
		return outcome{unseen: "notation signs the size of a manifest and trusts by the name of its repository: neither is known"}
	}
	reference := w.subject.Repository + "@" + w.subject.Digest
	image := ocispec.Descriptor{MediaType: w.subject.MediaType, Digest: digest.Digest(w.subject.Digest), Size: w.subject.Size}
	got, err := n.verifier.Verify(ctx, image, e.Body, notation.VerifierVerifyOptions{ArtifactReference: reference, SignatureMediaType: e.MediaType})
	if got == nil || got.EnvelopeContent == nil {
		if err == nil {
			err = errors.New("the trust policy skips the verification of this image")
		}
		return outcome{why: flat(err.Error())}
	}
	var notes []string
	revoked := false // whether nothing but that nobody was asked about revocation stands against it
	for _, r := range got.VerificationResults {
		if r.Error == nil {
			continue
		}
		if r.Type == trustpolicy.TypeIntegrity || r.Type == trustpolicy.TypeAuthenticity {
			return outcome{why: flat(r.Error.Error())}
		}
		revoked = r.Type == trustpolicy.TypeRevocation && !strings.Contains(r.Error.Error(), "is revoked")
		notes = append(notes, flat(r.Error.Error()))
	}
	switch {
	case err != nil && revoked:
		return outcome{unseen: "whether its certificate was revoked was not asked: " + flat(err.Error())}
	case err != nil:
		return outcome{why: flat(err.Error())}
	}
	return notationOutcome(&got.EnvelopeContent.SignerInfo, notes)
}

// notationOutcome says who signed, and until when that holds.
func notationOutcome(info *core.SignerInfo, notes []string) outcome {
	leaf := info.CertificateChain[0]
	o := outcome{signature: fact.Signature{
		Key: keyID(leaf), Identity: leaf.Subject.String(), Issuer: leaf.Issuer.String(), Clock: "signer", Notes: notes,
	}}
	attributes := info.SignedAttributes
	if !attributes.SigningTime.IsZero() {
		o.signature.Time = attributes.SigningTime.UTC().Format(time.RFC3339)
	}
	if len(info.UnsignedAttributes.TimestampSignature) > 0 && len(notes) == 0 {
		o.signature.Clock = "timestamp"
	}
	o.ends = attributes.Expiry
	if o.signature.Clock == "signer" {
		ends := slices.MinFunc(info.CertificateChain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) }).NotAfter
		if o.ends.IsZero() || ends.Before(o.ends) {
			o.ends = ends
		}
	}
	return o
}

// Client is for whoever is asked about revocation: it waits, but not for ever.
func Client(transport http.RoundTripper) *http.Client {
	const patience = 5 * time.Second
	return &http.Client{Transport: transport, Timeout: patience}
}
