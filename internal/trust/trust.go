// Package trust says who vouches for an image: it gathers the signatures and attestations that stand beside
// one (in a registry, in an OCI layout, in files), verifies them by the keys, identities and certificates
// that a policy names, and holds the image to what the policy demands. The protocols are their projects'
// own libraries, sigstore-go and notation-go, and no other room sees them. It fetches nothing but what
// stands beside the image: roots of trust are files. What could not be looked at makes the answer unknown,
// never a pass. internal/cli and internal/clearance import it.
package trust

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/registry"
	"github.com/coaming/coaming/internal/verdict"
)

// Subject is the image that is asked about.
type Subject struct {
	// Name is the image as it was asked for.
	Name string
	// Repository is the name by which policies know it, "registry.example.com/shop/web".
	Repository string
	// Digest, MediaType and Size are those of its manifest or index.
	Digest    string
	MediaType string
	Size      int64
}

// Evidence is one thing that stands beside an image and may vouch for it. Nothing of it is believed yet.
type Evidence struct {
	Form  Form
	Place string // where it stands, for messages
	// MediaType is that of the body, where notation's two envelopes differ.
	MediaType   string
	Body        []byte
	Annotations map[string]string
}

// Form is the form of a piece of evidence.
type Form string

// The forms.
const (
	Cosign   Form = "cosign"   // a payload of simple signing, signed in an annotation
	DSSE     Form = "dsse"     // an envelope with an attestation, as cosign attaches it
	Bundle   Form = "bundle"   // a bundle of sigstore
	Notation Form = "notation" // an envelope of notation, in JWS or COSE
)

// Source gathers the evidence about a digest. What it could not read is told in unseen, in words; an error
// is that nothing could be read at all.
type Source interface {
	Evidence(ctx context.Context, digest string) (list []Evidence, unseen []string, err error)
}

// What is read of one image. Whoever may push can put anything beside an image: more is not read, and told.
const (
	maxEvidence  = 512       // signatures and attestations
	maxBody      = 128 << 20 // bytes of one, as an SBOM is large
	maxAll       = 512 << 20 // bytes of all
	maxManifest  = 8 << 20   // bytes of a manifest or index, which holds signatures and certificates as annotations
	maxReferrers = 512       // manifests that name the image as their subject
	maxRejected  = 100       // rejections that are told one by one
)

// Report is the answer about one image.
type Report struct {
	Name       string `json:"name"`
	Repository string `json:"repository,omitempty"`
	fact.Trust
	// Demands are what the policy asks of the image.
	Demands []Demand `json:"demands"`
	// Until is when the answer must be asked for again (RFC 3339), "" when it must be at once.
	Until string `json:"until,omitempty"`
	// Predicates are the verified attestations' own words, in the order of Attestations; not part of the JSON.
	Predicates [][]byte `json:"-"`
}

// Demand is one thing that the policy asks, and whether it is so.
type Demand struct {
	fact.Demand
	Verdict verdict.Verdict `json:"verdict"`
}

// Verdict is that of all demands together: a fail outweighs an unknown, and nothing demanded is unknown.
func (r *Report) Verdict() verdict.Verdict {
	worst := verdict.Pass
	if len(r.Demands) == 0 {
		worst = verdict.Unknown
	}
	for _, d := range r.Demands {
		if d.Verdict == verdict.Fail {
			return verdict.Fail
		}
		if d.Verdict != verdict.Pass {
			worst = verdict.Unknown
		}
	}
	return worst
}

// Verify holds an image to the policy. now is when certificates without a verified time of signing must be valid.
func (p *Policy) Verify(ctx context.Context, s Subject, from Source, now time.Time) (*Report, error) {
	r := &Report{Name: s.Name, Repository: s.Repository, Trust: fact.Trust{Digest: s.Digest, Signatures: []fact.Signature{}, Attestations: []fact.Attestation{}}}
	entries := p.entries(s.Repository)
	if len(entries) == 0 {
		r.Demands = []Demand{{fact.Demand{Name: "a signer", Why: fmt.Sprintf("the policy names nobody who may sign %q", s.Repository)}, verdict.Unknown}}
		return r, nil
	}
	list, unseen, err := from.Evidence(ctx, s.Digest)
	if err != nil {
		list, unseen = nil, append(unseen, err.Error())
	}
	r.Unseen = unseen
	if len(list) > maxEvidence {
		r.Unseen = append(r.Unseen, fmt.Sprintf("%d signatures and attestations stand beside it, and the first %d were looked at", len(list), maxEvidence))
		list = list[:maxEvidence]
	}
	w := &work{subject: s, report: r, now: now}
	names := signersOf(entries)
	for i := range list {
		if err := ctx.Err(); err != nil {
			r.Unseen = append(r.Unseen, fmt.Sprintf("%d signatures and attestations: %v", len(list)-i, err))
			break
		}
		w.examine(ctx, &list[i], p, names)
	}
	for _, e := range entries {
		r.Demands = append(r.Demands, e.judge(r)...)
	}
	r.Until = w.until(r.Verdict())
	return r, nil
}

// Unasked is the answer about an image of which nothing could be looked at, and why.
func (p *Policy) Unasked(s Subject, why string) *Report {
	r := &Report{Name: s.Name, Repository: s.Repository, Trust: fact.Trust{Digest: s.Digest, Unseen: []string{why}}}
	for _, e := range p.entries(s.Repository) {
		r.Demands = append(r.Demands, e.judge(r)...)
	}
	return r
}

