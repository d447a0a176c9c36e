package advisory

import (
	"encoding/json"
	"fmt"

	"github.com/coaming/coaming/internal/purl"
)

// openVEX is a document of OpenVEX (github.com/openvex/spec OPENVEX-SPEC.md, v0.2.0; a vulnerability and products
// that are mere strings are those of v0.0.1).
type openVEX struct {
	Timestamp  string `json:"timestamp"`
	Statements []struct {
		Timestamp     string            `json:"timestamp"`
		LastUpdated   string            `json:"last_updated"`
		Vulnerability json.RawMessage   `json:"vulnerability"`
		Products      []json.RawMessage `json:"products"`
		Status        Status            `json:"status"`
		Justification string            `json:"justification"`
		Impact        string            `json:"impact_statement"`
	} `json:"statements"`
}

type openVEXComponent struct {
	ID            string             `json:"@id"`
	Identifiers   map[string]string  `json:"identifiers"`
	Hashes        map[string]string  `json:"hashes"`
	Subcomponents []openVEXComponent `json:"subcomponents"`
}

// purl is the package URL of a component, "" when it has none.
func (c *openVEXComponent) purl() string {
	for _, id := range []string{c.Identifiers["purl"], c.ID} {
		if _, err := purl.Parse(id); err == nil {
			return id
		}
	}
	return ""
}

// names are all that a product may be called by.
func (c *openVEXComponent) names() []string {
	names := []string{}
	for _, id := range c.Identifiers {
		names = append(names, id)
	}
	if hash := c.Hashes["sha-256"]; hash != "" {
		names = append(names, "sha256:"+hash)
	}
	if c.ID != "" {
		names = append(names, c.ID)
	}
	return names
}

func readOpenVEX(text []byte) ([]Statement, error) {
	var doc openVEX
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("OpenVEX: %w", err)
	}
	var list []Statement
	for _, s := range doc.Statements {
		base := Statement{Time: readTime(doc.Timestamp), Status: s.Status, Reason: joinReason(s.Justification, s.Impact)}
		for _, stamp := range []string{s.Timestamp, s.LastUpdated} {
			if t := readTime(stamp); !t.IsZero() {
				base.Time = t
			}
		}
		var vulnerability struct {
			ID      string   `json:"@id"`
			Name    string   `json:"name"`
			Aliases []string `json:"aliases"`
		}
		if json.Unmarshal(s.Vulnerability, &vulnerability.Name) != nil {
			if err := json.Unmarshal(s.Vulnerability, &vulnerability); err != nil {
				return nil, fmt.Errorf("OpenVEX: vulnerability: %w", err)
			}
		}
		base.Vulnerabilities = nonEmpty(append(vulnerability.Aliases, vulnerability.Name, vulnerability.ID))
		for _, raw := range s.Products {
			var product openVEXComponent
			if json.Unmarshal(raw, &product.ID) != nil {
				if err := json.Unmarshal(raw, &product); err != nil {
					return nil, fmt.Errorf("OpenVEX: product: %w", err)
				}
			}
			list = append(list, product.statements(base)...)
		}
	}
	return list, nil
}

// statements are those about a product: of the parts that it names, of a package, or of all that an image holds.
func (c *openVEXComponent) statements(base Statement) []Statement {
	var list []Statement
	for _, part := range c.Subcomponents {
		if named := part.purl(); named != "" {
			s := base
			s.Package, s.Within = named, c.names()
			list = append(list, s)
		}
	}
	if len(c.Subcomponents) > 0 {
		return list
	}
	named := c.purl()
	if p, err := purl.Parse(named); err == nil && p.Package().Ecosystem != "" {
		base.Package = named
	} else {
		base.Within = c.names()
	}
	return append(list, base)
}

func joinReason(word, text string) string {
	switch {
	case word == "":
		return text
	case text == "":
		return word
	}
	return word + ": " + text
}

func nonEmpty(list []string) []string {
	var kept []string
	for _, s := range list {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}
