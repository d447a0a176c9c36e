package trust

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/testing/data"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore-go/pkg/verify"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/coaming/coaming/internal/signature"
	"github.com/coaming/coaming/internal/verdict"
)

const (
	who   = "release@shop.example.com"
	where = "https://login.example.com"
	repo  = "registry.example.com/shop/web"
)

var (
	ours   = digestOf("ours")
	theirs = digestOf("theirs")
)

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func claimOf(t *testing.T, digest string) []byte {
	t.Helper()
	text, err := signature.Claim{Reference: repo, Digest: digest}.Payload()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func statementOf(digest, predicateType, predicate string) []byte {
	return fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"web","digest":{"sha256":%q}}],"predicateType":%q,"predicate":%s}`,
		strings.TrimPrefix(digest, "sha256:"), predicateType, predicate)
}

func virtual(t *testing.T) *ca.VirtualSigstore {
	t.Helper()
	v, err := ca.NewVirtualSigstore()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// rootFile writes the trusted root of a sigstore as the file that users give.
func rootFile(t *testing.T, of root.TrustedMaterial) string {
	t.Helper()
	logs := func(from map[string]*root.TransparencyLog) map[string]*root.TransparencyLog {
		for id, log := range from { // the virtual one writes its id in hexadecimal, where a file has the bytes
			log.ID, _ = hex.DecodeString(id)
		}
		return from
	}
	r, err := root.NewTrustedRoot(root.TrustedRootMediaType01, of.FulcioCertificateAuthorities(), logs(of.CTLogs()), of.TimestampingAuthorities(), logs(of.RekorLogs()))
	if err != nil {
		t.Fatal(err)
	}
	text, err := r.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "trusted_root.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// promised is an entry with the log's promise in it, which the virtual one keeps to itself.
func promised(t *testing.T, v *ca.VirtualSigstore, from *protorekor.TransparencyLogEntry) *protorekor.TransparencyLogEntry {
	t.Helper()
	entry := proto.Clone(from).(*protorekor.TransparencyLogEntry)
	var kind struct{ Kind, APIVersion string }
	if err := json.Unmarshal(entry.CanonicalizedBody, &kind); err != nil {
		t.Fatal(err)
	}
	entry.KindVersion = &protorekor.KindVersion{Kind: kind.Kind, Version: kind.APIVersion}
	promise, err := v.RekorSignPayload(tlog.RekorPayload{
		Body: base64.StdEncoding.EncodeToString(entry.CanonicalizedBody), IntegratedTime: entry.IntegratedTime, LogIndex: entry.LogIndex, LogID: hex.EncodeToString(entry.LogId.KeyId),
	})
	if err != nil {
		t.Fatal(err)
	}
	entry.InclusionPromise = &protorekor.InclusionPromise{SignedEntryTimestamp: promise}
	return entry
}

// layer is a signature as cosign keeps it in annotations of a layer.
func layer(t *testing.T, v *ca.VirtualSigstore, form Form, body []byte, e *ca.TestEntity) Evidence {
	t.Helper()
	content, _ := e.VerificationContent()
	signed, _ := e.SignatureContent()
	entries, _ := e.TlogEntries()
	stamps, _ := e.Timestamps()
	tle := promised(t, v, entries[0].TransparencyLogEntry())
	kept, err := json.Marshal(map[string]any{
		"SignedEntryTimestamp": tle.GetInclusionPromise().GetSignedEntryTimestamp(),
		"Payload": map[string]any{
			"body": tle.GetCanonicalizedBody(), "integratedTime": tle.GetIntegratedTime(), "logIndex": tle.GetLogIndex(),
			"logID": hex.EncodeToString(tle.GetLogId().GetKeyId()),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	stamp, err := json.Marshal(map[string]any{"SignedRFC3161Timestamp": stamps[0]})
	if err != nil {
		t.Fatal(err)
	}
	return Evidence{Form: form, Place: "layer", Body: body, Annotations: map[string]string{
		signature.Annotation:  base64.StdEncoding.EncodeToString(signed.Signature()),
		annotationCertificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: content.Certificate().Raw})),
		annotationLog:         string(kept),
		annotationTimestamp:   string(stamp),
	}}
}

// bundleOf is an attestation as a bundle of version 0.3.
func bundleOf(t *testing.T, v *ca.VirtualSigstore, e *ca.TestEntity) *protobundle.Bundle {
	t.Helper()
	content, _ := e.VerificationContent()
	signed, _ := e.SignatureContent()
	entries, _ := e.TlogEntries()
	stamps, _ := e.Timestamps()
	material := &protobundle.VerificationMaterial{
		Content:                   &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: content.Certificate().Raw}},
		TimestampVerificationData: &protobundle.TimestampVerificationData{},
	}
	for _, entry := range entries {
		material.TlogEntries = append(material.TlogEntries, promised(t, v, entry.TransparencyLogEntry()))
	}
	for _, stamp := range stamps {
		material.TimestampVerificationData.Rfc3161Timestamps = append(material.TimestampVerificationData.Rfc3161Timestamps, &protocommon.RFC3161SignedTimestamp{SignedTimestamp: stamp})
	}
	env := signed.EnvelopeContent().RawEnvelope()
	payload, err := env.DecodeB64Payload()
	if err != nil {
		t.Fatal(err)
	}
	return &protobundle.Bundle{
		MediaType: "application/vnd.dev.sigstore.bundle.v0.3+json", VerificationMaterial: material,
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
			Payload: payload, PayloadType: env.PayloadType, Signatures: []*protodsse.Signature{{Sig: signed.Signature()}},
		}},
	}
}

func bundleEvidence(t *testing.T, b *protobundle.Bundle) Evidence {
	t.Helper()
	text, err := protojson.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return Evidence{Form: Bundle, Place: "bundle", Body: text}
}

// asked is a policy of one signer over all images, asked about ours.
func asked(t *testing.T, s *Signer, e *Entry, list ...Evidence) *Report {
	t.Helper()
	e.Repositories, e.Signers = []string{"**"}, []string{"release"}
	p, err := NewPolicy(map[string]*Signer{"release": s}, []*Entry{e}, "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Verify(t.Context(), Subject{Repository: repo, Digest: ours, MediaType: "application/vnd.oci.image.manifest.v1+json", Size: 500}, Files(list), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// keyless is a signer by identity in a sigstore that promises its certificates nowhere.
func keyless(rootFile string) *Signer {
	return &Signer{TrustedRoot: rootFile, Identity: who, Issuer: where, WithoutSCT: true}
}

func TestKeylessSignatures(t *testing.T) {
	v, other := virtual(t), virtual(t)
	file := rootFile(t, v)
	payload := claimOf(t, ours)
	sign := func(by *ca.VirtualSigstore, identity string, payload []byte, at time.Duration) *ca.TestEntity {
		e, err := by.SignAtTimeWithVersion(identity, where, payload, time.Now().Add(at), "v0.1")
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	const soon = 5 * time.Minute // the virtual certificates begin now and end in ten minutes
	good := sign(v, who, payload, soon)
	changed := func(e Evidence, change func(*Evidence)) Evidence {
		copied := e
		copied.Annotations = map[string]string{}
		maps.Copy(copied.Annotations, e.Annotations)
		change(&copied)
		return copied
	}
	is := layer(t, v, Cosign, payload, good)
	second := layer(t, v, Cosign, payload, sign(v, who, payload, soon))
	for name, test := range map[string]struct {
		signer   *Signer
		evidence Evidence
		why      string // "" is verified
	}{
		"the identity itself":       {keyless(file), is, ""},
		"a pattern":                 {&Signer{TrustedRoot: file, IdentityPattern: `.+@shop\.example\.com`, IssuerPattern: `https://login\..*`, WithoutSCT: true}, is, ""},
		"a pattern of a part":       {&Signer{TrustedRoot: file, IdentityPattern: `shop\.example`, Issuer: where, WithoutSCT: true}, is, "it was signed by " + who},
		"another issuer":            {&Signer{TrustedRoot: file, Identity: who, Issuer: "https://login.example.org", WithoutSCT: true}, is, "it was signed by"},
		"no promise of a CT log":    {&Signer{TrustedRoot: file, Identity: who, Issuer: where}, is, "signed certificate timestamp"},
		"another identity":          {keyless(file), layer(t, v, Cosign, payload, sign(v, "x@shop.example.com", payload, soon)), "it was signed by x@shop.example.com"},
		"another image":             {keyless(file), layer(t, v, Cosign, claimOf(t, theirs), sign(v, who, claimOf(t, theirs), soon)), "another image, " + theirs},
		"another sigstore":          {keyless(file), layer(t, other, Cosign, payload, sign(other, who, payload, soon)), "log"},
		"a certificate that ended":  {keyless(file), layer(t, v, Cosign, payload, sign(v, who, payload, 30*time.Minute)), "outside certificate validity"},
		"one that had not begun":    {keyless(file), layer(t, v, Cosign, payload, sign(v, who, payload, -30*time.Minute)), "outside certificate validity"},
		"no payload of signing":     {keyless(file), layer(t, v, Cosign, []byte(`{"a":1}`), sign(v, who, []byte(`{"a":1}`), soon)), "payload"},
		"another payload":           {keyless(file), changed(is, func(e *Evidence) { e.Body = claimOf(t, theirs) }), "digest"},
		"another signature":         {keyless(file), changed(is, func(e *Evidence) { e.Annotations[signature.Annotation] = second.Annotations[signature.Annotation] }), "signature does not match"},
		"another certificate":       {keyless(file), changed(is, func(e *Evidence) { e.Annotations[annotationCertificate] = second.Annotations[annotationCertificate] }), "certificate does not match"},
		"another's entry in a log":  {keyless(file), changed(is, func(e *Evidence) { e.Annotations[annotationLog] = second.Annotations[annotationLog] }), "does not match"},
		"no entry in a log":         {keyless(file), changed(is, func(e *Evidence) { delete(e.Annotations, annotationLog) }), "not enough verified log entries"},
		"a timestamp in its place":  {&Signer{TrustedRoot: file, Identity: who, Issuer: where, WithoutSCT: true, WithoutLog: true}, changed(is, func(e *Evidence) { delete(e.Annotations, annotationLog) }), ""},
		"neither log nor timestamp": {&Signer{TrustedRoot: file, Identity: who, Issuer: where, WithoutSCT: true, WithoutLog: true}, changed(is, func(e *Evidence) { delete(e.Annotations, annotationLog); delete(e.Annotations, annotationTimestamp) }), "timestamps"},
		"another's timestamp": {&Signer{TrustedRoot: file, Identity: who, Issuer: where, WithoutSCT: true, WithoutLog: true}, changed(is, func(e *Evidence) {
			delete(e.Annotations, annotationLog)
			e.Annotations[annotationTimestamp] = second.Annotations[annotationTimestamp]
		}), "timestamps"},
		"no certificate":        {keyless(file), changed(is, func(e *Evidence) { delete(e.Annotations, annotationCertificate) }), "signed with a key"},
		"an entry that is none": {keyless(file), changed(is, func(e *Evidence) { e.Annotations[annotationLog] = `{"Payload":{"body":"e30="}}` }), "entry of a log"},
		"an SBOM's media type":  {keyless(file), changed(is, func(e *Evidence) { e.Form = DSSE }), "no type of payload"},
	} {
		r := asked(t, test.signer, &Entry{}, test.evidence)
		if test.why == "" {
			if r.Verdict() != verdict.Pass || len(r.Signatures) != 1 || r.Signatures[0].Identity != who || r.Signatures[0].Issuer != where || r.Signatures[0].Time == "" {
				t.Errorf("%s: %+v", name, r)
			}
			continue
		}
		if r.Verdict() != verdict.Fail || len(r.Signatures) > 0 || len(r.Rejected) != 1 || !strings.Contains(r.Rejected[0].Why, test.why) {
			t.Errorf("%s: %v %+v %+v\nwant the reason %q", name, r.Verdict(), r.Signatures, r.Rejected, test.why)
		}
	}
}

