package signature

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"

	kjson "sigs.k8s.io/json"
)

// Attestations stand in envelopes of DSSE (github.com/secure-systems-lab/dsse, protocol.md).
const (
	EnvelopeType = "application/vnd.dsse.envelope.v1+json"
	InTotoType   = "application/vnd.in-toto+json"
	// MaxEnvelope is the size of an envelope that is read, in bytes: an SBOM in base64 is large.
	MaxEnvelope = 128 << 20
	// maxSignatures is how many signatures one envelope may hold. Those of attestations hold one.
	maxSignatures = 16
)

// Envelope is a payload and who signed it, as it was read; that it was read proves nothing.
type Envelope struct {
	PayloadType string
	Payload     []byte
	Signatures  []EnvelopeSignature
}

// EnvelopeSignature is one signature of an envelope. KeyID is a hint and proves nothing.
type EnvelopeSignature struct {
	KeyID string
	Sig   []byte
}

// ParseEnvelope reads an envelope of DSSE.
func ParseEnvelope(text []byte) (*Envelope, error) {
	if len(text) > MaxEnvelope {
		return nil, fmt.Errorf("an envelope of %d bytes is over %d", len(text), MaxEnvelope)
	}
	var raw struct {
		PayloadType string `json:"payloadType"`
		Payload     string `json:"payload"`
		Signatures  []struct {
			KeyID string `json:"keyid"`
			Sig   string `json:"sig"`
		} `json:"signatures"`
	}
	strict, err := kjson.UnmarshalStrict(text, &raw, kjson.DisallowDuplicateFields)
	if err := errors.Join(append(strict, err)...); err != nil {
		return nil, fmt.Errorf("it is no DSSE envelope: %w", err)
	}
	e := &Envelope{PayloadType: raw.PayloadType}
	switch {
	case raw.PayloadType == "":
		return nil, errors.New("its envelope names no type of payload")
	case len(raw.Signatures) == 0:
		return nil, errors.New("its envelope has no signature")
	case len(raw.Signatures) > maxSignatures:
		return nil, fmt.Errorf("its envelope has %d signatures, and at most %d are read", len(raw.Signatures), maxSignatures)
	}
	if e.Payload, err = decode(raw.Payload); err != nil {
		return nil, errors.New("its envelope's payload is not base64")
	}
	for _, s := range raw.Signatures {
		sig, err := decode(s.Sig)
		if err != nil {
			return nil, errors.New("its envelope's signature is not base64")
		}
		e.Signatures = append(e.Signatures, EnvelopeSignature{KeyID: s.KeyID, Sig: sig})
	}
	return e, nil
}

// decode takes both alphabets of base64, as the protocol demands.
func decode(text string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		raw, err = base64.URLEncoding.DecodeString(text)
	}
	return raw, err
}

// Signed is what the signatures of an envelope are over: its pre-authentication encoding.
func (e *Envelope) Signed() []byte {
	signed := append([]byte("DSSEv1 "), strconv.Itoa(len(e.PayloadType))...)
	signed = append(append(signed, ' '), e.PayloadType...)
	signed = append(strconv.AppendInt(append(signed, ' '), int64(len(e.Payload)), 10), ' ')
	return append(signed, e.Payload...)
}
