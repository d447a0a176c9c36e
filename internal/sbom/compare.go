package sbom

import (
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// Compare says what an image holds that a bill of materials leaves out, and what the bill names that the image does not hold,
// each as "npm left 1.0.0" and sorted. Ecosystems of which the bill, or the catalogue, knows nothing at all count too: that
// they were not looked for is what the answer tells. Packages of languages that a distribution's package brought along
// are that package's own: they may be in the bill and need not be. So may what its content alone tells, and what has no version.
func Compare(bill, image []fact.Package) (missing, extra []string) {
	named, held, owned := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i := range bill {
		named[wordOf(&bill[i])] = true
	}
	for i := range image {
		p := &image[i]
		if word := wordOf(p); p.Owner != "" || p.Kind != "" || !versioned(p) {
			owned[word] = true
		} else {
			held[word] = true
		}
	}
	for word := range held {
		if !named[word] {
			missing = append(missing, word)
		}
	}
	for i := range bill {
		if word := wordOf(&bill[i]); !held[word] && !owned[word] && named[word] && versioned(&bill[i]) && bill[i].Ecosystem != "" {
			extra = append(extra, word)
			named[word] = false // told once
		}
	}
	slices.Sort(missing)
	slices.Sort(extra)
	return missing, extra
}

// wordOf is what a package is told apart by: bills of other tools write releases, epochs of zero and the v of Go in their own ways.
func wordOf(p *fact.Package) string {
	ecosystem, _, _ := strings.Cut(p.Ecosystem, ":")
	version := strings.TrimPrefix(p.Version, "0:")
	if ecosystem == "Go" {
		version = strings.TrimPrefix(strings.TrimPrefix(version, "go"), "v")
	}
	return strings.TrimSpace(ecosystem + " " + strings.ToLower(p.Name) + " " + version)
}

// versioned says whether a package has a version that another tool would write, too: a Go program's main module has none.
func versioned(p *fact.Package) bool { return p.Version != "" && p.Version != "(devel)" }
