package advisory

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/coaming/coaming/internal/purl"
)

// csaf is a document of the Common Security Advisory Framework 2.0, profile VEX
// (docs.oasis-open.org/csaf/csaf/v2.0, section 4.5).
type csaf struct {
	Document struct {
		Tracking struct {
			Current string `json:"current_release_date"`
		} `json:"tracking"`
	} `json:"document"`
	Tree struct {
		Branches      []csafBranch  `json:"branches"`
		Names         []csafProduct `json:"full_product_names"`
		Relationships []struct {
			Component string      `json:"product_reference"`
			Platform  string      `json:"relates_to_product_reference"`
			Name      csafProduct `json:"full_product_name"`
		} `json:"relationships"`
	} `json:"product_tree"`
	Vulnerabilities []struct {
		CVE string `json:"cve"`
		IDs []struct {
			Text string `json:"text"`
		} `json:"ids"`
		Status map[string][]string `json:"product_status"`
		Flags  []struct {
			Label    string   `json:"label"`
			Products []string `json:"product_ids"`
		} `json:"flags"`
	} `json:"vulnerabilities"`
}

type csafBranch struct {
	Branches []csafBranch `json:"branches"`
	Product  *csafProduct `json:"product"`
}

type csafProduct struct {
	ID     string `json:"product_id"`
	Name   string `json:"name"`
	Helper struct {
		PURL string `json:"purl"`
		CPE  string `json:"cpe"`
	} `json:"product_identification_helper"`
}

// csafStatus is OpenVEX' word for each of CSAF's.
var csafStatus = map[string]Status{
	"known_not_affected": NotAffected, "fixed": Fixed, "first_fixed": Fixed, "known_affected": Affected, "first_affected": Affected,
	"last_affected": Affected, "under_investigation": UnderInvestigation,
}

func readCSAF(text []byte) ([]Statement, error) {
	var doc csaf
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("CSAF: %w", err)
	}
	products := map[string]csafProduct{}
	for _, p := range doc.Tree.Names {
		products[p.ID] = p
	}
	if err := gatherCSAF(doc.Tree.Branches, products, 0); err != nil {
		return nil, err
	}
	// Where a component is part of a platform, what is said of the two is said of the component there alone.
	platforms := map[string]csafProduct{}
	for _, r := range doc.Tree.Relationships {
		if component, ok := products[r.Component]; ok {
			component.ID = r.Name.ID
			products[r.Name.ID], platforms[r.Name.ID] = component, products[r.Platform]
		}
	}
	var list []Statement
	for _, v := range doc.Vulnerabilities {
		base := Statement{Time: readTime(doc.Document.Tracking.Current), Vulnerabilities: nonEmpty([]string{v.CVE})}
		for _, id := range v.IDs {
			base.Vulnerabilities = append(base.Vulnerabilities, nonEmpty([]string{id.Text})...)
		}
		reasons := map[string]string{}
		for _, f := range v.Flags {
			for _, id := range f.Products {
				reasons[id] = f.Label
			}
		}
		for word, ids := range v.Status {
			status, known := csafStatus[word]
			for _, id := range ids {
				if !known {
					continue // "recommended" says nothing of the vulnerability
				}
				s := base
				s.Status, s.Reason = status, reasons[id]
				if s.name(products[id], platforms[id]) {
					list = append(list, s)
				}
			}
		}
	}
	return list, nil
}

func gatherCSAF(branches []csafBranch, products map[string]csafProduct, depth int) error {
	if depth > maxBranches {
		return errors.New("CSAF: the product tree has no end")
	}
	for _, b := range branches {
		if b.Product != nil {
			products[b.Product.ID] = *b.Product
		}
		if err := gatherCSAF(b.Branches, products, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// name says what the statement is about; false where nothing there can be compared with a package.
func (s *Statement) name(p, platform csafProduct) bool {
	if platform.ID != "" {
		s.Within = nonEmpty([]string{platform.Helper.PURL, platform.Helper.CPE, platform.Name, platform.ID})
	}
	if parsed, err := purl.Parse(p.Helper.PURL); err == nil && parsed.Package().Ecosystem != "" {
		s.Package = p.Helper.PURL
		// A release of RHEL is a platform that the package's own ecosystem tells.
		if release, found := strings.CutPrefix(platform.Helper.CPE, "cpe:/o:redhat:enterprise_linux:"); found && parsed.Type == "rpm" {
			release, _, _ = strings.Cut(release, ":")
			s.Package, s.Within = setDistro(p.Helper.PURL, parsed, "redhat-"+release), nil
		}
		return true
	}
	if platform.ID != "" {
		return false // a part without a package URL: to take it for the whole would suppress more than is named
	}
	s.Within = nonEmpty([]string{p.Helper.PURL, p.Helper.CPE, p.Name, p.ID})
	return len(s.Within) > 0
}

// setDistro gives a package URL the release it is for, unless it says so itself.
func setDistro(text string, p purl.URL, distro string) string {
	if p.Qualifiers["distro"] != "" {
		return text
	}
	text, _, _ = strings.Cut(text, "#")
	if strings.Contains(text, "?") {
		return text + "&distro=" + distro
	}
	return text + "?distro=" + distro
}
