package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/coaming/coaming/internal/image"
	"github.com/coaming/coaming/internal/registry"
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

// imageVerifyOptions is the configuration of one verification.
type imageVerifyOptions struct {
	signerFlags
	registryFlags
	reference    string
	repository   string
	bundles      []string
	attested     bool
	predicates   string
	bills        bool // attested bills of materials are wanted, too, which are not kept
	format       string
	allowUnknown bool
	noCache      bool
	timeout      time.Duration
	opened       *registry.Client // to ask in place of one of its own; may be nil
}

var imageVerifyFormats = []string{"text", "json"}

func imageVerifyCommand(env *Env) *cobra.Command {
	o := &imageVerifyOptions{}
	cmd := &cobra.Command{
		Use:   "verify REFERENCE|DIR|ARCHIVE",
		Short: "Verify who signed an image, and what is attested about it",
		Long: `Verify the signatures and attestations that stand beside an image, in its registry or in an OCI layout (a directory or a tar): those that
cosign and other clients of sigstore make, with keys or keyless, and those of notation. Roots of trust are files; nobody is asked but the
registry that the image's name says. With --bundle what vouches for the image is read from files, too.

An image whose digest is all that is known may be named so: sha256:..., with --bundle.

Exit codes: 0 all that is demanded was verified; 1 it was not; 2 wrong usage, or no image; 3 what is demanded could not be looked at, or the
policy names nobody for the image (0 with --allow-unknown).`,
		Example: `  coaming image verify registry.example.com/shop/web:1.4 --key cosign.pub
  coaming image verify registry.example.com/shop/web@sha256:... --trusted-root trusted_root.json \
    --identity-regexp 'https://github\.com/shop/.+' --issuer https://token.actions.githubusercontent.com --attestation provenance
  coaming image verify layout/ --repository registry.example.com/shop/web --notation ~/.config/notation
  coaming image verify registry.example.com/shop/web:1.4 --policy .coaming/trust.yaml --format json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), env, args[0]) },
	}
	flags := cmd.Flags()
	o.signerFlags.register(flags)
	flags.BoolVar(&o.attested, "attestations-only", false, "demand the attestations alone, and no signature of the image itself")
	flags.StringArrayVar(&o.bundles, "bundle", nil, "read bundles of sigstore from this `FILE`, as 'cosign download' and 'gh attestation download' write them")
	flags.StringVar(&o.reference, "reference", "", "take the image of this `NAME` or digest of several in a layout")
	flags.StringVar(&o.repository, "repository", "", "the `NAME` by which policies know an image that is read from a layout: registry.example.com/shop/web")
	flags.StringVar(&o.predicates, "predicates", "", "write what the verified attestations say into this `DIR`: SBOMs, provenances, VEX")
	o.registryFlags.add(flags)
	flags.StringVar(&o.format, "format", "text", "`FORMAT` of the answer: text or json")
	flags.BoolVar(&o.allowUnknown, "allow-unknown", false, "do not exit with 3 for what could not be looked at")
	flags.BoolVar(&o.noCache, "no-cache", false, "verify again what was verified lately")
	flags.DurationVar(&o.timeout, "timeout", 2*time.Minute, "end after this `TIME`")
	completeFlag(cmd, "format", imageVerifyFormats...)
	completeFlag(cmd, "attestation", "provenance", "sbom", "spdx", "cyclonedx", "vex", "vulnerabilities", "summary")
	return cmd
}

// check reports every problem of the options at once, and makes the policy.
func (o *imageVerifyOptions) check(word string) (*trust.Policy, error) {
	errs := o.registryFlags.check([]string{word})
	if !slices.Contains(imageVerifyFormats, o.format) {
		errs = append(errs, fmt.Errorf("--format: %q is none of %s", o.format, strings.Join(imageVerifyFormats, ", ")))
	}
	if o.timeout <= 0 {
		errs = append(errs, errors.New("--timeout: it must be longer than nothing"))
	}
	policy, err := o.signerFlags.load(o.attested)
	return policy, errors.Join(append(errs, err)...)
}

// found is an image with where to look for what vouches for it.
type found struct {
	trust.Subject
	source trust.Source
	close  func()
}

// bareDigest is an image of which nothing but the digest is known.
var bareDigest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// find opens what a word names.
func (o *imageVerifyOptions) find(ctx context.Context, env *Env, word string) (*found, error) {
	if bareDigest.MatchString(word) {
		if len(o.bundles) == 0 {
			return nil, &verdict.RemedyError{Err: errors.New("a digest alone does not say where to look"), Remedy: "Name the files with --bundle, or the image in its registry as REGISTRY/NAME@" + word + "."}
		}
		return &found{Subject: trust.Subject{Name: word, Repository: o.repository, Digest: word}, source: trust.Files{}, close: func() {}}, nil
	}
	if !image.AsksRegistry(word) {
		return o.findLayout(ctx, word)
	}
	client, done := o.opened, func() {}
	if client == nil {
		var err error
		if client, err = o.client(env, []string{word}); err != nil {
			return nil, err
		}
		done = client.Close
	}
	beside, subject, err := trust.OpenRegistry(ctx, client, word)
	if err != nil {
		done()
		return nil, err
	}
	if o.repository != "" {
		subject.Repository = o.repository
	}
	return &found{subject, beside, done}, nil
}

// findLayout opens an OCI layout.
func (o *imageVerifyOptions) findLayout(ctx context.Context, path string) (*found, error) {
	files, err := image.OpenFiles(path)
	if err != nil {
		return nil, err
	}
	top, err := files.Top(ctx, o.reference)
	if err != nil {
		return nil, errors.Join(err, files.Close())
	}
	subject := trust.Subject{Name: path, Repository: o.repository, Digest: top.Digest, MediaType: top.MediaType, Size: top.Size}
	if subject.Repository == "" {
		subject.Repository = repositoryOf(top.Name)
	}
	return &found{subject, &trust.Layout{Open: files.Open}, func() { _ = files.Close() }}, nil // it was only read
}

// repositoryOf is the repository that the name of an image in a layout tells; "" where it is a tag alone.
func repositoryOf(name string) string {
	name, _, _ = strings.Cut(name, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name = name[:colon]
	}
	if !strings.Contains(name, "/") {
		return ""
	}
	return name
}

func (o *imageVerifyOptions) run(ctx context.Context, env *Env, word string) error {
	policy, err := o.check(word)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	var files trust.Files
	if files, err = trust.OpenFiles(o.bundles); err != nil {
		return err
	}
	image, err := o.find(ctx, env, word)
	if away, ok := errors.AsType[*trust.Unreached](err); ok {
		_, _ = fmt.Fprintf(env.Stderr, "%s: %v\n", env.Name, away)
		if re, ok := errors.AsType[*verdict.RemedyError](err); ok {
			_, _ = fmt.Fprintf(env.Stderr, "%s: hint: %s\n", env.Name, re.Remedy)
		}
		return o.exit(verdict.Unknown)
	}
	if err != nil {
		return err
	}
	defer image.close()
	report, err := o.verify(ctx, env, policy, image, files)
	if err != nil {
		return err
	}
	if o.predicates != "" {
		if err := writePredicates(o.predicates, report); err != nil {
			return err
		}
	}
	if err := writeTrust(env.Stdout, report, o.format); err != nil {
		return err
	}
	return o.exit(report.Verdict())
}

func (o *imageVerifyOptions) exit(v verdict.Verdict) error {
	switch {
	case v == verdict.Fail:
		return exitError(verdict.ExitFindings)
	case v != verdict.Pass && !o.allowUnknown:
		return exitError(verdict.ExitUnknown)
	}
	return nil
}