const provenance1 = `{"buildDefinition":{"buildType":"https://ci.example.com/v1","externalParameters":{"workflow":{"repository":"https://git.example.com/shop/web","ref":"refs/heads/main"}},` +
	`"resolvedDependencies":[{"uri":"git+https://git.example.com/other@refs/heads/x","digest":{"gitCommit":"aa"}},{"uri":"git+https://git.example.com/shop/web@refs/heads/main","digest":{"gitCommit":"bb"}}]},` +
	`"runDetails":{"builder":{"id":"https://ci.example.com/builder@v1"},"metadata":{"invocationId":"https://ci.example.com/runs/1"}}}`

func TestBundles(t *testing.T) {
	v := virtual(t)
	file := rootFile(t, v)
	attest := func(statement []byte) *protobundle.Bundle {
		e, err := v.AttestAtTime(who, where, statement, time.Now().Add(5*time.Minute), true)
		if err != nil {
			t.Fatal(err)
		}
		return bundleOf(t, v, e)
	}
	good := attest(statementOf(ours, "https://slsa.dev/provenance/v1", provenance1))
	changed := func(change func(*protobundle.Bundle)) *protobundle.Bundle {
		b := proto.Clone(good).(*protobundle.Bundle)
		change(b)
		return b
	}
	none := 0
	signer := keyless(file)
	signer.Builds = []Build{{Builder: "https://ci.example.com/builder@*", Level: 3}}
	wanted := &Entry{Signatures: &none, Attestations: []Wanted{{Type: "provenance", Builders: []string{"https://ci.example.com/**"}, Sources: []string{"https://git.example.com/shop/*"}, Level: 3}}}
	r := asked(t, signer, wanted, bundleEvidence(t, good))
	if r.Verdict() != verdict.Pass || len(r.Attestations) != 1 {
		t.Fatalf("%+v", r)
	}
	p := r.Attestations[0].Provenance
	if p.Source != "https://git.example.com/shop/web" || p.Commit != "bb" || p.Revision != "refs/heads/main" || p.Level != 3 || p.Builder != "https://ci.example.com/builder@v1" || p.Invocation != "https://ci.example.com/runs/1" {
		t.Errorf("provenance %+v", p)
	}
	if string(r.Predicates[0]) != provenance1 {
		t.Errorf("predicate %s", r.Predicates[0])
	}
	for name, test := range map[string]struct {
		bundle *protobundle.Bundle
		why    string
	}{
		"another image":         {attest(statementOf(theirs, "https://slsa.dev/provenance/v1", provenance1)), "match any digest"},
		"a changed payload":     {changed(func(b *protobundle.Bundle) { b.GetDsseEnvelope().Payload[9] ^= 1 }), "payload hash"},
		"a changed signature":   {changed(func(b *protobundle.Bundle) { b.GetDsseEnvelope().Signatures[0].Sig[9] ^= 1 }), "signature"},
		"no entry in a log":     {changed(func(b *protobundle.Bundle) { b.VerificationMaterial.TlogEntries = nil }), "not enough verified log entries"},
		"no proof of inclusion": {changed(func(b *protobundle.Bundle) { b.VerificationMaterial.TlogEntries[0].InclusionProof = nil }), "inclusion proof missing"},
		"a changed proof":       {changed(func(b *protobundle.Bundle) { b.VerificationMaterial.TlogEntries[0].InclusionProof.RootHash[0] ^= 1 }), ""},
		"a changed checkpoint": {changed(func(b *protobundle.Bundle) {
			b.VerificationMaterial.TlogEntries[0].InclusionProof.Checkpoint.Envelope += "x"
		}), ""},
		"a changed promise": {changed(func(b *protobundle.Bundle) {
			b.VerificationMaterial.TlogEntries[0].InclusionPromise.SignedEntryTimestamp[9] ^= 1
		}), "log entries"},
		"a changed time":     {changed(func(b *protobundle.Bundle) { b.VerificationMaterial.TlogEntries[0].IntegratedTime-- }), ""},
		"another media type": {changed(func(b *protobundle.Bundle) { b.MediaType = "application/vnd.dev.sigstore.bundle.v0.9+json" }), "not yet supported"},
		"a type of payload":  {changed(func(b *protobundle.Bundle) { b.GetDsseEnvelope().PayloadType = "text/plain" }), ""},
		"two signatures": {changed(func(b *protobundle.Bundle) {
			b.GetDsseEnvelope().Signatures = append(b.GetDsseEnvelope().Signatures, b.GetDsseEnvelope().Signatures[0])
		}), ""},
	} {
		r := asked(t, signer, wanted, bundleEvidence(t, test.bundle))
		if r.Verdict() != verdict.Fail || len(r.Attestations) > 0 || len(r.Rejected) != 1 || !strings.Contains(r.Rejected[0].Why, test.why) {
			t.Errorf("%s: %v %+v %+v\nwant the reason %q", name, r.Verdict(), r.Attestations, r.Rejected, test.why)
		}
	}
	for name, w := range map[string]Wanted{
		"another builder": {Type: "provenance", Builders: []string{"https://ci.example.org/**"}},
		"another source":  {Type: "provenance", Sources: []string{"https://git.example.com/*"}},
		"another type":    {Type: "sbom"},
	} {
		if r := asked(t, signer, &Entry{Signatures: &none, Attestations: []Wanted{w}}, bundleEvidence(t, good)); r.Verdict() != verdict.Fail {
			t.Errorf("%s: %+v", name, r.Demands)
		}
	}
	plain := keyless(file) // of whom nobody says which builder they are
	if r := asked(t, plain, &Entry{Signatures: &none, Attestations: []Wanted{{Type: "provenance", Level: 2}}}, bundleEvidence(t, good)); r.Verdict() != verdict.Fail || r.Attestations[0].Provenance.Level != 1 {
		t.Errorf("level 2 of an unknown builder: %+v", r.Demands)
	}
	// The same as a layer of cosign's.
	e, err := v.AttestAtTime(who, where, statementOf(ours, "https://spdx.dev/Document", `{"spdxVersion":"SPDX-2.3"}`), time.Now().Add(5*time.Minute), false)
	if err != nil {
		t.Fatal(err)
	}
	signed, _ := e.SignatureContent()
	env, err := json.Marshal(signed.EnvelopeContent().RawEnvelope())
	if err != nil {
		t.Fatal(err)
	}
	if r := asked(t, plain, &Entry{Signatures: &none, Attestations: []Wanted{{Type: "sbom"}}}, layer(t, v, DSSE, env, e)); r.Verdict() != verdict.Pass {
		t.Errorf("a layer: %+v %+v", r.Demands, r.Rejected)
	}
}

