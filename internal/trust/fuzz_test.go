package trust

import (
	"encoding/pem"
	"testing"
	"time"

	"github.com/notaryproject/notation-core-go/signature/cose"
	"github.com/notaryproject/notation-core-go/signature/jws"
	"github.com/sigstore/sigstore-go/pkg/testing/data"

	"github.com/coaming/coaming/internal/signature"
)

// judgesOf are signers by each means, none of whom has signed what a fuzzer makes up.
func judgesOf(f *testing.F) *Policy {
	f.Helper()
	key := newAuthority(f, "fuzz")
	text, err := data.TrustedRoot(&testing.T{}, "public-good.json").MarshalJSON()
	if err != nil {
		f.Fatal(err)
	}
	trusted, err := parseRoot("root", text)
	if err != nil {
		f.Fatal(err)
	}
	public, err := signature.NewPublicKey(key.key.Public())
	if err != nil {
		f.Fatal(err)
	}
	anybody, err := matcher("", ".*")
	if err != nil {
		f.Fatal(err)
	}
	return &Policy{
		signers: map[string]*Signer{
			"key":     {keys: []*signature.PublicKey{public}},
			"logged":  {keys: []*signature.PublicKey{public}, root: trusted},
			"keyless": {root: trusted, identity: anybody, issuer: anybody, WithoutSCT: true},
			"stamped": {root: trusted, identity: anybody, issuer: anybody, WithoutSCT: true, WithoutLog: true},
		},
		images: []*Entry{{Repositories: []string{"**"}, Signers: []string{"key", "logged", "keyless", "stamped"}}},
	}
}

func fuzzed(t *testing.T, p *Policy, e Evidence) {
	t.Helper()
	r, err := p.Verify(t.Context(), Subject{Repository: repo, Digest: ours, MediaType: "m", Size: 1}, Files{e}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Signatures)+len(r.Attestations) > 0 {
		t.Errorf("what nobody signed is verified: %+v", r)
	}
	if len(r.Rejected) != 1 {
		t.Errorf("it is neither verified nor rejected: %+v", r)
	}
}

// FuzzBundle reads bundles that anybody wrote.
func FuzzBundle(f *testing.F) {
	p := judgesOf(f)
	for _, name := range []string{"dsse.sigstore.json", "dsse-2sigs.sigstore.json", "othername.sigstore.json", "sigstore.js@2.0.0-provenance.sigstore.json"} {
		if text, err := data.Bundle(&testing.T{}, name).MarshalJSON(); err == nil {
			f.Add(text)
		}
	}
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"a"}},"dsseEnvelope":{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"AAAA"}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) { fuzzed(t, p, Evidence{Form: Bundle, Body: body}) })
}

// FuzzLayer reads the layers and annotations that anybody wrote.
func FuzzLayer(f *testing.F) {
	p := judgesOf(f)
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: newAuthority(f, "fuzz").cert.Raw}))
	f.Add([]byte(`{"critical":{"identity":{"docker-reference":"a"},"image":{"docker-manifest-digest":"`+ours+`"},"type":"cosign container image signature"}}`), "MEUCIQ==", "", "", "", false)
	f.Add([]byte(`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"sig":"AAAA"}]}`), "", cert, `{"SignedEntryTimestamp":"AAAA","Payload":{"body":"eyJraW5kIjoiaGFzaGVkcmVrb3JkIiwiYXBpVmVyc2lvbiI6IjAuMC4xIiwic3BlYyI6e319","integratedTime":1,"logIndex":1,"logID":"c0"}}`, `{"SignedRFC3161Timestamp":"AAAA"}`, true)
	f.Fuzz(func(t *testing.T, body []byte, made, cert, log, stamp string, attests bool) {
		e := Evidence{Form: Cosign, Body: body, Annotations: map[string]string{
			signature.Annotation: made, annotationCertificate: cert, annotationLog: log, annotationTimestamp: stamp,
		}}
		if attests {
			e.Form = DSSE
		}
		fuzzed(t, p, e)
	})
}

// FuzzStatement reads statements whose signature was verified.
func FuzzStatement(f *testing.F) {
	f.Add(statementOf(ours, "https://slsa.dev/provenance/v1", provenance1))
	f.Add(statementOf(ours, "https://slsa.dev/provenance/v0.2", `{"builder":{"id":"a"},"buildType":"b","invocation":{"configSource":{"uri":"git+https://a/b@c","digest":{"sha1":"d"}}},"materials":[]}`))
	f.Add(statementOf(ours, "https://slsa.dev/verification_summary/v1", `{"verifier":{"id":"a"},"verificationResult":"PASSED","verifiedLevels":["SLSA_BUILD_LEVEL_3"]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if s, err := parseStatement(text, ours); err == nil && s.kind == "provenance" && s.provenance == nil {
			t.Error("a provenance that says nothing")
		}
	})
}

// FuzzNotation reads envelopes that anybody wrote.
func FuzzNotation(f *testing.F) {
	ca := newAuthority(f, "fuzz")
	leaf := ca.leaf(f, "fuzz", time.Hour)
	for _, media := range []string{jws.MediaTypeEnvelope, cose.MediaTypeEnvelope} {
		f.Add(envelope(f, media, leaf, ca, theirs, 1, 0).Body, media == jws.MediaTypeEnvelope)
	}
	n, err := openNotation(ca.folder(f, "strict", "*"), Options{})
	if err != nil {
		f.Fatal(err)
	}
	p := &Policy{signers: map[string]*Signer{"n": {notation: n}}, images: []*Entry{{Repositories: []string{"**"}, Signers: []string{"n"}}}}
	f.Fuzz(func(t *testing.T, body []byte, isJWS bool) {
		media := cose.MediaTypeEnvelope
		if isJWS {
			media = jws.MediaTypeEnvelope
		}
		fuzzed(t, p, Evidence{Form: Notation, MediaType: media, Body: body})
	})
}
