// Package signature is the lower piece under everything that verifies: keys in PEM, the signatures that
// cosign makes with --key, the payload of "simple signing" and the DSSE envelope, as bytes in memory. It
// reads no file and asks no network, and it trusts nobody by itself: which key counts is its caller's to
// say. internal/bundle holds rules and advisories to it, internal/trust holds images to it.
package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// The signatures are those of cosign with --key (github.com/sigstore/sigstore pkg/signature): for an ECDSA
// key the ASN.1 signature of a digest of the bytes, for an RSA key that of PKCS #1 version 1.5 over their
// SHA-256, for an Ed25519 key the signature of the bytes themselves.

// minRSA is the shortest RSA key that is believed, in bits.
const minRSA = 2048

// PublicKey verifies signatures.
type PublicKey struct {
	key crypto.PublicKey
	id  string
}

// PrivateKey signs.
type PrivateKey struct{ key crypto.Signer }

const (
	verifyRemedy = "Name an ECDSA (P-256, P-384, P-521), RSA (2048 bits or more) or Ed25519 key in PEM: cosign.pub of 'cosign generate-key-pair', or 'openssl pkey -in KEY -pubout'."
	signRemedy   = "Name an ECDSA P-256 or Ed25519 key in PEM: 'openssl genpkey -algorithm ed25519 -out rules.key', 'openssl pkey -in rules.key -pubout -out rules.pub'."
)

// ParsePublicKey reads a public key in PEM; name is what it is called in errors.
func ParsePublicKey(name string, text []byte) (*PublicKey, error) {
	block, err := readPEM(name, text, verifyRemedy)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(block.Type, "PRIVATE KEY") {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("%s holds a private key", name), Remedy: "Verifying takes the public one: 'openssl pkey -in KEY -pubout', and keep the private one to yourself."}
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if block.Type == "RSA PUBLIC KEY" {
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	}
	if err == nil {
		err = believable(key)
	}
	if err != nil {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("read key %s: %w", name, err), Remedy: verifyRemedy}
	}
	return NewPublicKey(key)
}

// NewPublicKey takes a key that was read already.
func NewPublicKey(key crypto.PublicKey) (*PublicKey, error) {
	if err := believable(key); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	sum := sha256.Sum256(der)
	return &PublicKey{key: key, id: hex.EncodeToString(sum[:])}, nil
}

// believable says why a key does not verify anything.
func believable(key crypto.PublicKey) error {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P224() {
			return errors.New("a key on P-224 is too short")
		}
		return nil
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSA {
			return fmt.Errorf("an RSA key of %d bits is too short", bits)
		}
		return nil
	case ed25519.PublicKey:
		return nil
	}
	return fmt.Errorf("it is neither ECDSA, RSA nor Ed25519 but %T", key)
}

// ID is the SHA-256 of the key as DER (SubjectPublicKeyInfo), in hexadecimal.
func (k *PublicKey) ID() string { return k.id }

// Key is the key as the standard library has it.
func (k *PublicKey) Key() crypto.PublicKey { return k.key }

// Verifies says whether the signature, in base64, is that of the bytes by the key.
func (k *PublicKey) Verifies(blob []byte, signature string) bool {
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(signature))
	return err == nil && k.VerifiesRaw(blob, raw)
}

// VerifiesRaw says whether the signature is that of the bytes by the key. Of an ECDSA key longer than
// P-256 both the digest of its own length and SHA-256 are known from cosign, whose releases differ; with an Ed25519 key it
// signs the bytes themselves (sign-blob) or their SHA-512 (Ed25519ph, images).
func (k *PublicKey) VerifiesRaw(blob, signature []byte) bool {
	sum := sha256.Sum256(blob)
	switch key := k.key.(type) {
	case *ecdsa.PublicKey:
		if ecdsa.VerifyASN1(key, sum[:], signature) {
			return true
		}
		switch key.Curve {
		case elliptic.P384():
			long := sha512.Sum384(blob)
			return ecdsa.VerifyASN1(key, long[:], signature)
		case elliptic.P521():
			long := sha512.Sum512(blob)
			return ecdsa.VerifyASN1(key, long[:], signature)
		}
		return false
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
	case ed25519.PublicKey:
		long := sha512.Sum512(blob)
		return ed25519.Verify(key, blob, signature) ||
			ed25519.VerifyWithOptions(key, long[:], signature, &ed25519.Options{Hash: crypto.SHA512}) == nil
	}
	return false
}

// VerifiesDigest says whether the signature is that of a text with this SHA-256. Ed25519 signs no digest.
func (k *PublicKey) VerifiesDigest(sum, signature []byte) bool {
	if len(sum) != sha256.Size {
		return false
	}
	switch key := k.key.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, sum, signature)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum, signature) == nil
	}
	return false
}

// ParsePrivateKey reads a private key in PEM, PKCS #8 or SEC 1, without a passphrase; name is what it is
// called in errors. What Coaming signs, any release of cosign verifies: hence P-256 and Ed25519 alone.
func ParsePrivateKey(name string, text []byte) (*PrivateKey, error) {
	block, err := readPEM(name, text, signRemedy)
	if err != nil {
		return nil, err
	}
	var key any
	switch {
	case strings.HasPrefix(block.Type, "ENCRYPTED"):
		return nil, &verdict.RemedyError{
			Err:    fmt.Errorf("%s is encrypted", name),
			Remedy: "Sign with what made it ('cosign sign-blob --key KEY --output-signature FILE.tgz.sig FILE.tgz'), or use a key without a passphrase.",
		}
	case block.Type == "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	signer, ok := key.(crypto.Signer)
	if err == nil && (!ok || !signs(signer.Public())) {
		err = errors.New("it is neither ECDSA on P-256 nor Ed25519")
	}
	if err != nil {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("read key %s: %w", name, err), Remedy: signRemedy}
	}
	return &PrivateKey{signer}, nil
}

func signs(key crypto.PublicKey) bool {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		return key.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return true
	}
	return false
}

// Sign is the signature of the bytes, in base64. The same key and bytes give the same signature: without a
// source of randomness, crypto/ecdsa derives its nonce from both (RFC 6979).
func (k *PrivateKey) Sign(blob []byte) (string, error) {
	signed, hash := blob, crypto.Hash(0)
	if _, isEd := k.key.(ed25519.PrivateKey); !isEd {
		sum := sha256.Sum256(blob)
		signed, hash = sum[:], crypto.SHA256
	}
	raw, err := k.key.Sign(nil, signed, hash)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

func readPEM(name string, text []byte, remedy string) (*pem.Block, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "EC PARAMETERS" { // openssl ecparam writes it before the key
			return block, nil
		}
	}
	what := "no key in PEM"
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("ssh-")) {
		what = "a key of SSH, not one in PEM"
	}
	return nil, &verdict.RemedyError{Err: fmt.Errorf("%s holds %s", name, what), Remedy: remedy}
}