// TestPublicGood verifies a bundle of the public sigstore, with the promise of its certificate log, by its trusted root.
func TestPublicGood(t *testing.T) {
	b := data.Bundle(t, "sigstore.js@2.0.0-provenance.sigstore.json")
	text, err := b.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	s := &Signer{
		TrustedRoot: rootOf(t), IdentityPattern: `https://github\.com/sigstore/sigstore-js/.+`, Issuer: "https://token.actions.githubusercontent.com",
	}
	if err := s.open("", Options{}); err != nil {
		t.Fatal(err)
	}
	e, err := bundleEntity(text)
	if err != nil {
		t.Fatal(err)
	}
	var about struct {
		Subject []struct{ Digest map[string]string }
	}
	if err := json.Unmarshal(e.envelope.Payload, &about); err != nil {
		t.Fatal(err)
	}
	sum, err := hex.DecodeString(about.Subject[0].Digest["sha512"])
	if err != nil {
		t.Fatal(err)
	}
	o := s.verify(e, func() verify.ArtifactPolicyOption { return verify.WithArtifactDigest("sha512", sum) })
	if o.why != "" || !o.signature.Logged || o.certificate.SourceRepositoryURI != "https://github.com/sigstore/sigstore-js" {
		t.Errorf("%+v", o)
	}
	sum[0] ^= 1
	if o := s.verify(e, func() verify.ArtifactPolicyOption { return verify.WithArtifactDigest("sha512", sum) }); o.why == "" {
		t.Error("another package is verified")
	}
}

