package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/image"
	"github.com/coaming/coaming/internal/registry"
	"github.com/coaming/coaming/internal/trust"
	"github.com/coaming/coaming/internal/verdict"
)

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
	o.register(flags)
	flags.BoolVar(&o.attested, "attestations-only", false, "demand the attestations alone, and no signature of the image itself")
	flags.StringArrayVar(&o.bundles, "bundle", nil, "read bundles of sigstore from this `FILE`, as 'cosign download' and 'gh attestation download' write them")
	flags.StringVar(&o.reference, "reference", "", "take the image of this `NAME` or digest of several in a layout")
	flags.StringVar(&o.repository, "repository", "", "the `NAME` by which policies know an image that is read from a layout: registry.example.com/shop/web")
	flags.StringVar(&o.predicates, "predicates", "", "write what the verified attestations say into this `DIR`: SBOMs, provenances, VEX")
	o.add(flags)
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
	policy, err := o.load(o.attested)
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
