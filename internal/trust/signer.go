package trust

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/coaming/coaming/internal/signature"
	"github.com/coaming/coaming/internal/verdict"
)

// Signer is somebody who may vouch for images, by one means: keys, an identity that logs in, or notation's certificates.
type Signer struct {
	// Keys are files of public keys in PEM, any one of which is the signer's.
	Keys []string `json:"keys,omitempty"`
	// TrustedRoot is the file of sigstore's trusted root: who issues certificates, which logs and which clocks count. With
	// keys it is asked only for the log.
	TrustedRoot string `json:"trustedRoot,omitempty"`
	// Identity and Issuer are those of the certificate of a keyless signature, exactly or as a regular expression that
	// matches the whole.
	Identity        string `json:"identity,omitempty"`
	IdentityPattern string `json:"identityPattern,omitempty"`
	Issuer          string `json:"issuer,omitempty"`
	IssuerPattern   string `json:"issuerPattern,omitempty"`
	// WithoutLog accepts a keyless signature that no transparency log has, with a signed timestamp in its place, and
	// WithoutSCT a certificate that no certificate log has promised: of a sigstore of one's own.
	WithoutLog bool `json:"withoutLog,omitempty"`
	WithoutSCT bool `json:"withoutSCT,omitempty"`
	// Notation is a folder as notation keeps its configuration: trustpolicy.json (or trustpolicy.oci.json) and truststore/.
	Notation string `json:"notation,omitempty"`

	// Builds are the builders that this signer speaks for, and their level of SLSA's build track.
	Builds []Build `json:"builds,omitempty"`

	keys             []*signature.PublicKey
	root             *root.TrustedRoot
	identity, issuer *regexp.Regexp
	notation         *notationVerifier
}

// Build is a builder that a signer speaks for.
type Build struct {
	// Builder is its id in provenances, with wildcards.
	Builder string `json:"builder"`
	// Level is what the builder is known to fulfil, 1 to 3.
	Level int `json:"level"`
}

// maxRoot is the size of a trusted root's file or of a trust policy's, in bytes.
const maxRoot = 4 << 20

// maxKeyFile is the size of a key's file, in bytes.
const maxKeyFile = 64 << 10

// open reads what the signer's files hold; dir is where relative names begin.
func (s *Signer) open(dir string, o Options) error {
	errs := []error{s.check()}
	for _, file := range s.Keys {
		text, err := readFile(dir, file, maxKeyFile)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		key, err := signature.ParsePublicKey(file, text)
		s.keys, errs = append(s.keys, key), append(errs, err)
	}
	if s.TrustedRoot != "" {
		text, err := readFile(dir, s.TrustedRoot, maxRoot)
		if err == nil {
			s.root, err = parseRoot(s.TrustedRoot, text)
		}
		errs = append(errs, err)
	}
	var err error
	if s.identity, err = matcher(s.Identity, s.IdentityPattern); err != nil {
		errs = append(errs, fmt.Errorf("identityPattern: %w", err))
	}
	if s.issuer, err = matcher(s.Issuer, s.IssuerPattern); err != nil {
		errs = append(errs, fmt.Errorf("issuerPattern: %w", err))
	}
	if s.Notation != "" {
		s.notation, err = openNotation(within(dir, s.Notation), o)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// check says what is missing or too much.
func (s *Signer) check() error {
	keyless := s.Identity+s.IdentityPattern+s.Issuer+s.IssuerPattern != "" || s.TrustedRoot != "" && len(s.Keys) == 0
	var errs []error
	means := 0
	for _, has := range []bool{len(s.Keys) > 0, keyless, s.Notation != ""} {
		if has {
			means++
		}
	}
	if means != 1 {
		errs = append(errs, errors.New("a signer has keys, or an identity with an issuer and a trustedRoot, or notation: exactly one of the three"))
	}
	if keyless {
		for _, missing := range []struct {
			is   bool
			what string
		}{
			{s.Identity+s.IdentityPattern == "", "identity or identityPattern: who may sign"},
			{s.Issuer+s.IssuerPattern == "", "issuer or issuerPattern: where they log in"},
			{s.TrustedRoot == "", "trustedRoot: the file trusted_root.json of the sigstore that issues the certificates"},
			{s.Identity != "" && s.IdentityPattern != "", "one of identity and identityPattern, not both"},
			{s.Issuer != "" && s.IssuerPattern != "", "one of issuer and issuerPattern, not both"},
		} {
			if missing.is {
				errs = append(errs, errors.New("a keyless signer needs "+missing.what))
			}
		}
	}
	if !keyless && (s.WithoutLog || s.WithoutSCT) {
		errs = append(errs, errors.New("withoutLog and withoutSCT are for keyless signers"))
	}
	for i, b := range s.Builds {
		if b.Builder == "" || b.Level < 1 || b.Level > 3 {
			errs = append(errs, fmt.Errorf("builds[%d]: want a builder and its level, 1 to 3", i))
		}
	}
	return errors.Join(errs...)
}

// matcher takes an exact text or a pattern, which must match the whole; nil for neither.
func matcher(exact, pattern string) (*regexp.Regexp, error) {
	switch {
	case exact != "":
		return regexp.Compile(`^(?:` + regexp.QuoteMeta(exact) + `)$`)
	case pattern != "":
		if _, err := regexp.Compile(pattern); err != nil {
			return nil, err
		}
		return regexp.Compile(`^(?:` + pattern + `)$`)
	}
	return nil, nil //nolint:nilnil // no pattern is no error
}

func parseRoot(name string, text []byte) (r *root.TrustedRoot, err error) {
	const remedy = "Fetch it where there is a network with 'cosign trusted-root create' or from the sigstore's TUF repository, and keep the file."
	defer func() {
		if fault := recover(); fault != nil { // the library reads a file that somebody edits
			r, err = nil, &verdict.RemedyError{Err: fmt.Errorf("read %s: it is no trusted root", name), Remedy: remedy}
		}
	}()
	r, err = root.NewTrustedRootFromJSON(text)
	if err != nil {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("read %s: it is no trusted root: %w", name, err), Remedy: remedy}
	}
	if len(r.FulcioCertificateAuthorities()) == 0 && len(r.RekorLogs()) == 0 {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("read %s: it names neither an authority that issues certificates nor a log", name), Remedy: remedy}
	}
	return r, nil
}

// reads says whether the signer signs in that form at all.
func (s *Signer) reads(f Form) bool { return (f == Notation) == (s.notation != nil) }

// examine verifies a piece of evidence by the signer's means. A library that panics on what it reads has not verified it.
func (s *Signer) examine(ctx context.Context, w *work, e *Evidence) (o outcome) {
	defer func() {
		if fault := recover(); fault != nil {
			o = outcome{why: "it cannot be read"}
		}
	}()
	if s.notation != nil {
		return s.notation.examine(ctx, w, e)
	}
	return s.examineSigstore(w, e)
}

// within is a file's name, below dir where it is relative.
func within(dir, name string) string {
	if filepath.IsAbs(name) || dir == "" {
		return name
	}
	return filepath.Join(dir, name)
}

// readFile reads a file of a size that it may have.
func readFile(dir, name string, most int64) ([]byte, error) {
	path := within(dir, name)
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fmt.Errorf("read %s: it is no file of at most %d bytes", path, most)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return text, nil
}

// flat is a text of a library on one line, short enough for a report.
func flat(text string) string {
	const most = 300
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}
