package assay

import (
	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/purl"
	"github.com/coaming/coaming/internal/verdict"
)

// Count is how much was found in an image.
type Count struct {
	// Failed counts by severity; Unrated are those among them that nobody rated, with the rule's severity.
	Failed  [verdict.Critical + 1]int
	Unrated int
	// Exploited and Fixable count what failed, too.
	Exploited, Fixable int
	Unknown, Exempt    int
	// Passed and Left count packages, as Tried does.
	Passed, Left int
}

// tally counts what a ruling comes to wherever its package is.
func (r *ruling) tally() {
	for i := range r.findings {
		f := &r.findings[i]
		if f.Suppressed != nil {
			r.count.Exempt++
			continue
		}
		severity := f.Severity
		if !f.Rated {
			severity = Rule.Severity
			r.count.Unrated++
		}
		r.count.Failed[severity]++
		if f.Exploited {
			r.count.Exploited++
		}
		if f.FixedIn != "" {
			r.count.Fixable++
		}
	}
}

func (c *Count) add(o *Count) {
	for i := range c.Failed {
		c.Failed[i] += o.Failed[i]
	}
	c.Unrated += o.Unrated
	c.Exploited += o.Exploited
	c.Fixable += o.Fixable
	c.Exempt += o.Exempt
}

// Count says how much Try would find, without building a finding.
func (b *Bench) Count(s *Subject) (*Count, error) {
	type key struct{ ecosystem, name, version, place string }
	seen := make(map[key]int, len(s.Image.Packages))
	questions := make([]advisory.Package, 0, len(s.Image.Packages))
	for i := range s.Image.Packages {
		p := &s.Image.Packages[i]
		q := advisory.Installed(p)
		k := key{q.Ecosystem, q.Name, q.Version, ""}
		if purl.IsLanguage(p.Ecosystem) {
			k.place = p.Place
		}
		at, known := seen[k]
		switch {
		case !known:
			seen[k] = len(questions)
			questions = append(questions, q)
		case q.Owner == "":
			questions[at].Owner = "" // one of them is nobody's
		}
	}
	rulings, err := b.rule(questions, productsOf(s))
	if err != nil {
		return nil, err
	}
	c := &Count{}
	var doubts map[doubt]bool
	note := func(i int, reason string) {
		if doubts == nil {
			doubts = map[doubt]bool{}
		}
		doubts[doubt{questions[i].Ecosystem, reason}] = true
	}
	for i, r := range rulings {
		switch {
		case r.left:
			c.Left++
			continue
		case len(r.findings)+len(r.unknown) > 0:
		case b.Stale() != "":
			note(i, b.Stale())
			continue
		default:
			c.Passed++
			continue
		}
		c.add(&r.count)
		for _, reason := range r.unknown {
			note(i, reason)
		}
	}
	c.Unknown = len(doubts)
	return c, nil
}

// Count counts findings that were built.
func (t *Tried) Count() *Count {
	c := &Count{Passed: t.Passed, Left: t.Left}
	for i := range t.Findings {
		f := &t.Findings[i]
		switch f.Verdict {
		case verdict.Fail:
			c.Failed[f.Severity]++
			v := f.Vulnerability
			if v == nil {
				continue // of a rule on images
			}
			if v.Unrated {
				c.Unrated++
			}
			if v.Exploited {
				c.Exploited++
			}
			if v.FixedIn != "" {
				c.Fixable++
			}
		case verdict.Unknown:
			c.Unknown++
		case verdict.Exempt:
			c.Exempt++
		case verdict.Pass:
		}
	}
	return c
}

// Outline is one finding of each kind that a gate which is a severity tells apart, and no more.
func (c *Count) Outline() []verdict.Finding {
	var list []verdict.Finding
	for severity, n := range c.Failed {
		if verdict.Severity(severity) == Rule.Severity {
			n -= c.Unrated
		}
		if n > 0 {
			list = append(list, verdict.Finding{Verdict: verdict.Fail, Severity: verdict.Severity(severity), Vulnerability: &verdict.Vulnerability{}})
		}
	}
	if c.Unrated > 0 {
		list = append(list, verdict.Finding{Verdict: verdict.Fail, Severity: Rule.Severity, Vulnerability: &verdict.Vulnerability{Unrated: true}})
	}
	if c.Unknown > 0 {
		list = append(list, verdict.Finding{Verdict: verdict.Unknown})
	}
	if c.Exempt > 0 {
		list = append(list, verdict.Finding{Verdict: verdict.Exempt})
	}
	return list
}
