package assay

import (
	"fmt"
	"slices"
	"sync"

	"github.com/coaming/coaming/internal/advisory"
)

// Index answers what is published about packages; *advisory.Index does.
type Index interface {
	Match(q *advisory.Question) (*advisory.Answer, error)
}

// Bench puts packages to one index on one day. It asks about a package once, however many images hold it.
// Several goroutines may use it.
type Bench struct {
	mu      sync.Mutex
	index   Index
	today   string
	vex     []advisory.Statement
	rulings map[advisory.Package]*ruling
	// NoKEV says that the index has no catalogue of exploited vulnerabilities, so that nobody knows which are.
	NoKEV bool
}

// NewBench is a bench for an index; today ("2026-11-22") decides whose support has ended. index is nil when none is installed:
// then all is unknown, because of that.
func NewBench(index Index, today string, vex []advisory.Statement) *Bench {
	return &Bench{index: index, today: today, vex: vex, rulings: map[advisory.Package]*ruling{}}
}

// ruling is what is published about one package.
type ruling struct {
	findings []advisory.Finding
	unknown  []string
	left     bool // to the distribution that owns it
}

// noIndex is why packages are unknown where there is nothing to ask.
const noIndex = "no index of advisories is installed ('coaming db build' makes one, 'coaming db update --from' fetches one)"

// rule gives the ruling of each package. Products are the names of what they are in: statements (VEX) may be about these alone, so
// that then nothing is shared between images.
func (b *Bench) rule(list []advisory.Package, products []string) ([]*ruling, error) {
	known := b.rulings
	if len(b.vex) > 0 {
		known = map[advisory.Package]*ruling{}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]*ruling, len(list))
	var ask []advisory.Package
	for i := range list {
		r := known[list[i]]
		if r == nil {
			r = &ruling{left: list[i].Owner != ""}
			known[list[i]] = r
			ask = append(ask, list[i])
		}
		out[i] = r
	}
	if len(ask) == 0 {
		return out, nil
	}
	if b.index == nil {
		for _, p := range ask {
			if r := known[p]; !r.left {
				r.unknown = []string{noIndex}
			}
		}
		return out, nil
	}
	answer, err := b.index.Match(&advisory.Question{Packages: ask, Today: b.today, VEX: b.vex, Products: products})
	if err != nil {
		for _, p := range ask {
			delete(known, p)
		}
		return nil, fmt.Errorf("ask the index of advisories: %w", err)
	}
	for _, f := range answer.Findings {
		r := known[ask[f.Package]]
		r.findings = append(r.findings, f)
	}
	for _, u := range answer.Unknown {
		for _, i := range u.Packages {
			if r := known[ask[i]]; !slices.Contains(r.unknown, u.Reason) {
				r.unknown = append(r.unknown, u.Reason)
			}
		}
	}
	return out, nil
}
