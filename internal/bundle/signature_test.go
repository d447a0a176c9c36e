package bundle_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"

	"github.com/coaming/coaming/internal/bundle"
)

// pair is a key's two files.
type pair struct{ private, public string }

func keyFiles(t *testing.T, key crypto.Signer) pair {
	t.Helper()
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pair{pemFile(t, "PRIVATE KEY", private), pemFile(t, "PUBLIC KEY", public)}
}

func pemFile(t *testing.T, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func p256(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ed(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestSignatures(t *testing.T) {
	for name, key := range map[string]crypto.Signer{"ECDSA": p256(t), "Ed25519": ed(t)} {
		t.Run(name, func(t *testing.T) {
			files := keyFiles(t, key)
			private, err := bundle.ReadPrivateKey(files.private)
			if err != nil {
				t.Fatal(err)
			}
			public, err := bundle.ReadPublicKey(files.public)
			if err != nil {
				t.Fatal(err)
			}
			blob := written(t, two)
			signature, err := private.Sign(blob)
			if err != nil {
				t.Fatal(err)
			}
			if !public.Verifies(blob, signature+"\n") {
				t.Error("the signature is not verified")
			}
			asCosign(t, key, blob, signature)
			for i := range blob { // any byte
				blob[i] ^= 1
				if public.Verifies(blob, signature) {
					t.Fatalf("byte %d may be changed", i)
				}
				blob[i] ^= 1
			}
			for i := range signature {
				changed := []byte(signature)
				changed[i] ^= 1
				if public.Verifies(blob, string(changed)) {
					t.Fatalf("byte %d of the signature may be changed", i)
				}
			}
			other, err := bundle.ReadPublicKey(keyFiles(t, p256(t)).public)
			if err != nil {
				t.Fatal(err)
			}
			if other.Verifies(blob, signature) || !bundle.VerifiedBy([]*bundle.PublicKey{other, public}, blob, signature) || bundle.VerifiedBy(nil, blob, signature) {
				t.Error("the wrong key verifies, or the right one of two does not")
			}
		})
	}
}

// asCosign verifies as cosign verify-blob --key does: base64, then ASN.1 over the SHA-256 for ECDSA,
// the bytes themselves for Ed25519.
func asCosign(t *testing.T, key crypto.Signer, blob []byte, signature string) {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	ok := false
	switch key := key.Public().(type) {
	case *ecdsa.PublicKey:
		sum := sha256.Sum256(blob)
		ok = ecdsa.VerifyASN1(key, sum[:], raw)
	case ed25519.PublicKey:
		ok = ed25519.Verify(key, blob, raw)
	}
	if !ok {
		t.Error("cosign would refuse the signature")
	}
}

func TestKeysRefused(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	shortKey, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(p256(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bundle.ReadPrivateKey(pemFile(t, "EC PRIVATE KEY", sec1)); err != nil {
		t.Errorf("a SEC 1 key is refused: %v", err)
	}
	none := filepath.Join(t.TempDir(), "none.pem")
	if err := os.WriteFile(none, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		keyFiles(t, rsaKey).private:                               "neither ECDSA on P-256 nor Ed25519",
		keyFiles(t, p384).private:                                 "neither ECDSA on P-256 nor Ed25519",
		pemFile(t, "ENCRYPTED SIGSTORE PRIVATE KEY", []byte("x")): "is encrypted",
		pemFile(t, "PRIVATE KEY", []byte("x")):                    "read key",
		none:                                                      "no key in PEM",
		filepath.Join("no", "where"):                              "no such file",
	} {
		if _, err := bundle.ReadPrivateKey(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	for path, want := range map[string]string{
		keyFiles(t, shortKey).public:          "too short",
		keyFiles(t, p256(t)).private:          "holds a private key",
		pemFile(t, "PUBLIC KEY", []byte("x")): "read key",
	} {
		if _, err := bundle.ReadPublicKey(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// TestRegistry pushes to a registry and pulls from it, as a person and as an attacker who owns it.
func TestRegistry(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	reg := &bundle.Registry{Artefact: bundle.Rules, Transport: &http.Transport{}, UserAgent: "test"}
	key, stranger := keyFiles(t, p256(t)), keyFiles(t, ed(t))
	private, err := bundle.ReadPrivateKey(key.private)
	if err != nil {
		t.Fatal(err)
	}
	strange, err := bundle.ReadPrivateKey(stranger.private)
	if err != nil {
		t.Fatal(err)
	}
	public, err := bundle.ReadPublicKey(key.public)
	if err != nil {
		t.Fatal(err)
	}
	keys := []*bundle.PublicKey{public}
	ctx := t.Context()
	blob := written(t, two)

	unsigned, err := reg.Push(ctx, host+"/ours:1", blob, nil)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, reg, unsigned, keys, "it has no signature")
	if got, err := reg.Pull(ctx, unsigned, nil); err != nil || string(got) != string(blob) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := reg.Push(ctx, host+"/ours:1", blob, strange); err != nil {
		t.Fatal(err)
	}
	refused(t, reg, unsigned, keys, "none of its signatures is by the key")
	signed, err := reg.Push(ctx, host+"/ours:2", blob, private)
	if err != nil || signed != unsigned {
		t.Fatalf("%s, %v; want %s", signed, err, unsigned)
	}
	if got, err := reg.Pull(ctx, signed, keys); err != nil || string(got) != string(blob) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	cosignLayout(t, host, signed)

	// A registry that answers with other bytes.
	for _, path := range []string{"/blobs/", "/manifests/"} {
		liar := &bundle.Registry{Artefact: bundle.Rules, Transport: lying{reg.Transport, path}, UserAgent: "test"}
		if _, err := liar.Pull(ctx, signed, nil); err == nil {
			t.Errorf("changed bytes of %s are taken", path)
		}
	}
	endless := &bundle.Registry{Artefact: bundle.Rules, Transport: endlessly{reg.Transport}, UserAgent: "test"}
	if _, err := endless.Pull(ctx, signed, nil); err == nil {
		t.Error("an endless answer is taken")
	}

	// Its signature, moved to another bundle.
	other, err := reg.Push(ctx, host+"/ours:3", written(t, two[:1]), nil)
	if err != nil {
		t.Fatal(err)
	}
	copyTag(t, host, tagOf(signed), tagOf(other))
	refused(t, reg, other, keys, "none of its signatures is by the key")

	// Images that are no bundles.
	for _, layers := range [][]v1.Layer{nil, {static.NewLayer(blob, "application/octet-stream")}, {static.NewLayer(blob, "application/vnd.coaming.rules.v1.tar+gzip"), static.NewLayer(blob[1:], "application/vnd.coaming.rules.v1.tar+gzip")}} {
		if _, err := reg.Pull(ctx, pushImage(t, host, layers), nil); err == nil {
			t.Errorf("an image of %d layers is a bundle", len(layers))
		}
	}
	for _, reference := range []string{"oci://" + host + "/ours:1", "oci://" + host + "/ours", "oci://", "oci://ours@sha256:12", "oci://" + host + "/ours@sha256:" + strings.Repeat("0", 64)} {
		if _, err := reg.Pull(ctx, reference, nil); err == nil {
			t.Errorf("%s is pulled", reference)
		}
	}
	if _, err := reg.Push(ctx, "ours", blob, nil); err == nil {
		t.Error("a name without a registry is pushed to")
	}
}

// lying changes a byte of what a registry answers under a path.
type lying struct {
	http.RoundTripper
	path string
}

func (l lying) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := l.RoundTripper.RoundTrip(r)
	if err != nil || r.Method != http.MethodGet || !strings.Contains(r.URL.Path, l.path) {
		return answer, err
	}
	body, err := io.ReadAll(answer.Body)
	if len(body) > 0 {
		body[len(body)/2] ^= 1
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return answer, err
}

// endlessly answers without end.
type endlessly struct{ http.RoundTripper }

func (e endlessly) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := e.RoundTripper.RoundTrip(r)
	if err == nil && r.Method == http.MethodGet && r.URL.Path != "/v2/" {
		answer.ContentLength = -1
		answer.Body = io.NopCloser(zeros{})
	}
	return answer, err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func refused(t *testing.T, reg *bundle.Registry, reference string, keys []*bundle.PublicKey, want string) {
	t.Helper()
	_, err := reg.Pull(t.Context(), reference, keys)
	if _, ok := errors.AsType[*bundle.NotSigned](err); !ok || !strings.Contains(err.Error(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func tagOf(reference string) string {
	_, digest, _ := strings.Cut(reference, "@")
	return strings.ReplaceAll(digest, ":", "-") + ".sig"
}

// cosignLayout holds the signature to the layout of cosign's SIGNATURE_SPEC.md.
func cosignLayout(t *testing.T, host, signed string) {
	t.Helper()
	tag, err := name.NewTag(host + "/ours:" + tagOf(signed))
	if err != nil {
		t.Fatal(err)
	}
	image, err := remote.Image(tag)
	if err != nil {
		t.Fatal(err)
	}
	m, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Layers) != 2 { // the stranger's and ours
		t.Fatalf("%d signatures, want 2", len(m.Layers))
	}
	for _, layer := range m.Layers {
		if layer.MediaType != "application/vnd.dev.cosign.simplesigning.v1+json" || layer.Annotations["dev.cosignproject.cosign/signature"] == "" {
			t.Errorf("layer %+v", layer)
		}
		l, err := image.LayerByDigest(layer.Digest)
		if err != nil {
			t.Fatal(err)
		}
		body, err := l.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		var payload map[string]any
		if err := json.NewDecoder(body).Decode(&payload); err != nil {
			t.Fatal(err)
		}
		critical, _ := payload["critical"].(map[string]any)
		digest, _ := critical["image"].(map[string]any)
		if critical["type"] != "cosign container image signature" || "sha256-"+strings.TrimPrefix(digest["docker-manifest-digest"].(string), "sha256:")+".sig" != tagOf(signed) {
			t.Errorf("payload %v", payload)
		}
	}
}

func copyTag(t *testing.T, host, from, to string) {
	t.Helper()
	source, err := name.NewTag(host + "/ours:" + from)
	if err != nil {
		t.Fatal(err)
	}
	image, err := remote.Image(source)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(source.Tag(to), image); err != nil {
		t.Fatal(err)
	}
}

func pushImage(t *testing.T, host string, layers []v1.Layer) string {
	t.Helper()
	image, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(host + "/other:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, image); err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return "oci://" + tag.Digest(digest.String()).String()
}
