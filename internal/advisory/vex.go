package advisory

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coaming/coaming/internal/purl"
)

// Statement is what somebody says about a vulnerability in a product (VEX): it suppresses findings of
// the packages it names, and no others.
type Statement struct {
	Source          string    // the file it comes from
	Time            time.Time // of several about the same thing the last one counts
	Vulnerabilities []string  // all names of the one vulnerability
	// Package is the package URL of what it speaks of; without a version it means all. "" is everything in
	// the product.
	Package string
	// Within are the names of the product that the package is in (an image's package URL or digest), any one of
	// which must be among what was asked about; empty is the package wherever it is.
	Within []string
	Status Status
	Reason string // a justification's word, and the author's own
}

// Status is OpenVEX' word for where a vulnerability stands in a product.
type Status string

// The statuses, in the words of OpenVEX.
const (
	NotAffected        Status = "not_affected"
	Affected           Status = "affected"
	Fixed              Status = "fixed"
	UnderInvestigation Status = "under_investigation"
)

// suppresses says whether a finding that is stated so need not be shown.
func (s Status) suppresses() bool { return s == NotAffected || s == Fixed }

// What a VEX document may hold.
const (
	MaxVEX        = 64 << 20 // bytes
	maxStatements = 500_000
	maxBranches   = 64 // depth of a CSAF product tree
)

// ParseVEX reads a document of OpenVEX, CSAF or CycloneDX, all in JSON. source is what its statements are said to
// come from. What a statement names in no way that can be compared is dropped: it suppresses nothing.
func ParseVEX(source string, text []byte) ([]Statement, error) {
	if len(text) > MaxVEX {
		return nil, fmt.Errorf("read %s: it has %d bytes, over %d", source, len(text), MaxVEX)
	}
	var form struct {
		Context   any    `json:"@context"`
		BOMFormat string `json:"bomFormat"`
		Document  struct {
			CSAF string `json:"csaf_version"`
		} `json:"document"`
	}
	if err := json.Unmarshal(text, &form); err != nil {
		return nil, fmt.Errorf("read %s: %w", source, err)
	}
	context, _ := form.Context.(string)
	var list []Statement
	var err error
	switch {
	case strings.HasPrefix(context, "https://openvex.dev/ns"):
		list, err = readOpenVEX(text)
	case form.Document.CSAF != "":
		list, err = readCSAF(text)
	case form.BOMFormat == "CycloneDX":
		list, err = readCycloneDX(text)
	default:
		err = errors.New("it is neither OpenVEX nor CSAF nor CycloneDX in JSON")
	}
	if err == nil && len(list) > maxStatements {
		err = fmt.Errorf("it makes %d statements, over %d", len(list), maxStatements)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", source, err)
	}
	for i := range list {
		list[i].Source = source
	}
	return list, nil
}

// statements are statements by the names of vulnerabilities, in the order of their time.
type statements map[string][]stated

// stated is a statement and the package that it names.
type stated struct {
	*Statement
	named Package
	any   bool // no package: everything in the product
}

func indexVEX(list []Statement) statements {
	index := statements{}
	for i := range list {
		s := stated{Statement: &list[i], any: list[i].Package == ""}
		if s.any && len(s.Within) == 0 {
			continue // it names nothing
		}
		if !s.any {
			p, err := purl.Parse(s.Package)
			if err != nil {
				continue
			}
			if s.named = named(p); s.named.Ecosystem == "" {
				continue
			}
		}
		for _, name := range s.Vulnerabilities {
			index[name] = append(index[name], s)
		}
	}
	for _, some := range index {
		slices.SortStableFunc(some, func(a, b stated) int {
			// Of equal times the one that suppresses less counts.
			return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(b2i(!a.Status.suppresses()), b2i(!b.Status.suppresses())))
		})
	}
	return index
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// named is the package as it is written, without a look at its source package.
func named(u purl.URL) Package {
	delete(u.Qualifiers, "upstream")
	n := Named(u)
	n.Ecosystem = NormalEcosystem(n.Ecosystem)
	n.Name = NormalName(n.Ecosystem, n.Name)
	n.Version = normalVersion(n.Ecosystem, n.Version)
	return n
}

// about is the statement that suppresses a finding, nil when the last word on it is another or there is none.
func (index statements) about(p *Package, f *Finding, products []string) *Statement {
	if len(index) == 0 {
		return nil
	}
	var last *Statement
	for i := -1; i < len(f.Aliases)+len(f.Advisories); i++ {
		name := f.Vulnerability
		switch {
		case i >= len(f.Aliases):
			name = f.Advisories[i-len(f.Aliases)]
			if isAdvisory(name) {
				continue // it is about more than this one
			}
		case i >= 0:
			name = f.Aliases[i]
		}
		for _, s := range index[name] {
			if s.concerns(p, products) && (last == nil || !s.Time.Before(last.Time)) {
				last = s.Statement
			}
		}
	}
	if last == nil || !last.Status.suppresses() {
		return nil
	}
	return last
}

// concerns says whether a statement names the package.
func (s *stated) concerns(p *Package, products []string) bool {
	if len(s.Within) > 0 && !slices.ContainsFunc(s.Within, func(w string) bool { return slices.Contains(products, w) }) {
		return false
	}
	if s.any {
		return true
	}
	ecosystem := NormalEcosystem(p.Ecosystem)
	name := NormalName(ecosystem, p.Name)
	kind, _, _ := strings.Cut(ecosystem, ":")
	version := s.named.Version
	return (s.named.Ecosystem == ecosystem || s.named.Ecosystem == kind) &&
		(s.named.Name == name && (version == "" || version == normalVersion(ecosystem, p.Version)) ||
			s.named.Name == p.Binary && p.Binary != "" && (version == "" || version == p.Version || version == p.BinaryVersion))
}
