package clearance

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/trust"
)

// signer is a key, with a policy that demands its signature of the images of a repository.
func (b *bed) signer(repository string) (ed25519.PrivateKey, *trust.Policy) {
	b.t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		b.t.Fatal(err)
	}
	dir := b.t.TempDir()
	policy := fmt.Sprintf("signers: {release: {keys: [release.pub]}}\nimages: [{repositories: [%q], signers: [release]}]\n", repository)
	for file, text := range map[string][]byte{"release.pub": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "trust.yaml": []byte(policy)} {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	p, err := trust.LoadPolicy(filepath.Join(dir, "trust.yaml"), trust.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	return private, p
}

// sign puts a signature beside an image, as cosign does with a key.
func (b *bed) sign(key ed25519.PrivateKey, reference, digest string) {
	b.t.Helper()
	repository, _, _ := strings.Cut(strings.TrimPrefix(reference, b.host+"/"), ":")
	payload := fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`,
		b.host+"/"+repository, digest)
	image, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mutate.Addendum{
		Layer:       static.NewLayer(payload, "application/vnd.dev.cosign.simplesigning.v1+json"),
		Annotations: map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(ed25519.Sign(key, payload))},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	ref, err := name.ParseReference(b.host + "/" + repository + ":" + strings.Replace(digest, ":", "-", 1) + ".sig")
	if err == nil {
		err = remote.Write(ref, image)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.requests()
}

// TestVouching demands a signature that is not there at first, then is: it is asked for again when the answer has grown old, the image
// itself is not read again, and where the registry is gone too long the answer is believed no more.
func TestVouching(t *testing.T) {
	b := newBed(t)
	image, digest := b.push("team/shop:1", "right@1.0.0")
	other, _ := b.push("elsewhere/shop:1", "right@1.0.0")
	key, policy := b.signer(b.host + "/team/**")
	c := b.clearance(func(s *Settings) { s.Policy, s.Rules = policy, rules(t, "image-unsigned", "image-signed-by-stranger") })
	c.Want(t.Context(), []string{image, other}, "shop")
	c.drain(t.Context())
	if got := c.ask(image); told(got.Findings) != "image-unsigned" {
		t.Errorf("before it is signed: %v %q", got.State, told(got.Findings))
	}
	if got := c.ask(other); got.State != admission.Known || told(got.Findings) != "" {
		t.Errorf("of a repository that the policy does not name: %v %q", got.State, told(got.Findings))
	}
	b.sign(key, image, digest)
	c.tend(t.Context())
	c.drain(t.Context())
	if asked := b.requests(); len(asked) > 0 {
		t.Errorf("it was asked again at once: %q", asked)
	}
	for range 20 {
		b.pass(time.Minute)
		c.tend(t.Context())
		c.drain(t.Context())
		if told(c.ask(image).Findings) == "" {
			break
		}
	}
	if got := c.ask(image); got.State != admission.Known || told(got.Findings) != "" {
		t.Errorf("once it is signed: %+v %q", got, told(got.Findings))
	}
	for _, request := range b.requests() {
		if strings.Contains(request, "/blobs/") && c.Stats().Read > 2 {
			t.Errorf("the image was read again: %s", request)
		}
	}
	// Another policy does not take what this one found.
	stranger, theirs := b.signer(b.host + "/team/**")
	fresh := b.clearance(func(s *Settings) { s.Policy, s.Rules = theirs, c.Rules })
	if got := fresh.ask(image); got.State != admission.Queued {
		t.Errorf("under another policy: %+v", got)
	}
	fresh.drain(t.Context())
	if got := fresh.ask(image); told(got.Findings) != "image-signed-by-stranger" && told(got.Findings) != "image-unsigned" {
		t.Errorf("under another policy: %q", told(got.Findings))
	}
	_ = stranger
	b.answering(func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "gone", http.StatusBadGateway)
		return true
	})
	b.pass(40 * 24 * time.Hour) // what was verified stays so for a month
	named := b.host + "/team/shop@" + digest
	for range 5 {
		c.tend(t.Context())
		c.drain(t.Context())
		b.pass(5 * time.Minute)
	}
	if got := c.ask(named); got.State == admission.Known && told(got.Findings) == "" {
		t.Errorf("long after anybody could ask who vouches for it: %+v", got)
	}
}
