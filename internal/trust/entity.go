package trust

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/coaming/coaming/internal/signature"
)

// What cosign keeps as annotations of a layer (github.com/sigstore/cosign specs/SIGNATURE_SPEC.md).
const (
	annotationCertificate = "dev.sigstore.cosign/certificate"
	annotationLog         = "dev.sigstore.cosign/bundle"
	annotationTimestamp   = "dev.sigstore.cosign/rfc3161timestamp"
)

// entity is one signature with what proves it, in whatever form it was found, as sigstore-go verifies it.
type entity struct {
	content    verify.VerificationContent
	signed     verify.SignatureContent
	timestamps [][]byte
	entries    []*tlog.Entry
	version    string
	payload    []byte              // of simple signing, which is what is signed
	envelope   *signature.Envelope // of an attestation
}

// The methods are those of verify.SignedEntity.

// VerificationContent is the certificate or the key.
func (e *entity) VerificationContent() (verify.VerificationContent, error) { return e.content, nil }

// SignatureContent is the signature and what it is over.
func (e *entity) SignatureContent() (verify.SignatureContent, error) { return e.signed, nil }

// Timestamps are those of RFC 3161.
func (e *entity) Timestamps() ([][]byte, error) { return e.timestamps, nil }

// TlogEntries are the entries of transparency logs.
func (e *entity) TlogEntries() ([]*tlog.Entry, error) { return e.entries, nil }

// Version is that of sigstore's bundle.
func (e *entity) Version() (string, error) { return e.version, nil }

// HasInclusionPromise says whether a log has signed that it will have an entry.
func (e *entity) HasInclusionPromise() bool {
	for _, entry := range e.entries {
		if entry.HasInclusionPromise() {
			return true
		}
	}
	return false
}

// HasInclusionProof says whether there is a proof that a log has an entry.
func (e *entity) HasInclusionProof() bool {
	for _, entry := range e.entries {
		if entry.HasInclusionProof() {
			return true
		}
	}
	return false
}

// mayBeKeyed says whether a signature that came with a certificate may be verified by a key: cosign attaches a
// certificate of one's own beside a signature made with its key. With sigstore's proof it is keyless.
func (e *entity) mayBeKeyed() bool { return len(e.entries) == 0 && len(e.timestamps) == 0 }

// entitiesOf reads a piece of evidence: one entity, or one for each signature of an envelope.
func entitiesOf(e *Evidence) ([]*entity, error) {
	switch e.Form {
	case Cosign:
		one, err := layerEntity(e)
		if err != nil {
			return nil, err
		}
		made, err := b64(e.Annotations[signature.Annotation])
		if err != nil || len(made) == 0 {
			return nil, errors.New("it has no signature in base64")
		}
		if len(e.Body) > signature.MaxClaim {
			return nil, fmt.Errorf("a payload of %d bytes is over %d", len(e.Body), signature.MaxClaim)
		}
		sum := sha256.Sum256(e.Body)
		one.signed, one.payload = bundle.NewMessageSignature(sum[:], "SHA2_256", made), e.Body
		return []*entity{one}, nil
	case DSSE:
		envelope, err := signature.ParseEnvelope(e.Body)
		if err != nil {
			return nil, err
		}
		var list []*entity
		for i := range envelope.Signatures {
			one, err := layerEntity(e)
			if err != nil {
				return nil, err
			}
			one.signed, one.envelope = single(envelope, i), envelope
			list = append(list, one)
		}
		return list, nil
	case Bundle:
		one, err := bundleEntity(e.Body)
		return []*entity{one}, err
	case Notation:
	}
	return nil, fmt.Errorf("it is in a form that is not sigstore's: %s", e.Form)
}

// single is an envelope with one of its signatures: sigstore's proofs are each of one.
func single(e *signature.Envelope, i int) *bundle.Envelope {
	return &bundle.Envelope{Envelope: &dsse.Envelope{
		PayloadType: e.PayloadType,
		Payload:     base64.StdEncoding.EncodeToString(e.Payload),
		Signatures:  []dsse.Signature{{KeyID: e.Signatures[i].KeyID, Sig: base64.StdEncoding.EncodeToString(e.Signatures[i].Sig)}},
	}}
}

// layerEntity reads what stands in a layer's annotations.
func layerEntity(e *Evidence) (*entity, error) {
	one := &entity{content: &bundle.PublicKey{}, version: "v0.1"}
	if text := e.Annotations[annotationCertificate]; text != "" {
		block, _ := pem.Decode([]byte(text))
		if block == nil {
			return nil, errors.New("its certificate is not in PEM")
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("its certificate: %w", err)
		}
		one.content = bundle.NewCertificate(cert)
	}
	if text := e.Annotations[annotationLog]; text != "" {
		entry, err := logEntry(text)
		if err != nil {
			return nil, fmt.Errorf("its entry of a log: %w", err)
		}
		one.entries = []*tlog.Entry{entry}
	}
	if text := e.Annotations[annotationTimestamp]; text != "" {
		var stamp struct{ SignedRFC3161Timestamp []byte }
		if err := json.Unmarshal([]byte(text), &stamp); err != nil || len(stamp.SignedRFC3161Timestamp) == 0 {
			return nil, errors.New("its timestamp cannot be read")
		}
		one.timestamps = [][]byte{stamp.SignedRFC3161Timestamp}
	}
	return one, nil
}

// logEntry reads an entry as cosign keeps it: the log's promise over the entry (a "signed entry timestamp").
func logEntry(text string) (*tlog.Entry, error) {
	var kept struct {
		SignedEntryTimestamp []byte
		Payload              struct {
			Body           []byte `json:"body"`
			IntegratedTime int64  `json:"integratedTime"`
			LogIndex       int64  `json:"logIndex"`
			LogID          string `json:"logID"`
		}
	}
	if err := json.Unmarshal([]byte(text), &kept); err != nil {
		return nil, err
	}
	var kind struct{ Kind, APIVersion string }
	if err := json.Unmarshal(kept.Payload.Body, &kind); err != nil {
		return nil, err
	}
	log, err := hex.DecodeString(kept.Payload.LogID)
	if err != nil {
		return nil, err
	}
	return tlog.ParseTransparencyLogEntry(&protorekor.TransparencyLogEntry{
		LogIndex:          kept.Payload.LogIndex,
		LogId:             &protocommon.LogId{KeyId: log},
		KindVersion:       &protorekor.KindVersion{Kind: kind.Kind, Version: kind.APIVersion},
		IntegratedTime:    kept.Payload.IntegratedTime,
		InclusionPromise:  &protorekor.InclusionPromise{SignedEntryTimestamp: kept.SignedEntryTimestamp},
		CanonicalizedBody: kept.Payload.Body,
	})
}

// bundleEntity reads a bundle of sigstore, versions 0.1 to 0.3.
func bundleEntity(text []byte) (*entity, error) {
	b := &bundle.Bundle{}
	if err := b.UnmarshalJSON(text); err != nil {
		return nil, fmt.Errorf("it is no bundle of sigstore: %w", err)
	}
	one := &entity{}
	var errs [5]error
	one.content, errs[0] = b.VerificationContent()
	one.signed, errs[1] = b.SignatureContent()
	one.timestamps, errs[2] = b.Timestamps()
	one.entries, errs[3] = b.TlogEntries()
	one.version, errs[4] = b.Version()
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("it is no bundle of sigstore: %w", err)
	}
	if env := b.GetDsseEnvelope(); env != nil {
		one.envelope = &signature.Envelope{PayloadType: env.GetPayloadType(), Payload: env.GetPayload()}
	}
	return one, nil
}
