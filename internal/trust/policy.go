package trust

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/coaming/coaming/internal/verdict"
)

// Policy says who may sign which images, and what must be attested about them. docs/trust.md describes the file.
type Policy struct {
	signers map[string]*Signer
	images  []*Entry
	// Text is everything that the policy is made of, the files that it names included: what an answer is kept under.
	Text []byte
}

// Entry is what is demanded of the images of some repositories.
type Entry struct {
	// Repositories are names with wildcards: * stands for anything but a slash, ** for anything.
	Repositories []string `json:"repositories"`
	// Signers are who may sign, by their names in the policy.
	Signers []string `json:"signers"`
	// Signatures is how many of them must have signed; nil is one, and 0 none.
	Signatures *int `json:"signatures,omitempty"`
	// Attestations are the statements that there must be.
	Attestations []Wanted `json:"attestations,omitempty"`
}

// Wanted is an attestation that there must be.
type Wanted struct {
	// Type is a kind ("provenance", "spdx", "cyclonedx", "sbom" for either, "vex", "vulnerabilities", "summary") or the URI of a predicate.
	Type string `json:"type"`
	// Signers are who may sign it; empty is who may sign the image.
	Signers []string `json:"signers,omitempty"`
	// Builders and Sources are what a provenance may name, with wildcards; empty is anything.
	Builders []string `json:"builders,omitempty"`
	Sources  []string `json:"sources,omitempty"`
	// Level is the lowest level of SLSA's build track that must be verified.
	Level int `json:"level,omitempty"`
}

// Options are what a command says beside the policy.
type Options struct {
	// Revocation asks the authorities of notation's certificates whether these were revoked; nil asks nobody.
	Revocation *http.Client
}

// maxPolicy is the size of a policy's file, maxNames how many signers or images it may name.
const (
	maxPolicy = 1 << 20
	maxNames  = 1000
)

// LoadPolicy reads a policy's file and the files that it names. All that is wrong is told at once.
func LoadPolicy(path string, o Options) (*Policy, error) {
	const remedy = "See docs/trust.md for what stands in a policy."
	text, err := readFile("", path, maxPolicy)
	if err != nil {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("read policy: %w", err), Remedy: remedy}
	}
	var file struct {
		Signers map[string]*Signer `json:"signers"`
		Images  []*Entry           `json:"images"`
	}
	if err := yaml.UnmarshalStrict(text, &file); err != nil {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("read policy %s: %s", path, flat(err.Error())), Remedy: remedy}
	}
	p, err := NewPolicy(file.Signers, file.Images, filepath.Dir(path), o)
	if err != nil {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("read policy %s: %w", path, err), Remedy: remedy}
	}
	return p, nil
}

// NewPolicy makes a policy of its parts; dir is where the names of files begin.
func NewPolicy(signers map[string]*Signer, images []*Entry, dir string, o Options) (*Policy, error) {
	p := &Policy{signers: signers, images: images}
	var errs []error
	if len(signers) == 0 || len(images) == 0 {
		errs = append(errs, errors.New("it names no signers, or no images that they may sign"))
	}
	if len(signers) > maxNames || len(images) > maxNames {
		errs = append(errs, fmt.Errorf("it names over %d signers or images", maxNames))
	}
	names := make([]string, 0, len(signers))
	for name, s := range signers {
		names = append(names, name)
		if s == nil {
			signers[name] = &Signer{}
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if err := signers[name].open(dir, o); err != nil {
			errs = append(errs, fmt.Errorf("signers.%s: %w", name, err))
		}
	}
	for i, e := range images {
		if e == nil {
			e = &Entry{}
			images[i] = e
		}
		if err := e.check(signers); err != nil {
			errs = append(errs, fmt.Errorf("images[%d]: %w", i, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var err error
	p.Text, err = p.made()
	return p, err
}

// kinds are the words for attestations.
var kinds = []string{"provenance", "sbom", "spdx", "cyclonedx", "vex", "vulnerabilities", "summary"}

func (e *Entry) check(signers map[string]*Signer) error {
	var errs []error
	if len(e.Repositories) == 0 {
		errs = append(errs, errors.New("repositories: which images it is about, registry.example.com/shop/** or **"))
	}
	known := func(where string, names []string) {
		for _, name := range names {
			if _, ok := signers[name]; !ok {
				errs = append(errs, fmt.Errorf("%s: there is no signer %q", where, name))
			}
		}
	}
	known("signers", e.Signers)
	wanted := e.wanted()
	if wanted > len(e.Signers) || wanted < 0 {
		errs = append(errs, fmt.Errorf("signatures: %d of %d signers cannot have signed", wanted, len(e.Signers)))
	}
	if wanted == 0 && len(e.Attestations) == 0 {
		errs = append(errs, errors.New("it demands neither a signature nor an attestation"))
	}
	for i := range e.Attestations {
		a := &e.Attestations[i]
		where := fmt.Sprintf("attestations[%d]", i)
		known(where+".signers", a.Signers)
		if len(a.Signers) == 0 {
			a.Signers = e.Signers
		}
		if len(a.Signers) == 0 {
			errs = append(errs, fmt.Errorf("%s.signers: nobody may sign it", where))
		}
		if !slices.Contains(kinds, a.Type) && !strings.Contains(a.Type, ":") {
			errs = append(errs, fmt.Errorf("%s.type: %q is neither one of %s nor the URI of a predicate", where, a.Type, strings.Join(kinds, ", ")))
		}
		if a.Level < 0 || a.Level > 3 {
			errs = append(errs, fmt.Errorf("%s.level: %d is no level of SLSA's build track, which are 1 to 3", where, a.Level))
		}
		if a.Type != "provenance" && (len(a.Builders) > 0 || len(a.Sources) > 0 || a.Level > 0) {
			errs = append(errs, fmt.Errorf("%s: builders, sources and level are of a provenance", where))
		}
	}
	return errors.Join(errs...)
}

// wanted is how many signers must have signed.
func (e *Entry) wanted() int {
	if e.Signatures == nil {
		return 1
	}
	return *e.Signatures
}

// entries are those that are about a repository: all of them hold.
func (p *Policy) entries(repository string) []*Entry {
	var list []*Entry
	for _, e := range p.images {
		if matches(e.Repositories, repository) {
			list = append(list, e)
		}
	}
	return list
}

// Names says whether the policy names signers for a repository.
func (p *Policy) Names(repository string) bool { return len(p.entries(repository)) > 0 }

// matches says whether one of the patterns stands for the whole text.
func matches(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return wildcard(pattern).MatchString(text) })
}

// wildcard is a pattern as a regular expression: ** is anything, * anything but a slash.
func wildcard(pattern string) *regexp.Regexp {
	var form strings.Builder
	form.WriteString(`\A`)
	for i, part := range strings.Split(pattern, "**") {
		if i > 0 {
			form.WriteString(`(?s:.*)`)
		}
		for j, literal := range strings.Split(part, "*") {
			if j > 0 {
				form.WriteString(`[^/]*`)
			}
			form.WriteString(regexp.QuoteMeta(literal))
		}
	}
	form.WriteString(`\z`)
	return regexp.MustCompile(form.String()) // every literal is quoted
}
