package trust

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	kjson "sigs.k8s.io/json"

	"github.com/coaming/coaming/internal/fact"
)

// statement is what an attestation says (github.com/in-toto/attestation spec).
type statement struct {
	kind, predicateType string
	predicate           []byte
	provenance          *fact.Provenance
}

// signPredicate is that of a statement that says nothing but that the image is signed: what cosign makes of late.
const signPredicate = "https://sigstore.dev/cosign/sign/v1"

// signsImage says whether the statement is a signature of the image, and no attestation.
func (s *statement) signsImage() bool { return s.predicateType == signPredicate }

// raw is a part of a JSON document as it stands.
type raw []byte

// UnmarshalJSON keeps the text.
func (r *raw) UnmarshalJSON(text []byte) error { *r = append((*r)[:0], text...); return nil }

// maxSubjects is how many artefacts one statement may be about.
const maxSubjects = 10_000

// parseStatement reads a statement whose signature was verified. It must be about the digest: a subject that names another
// image under the right name is another image.
func parseStatement(text []byte, digest string) (*statement, error) {
	var full struct {
		Type          string `json:"_type"`
		PredicateType string `json:"predicateType"`
		Subject       []struct {
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
		Predicate raw `json:"predicate"`
	}
	strict, err := kjson.UnmarshalStrict(text, &full, kjson.DisallowDuplicateFields)
	if err := errors.Join(append(strict, err)...); err != nil {
		return nil, fmt.Errorf("it is no statement of in-toto: %w", err)
	}
	if !strings.HasPrefix(full.Type, "https://in-toto.io/Statement/") {
		return nil, errors.New("it is no statement of in-toto")
	}
	if len(full.Subject) > maxSubjects {
		return nil, fmt.Errorf("its statement is about %d artefacts, over %d", len(full.Subject), maxSubjects)
	}
	about := false
	for _, subject := range full.Subject {
		about = about || "sha256:"+subject.Digest["sha256"] == digest
	}
	if !about {
		return nil, errors.New("its statement is about another image")
	}
	s := &statement{kind: kindOf(full.PredicateType), predicateType: full.PredicateType, predicate: full.Predicate}
	if s.kind == "provenance" || s.kind == "summary" {
		s.provenance, err = parseProvenance(full.PredicateType, full.Predicate)
	}
	return s, err
}

// kindOf is the kind of a predicate.
func kindOf(predicateType string) string {
	for _, k := range []struct{ prefix, kind string }{
		{"https://slsa.dev/provenance/", "provenance"},
		{"https://slsa.dev/verification_summary/", "summary"},
		{"https://spdx.dev/Document", "spdx"},
		{"https://cyclonedx.org/bom", "cyclonedx"},
		{"https://cyclonedx.org/schema", "cyclonedx"},
		{"https://cyclonedx.org/vex", "vex"},
		{"https://openvex.dev/ns", "vex"},
		{"https://docs.oasis-open.org/csaf", "vex"},
		{"https://cosign.sigstore.dev/attestation/vuln/", "vulnerabilities"},
		{"https://in-toto.io/attestation/vulns", "vulnerabilities"},
	} {
		if predicateType == k.prefix || strings.HasPrefix(predicateType, k.prefix) {
			return k.kind
		}
	}
	return "other"
}

// attestation is the statement with who signed it.
func (s *statement) attestation(made fact.Signature) fact.Attestation {
	return fact.Attestation{Signature: made, Kind: s.kind, PredicateType: s.predicateType, Provenance: s.provenance}
}

// bind finds which level of SLSA's build track is proved. That somebody trusted has signed it is level 1. For more, who
// signed must be the builder that the provenance names: because the policy says that this signer speaks for it, or because
// the certificate was issued to the build service's own workflow (level 2; what isolates builds, level 3, no certificate shows).
func (s *statement) bind(by *Signer, cert *certificate.Summary) {
	p := s.provenance
	if p == nil || s.kind != "provenance" {
		return
	}
	p.Level = 1
	if cert != nil {
		p.Doubts = doubts(p, cert)
		if p.Builder != "" && p.Builder == cert.BuildSignerURI && cert.RunnerEnvironment != "self-hosted" && len(p.Doubts) == 0 {
			p.Level = 2
		}
	}
	for _, b := range by.Builds {
		if len(p.Doubts) == 0 && matches([]string{b.Builder}, p.Builder) {
			p.Level = max(p.Level, b.Level)
		}
	}
}

// doubts are where a provenance says something else than the certificate of the workflow that signed it.
func doubts(p *fact.Provenance, cert *certificate.Summary) []string {
	var list []string
	if said, proved := repository(p.Source), repository(cert.SourceRepositoryURI); said != "" && proved != "" && said != proved {
		list = append(list, fmt.Sprintf("it says that the source is %s, and the certificate of who signed it says %s", flat(said), flat(proved)))
	}
	if p.Commit != "" && cert.SourceRepositoryDigest != "" && p.Commit != cert.SourceRepositoryDigest {
		list = append(list, fmt.Sprintf("it says that the commit is %s, and the certificate of who signed it says %s", flat(p.Commit), flat(cert.SourceRepositoryDigest)))
	}
	return list
}

// repository is a source without what names the tool and the revision: "git+https://host/a/b@refs/heads/main" and
// "https://host/a/b.git" are the same.
func repository(uri string) string {
	uri = strings.TrimPrefix(uri, "git+")
	if scheme := strings.Index(uri, "://"); scheme >= 0 {
		if at := strings.LastIndexByte(uri, '@'); at > scheme && strings.ContainsRune(uri[scheme+3:at], '/') {
			uri = uri[:at]
		}
	}
	return strings.TrimSuffix(strings.TrimSuffix(uri, "/"), ".git")
}
