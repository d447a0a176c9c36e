package assay

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/verdict"
)

// Index answers what is published about packages; *advisory.Index does.
type Index interface {
	Match(q *advisory.Question) (*advisory.Answer, error)
}

// Bench puts packages to one index on one day. It asks about a package once, however many images hold it.
// Several goroutines may use it.
type Bench struct {
	index Index
	today string
	vex   []advisory.Statement
	// particular says that statements are about some images alone, so that nothing is shared between images.
	particular bool
	// NoKEV says that the index has no catalogue of exploited vulnerabilities, so that nobody knows which are.
	NoKEV bool
	// Standing is of which day the index is; nil where there is none. By one that is stale what is found is found, and what has no finding
	// is unknown.
	Standing *verdict.Advisories

	asking  sync.Mutex // one question at a time
	mu      sync.RWMutex
	rulings map[advisory.Package]*ruling
}

// NewBench is a bench for an index; today ("2026-11-22") decides whose support has ended. index is nil when none is installed:
// then all is unknown, because of that.
func NewBench(index Index, today string, vex []advisory.Statement) *Bench {
	return &Bench{
		index: index, today: today, vex: vex, rulings: map[advisory.Package]*ruling{},
		particular: slices.ContainsFunc(vex, func(s advisory.Statement) bool { return len(s.Within) > 0 }),
	}
}

// Rulings is about how many packages it remembers the answer.
func (b *Bench) Rulings() int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.rulings)
}

// Stale is why nobody knows what was published since the index was made; "" where it is young enough.
func (b *Bench) Stale() string {
	if b.Standing == nil {
		return ""
	}
	return b.Standing.Stale
}

// Anew is a bench for the same that remembers nothing.
func (b *Bench) Anew() *Bench {
	fresh := NewBench(b.index, b.today, b.vex)
	fresh.NoKEV, fresh.Standing = b.NoKEV, b.Standing
	return fresh
}

// ruling is what is published about one package; nothing changes it once it is made.
type ruling struct {
	findings []advisory.Finding
	unknown  []string
	left     bool // to the distribution that owns it
	count    Count
}

// noIndex is why packages are unknown where there is nothing to ask.
const noIndex = "no index of advisories is installed ('coaming db build' makes one, 'coaming db update --from' fetches one)"

// rule gives the ruling of each package. Products are the names of what they are in, for statements (VEX) that are about these alone.
func (b *Bench) rule(list []advisory.Package, products []string) ([]*ruling, error) {
	if b.particular {
		fresh, err := b.ask(list, products)
		return gather(list, fresh), err
	}
	if missing := b.missing(list); len(missing) > 0 {
		b.asking.Lock()
		defer b.asking.Unlock()
		fresh, err := b.ask(b.missing(missing), products)
		if err != nil {
			return nil, err
		}
		b.mu.Lock()
		maps.Copy(b.rulings, fresh)
		b.mu.Unlock()
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	return gather(list, b.rulings), nil
}

func gather(list []advisory.Package, from map[advisory.Package]*ruling) []*ruling {
	out := make([]*ruling, len(list))
	for i := range list {
		out[i] = from[list[i]]
	}
	return out
}

// missing are the packages about which nobody asked yet.
func (b *Bench) missing(list []advisory.Package) []advisory.Package {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var out []advisory.Package
	for i := range list {
		if b.rulings[list[i]] == nil {
			out = append(out, list[i])
		}
	}
	return out
}

// ask puts packages to the index, each once.
func (b *Bench) ask(list []advisory.Package, products []string) (map[advisory.Package]*ruling, error) {
	fresh := map[advisory.Package]*ruling{}
	var ask []advisory.Package
	for _, p := range list {
		if fresh[p] == nil {
			fresh[p] = &ruling{left: p.Owner != ""}
			ask = append(ask, p)
		}
	}
	switch {
	case len(ask) == 0:
	case b.index == nil:
		for _, r := range fresh {
			if !r.left {
				r.unknown = []string{noIndex}
			}
		}
	default:
		answer, err := b.index.Match(&advisory.Question{Packages: ask, Today: b.today, VEX: b.vex, Products: products})
		if err != nil {
			return nil, fmt.Errorf("ask the index of advisories: %w", err)
		}
		enter(fresh, ask, answer)
	}
	for _, r := range fresh {
		r.tally()
	}
	return fresh, nil
}

func enter(into map[advisory.Package]*ruling, asked []advisory.Package, answer *advisory.Answer) {
	for _, f := range answer.Findings {
		r := into[asked[f.Package]]
		r.findings = append(r.findings, f)
	}
	for _, u := range answer.Unknown {
		reason := u.Reason
		if strings.HasSuffix(reason, "is no version") {
			reason = "what is installed has no version that could be compared" // one finding for all of these
		}
		for _, i := range u.Packages {
			if r := into[asked[i]]; !slices.Contains(r.unknown, reason) {
				r.unknown = append(r.unknown, reason)
			}
		}
	}
}
