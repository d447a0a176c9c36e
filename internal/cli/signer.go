package cli

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/coaming/coaming/internal/trust"
	"github.com/coaming/coaming/internal/verdict"
)

// trustFile is where a policy of trust is looked for in the working folder.
const trustFile = ".coaming/trust.yaml"

// signerFlags say who may sign, in place of a policy's file.
type signerFlags struct {
	trust.Signer
	policyFile   string
	attestations []string
	builders     []string
	sources      []string
	level        int
	revocation   bool
}

func (f *signerFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.policyFile, "policy", "", "who may sign which images, and what must be attested: `FILE` (default "+trustFile+" where there is one)")
	flags.StringArrayVar(&f.Keys, "key", nil, "a public key, in PEM, that must have signed: `FILE`; of several any one")
	flags.StringVar(&f.TrustedRoot, "trusted-root", "", "sigstore's trusted root: the `FILE` trusted_root.json; with --key the log must have the signature, too")
	flags.StringVar(&f.Identity, "identity", "", "the `NAME` in the certificate of a keyless signature: a workflow's URI, an address")
	flags.StringVar(&f.IdentityPattern, "identity-regexp", "", "the same as a `PATTERN` that matches the whole name")
	flags.StringVar(&f.Issuer, "issuer", "", "the `URL` where who signed has logged in")
	flags.StringVar(&f.IssuerPattern, "issuer-regexp", "", "the same as a `PATTERN` that matches the whole URL")
	flags.BoolVar(&f.WithoutLog, "without-log", false, "take a signed timestamp in place of a transparency log, for a sigstore of one's own")
	flags.BoolVar(&f.WithoutSCT, "without-sct", false, "take a certificate that no certificate log has promised, for a sigstore of one's own")
	flags.StringVar(&f.Notation, "notation", "", "notation's trust policy and trust store: a `DIR` with trustpolicy.json and truststore/")
	flags.StringArrayVar(&f.attestations, "attestation", nil, "demand an attestation of this `TYPE`: provenance, sbom, spdx, cyclonedx, vex, vulnerabilities, summary or a predicate's URI")
	flags.StringArrayVar(&f.builders, "builder", nil, "the provenance must name this `BUILDER`, which may have wildcards (* and **)")
	flags.StringArrayVar(&f.sources, "source", nil, "the provenance must name this `REPOSITORY`, which may have wildcards")
	flags.IntVar(&f.level, "slsa-level", 0, "the least `LEVEL` of SLSA's build track that must be verified, 1 to 3")
	flags.BoolVar(&f.revocation, "ask-revocation", false, "ask the authorities of notation's certificates, over the network, whether these were revoked")
}

// bySignerFlags says whether flags name a signer, in place of a policy's file.
func (f *signerFlags) bySignerFlags() bool {
	return len(f.Keys) > 0 || f.TrustedRoot+f.Identity+f.IdentityPattern+f.Issuer+f.IssuerPattern+f.Notation != ""
}

// load makes the policy: of a file, or of the flags for any image.
func (f *signerFlags) load(unsigned bool) (*trust.Policy, error) {
	o := trust.Options{}
	if f.revocation {
		o.Revocation = trust.Client(&http.Transport{Proxy: http.ProxyFromEnvironment})
	}
	demands := len(f.attestations)+len(f.builders)+len(f.sources) > 0 || f.level != 0
	switch {
	case f.policyFile != "" && (f.bySignerFlags() || demands):
		return nil, errors.New("--policy and flags that name a signer or an attestation contradict each other: write the signer into the policy")
	case f.bySignerFlags():
		return f.ofFlags(o, unsigned)
	case demands && f.policyFile == "":
		return nil, &verdict.RemedyError{Err: errors.New("nothing says who may have signed the attestation"), Remedy: "Name the signer with --key, with --identity, --issuer and --trusted-root, or with --notation."}
	}
	path := f.policyFile
	if path == "" {
		path = trustFile
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, &verdict.RemedyError{
				Err:    errors.New("nothing says who may sign"),
				Remedy: "Name a key with --key FILE; an identity with --trusted-root FILE, --identity and --issuer; notation's folder with --notation DIR; or a policy with --policy FILE.",
			}
		}
	}
	return trust.LoadPolicy(path, o)
}

func (f *signerFlags) ofFlags(o trust.Options, attestationsAlone bool) (*trust.Policy, error) {
	const name = "signer"
	signer := f.Signer
	entry := &trust.Entry{Repositories: []string{"**"}, Signers: []string{name}}
	wanted := f.attestations
	if (len(f.builders)+len(f.sources) > 0 || f.level != 0) && !slices.Contains(wanted, "provenance") {
		wanted = append(slices.Clone(wanted), "provenance")
	}
	for _, kind := range wanted {
		w := trust.Wanted{Type: kind}
		if kind == "provenance" {
			w.Builders, w.Sources, w.Level = f.builders, f.sources, f.level
		}
		entry.Attestations = append(entry.Attestations, w)
	}
	if attestationsAlone {
		none := 0
		entry.Signatures = &none
	}
	p, err := trust.NewPolicy(map[string]*trust.Signer{name: &signer}, []*trust.Entry{entry}, "", o)
	if err != nil {
		return nil, flagWords(err)
	}
	return p, nil
}

// asFlags are the words of a policy's file and the flags that say the same.
var asFlags = strings.NewReplacer(
	"signers.signer: ", "", "images[0]: ", "", "identity or identityPattern", "--identity or --identity-regexp", "issuer or issuerPattern", "--issuer or --issuer-regexp",
	"identity and identityPattern", "--identity and --identity-regexp", "issuer and issuerPattern", "--issuer and --issuer-regexp",
	"identityPattern: ", "--identity-regexp: ", "issuerPattern: ", "--issuer-regexp: ", "trustedRoot", "--trusted-root", "withoutLog and withoutSCT", "--without-log and --without-sct",
)

var attestationAt = regexp.MustCompile(`attestations\[\d+\]\.?`)

// flagWords says an error of a policy in the words of the flags that it was made of.
func flagWords(err error) error {
	said := errors.New(attestationAt.ReplaceAllString(asFlags.Replace(err.Error()), "--attestation "))
	if remedy, ok := errors.AsType[*verdict.RemedyError](err); ok {
		return &verdict.RemedyError{Err: said, Remedy: remedy.Remedy}
	}
	return said
}