// Names says whether the policy says anything of a repository's images.
func (p *Policy) Names(repository string) bool { return len(p.entries(repository)) > 0 }

// Within says whether a digest is the image that is asked about, or one that its index lists: what was read under a name
// and what is verified under it may have been given to it at different times.
func (s *Subject) Within(ctx context.Context, from Source, digest string) (bool, error) {
	if s.Digest == digest {
		return true, nil
	}
	documents, ok := from.(store)
	if !ok {
		return false, nil
	}
	text, err := documents.fetch(ctx, descriptor{MediaType: s.MediaType, Digest: s.Digest}, maxManifest)
	if err != nil {
		return false, err
	}
	var list index
	if err := json.Unmarshal(text, &list); err != nil {
		return false, fmt.Errorf("read %s: %w", s.Digest, err)
	}
	return slices.ContainsFunc(list.Manifests, func(d descriptor) bool { return d.Digest == digest }), nil
}

// RepositoryOf is the repository that a reference names, as policies match it; "" where it is no reference.
func RepositoryOf(reference string) string {
	ref, err := registry.ParseImage(strings.TrimPrefix(reference, "oci://"))
	if err != nil {
		return ""
	}
	return nameOf(ref.Context().Name())
}

// Vouching is the answer as rules read it; bills are those of the attestations, in their order.
func (r *Report) Vouching(bills []fact.Bill) *fact.Vouching {
	demands := make([]fact.Demand, 0, len(r.Demands))
	for i := range r.Demands {
		demands = append(demands, r.Demands[i].Demand)
	}
	return fact.NewVouching(&r.Trust, demands, bills)
}

// signersOf are the names of the signers that any of the entries trusts, in a fixed order.
func signersOf(entries []*Entry) []string {
	var names []string
	for _, e := range entries {
		names = append(names, e.Signers...)
		for i := range e.Attestations {
			names = append(names, e.Attestations[i].Signers...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// work is one verification on its way.
type work struct {
	subject Subject
	report  *Report
	now     time.Time
	ends    time.Time // when the first of what was verified by the clock alone is no longer valid; zero when never
	dropped int
}

// examine asks every signer about one piece of evidence.
func (w *work) examine(ctx context.Context, e *Evidence, p *Policy, names []string) {
	var why []string
	verified, stranger := false, ""
	for _, name := range names {
		s := p.signers[name]
		if !s.reads(e.Form) {
			continue
		}
		o := s.examine(ctx, w, e)
		switch {
		case o.unseen != "":
			w.report.Unseen = append(w.report.Unseen, e.Place+": "+o.unseen)
			verified = true // neither verified nor rejected
		case o.why != "":
			why = append(why, name+": "+o.why)
			stranger = max(stranger, o.stranger)
		default:
			verified = true
			o.signature.Signer, o.signature.Form, o.signature.Place = name, string(e.Form), e.Place
			w.keep(o)
		}
	}
	if verified {
		return
	}
	if len(w.report.Rejected) == maxRejected {
		w.dropped++
		return
	}
	w.report.Rejected = append(w.report.Rejected, fact.Rejection{Place: e.Place, Form: string(e.Form), Why: reasons(why), Stranger: stranger})
}

// outcome is what one signer's means make of one piece of evidence.
type outcome struct {
	signature fact.Signature
	statement *statement // nil where the image itself is signed
	why       string     // it was rejected
	stranger  string     // who made it, where it is genuine and yet rejected
	unseen    string     // it can neither be verified nor rejected
	ends      time.Time  // when the proof ends with a certificate; zero when it does not
}

func (w *work) keep(o outcome) {
	if !o.ends.IsZero() && (w.ends.IsZero() || o.ends.Before(w.ends)) {
		w.ends = o.ends
	}
	if o.statement == nil || o.statement.signsImage() {
		w.report.Signatures = append(w.report.Signatures, o.signature)
		return
	}
	w.report.Attestations = append(w.report.Attestations, o.statement.attestation(o.signature))
	w.report.Predicates = append(w.report.Predicates, o.statement.predicate)
}

// How long an answer may be kept. What was verified stays verified, for the digest, the policy and the roots
// that it is kept under: only a certificate without a verified time of signing ends. What is missing may be
// signed any minute; what could not be looked at is asked for again at once.
const (
	keepPass = 30 * 24 * time.Hour
	keepFail = 2 * time.Minute
)

// until is when an answer ends.
func (w *work) until(v verdict.Verdict) string {
	var end time.Time
	switch v {
	case verdict.Pass:
		if end = w.now.Add(keepPass); !w.ends.IsZero() && w.ends.Before(end) {
			end = w.ends
		}
	case verdict.Fail:
		end = w.now.Add(keepFail)
	default:
		return ""
	}
	return end.UTC().Format(time.RFC3339)
}

// reasons joins why each signer's means reject a piece, and says a reason once that several share.
func reasons(why []string) string {
	if len(why) == 0 {
		return "no signer of the policy signs in this form"
	}
	const most = 4
	text := ""
	for i, one := range why {
		if i == most {
			return fmt.Sprintf("%s; and %d more signers", text, len(why)-most)
		}
		if i > 0 {
			text += "; "
		}
		text += one
	}
	return text
}
