// Package trustjudge asks cosign itself: what it signs Coaming verifies, and what it refuses Coaming refuses. It is
// a module of its own, so that cosign's dependencies stay out of the product's. 'make judge-trust' builds
// cosign and runs it.
package trustjudge

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// bench is one registry with the two programs.
type bench struct {
	host, cosign, coaming, dir string
}

func begin(t *testing.T, options ...registry.Option) *bench {
	t.Helper()
	b := &bench{cosign: os.Getenv("COSIGN"), coaming: os.Getenv("COAMING"), dir: t.TempDir()}
	if b.cosign == "" || b.coaming == "" {
		t.Skip("COSIGN and COAMING name no programs: run 'make judge-trust'")
	}
	server := httptest.NewServer(registry.New(append(options, registry.Logger(log.New(io.Discard, "", 0)))...))
	t.Cleanup(server.Close)
	b.host = strings.TrimPrefix(server.URL, "http://")
	return b
}

// image pushes an image of its own and names it by its digest.
func (b *bench) image(t *testing.T, repository string) string {
	t.Helper()
	img, err := random.Image(1024, 2)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(b.host + "/" + repository + ":1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, img); err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return tag.Digest(digest.String()).String()
}

// run runs a program and returns its exit code.
func (b *bench) run(t *testing.T, program string, args ...string) (code int, out string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "COSIGN_PASSWORD=", "HOME="+b.dir, "XDG_CACHE_HOME="+b.dir, "DOCKER_CONFIG="+b.dir)
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	err := cmd.Run()
	if exit := (&exec.ExitError{}); errors.As(err, &exit) {
		return exit.ExitCode(), text.String()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, text.String()
}

// must runs cosign, which must succeed.
func (b *bench) must(t *testing.T, args ...string) {
	t.Helper()
	if code, out := b.run(t, b.cosign, args...); code != 0 {
		t.Fatalf("cosign %s: exit %d\n%s", strings.Join(args, " "), code, out)
	}
}

// verify holds Coaming to an exit code.
func (b *bench) verify(t *testing.T, want int, args ...string) string {
	t.Helper()
	code, out := b.run(t, b.coaming, append([]string{"image", "verify", "--no-cache"}, args...)...)
	if code != want {
		t.Errorf("coaming image verify %s: exit %d, want %d\n%s", strings.Join(args, " "), code, want, out)
	}
	return out
}

func signer(t *testing.T, kind string) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch kind {
	case "p256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "p521":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// key makes a key that cosign signs with: NAME.key and NAME.pub.
func (b *bench) key(t *testing.T, kind, name string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(signer(t, kind))
	if err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(b.dir, name+".pem")
	if err := os.WriteFile(plain, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	b.must(t, "import-key-pair", "--key", plain, "--output-key-prefix", name, "--yes")
}

// forms are the two ways in which cosign keeps signatures, with the flags of each.
var forms = map[string][]string{
	"tags":    {"--new-bundle-format=false"},
	"bundles": {"--new-bundle-format=true"},
}

func offline(form string, words ...string) []string {
	return append(append(append([]string{}, words...), forms[form]...), "--use-signing-config=false", "--tlog-upload=false", "--yes", "--allow-http-registry")
}

// itself are the kinds of key whose signatures cosign 3.1 makes and does not verify by 'verify --key': it signs by the
// digest of the key's own length, or Ed25519ph, and verifies by SHA-256, or Ed25519. They are genuine, and Coaming verifies them.
var itself = map[string]bool{"p384": true, "p521": true, "ed25519": true}

// TestSignatures signs with each kind of key in each form, in registries with and without the API for referrers.
func TestSignatures(t *testing.T) {
	for api, options := range map[string][]registry.Option{"api": {registry.WithReferrersSupport(true)}, "tags": nil} {
		for form := range forms {
			for _, kind := range []string{"p256", "p384", "p521", "rsa", "ed25519"} {
				t.Run(fmt.Sprint("referrers by ", api, ", ", form, ", ", kind), func(t *testing.T) {
					b := begin(t, options...)
					b.key(t, kind, "ours")
					b.key(t, kind, "theirs")
					signed, other := b.image(t, "shop/web"), b.image(t, "shop/web")
					b.must(t, offline(form, "sign", "--key", "ours.key", signed)...)
					for _, ref := range []string{signed, other} {
						for _, key := range []string{"ours.pub", "theirs.pub"} {
							args := append(append([]string{"verify", "--key", key, "--insecure-ignore-tlog=true", "--allow-http-registry"}, forms[form]...), ref)
							code, out := b.run(t, b.cosign, args...)
							want := min(code, 1)
							if right := ref == signed && key == "ours.pub"; right && itself[kind] {
								want = 0
							} else if right != (want == 0) {
								t.Fatalf("cosign %q exits with %d\n%s", args, code, out)
							}
							b.verify(t, want, ref, "--key", key)
						}
					}
				})
			}
		}
	}
}

// predicates are what is attested, by the kind that Coaming knows it by.
var predicates = map[string]struct{ kind, text string }{
	"slsaprovenance02": {"provenance", `{"builder":{"id":"https://ci.example.com/builder"},"buildType":"https://ci.example.com/v1","invocation":{"configSource":{"uri":"git+https://git.example.com/shop/web@refs/heads/main","digest":{"sha1":"0123456789012345678901234567890123456789"}}}}`},
	"slsaprovenance1":  {"provenance", `{"buildDefinition":{"buildType":"https://ci.example.com/v1","externalParameters":{},"resolvedDependencies":[{"uri":"git+https://git.example.com/shop/web@refs/heads/main","digest":{"gitCommit":"0123456789012345678901234567890123456789"}}]},"runDetails":{"builder":{"id":"https://ci.example.com/builder"}}}`},
	"spdxjson":         {"spdx", `{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"web","dataLicense":"CC0-1.0","documentNamespace":"https://example.com/web"}`},
	"cyclonedx":        {"cyclonedx", `{"bomFormat":"CycloneDX","specVersion":"1.6","version":1}`},
	"vuln":             {"vulnerabilities", `{"invocation":{},"scanner":{"uri":"https://example.com","result":{}},"metadata":{"scanStartedOn":"2026-11-22T00:00:00Z","scanFinishedOn":"2026-11-22T00:00:00Z"}}`},
	"openvex":          {"vex", `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://example.com/vex","author":"us","timestamp":"2026-11-22T00:00:00Z","version":1,"statements":[]}`},
}

// TestAttestations attests each kind in each form.
func TestAttestations(t *testing.T) {
	for form := range forms {
		for kind, p := range predicates {
			t.Run(form+", "+kind, func(t *testing.T) {
				b := begin(t, registry.WithReferrersSupport(true))
				b.key(t, "p256", "ours")
				b.key(t, "p256", "theirs")
				if err := os.WriteFile(filepath.Join(b.dir, "predicate.json"), []byte(p.text), 0o600); err != nil {
					t.Fatal(err)
				}
				ref, other := b.image(t, "shop/web"), b.image(t, "shop/web")
				b.must(t, offline(form, "attest", "--key", "ours.key", "--type", kind, "--predicate", "predicate.json", ref)...)
				b.verify(t, 0, ref, "--key", "ours.pub", "--attestations-only", "--attestation", p.kind)
				b.verify(t, 1, ref, "--key", "ours.pub", "--attestation", p.kind) // the image itself is not signed
				b.verify(t, 1, ref, "--key", "theirs.pub", "--attestations-only", "--attestation", p.kind)
				b.verify(t, 1, other, "--key", "ours.pub", "--attestations-only", "--attestation", p.kind)
				b.verify(t, 1, ref, "--key", "ours.pub", "--attestations-only", "--attestation", "summary")
				if p.kind == "provenance" {
					flags := []string{ref, "--key", "ours.pub", "--attestations-only", "--builder"}
					out := b.verify(t, 0, append(flags, "https://ci.example.com/*", "--source", "https://git.example.com/shop/*")...)
					if !strings.Contains(out, "commit 0123456789012345678901234567890123456789") {
						t.Errorf("no commit in\n%s", out)
					}
					b.verify(t, 1, append(flags, "https://other.example.com/*")...)
				}
			})
		}
	}
}

// TestLayouts verifies what 'cosign save' writes.
func TestLayouts(t *testing.T) {
	for form := range forms {
		t.Run(form, func(t *testing.T) {
			b := begin(t, registry.WithReferrersSupport(true))
			b.key(t, "p256", "ours")
			b.key(t, "p256", "theirs")
			ref := b.image(t, "shop/web")
			b.must(t, offline(form, "sign", "--key", "ours.key", ref)...)
			b.must(t, "save", "--dir", "layout", "--allow-http-registry", ref)
			b.verify(t, 0, "layout", "--key", "ours.pub")
			b.verify(t, 1, "layout", "--key", "theirs.pub")
		})
	}
}

// TestMoved moves the signature of one image to the place of another's.
func TestMoved(t *testing.T) {
	b := begin(t)
	b.key(t, "p256", "ours")
	signed, other := b.image(t, "shop/web"), b.image(t, "shop/web")
	b.must(t, offline("tags", "sign", "--key", "ours.key", signed)...)
	place := func(ref string) name.Tag {
		d, err := name.NewDigest(ref)
		if err != nil {
			t.Fatal(err)
		}
		return d.Context().Tag(strings.Replace(d.DigestStr(), ":", "-", 1) + ".sig")
	}
	moved, err := remote.Image(place(signed))
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(place(other), moved); err != nil {
		t.Fatal(err)
	}
	if out := b.verify(t, 1, other, "--key", "ours.pub"); !strings.Contains(out, "another image") {
		t.Errorf("it is not told that the signature is another image's:\n%s", out)
	}
}
