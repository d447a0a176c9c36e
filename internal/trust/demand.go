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
		demands = append(demands, r.settle(e.signed(r, wanted)))
	}
	for i := range e.Attestations {
		demands = append(demands, r.settle(e.Attestations[i].judge(r)))
	}
	return demands
}

// settle gives the verdict on a demand. What was not found where not everything could be looked at may be there.
func (r *Report) settle(d fact.Demand) Demand {
	switch {
	case d.Met:
		return Demand{d, verdict.Pass}
	case len(r.Unseen) > 0:
		d.Why = "not everything could be looked at: " + r.Unseen[0]
		return Demand{d, verdict.Unknown}
	}
	return Demand{d, verdict.Fail}
}

// signed counts the signers of the image.
func (e *Entry) signed(r *Report, wanted int) fact.Demand {
	d := fact.Demand{Name: "a signature by " + strings.Join(e.Signers, " or "), Kind: "signature", Signers: e.Signers, Need: wanted}
	if wanted > 1 {
		d.Name = fmt.Sprintf("signatures by %d of %s", wanted, strings.Join(e.Signers, ", "))
	}
	var by []string
	other := ""
	for i := range r.Signatures {
		switch s := &r.Signatures[i]; {
		case !slices.Contains(e.Signers, s.Signer):
			other = s.Signer
		case !slices.Contains(by, s.Signer):
			by = append(by, s.Signer)
		}
	}
	d.Found, d.Met = len(by), len(by) >= wanted
	switch {
	case d.Met:
		d.Why = "signed by " + strings.Join(by, " and ")
	case len(by) > 0:
		d.Lack, d.Why = fact.LackSigners, fmt.Sprintf("%d of them alone", len(by))
	case other != "":
		d.Lack, d.Why = fact.LackStranger, "signed by "+other
	default:
		d.Lack, d.Why = fact.LackSignature, r.missing("signature")
		if slices.ContainsFunc(r.Rejected, func(x fact.Rejection) bool { return x.Stranger != "" }) {
			d.Lack = fact.LackStranger
		}
	}
	return d
}

// missing says why there is nothing.
func (r *Report) missing(what string) string {
	if len(r.Rejected) > 0 {
		first := r.Rejected[0]
		if at := slices.IndexFunc(r.Rejected, func(x fact.Rejection) bool { return x.Stranger != "" }); at >= 0 {
			first = r.Rejected[at]
		}
		return "nothing that counts: " + first.Place + ": " + first.Why
	}
	return "there is no " + what
}

// judge looks for an attestation that is all that is wanted. Of several that are not, the nearest tells what it lacks.
func (w *Wanted) judge(r *Report) fact.Demand {
	d := fact.Demand{Name: w.String(), Kind: "attestation", Type: w.Type, Signers: w.Signers, Need: 1, Lack: fact.LackAttestation}
	var short []string
	for i := range r.Attestations {
		a := &r.Attestations[i]
		if !w.is(a) {
			continue
		}
		if !slices.Contains(w.Signers, a.Signer) {
			if len(short) == 0 {
				d.Lack = fact.LackStranger
			}
			continue
		}
		lack, why := w.lacks(a.Provenance)
		if lack == "" {
			d.Met, d.Found, d.Lack, d.Why = true, 1, "", "attested by "+a.Signer
			return d
		}
		if len(short) == 0 || slices.Index(nearness, lack) > slices.Index(nearness, d.Lack) {
			d.Lack = lack
		}
		short = append(short, why)
	}
	if d.Why = strings.Join(slices.Compact(short), "; "); len(short) == 0 {
		d.Why = r.missing("attestation of that type")
		if d.Lack == fact.LackStranger {
			d.Why = "somebody attested it who may not"
		}
	}
	return d
}

// nearness is the order in which a provenance is held to what is wanted.
var nearness = []string{fact.LackBuilder, fact.LackSource, fact.LackDoubt, fact.LackLevel}

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

// lacks says what a provenance is not, in a word and a sentence; "" when it is all that is wanted.
func (w *Wanted) lacks(p *fact.Provenance) (lack, why string) {
	switch {
	case p == nil:
		return "", ""
	case len(w.Builders) > 0 && !matches(w.Builders, p.Builder):
		return fact.LackBuilder, fmt.Sprintf("it was built by %q", flat(p.Builder))
	case len(w.Sources) > 0 && !matches(w.Sources, p.Source):
		return fact.LackSource, fmt.Sprintf("it was built from %q", flat(p.Source))
	case len(p.Doubts) > 0 && (len(w.Builders) > 0 || len(w.Sources) > 0 || w.Level > 1):
		return fact.LackDoubt, p.Doubts[0]
	case p.Level < w.Level:
		return fact.LackLevel, fmt.Sprintf("level %d alone can be verified", p.Level)
	}
	return "", ""
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
