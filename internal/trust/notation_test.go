package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	core "github.com/notaryproject/notation-core-go/signature"
	"github.com/notaryproject/notation-core-go/signature/cose"
	"github.com/notaryproject/notation-core-go/signature/jws"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/coaming/coaming/internal/verdict"
)

// authority issues certificates for signing images.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Organization: []string{"Shop"}, Country: []string{"DE"}, Province: []string{"BE"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, MaxPathLen: 1,
	}
	return issue(t, template, nil)
}

func issue(t testing.TB, template *x509.Certificate, by *authority) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, with := template, key
	if by != nil {
		parent, with = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), with)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

func (a *authority) leaf(t testing.TB, name string, ends time.Duration, crl ...string) *authority {
	t.Helper()
	return issue(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name, Organization: []string{"Shop"}, Country: []string{"DE"}, Province: []string{"BE"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(ends), CRLDistributionPoints: crl,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}, a)
}

// folder is a configuration of notation's that trusts the authority at a level.
func (a *authority) folder(t testing.TB, level, identity string) string {
	t.Helper()
	dir := t.TempDir()
	store := filepath.Join(dir, "truststore", "x509", "ca", "shop")
	policy, err := json.Marshal(map[string]any{"version": "1.0", "trustPolicies": []any{map[string]any{
		"name": "shop", "registryScopes": []string{repo}, "signatureVerification": map[string]any{"level": level},
		"trustStores": []string{"ca:shop"}, "trustedIdentities": []string{identity},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(store, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string][]byte{
		filepath.Join(dir, "trustpolicy.json"): policy,
		filepath.Join(store, "root.crt"):       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// envelope signs a manifest as notation does.
func envelope(t testing.TB, mediaType string, leaf, root *authority, image string, size int64, expires time.Duration) Evidence {
	t.Helper()
	payload, err := json.Marshal(map[string]any{"targetArtifact": ocispec.Descriptor{MediaType: "application/vnd.oci.image.manifest.v1+json", Digest: digest.Digest(image), Size: size}})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := core.NewLocalSigner([]*x509.Certificate{leaf.cert, root.cert}, leaf.key)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]func() core.Envelope{jws.MediaTypeEnvelope: jws.NewEnvelope, cose.MediaTypeEnvelope: cose.NewEnvelope}[mediaType]()
	request := &core.SignRequest{
		Payload: core.Payload{ContentType: "application/vnd.cncf.notary.payload.v1+json", Content: payload},
		Signer:  signer, SigningTime: time.Now().Add(-2 * time.Second), SigningScheme: core.SigningSchemeX509, SigningAgent: "test",
	}
	if expires > 0 {
		request.Expiry = time.Now().Add(expires)
	}
	body, err := env.Sign(request)
	if err != nil {
		t.Fatal(err)
	}
	return Evidence{Form: Notation, Place: "referrer", MediaType: mediaType, Body: body}
}

func TestNotation(t *testing.T) {
	ca, other := newAuthority(t, "shop root"), newAuthority(t, "shop root")
	leaf, stranger := ca.leaf(t, "release", 12*time.Hour), other.leaf(t, "release", 12*time.Hour)
	revocable := ca.leaf(t, "release", 12*time.Hour, "http://127.0.0.1:1/crl")
	strict := ca.folder(t, "strict", "*")
	named := ca.folder(t, "strict", "x509.subject: C=DE, ST=BE, O=Shop, CN=release")
	another := ca.folder(t, "strict", "x509.subject: C=DE, ST=BE, O=Other")
	audit, skip := ca.folder(t, "audit", "*"), ca.folder(t, "skip", "*")
	const size = 500
	for _, media := range []string{jws.MediaTypeEnvelope, cose.MediaTypeEnvelope} {
		good := envelope(t, media, leaf, ca, ours, size, 0)
		broken := good
		broken.Body = append([]byte{}, good.Body...)
		broken.Body[len(broken.Body)/2] ^= 1
		confused := good
		confused.MediaType = map[string]string{jws.MediaTypeEnvelope: cose.MediaTypeEnvelope, cose.MediaTypeEnvelope: jws.MediaTypeEnvelope}[media]
		for name, test := range map[string]struct {
			folder   string
			evidence Evidence
			want     verdict.Verdict
			why      string
		}{
			"anybody of the authority":     {strict, good, verdict.Pass, ""},
			"the name itself":              {named, good, verdict.Pass, ""},
			"another name":                 {another, good, verdict.Fail, "identit"},
			"another authority":            {strict, envelope(t, media, stranger, other, ours, size, 0), verdict.Fail, "trusted certificate"},
			"another authority, tolerated": {audit, envelope(t, media, stranger, other, ours, size, 0), verdict.Fail, "trusted certificate"},
			"no verification":              {skip, good, verdict.Fail, ""},
			"another image":                {strict, envelope(t, media, leaf, ca, theirs, size, 0), verdict.Fail, "mismatch"},
			"another size":                 {strict, envelope(t, media, leaf, ca, ours, size+1, 0), verdict.Fail, "mismatch"},
			"a changed byte":               {strict, broken, verdict.Fail, ""},
			"the other form":               {strict, confused, verdict.Fail, ""},
			"nobody asked of revocation":   {strict, envelope(t, media, revocable, ca, ours, size, 0), verdict.Unknown, "revoked was not asked"},
		} {
			if test.folder == skip {
				// A policy that skips trusts no store and no identity.
				text := `{"version":"1.0","trustPolicies":[{"name":"shop","registryScopes":["` + repo + `"],"signatureVerification":{"level":"skip"}}]}`
				if err := os.WriteFile(filepath.Join(skip, "trustpolicy.json"), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			r := asked(t, &Signer{Notation: test.folder}, &Entry{}, test.evidence)
			var said strings.Builder
			said.WriteString(strings.Join(r.Unseen, " "))
			for _, rejected := range r.Rejected {
				said.WriteString(rejected.Why)
			}
			if r.Verdict() != test.want || !strings.Contains(said.String(), test.why) {
				t.Errorf("%s, %s: %v %q, want %v %q", media, name, r.Verdict(), said.String(), test.want, test.why)
			}
			if test.want == verdict.Pass && (r.Signatures[0].Identity != leaf.cert.Subject.String() || r.Signatures[0].Clock != "signer") {
				t.Errorf("%s, %s: %+v", media, name, r.Signatures)
			}
		}
		// What is proved by a certificate's clock alone ends with it, or with the signature's own end.
		r := asked(t, &Signer{Notation: strict}, &Entry{}, envelope(t, media, leaf, ca, ours, size, time.Hour))
		until, err := time.Parse(time.RFC3339, r.Until)
		if err != nil || until.After(time.Now().Add(time.Hour)) || until.Before(time.Now().Add(50*time.Minute)) {
			t.Errorf("%s: the answer holds until %q, want an hour", media, r.Until)
		}
	}
	// Where the name of the repository is not known, notation's trust policy cannot be asked.
	p, err := NewPolicy(map[string]*Signer{"n": {Notation: strict}}, []*Entry{{Repositories: []string{"**"}, Signers: []string{"n"}}}, "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Verify(t.Context(), Subject{Digest: ours}, Files{envelope(t, jws.MediaTypeEnvelope, leaf, ca, ours, size, 0)}, time.Now())
	if err != nil || r.Verdict() != verdict.Unknown {
		t.Errorf("%v %v, want unknown", r.Verdict(), err)
	}
}