// rootOf writes the trusted root of the public sigstore.
func rootOf(t *testing.T) string {
	t.Helper()
	text, err := data.TrustedRoot(t, "public-good.json").MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "trusted_root.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// crowd is a source with many signatures.
type crowd struct{ list []Evidence }

func (c crowd) Evidence(context.Context, string) ([]Evidence, []string, error) {
	return c.list, nil, nil
}

func TestManySignatures(t *testing.T) {
	v := virtual(t)
	file := rootFile(t, v)
	payload := claimOf(t, ours)
	e, err := v.SignAtTimeWithVersion(who, where, payload, time.Now().Add(5*time.Minute), "v0.1")
	if err != nil {
		t.Fatal(err)
	}
	good, bad := layer(t, v, Cosign, payload, e), Evidence{Form: Cosign, Place: "bad", Body: payload, Annotations: map[string]string{signature.Annotation: "AAAA"}}
	ask := func(list []Evidence) *Report {
		p, err := NewPolicy(map[string]*Signer{"release": keyless(file)}, []*Entry{{Repositories: []string{"**"}, Signers: []string{"release"}}}, "", Options{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Verify(t.Context(), Subject{Repository: repo, Digest: ours}, crowd{list}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	many := slices.Repeat([]Evidence{bad}, 10_000)
	if r := ask(many); r.Verdict() != verdict.Unknown || len(r.Rejected) != maxRejected || len(r.Unseen) == 0 {
		t.Errorf("10,000 that are none: %v, %d rejected, unseen %q", r.Verdict(), len(r.Rejected), r.Unseen)
	}
	if r := ask(append(many, good)); r.Verdict() != verdict.Unknown {
		t.Errorf("a good one behind 10,000: %v", r.Verdict())
	}
	if r := ask(append([]Evidence{good}, many...)); r.Verdict() != verdict.Pass {
		t.Errorf("a good one before 10,000: %v", r.Verdict())
	}
}
