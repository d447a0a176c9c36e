package bundle

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// The signatures are those of cosign's sign-blob and verify-blob with --key: for an ECDSA key on
// P-256 the ASN.1 signature of the SHA-256 of the bytes, for an Ed25519 key the signature of the
// bytes themselves, in base64 (github.com/sigstore/sigstore pkg/signature).

// maxKey is the size of a key's file, maxSignature that of a signature's, in bytes.
const (
	maxKey       = 64 << 10
	maxSignature = 64 << 10
)

// PublicKey verifies signatures.
type PublicKey struct{ key crypto.PublicKey }

// PrivateKey signs.
type PrivateKey struct{ key crypto.Signer }

// ReadPublicKey reads a public key in PEM.
func ReadPublicKey(path string) (*PublicKey, error) {
	block, err := readPEM(path)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(block.Type, "PRIVATE KEY") {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("%s holds a private key", path), Remedy: "Verifying takes the public one: 'openssl pkey -in KEY -pubout', and keep the private one to yourself."}
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil || !supported(key) {
		return nil, unsupported(path, err)
	}
	return &PublicKey{key}, nil
}

// ReadPrivateKey reads a private key in PEM, PKCS #8 or SEC 1, without a passphrase.
func ReadPrivateKey(path string) (*PrivateKey, error) {
	block, err := readPEM(path)
	if err != nil {
		return nil, err
	}
	var key any
	switch {
	case strings.HasPrefix(block.Type, "ENCRYPTED"):
		return nil, &verdict.RemedyError{
			Err:    fmt.Errorf("%s is encrypted", path),
			Remedy: "Sign with what made it ('cosign sign-blob --key KEY --output-signature FILE.tgz.sig FILE.tgz'), or use a key without a passphrase.",
		}
	case block.Type == "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok || !supported(signer.Public()) {
		return nil, unsupported(path, err)
	}
	return &PrivateKey{signer}, nil
}

func readPEM(path string) (*pem.Block, error) {
	raw, err := readBounded(path, maxKey)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "EC PARAMETERS" { // openssl ecparam writes it before the key
			return block, nil
		}
	}
	return nil, &verdict.RemedyError{Err: fmt.Errorf("%s holds no key in PEM", path), Remedy: keyRemedy}
}

const keyRemedy = "Name an ECDSA P-256 or Ed25519 key in PEM: 'openssl genpkey -algorithm ed25519 -out rules.key', 'openssl pkey -in rules.key -pubout -out rules.pub'."

func unsupported(path string, err error) error {
	if err == nil {
		err = errors.New("it is neither ECDSA on P-256 nor Ed25519")
	}
	return &verdict.RemedyError{Err: fmt.Errorf("read key %s: %w", path, err), Remedy: keyRemedy}
}

func supported(key crypto.PublicKey) bool {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		return key.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return true
	}
	return false
}

// Sign is the signature of the bytes, in base64.
func (k *PrivateKey) Sign(blob []byte) (string, error) {
	var raw []byte
	var err error
	if _, isEd := k.key.(ed25519.PrivateKey); isEd {
		raw, err = k.key.Sign(rand.Reader, blob, crypto.Hash(0))
	} else {
		sum := sha256.Sum256(blob)
		raw, err = k.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	}
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

// Verifies says whether the signature, in base64, is that of the bytes by the key.
func (k *PublicKey) Verifies(blob []byte, signature string) bool {
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(signature))
	if err != nil {
		return false
	}
	switch key := k.key.(type) {
	case *ecdsa.PublicKey:
		sum := sha256.Sum256(blob)
		return ecdsa.VerifyASN1(key, sum[:], raw)
	case ed25519.PublicKey:
		return ed25519.Verify(key, blob, raw)
	}
	return false
}

// ReadSignature reads a signature's file.
func ReadSignature(path string) (string, error) {
	raw, err := readBounded(path, maxSignature)
	return string(raw), err
}

// VerifiedBy says whether any of the keys made the signature of the bytes.
func VerifiedBy(keys []*PublicKey, blob []byte, signature string) bool {
	for _, k := range keys {
		if k.Verifies(blob, signature) {
			return true
		}
	}
	return false
}
