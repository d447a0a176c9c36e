package advisory

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/coaming/coaming/internal/purl"
)

// cycloneDX is the part of a CycloneDX document that is VEX (cyclonedx.org/docs/1.6/json, vulnerabilities).
type cycloneDX struct {
	Metadata struct {
		Timestamp string              `json:"timestamp"`
		Component *cycloneDXComponent `json:"component"`
	} `json:"metadata"`
	Components      []cycloneDXComponent `json:"components"`
	Vulnerabilities []struct {
		ID         string `json:"id"`
		References []struct {
			ID string `json:"id"`
		} `json:"references"`
		Updated  string `json:"updated"`
		Analysis struct {
			State         string `json:"state"`
			Justification string `json:"justification"`
			Detail        string `json:"detail"`
			Updated       string `json:"lastUpdated"`
		} `json:"analysis"`
		Affects []struct {
			Ref      string `json:"ref"`
			Versions []struct {
				Version string `json:"version"`
				Range   string `json:"range"`
			} `json:"versions"`
		} `json:"affects"`
	} `json:"vulnerabilities"`
}

type cycloneDXComponent struct {
	Ref        string               `json:"bom-ref"`
	PURL       string               `json:"purl"`
	Components []cycloneDXComponent `json:"components"`
}

// cycloneDXStatus is OpenVEX' word for each state of an analysis.
var cycloneDXStatus = map[string]Status{
	"not_affected": NotAffected, "false_positive": NotAffected, "resolved": Fixed, "resolved_with_pedigree": Fixed,
	"exploitable": Affected, "in_triage": UnderInvestigation,
}

func readCycloneDX(text []byte) ([]Statement, error) {
	var doc cycloneDX
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("CycloneDX: %w", err)
	}
	purls := map[string]string{}
	components := doc.Components
	if doc.Metadata.Component != nil {
		components = append(components, *doc.Metadata.Component)
	}
	if err := gatherCycloneDX(components, purls, 0); err != nil {
		return nil, err
	}
	var list []Statement
	for _, v := range doc.Vulnerabilities {
		status, known := cycloneDXStatus[v.Analysis.State]
		if !known {
			continue // a vulnerability without an analysis is only told
		}
		base := Statement{Status: status, Reason: joinReason(v.Analysis.Justification, v.Analysis.Detail), Vulnerabilities: nonEmpty([]string{v.ID})}
		for _, r := range v.References {
			base.Vulnerabilities = append(base.Vulnerabilities, nonEmpty([]string{r.ID})...)
		}
		for _, stamp := range []string{doc.Metadata.Timestamp, v.Updated, v.Analysis.Updated} {
			if t := readTime(stamp); !t.IsZero() {
				base.Time = t
			}
		}
		for _, a := range v.Affects {
			s := base
			s.Package = resolveCycloneDX(a.Ref, purls)
			p, err := purl.Parse(s.Package)
			if err != nil {
				continue
			}
			if p.Package().Ecosystem == "" { // an image or an application: all that it holds
				s.Within, s.Package = []string{s.Package}, ""
			}
			if len(a.Versions) == 0 {
				list = append(list, s)
			}
			bare, _, _ := strings.Cut(s.Package, "?")
			for _, of := range a.Versions {
				if of.Version == "" || of.Range != "" || p.Version != "" && p.Version != of.Version || s.Package == "" {
					continue // ranges in vers notation are not read: they suppress nothing
				}
				exact := s
				if p.Version == "" {
					exact.Package = bare + "@" + url.PathEscape(of.Version) + strings.TrimPrefix(s.Package, bare)
				}
				list = append(list, exact)
			}
		}
	}
	return list, nil
}

func gatherCycloneDX(components []cycloneDXComponent, purls map[string]string, depth int) error {
	if depth > maxBranches {
		return errors.New("CycloneDX: components in components without end")
	}
	for _, c := range components {
		if c.Ref != "" {
			purls[c.Ref] = c.PURL
		}
		if err := gatherCycloneDX(c.Components, purls, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// resolveCycloneDX is the package URL that a reference means: a component of the document, one of another
// (urn:cdx:SERIAL/VERSION#REF), or the package URL itself.
func resolveCycloneDX(ref string, purls map[string]string) string {
	if named := purls[ref]; named != "" {
		return named
	}
	if rest, found := strings.CutPrefix(ref, "urn:cdx:"); found {
		_, fragment, _ := strings.Cut(rest, "#")
		if decoded, err := url.PathUnescape(fragment); err == nil {
			if named := purls[decoded]; named != "" {
				return named
			}
			return decoded
		}
	}
	return ref
}
