package assay

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/purl"
	"github.com/coaming/coaming/internal/verdict"
)

// Bounds of advice.
const (
	maxVersions = 64 // versions of one package that are tried
	maxAdvice   = 100
)

// Advise tells what would clear the most of what was found in an image. Nothing in it is guessed: each advice is what came of
// judging the packages as they would be.
func (b *Bench) Advise(s *Subject, t *Tried) ([]verdict.Advice, error) {
	byGroup := map[*verdict.Vulnerability][]*verdict.Finding{}
	var heads []*verdict.Vulnerability
	type key struct{ ecosystem, name, version string }
	seen := map[key]*verdict.Vulnerability{}
	for i := range t.Findings {
		f := &t.Findings[i]
		v := f.Vulnerability
		if v == nil || f.Verdict != verdict.Fail {
			continue
		}
		k := key{v.Ecosystem, v.Package, v.Version}
		head := seen[k]
		if head == nil {
			head = v
			seen[k] = v
			heads = append(heads, v)
		}
		byGroup[head] = append(byGroup[head], f)
	}
	var list []verdict.Advice
	system := map[int]*refresh{}
	for _, head := range heads {
		findings := byGroup[head]
		up, err := b.upgrade(s, head, findings)
		if err != nil {
			return nil, err
		}
		if up == nil {
			continue
		}
		list = append(list, *up)
		if !purl.IsLanguage(head.Ecosystem) {
			layer := system[head.Layer]
			if layer == nil {
				layer = &refresh{}
				system[head.Layer] = layer
			}
			layer.add(up)
		}
	}
	for layer, r := range system {
		list = append(list, r.advice(s, layer))
	}
	slices.SortFunc(list, ByGain)
	return list[:min(len(list), maxAdvice)], nil
}

// ByGain orders advice: first what clears more, less what it brings, then what is graver.
func ByGain(a, b verdict.Advice) int {
	return cmp.Or((b.Clears-b.Brings)-(a.Clears-a.Brings), cmp.Compare(b.Gravest, a.Gravest), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Do, b.Do), cmp.Compare(a.Image, b.Image))
}

// upgrade is the smallest version of a package that clears the most: each version that an advisory names as fixed is judged.
func (b *Bench) upgrade(s *Subject, head *verdict.Vulnerability, findings []*verdict.Finding) (*verdict.Advice, error) {
	versions := candidates(head.Ecosystem, findings)
	if len(versions) == 0 {
		return nil, nil //nolint:nilnil // no advice is no error
	}
	questions := make([]advisory.Package, len(versions))
	for i, v := range versions {
		questions[i] = advisory.Package{Ecosystem: head.Ecosystem, Name: head.Package, Version: v}
	}
	rulings, err := b.rule(questions, productsOf(s))
	if err != nil {
		return nil, err
	}
	best, bestLeft := -1, 0
	for i, r := range rulings {
		left := open(r)
		if len(r.unknown) > 0 && best >= 0 {
			continue
		}
		if best < 0 || left < bestLeft {
			best, bestLeft = i, left
		}
	}
	places := map[string]bool{}
	there := map[string]bool{}
	for _, f := range findings {
		places[f.Vulnerability.Place] = true
		there[f.Vulnerability.ID] = true
	}
	a := &verdict.Advice{
		Kind: "upgrade", Image: s.Image.Name, Ecosystem: head.Ecosystem, Package: head.Package, From: head.Version, To: versions[best], Layer: &head.Layer,
		Proof: fmt.Sprintf("%s %s was judged", head.Package, versions[best]),
	}
	after := map[string]bool{}
	for _, f := range rulings[best].findings {
		if f.Suppressed == nil {
			after[f.Vulnerability] = true
			if !there[f.Vulnerability] {
				a.Brings += len(places)
			}
		}
	}
	for _, f := range findings {
		if after[f.Vulnerability.ID] {
			a.Leaves++
			continue
		}
		a.Clears++
		a.Gravest = max(a.Gravest, f.Severity)
	}
	if a.Clears == 0 {
		return nil, nil //nolint:nilnil // as above
	}
	a.Do = fmt.Sprintf("upgrade %s of %s from %s to %s", head.Package, head.Ecosystem, head.Version, a.To)
	if n := len(places); n > 1 {
		a.Do += fmt.Sprintf(", at %d places", n)
	}
	return a, nil
}

// open counts what is left of a package's vulnerabilities.
func open(r *ruling) int {
	n := 0
	for i := range r.findings {
		if r.findings[i].Suppressed == nil {
			n++
		}
	}
	return n
}

// candidates are the versions that have a fix, the lowest first.
func candidates(ecosystem string, findings []*verdict.Finding) []string {
	var list []string
	for _, f := range findings {
		if v := f.Vulnerability.FixedIn; v != "" && !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	slices.SortStableFunc(list, func(a, b string) int {
		n, err := advisory.Compare(ecosystem, a, b)
		if err != nil {
			return cmp.Compare(a, b) // any one order will do: all are judged
		}
		return n
	})
	if n := len(list); n > maxVersions {
		list = list[n-maxVersions:]
	}
	return list
}

// refresh is all upgrades of a distribution's packages that one layer brought.
type refresh struct {
	clears, leaves, brings, packages int
	gravest                          verdict.Severity
	ecosystem                        string
}

func (r *refresh) add(up *verdict.Advice) {
	r.clears += up.Clears
	r.leaves += up.Leaves
	r.brings += up.Brings
	r.packages++
	r.gravest = max(r.gravest, up.Gravest)
	r.ecosystem = up.Ecosystem
}

// advice is what upgrading all of a layer's packages comes to.
func (r *refresh) advice(s *Subject, layer int) verdict.Advice {
	where := fmt.Sprintf("layer %d", layer)
	switch OriginOf(s.Image, layer) {
	case verdict.OriginBase:
		where += ", of the base image"
	case verdict.OriginApplication:
		where += ", of the application"
	case verdict.OriginUnknown:
	}
	return verdict.Advice{
		Kind: "refresh", Image: s.Image.Name, Ecosystem: r.ecosystem, Layer: &layer, Clears: r.clears, Leaves: r.leaves, Brings: r.brings, Gravest: r.gravest,
		Do:    fmt.Sprintf("rebuild with the fixed versions of %s that %s has (%s)", plural(r.packages, "package"), r.ecosystem, where),
		Proof: "each of the packages was judged in the version that its advisories name as fixed",
	}
}
