package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/image"
	"github.com/coaming/coaming/internal/trust"
	"github.com/coaming/coaming/internal/verdict"
)

// vouchFlags say who must vouch for images that are read for another reason than to be verified. Without a policy or a
// signer nobody is asked.
type vouchFlags struct {
	signerFlags
	bundles    []string
	repository string
	attested   bool
	alone      bool // of flags: the attestations are demanded, and no signature of the image

	verifier *imageVerifyOptions
	policy   *trust.Policy
	files    trust.Files
}

func (f *vouchFlags) register(flags *pflag.FlagSet) {
	f.signerFlags.register(flags)
	flags.StringArrayVar(&f.bundles, "bundle", nil, "read bundles of sigstore from this `FILE`, too, where who vouches for the image is asked")
	flags.BoolVar(&f.attested, "attested", false, "take what the image's attested bill of materials names, and read no layer; who may attest it a policy says, or --key and the like")
	flags.StringVar(&f.repository, "repository", "", "the `NAME` by which policies of trust know an image that is read from a layout: registry.example.com/shop/web")
}

// asked says whether flags or the working folder's policy say who must vouch.
func (f *vouchFlags) asked() bool {
	return exists(trustFile) || f.byFlags()
}

// byFlags says whether flags do.
func (f *vouchFlags) byFlags() bool {
	return f.policyFile != "" || f.bySignerFlags() || len(f.attestations)+len(f.builders)+len(f.sources)+f.level > 0
}

// openTrust reads the policy and the bundles; it does nothing where nobody is asked.
func (f *vouchFlags) openTrust(read *imageFlags) error {
	if f.attested {
		if f.alone = true; f.bySignerFlags() && len(f.attestations) == 0 {
			f.attestations = []string{"sbom"}
		}
		if !f.asked() {
			return &verdict.RemedyError{Err: errors.New("--attested: nothing says who may attest"), Remedy: "Name a policy with --policy FILE, or the signer, as 'coaming image verify --help' tells."}
		}
	}
	if !f.asked() {
		if len(f.bundles) > 0 || f.repository != "" {
			return &verdict.RemedyError{Err: errors.New("--bundle and --repository: nothing says who may sign"), Remedy: "Name a policy with --policy FILE, or the signer, as 'coaming image verify --help' tells."}
		}
		return nil
	}
	policy, err := f.load(f.alone)
	files, bad := trust.OpenFiles(f.bundles)
	f.policy, f.files = policy, files
	f.verifier = &imageVerifyOptions{
		signerFlags: f.signerFlags, registryFlags: read.registryFlags, reference: read.Reference, repository: f.repository, bundles: f.bundles, bills: true,
	}
	return errors.Join(err, bad)
}

// vouch says who vouches for an image that was read from a place; nil where nobody is asked, or the policy says nothing of it.
func (f *vouchFlags) vouch(ctx context.Context, env *Env, img *fact.Image, word string) (*trust.Report, error) {
	if f.policy == nil {
		return nil, nil //nolint:nilnil // that nobody is asked is an answer
	}
	subject := trust.Subject{Name: word, Repository: f.repositoryOf(img, word), Digest: img.Digest}
	stands := image.AsksRegistry(word) || img.Form == "oci-layout"
	if !f.policy.Names(subject.Repository) {
		return nil, nil //nolint:nilnil // the policy says nothing of it
	}
	if !stands {
		return f.policy.Unasked(subject, "where it was read from ("+img.Form+") no signatures stand beside an image: name it in its registry"), nil
	}
	found, err := f.verifier.find(ctx, env, word)
	if err != nil {
		return f.policy.Unasked(subject, err.Error()), nil
	}
	defer found.close()
	found.Repository = subject.Repository
	same, err := found.Within(ctx, found.source, img.Digest)
	if err == nil && !same {
		err = errors.New("the name was given to another image while this one was read: try again, or name its digest")
	}
	if err != nil {
		return f.policy.Unasked(subject, err.Error()), nil
	}
	return f.verifier.verify(ctx, env, f.policy, found, f.files)
}

// repositoryOf is the name by which policies know an image that was read.
func (f *vouchFlags) repositoryOf(img *fact.Image, word string) string {
	switch {
	case f.repository != "":
		return f.repository
	case image.AsksRegistry(word):
		return trust.RepositoryOf(word)
	case img.Contents == nil || !strings.Contains(img.Contents.Repository, "/"):
		return ""
	}
	return img.Contents.Repository
}

// attach puts who vouches for an image where rules read it.
func (f *vouchFlags) attach(ctx context.Context, env *Env, img *fact.Image, word string) error {
	if img.Contents == nil {
		return nil
	}
	report, err := f.vouch(ctx, env, img, word)
	if err != nil || report == nil {
		return err
	}
	img.Contents.Trust = report.Of(img)
	return nil
}

// readAttested is the image as the first verified bill of materials describes it that can be read.
func (f *vouchFlags) readAttested(ctx context.Context, env *Env, word string) (*fact.Image, *verdict.Coverage, error) {
	found, err := f.verifier.find(ctx, env, word)
	if err != nil {
		return nil, nil, err
	}
	defer found.close()
	report, err := f.verifier.verify(ctx, env, f.policy, found, f.files)
	if err != nil {
		return nil, nil, err
	}
	if at := slices.IndexFunc(report.Demands, func(d trust.Demand) bool { return d.Verdict != verdict.Pass }); at >= 0 {
		return nil, nil, fmt.Errorf("%s is not vouched for: %s: %s", word, report.Demands[at].Name, report.Demands[at].Why)
	}
	var errs []error
	for i := range report.Attestations {
		if trust.IsBill(&report.Attestations[i]) {
			img, coverage, err := report.Bill(i)
			if err == nil {
				img.Name, img.Digest = word, report.Digest
				return img, coverage, nil
			}
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		errs = append(errs, &verdict.RemedyError{Err: fmt.Errorf("nobody who may attests a bill of materials of %s", word), Remedy: "'coaming image verify' tells what stands beside it; without --attested the image itself is read."})
	}
	return nil, nil, errors.Join(errs...)
}
