package trust

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// judge holds what was verified to what an entry demands. What is missing is a fail where everything was
// looked at, and unknown where something was not.
func (e *Entry) judge(r *Report) []Demand {
	var demands []Demand
	if wanted := e.wanted(); wanted > 0 {
		var by []string
		for i := range r.Signatures {
			if s := &r.Signatures[i]; slices.Contains(e.Signers, s.Signer) && !slices.Contains(by, s.Signer) {
				by = append(by, s.Signer)
			}
		}
		what := "a signature by " + strings.Join(e.Signers, " or ")
		if wanted > 1 {
			what = fmt.Sprintf("signatures by %d of %s", wanted, strings.Join(e.Signers, ", "))
		}
		d := Demand{What: what, Verdict: verdict.Pass, Why: "signed by " + strings.Join(by, " and ")}
		if len(by) < wanted {
			d.Verdict, d.Why = r.missing(len(by), "signature")
		}
		demands = append(demands, d)
	}
	for i := range e.Attestations {
		demands = append(demands, e.Attestations[i].judge(r))
	}
	return demands
}

// missing is the verdict on what was not found, and why.
func (r *Report) missing(found int, what string) (verdict.Verdict, string) {
	if len(r.Unseen) > 0 {
		return verdict.Unknown, "not everything could be looked at: " + r.Unseen[0]
	}
	switch {
	case found > 0:
		return verdict.Fail, fmt.Sprintf("%d of them alone", found)
	case len(r.Rejected) > 0:
		return verdict.Fail, "nothing that counts: " + r.Rejected[0].Place + ": " + r.Rejected[0].Why
	}
	return verdict.Fail, "there is no " + what
}

// judge looks for an attestation that is all that is wanted.
func (w *Wanted) judge(r *Report) Demand {
	d := Demand{What: w.String(), Verdict: verdict.Pass}
	var short []string
	for i := range r.Attestations {
		a := &r.Attestations[i]
		if !w.is(a) || !slices.Contains(w.Signers, a.Signer) {
			continue
		}
		lack := w.lacks(a.Provenance)
		if lack == "" {
			d.Why = "attested by " + a.Signer
			return d
		}
		short = append(short, lack)
	}
	d.Verdict, d.Why = r.missing(0, "attestation of that type")
	if len(short) > 0 && len(r.Unseen) == 0 {
		d.Why = strings.Join(slices.Compact(short), "; ")
	}
	return d
}

// String is what is wanted, in words.
func (w *Wanted) String() string {
	text := "an attestation of " + w.Type + " by " + strings.Join(w.Signers, " or ")
	if len(w.Builders) > 0 {
		text += ", built by " + strings.Join(w.Builders, " or ")
	}
	if len(w.Sources) > 0 {
		text += ", from " + strings.Join(w.Sources, " or ")
	}
	if w.Level > 0 {
		text += fmt.Sprintf(", SLSA build level %d", w.Level)
	}
	return text
}

// is says whether an attestation is of the type that is wanted.
func (w *Wanted) is(a *fact.Attestation) bool {
	return a.PredicateType == w.Type || a.Kind == w.Type || w.Type == "sbom" && (a.Kind == "spdx" || a.Kind == "cyclonedx")
}

// lacks says what a provenance is not; "" when it is all that is wanted.
func (w *Wanted) lacks(p *fact.Provenance) string {
	switch {
	case p == nil:
		return ""
	case len(w.Builders) > 0 && !matches(w.Builders, p.Builder):
		return fmt.Sprintf("it was built by %q", flat(p.Builder))
	case len(w.Sources) > 0 && !matches(w.Sources, p.Source):
		return fmt.Sprintf("it was built from %q", flat(p.Source))
	case len(p.Doubts) > 0 && (len(w.Builders) > 0 || len(w.Sources) > 0 || w.Level > 1):
		return p.Doubts[0]
	case p.Level < w.Level:
		return fmt.Sprintf("level %d alone can be verified", p.Level)
	}
	return ""
}

// made is everything that the policy is made of as bytes, the same for the same: what its files hold, not their names.
func (p *Policy) made() ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	names := make([]string, 0, len(p.signers))
	for name := range p.signers {
		names = append(names, name)
	}
	slices.Sort(names)
	err := encoder.Encode(p.images)
	for _, name := range names {
		s := p.signers[name]
		parts := []any{name, s}
		for _, k := range s.keys {
			parts = append(parts, k.ID())
		}
		if s.root != nil {
			parts = append(parts, s.root)
		}
		if s.notation != nil {
			parts = append(parts, s.notation.made)
		}
		for _, part := range parts {
			if err == nil {
				err = encoder.Encode(part)
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("encode policy: %w", err)
	}
	return out.Bytes(), nil
}
