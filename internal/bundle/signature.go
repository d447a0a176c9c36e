package bundle

import (
	"github.com/coaming/coaming/internal/signature"
)

// The signatures are those of cosign's sign-blob and verify-blob with --key, which internal/signature makes and
// verifies.

// maxKey is the size of a key's file, maxSignature that of a signature's, in bytes.
const (
	maxKey       = 64 << 10
	maxSignature = 64 << 10
)

// PublicKey verifies signatures, PrivateKey makes them.
type (
	PublicKey  = signature.PublicKey
	PrivateKey = signature.PrivateKey
)

// ReadPublicKey reads the file of a public key in PEM.
func ReadPublicKey(path string) (*PublicKey, error) {
	raw, err := readBounded(path, maxKey)
	if err != nil {
		return nil, err
	}
	return signature.ParsePublicKey(path, raw)
}

// ReadPrivateKey reads the file of a private key in PEM, PKCS #8 or SEC 1, without a passphrase.
func ReadPrivateKey(path string) (*PrivateKey, error) {
	raw, err := readBounded(path, maxKey)
	if err != nil {
		return nil, err
	}
	return signature.ParsePrivateKey(path, raw)
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
