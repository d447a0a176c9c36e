package signature

import (
	"bytes"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOpenSSL verifies what openssl has signed, with each kind of key.
func TestOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("there is no openssl")
	}
	dir := t.TempDir()
	message := filepath.Join(dir, "message")
	if err := os.WriteFile(message, []byte("who vouches for it"), 0o600); err != nil {
		t.Fatal(err)
	}
	openssl := func(args ...string) []byte {
		out, err := exec.CommandContext(t.Context(), "openssl", args...).Output()
		if err != nil {
			t.Fatalf("openssl %q: %v", args, err)
		}
		return out
	}
	for name, kind := range map[string]struct{ make, sign []string }{
		"P-256":              {[]string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"}, []string{"-digest", "sha256"}},
		"P-384":              {[]string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"}, []string{"-digest", "sha384"}},
		"P-384 with SHA-256": {[]string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"}, []string{"-digest", "sha256"}},
		"P-521":              {[]string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"}, []string{"-digest", "sha512"}},
		"RSA":                {[]string{"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"}, []string{"-digest", "sha256"}},
		"Ed25519":            {[]string{"-algorithm", "ED25519"}, nil},
	} {
		key := filepath.Join(dir, "key.pem")
		openssl(append([]string{"genpkey", "-out", key}, kind.make...)...)
		public, err := ParsePublicKey("key", openssl("pkey", "-in", key, "-pubout"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		made := openssl(append([]string{"pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", message}, kind.sign...)...)
		text := base64.StdEncoding.EncodeToString(made)
		if !public.Verifies([]byte("who vouches for it"), text) {
			t.Errorf("%s: the signature is not verified", name)
		}
		if public.Verifies([]byte("who vouches for It"), text) {
			t.Errorf("%s: another text is verified", name)
		}
		made[len(made)-1] ^= 1
		if public.VerifiesRaw([]byte("who vouches for it"), made) {
			t.Errorf("%s: another signature is verified", name)
		}
	}
}

func TestClaims(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	good, err := Claim{Reference: "r", Digest: digest}.Payload()
	if err != nil {
		t.Fatal(err)
	}
	if c, err := ParseClaim(good); err != nil || c.Digest != digest || c.Reference != "r" {
		t.Errorf("%+v %v", c, err)
	}
	for name, text := range map[string]string{
		"nothing":           "",
		"a digest twice":    `{"critical":{"image":{"docker-manifest-digest":"` + digest + `","docker-manifest-digest":"` + digest + `"},"type":"cosign container image signature"}}`,
		"a type twice":      strings.Replace(string(good), `"critical"`, `"critical":{},"critical"`, 1),
		"another type":      strings.Replace(string(good), "cosign container image signature", "something else", 1),
		"a field's case":    strings.Replace(string(good), "docker-manifest-digest", "Docker-Manifest-Digest", 1),
		"a short digest":    strings.Replace(string(good), digest, "sha256:aa", 1),
		"a digest too many": strings.Replace(string(good), digest, digest+"a", 1),
		"more behind it":    string(good) + "{}",
		"too much":          string(good) + strings.Repeat(" ", MaxClaim),
	} {
		if c, err := ParseClaim([]byte(text)); err == nil {
			t.Errorf("%s: it claims %+v", name, c)
		}
	}
}

func TestEnvelopes(t *testing.T) {
	e, err := ParseEnvelope([]byte(`{"payloadType":"http://example.com/HelloWorld","payload":"aGVsbG8gd29ybGQ=","signatures":[{"sig":"AAAA"}]}`))
	if err != nil || string(e.Payload) != "hello world" {
		t.Errorf("%+v %v", e, err)
	}
	for name, text := range map[string]string{
		"no signature":    `{"payloadType":"a","payload":"","signatures":[]}`,
		"no type":         `{"payload":"","signatures":[{"sig":"AAAA"}]}`,
		"a payload twice": `{"payloadType":"a","payload":"","payload":"aa==","signatures":[{"sig":"AAAA"}]}`,
		"no base64":       `{"payloadType":"a","payload":"%","signatures":[{"sig":"AAAA"}]}`,
		"many signatures": `{"payloadType":"a","payload":"","signatures":[` + strings.Repeat(`{"sig":"AAAA"},`, maxSignatures) + `{"sig":"AAAA"}]}`,
	} {
		if _, err := ParseEnvelope([]byte(text)); err == nil {
			t.Errorf("%s: it is an envelope", name)
		}
	}
}

// FuzzClaim holds that what is claimed is claimed in one way.
func FuzzClaim(f *testing.F) {
	good, err := Claim{Reference: "r", Digest: "sha256:" + strings.Repeat("a", 64)}.Payload()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := ParseClaim(text); err == nil && !bytes.Contains(text, []byte(c.Digest[len("sha256:"):])) && !bytes.ContainsRune(text, '\\') {
			t.Errorf("%q claims %q", text, c.Digest)
		}
	})
}

// FuzzEnvelope reads envelopes, and keys, that anybody wrote.
func FuzzEnvelope(f *testing.F) {
	f.Add([]byte(`{"payloadType":"a","payload":"e30=","signatures":[{"sig":"AAAA"}]}`))
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if e, err := ParseEnvelope(text); err == nil && len(e.Signatures) == 0 {
			t.Errorf("%q is an envelope", text)
		}
		if k, err := ParsePublicKey("key", text); err == nil && (k.ID() == "" || k.VerifiesRaw(text, text)) {
			t.Errorf("%q is a key that verifies itself", text)
		}
	})
}
