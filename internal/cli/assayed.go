package cli

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/assay"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/verdict"
)

// assayed is what came of several images.
type assayed struct {
	coverage verdict.Coverage
	found    judge.Found
	advice   []verdict.Advice
	images   []*assay.Subject
	given    *fact.Image   // what --base names
	known    []*fact.Image // bases that were stored
	bench    *bench        // nil where the advisories are not asked
}

// newAssayed begins; published says whether the advisories are asked: otherwise they are not even opened.
func (f *advisoryFlags) newAssayed(env *Env, published bool) (*assayed, error) {
	b := &assayed{found: judge.Found{Passed: map[string]int{}}}
	if !published {
		b.coverage.Exclusions = []verdict.Exclusion{{What: "published vulnerabilities of packages", Reason: "--rule, --practice, --framework or --skip"}}
		return b, nil
	}
	var err error
	if b.bench, err = f.openBench(env); err != nil {
		return nil, err
	}
	b.found.Rules = []verdict.RuleInfo{assay.Rule}
	b.coverage.Advisories, b.coverage.Gaps = b.bench.Standing, b.bench.gaps
	return b, nil
}

// close ends the asking.
func (b *assayed) close() error {
	if b.bench == nil {
		return nil
	}
	return b.bench.close()
}

// add notes an image, and puts its packages to the advisories where these are asked.
func (b *assayed) add(s *assay.Subject, coverage *verdict.Coverage) error {
	if err := assay.SettleBase(s.Image, b.given, b.known); err != nil {
		return err
	}
	b.images = append(b.images, s)
	b.coverage.Sources = append(b.coverage.Sources, coverage.Sources...)
	b.coverage.Gaps = append(b.coverage.Gaps, coverage.Gaps...)
	b.coverage.Files += coverage.Files
	b.coverage.Images++
	b.coverage.Packages += len(s.Image.Packages)
	if b.bench == nil {
		return nil
	}
	tried, err := b.bench.Try(s)
	if err != nil {
		return err
	}
	b.found.Findings = append(b.found.Findings, tried.Findings...)
	b.found.Passed[assay.RuleID] += tried.Passed
	if tried.Left > 0 {
		b.coverage.Exclusions = append(b.coverage.Exclusions, verdict.Exclusion{
			What: "packages of languages in " + s.Name, Reason: "the distribution's packages that brought them along answer for them", Count: tried.Left,
		})
	}
	advice, err := b.bench.Advise(s, tried)
	if err != nil {
		return err
	}
	rebase, err := b.bench.Rebase(s, tried, b.known)
	b.advice = append(append(b.advice, rebase...), advice...)
	slices.SortStableFunc(b.advice, assay.ByGain)
	return err
}

// describe puts the images before the rules. Of what nothing tells that rules could read it is said that they were not asked.
func (b *assayed) describe(inventory *fact.Inventory) {
	for _, s := range b.images {
		if s.Image.Contents == nil {
			b.coverage.Exclusions = append(b.coverage.Exclusions, verdict.Exclusion{
				What: "rules on what " + s.Name + " holds", Reason: "a bill of materials, or what is stored of the image, says nothing of its files",
			})
			continue
		}
		inventory.Images = append(inventory.Images, s.Image)
	}
}

// imageName is what an image is called whatever its build: the repository where a reference is known, the path otherwise.
func imageName(img *fact.Image, arg string) string {
	reference := img.Reference
	if reference == "" {
		return path.Clean(filepath.ToSlash(arg))
	}
	name, _, _ := strings.Cut(reference, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name = name[:colon]
	}
	return name
}
