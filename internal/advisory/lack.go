package advisory

import (
	"fmt"
	"slices"
	"strings"
)

// lack is what a record lacks to say of every version of a package whether it is affected. What it names all the same is
// unknown, and never no match.
type lack byte

const (
	complete     lack = iota
	commitsAlone      // ranges of commits, and no versions
	nothingSaid       // neither ranges nor versions
	incomparable      // a range of what is no version, or of a kind that is not known
	unordered         // a range in an ecosystem whose order of versions is not known
	lacks
)

// why says it in words that follow "names it".
func (l lack) why() string {
	switch l {
	case commitsAlone:
		return "by ranges of commits alone"
	case nothingSaid:
		return "without saying which versions"
	case incomparable:
		return "by a range that cannot be compared"
	case unordered:
		return "by a range of versions whose order is not known"
	case complete, lacks:
	}
	return ""
}

// noPackage is why a record can be about nothing that is asked.
const noPackage = "naming no package"

// Doubt is a kind of records that leave something open.
type Doubt struct {
	Why     string   `json:"why"`
	Records int      `json:"records"`
	First   []string `json:"first"` // of them: "GHSA-… (npm left)"
}

// firstOpen is how many of them are named.
const firstOpen = 5

// open notes the claims that leave a vulnerability of a package open, and drops those that another record closes: where one says of the
// same vulnerability in the same package which versions have it, the other says no more.
func (p *packed) open(entries []*entry, all map[string]*vulnerability) {
	type told struct {
		lack lack
		id   string
	}
	seen := map[told]bool{}
	for _, e := range entries {
		if !slices.ContainsFunc(e.claims, func(c claim) bool { return c.about.lack != complete }) {
			continue
		}
		closed := map[*vulnerability]bool{}
		for _, c := range e.claims {
			if c.about.lack == complete && c.about.modular != streamed {
				for _, v := range vulnerabilitiesOf(c.record, all) {
					closed[v] = true
				}
			}
		}
		for i := range e.claims {
			c := &e.claims[i]
			c.open = c.about.lack != complete && slices.ContainsFunc(vulnerabilitiesOf(c.record, all), func(v *vulnerability) bool { return !closed[v] })
			if t := (told{c.about.lack, c.record.ID}); c.open && !seen[t] {
				seen[t] = true
				p.tellOpen("naming a package "+c.about.lack.why(), fmt.Sprintf("%s (%s %s)", c.record.ID, e.ecosystem, e.name))
			}
		}
		e.claims = slices.DeleteFunc(e.claims, func(c claim) bool {
			return !c.open && len(c.about.intervals)+len(c.about.versions) == 0
		})
	}
}

func (p *packed) tellOpen(why, which string) {
	list := p.about.Doubts
	at := slices.IndexFunc(list, func(d Doubt) bool { return d.Why == why })
	if at < 0 {
		at = len(list)
		list = append(list, Doubt{Why: why})
	}
	if list[at].Records++; len(list[at].First) < firstOpen {
		list[at].First = append(list[at].First, which)
	}
	p.about.Doubts = list
}

// tellUnnamed notes the records that name no package of any ecosystem: they are about commits alone, or about nothing.
func (p *packed) tellUnnamed(records []*Record) {
	for _, r := range records {
		if !slices.ContainsFunc(r.affected, func(a affected) bool { return a.isNamed() }) {
			p.tellOpen(noPackage, r.ID)
		}
	}
}

func (a *affected) isNamed() bool { return a.name != "" && a.ecosystem != "" && a.ecosystem != "GIT" }

// openReason is why a package is unknown for a vulnerability.
func openReason(f *Finding, l lack) string {
	by := slices.DeleteFunc(slices.Clone(f.Advisories), func(id string) bool { return id == f.Vulnerability })
	name := f.Vulnerability
	if len(by) > 0 {
		name += " (" + strings.Join(by, ", ") + ")"
	}
	return name + " names it " + l.why()
}
