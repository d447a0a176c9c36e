package judge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// mostEvidence is how many findings a control names; the numbers count them all.
const mostEvidence = 100

// Controls says how the controls of a framework fared in a result. all are the frameworks that its
// controls refer to, rules the built-in ones: a rule that judges a control and was not asked leaves it
// unknown, as does a gap in which something may have stood that the rule judges.
func Controls(res *verdict.Result, f *catalog.Framework, all []*catalog.Framework, rules []*rule.Rule) verdict.FrameworkResult {
	c := newControls(res, rules)
	judged := f.Judged(all, c.known)
	out := verdict.FrameworkResult{ID: f.ID, Title: f.Title, Version: f.Version, Source: f.Source, Controls: []verdict.ControlResult{}}
	for i := range f.Controls {
		out.Controls = append(out.Controls, c.result(&f.Controls[i], judged[f.Controls[i].ID]))
	}
	wholes(out.Controls)
	return out
}

// controls is what stays the same for all controls.
type controls struct {
	res      *verdict.Result
	known    []verdict.RuleInfo // the built-in rules and those that were asked, by id
	matches  map[string]rule.Match
	asked    map[string]bool
	tallies  map[string]*verdict.RuleTally
	findings map[string][]*verdict.Finding
	doubts   map[string]string // rule -> the gap that may hide what it judges
}

func newControls(res *verdict.Result, rules []*rule.Rule) *controls {
	c := &controls{
		res: res, matches: map[string]rule.Match{}, asked: map[string]bool{}, tallies: map[string]*verdict.RuleTally{},
		findings: map[string][]*verdict.Finding{}, doubts: map[string]string{},
	}
	for _, r := range rules {
		c.matches[r.ID] = r.Match
		c.known = append(c.known, r.Info())
	}
	for i := range res.Rules {
		r := &res.Rules[i]
		c.asked[r.ID] = true
		if _, builtIn := c.matches[r.ID]; !builtIn {
			c.known = append(c.known, *r)
			c.matches[r.ID] = rule.Match{Fact: "object"}
		}
		c.doubts[r.ID] = doubt(c.matches[r.ID], res.Coverage.Gaps)
	}
	slices.SortFunc(c.known, func(a, b verdict.RuleInfo) int { return cmp.Compare(a.ID, b.ID) })
	for i := range res.ByRule {
		c.tallies[res.ByRule[i].Rule] = &res.ByRule[i]
	}
	for i := range res.Findings {
		f := &res.Findings[i]
		c.findings[f.Rule] = append(c.findings[f.Rule], f)
	}
	return c
}

// doubt is the first gap that may hide a fact which the rule matches; "" when there is none.
func doubt(m rule.Match, gaps []verdict.Gap) string {
	for i := range gaps {
		g := &gaps[i]
		if g.Code == verdict.GapDuplicate || g.Code == verdict.GapWrongType || m.Fact == "cluster" {
			continue // the object is there and was judged; verdicts on it are unknown by themselves
		}
		if len(g.Kinds) == 0 || slices.ContainsFunc(g.Kinds, func(kind string) bool { return matchesKind(m, kind) }) {
			return g.Place()
		}
	}
	return ""
}

// matchesKind says whether a rule may match objects of that kind. A gap may know the kind's name and not
// its group.
func matchesKind(m rule.Match, kind string) bool {
	name, group := fact.SplitKind(kind)
	is := func(k string) bool { return k == kind || !strings.Contains(kind, ".") && kindName(k) == name }
	switch m.Fact {
	case "container", "workload":
		return slices.ContainsFunc(fact.PodKinds(), is) || group != "" && !catalog.IsOwnGroup(group)
	case "namespace":
		return name == "Namespace"
	case "image":
		return kind == fact.ImageKind
	case "kinds":
		return slices.ContainsFunc(m.Kinds, is)
	}
	return true
}

func (c *controls) result(control *catalog.Control, rules []string) verdict.ControlResult {
	r := verdict.ControlResult{
		ID: control.ID, Title: control.Title, PartOf: control.PartOf, Manual: control.Manual, Rules: rules, Reason: control.Unjudged,
	}
	if r.Rules == nil {
		r.Rules = []string{}
	}
	var unasked []string
	hidden := ""
	for _, id := range rules {
		if !c.asked[id] {
			unasked = append(unasked, id)
		}
		hidden = cmp.Or(hidden, c.doubts[id])
		if t := c.tallies[id]; t != nil {
			r.Pass, r.Fail, r.Unknown, r.Exempt = r.Pass+t.Pass, r.Fail+t.Fail, r.Unknown+t.Unknown, r.Exempt+t.Exempt
		}
	}
	c.evidence(&r)
	r.Status, r.Reason = c.status(&r, unasked, hidden)
	return r
}

// status judges a control by the verdicts of its rules. The order is that of concern.
func (c *controls) status(r *verdict.ControlResult, unasked []string, hidden string) (verdict.ControlStatus, string) {
	switch {
	case len(r.Rules) == 0 && r.Manual != "":
		return verdict.ControlManual, ""
	case len(r.Rules) == 0:
		return verdict.ControlNotJudged, cmp.Or(r.Reason, "No rule judges it.")
	case r.Fail > 0:
		return verdict.ControlFail, ""
	case r.Unknown > 0:
		return verdict.ControlUnknown, fmt.Sprintf("%d verdicts of its rules are unknown.", r.Unknown)
	case c.nothing():
		return verdict.ControlUnknown, "Nothing was judged."
	case len(unasked) > 0:
		return verdict.ControlUnknown, fmt.Sprintf("%d of its %d rules were not asked, %s the first.", len(unasked), len(r.Rules), unasked[0])
	case hidden != "":
		return verdict.ControlUnknown, "Something that its rules judge may stand in what was not looked at: " + hidden + "."
	case r.Exempt > 0:
		return verdict.ControlExempt, ""
	case r.Manual != "":
		return verdict.ControlManual, ""
	case r.Pass == 0:
		return verdict.ControlNotApplicable, "Its rules apply to nothing that was read."
	}
	if about := c.beside(r); about != "" {
		return verdict.ControlNotApplicable, "Most of its rules judge what was not among what was read: " + about + "."
	}
	return verdict.ControlPass, ""
}

// wholes makes a control that has parts no better than the worst of them. Parts stand behind their whole.
func wholes(list []verdict.ControlResult) {
	byID := make(map[string]*verdict.ControlResult, len(list))
	for i := range list {
		byID[list[i].ID] = &list[i]
	}
	concern := func(s verdict.ControlStatus) int {
		if s == verdict.ControlNotApplicable {
			return len(verdict.ControlStatuses) // a part that applies to nothing takes nothing from the others
		}
		return slices.Index(verdict.ControlStatuses, s)
	}
	for i := range slices.Backward(list) {
		part := &list[i]
		whole := byID[part.PartOf]
		if whole == nil {
			continue
		}
		bare := len(whole.Rules) == 0 && whole.Status == verdict.ControlNotJudged && whole.Manual == ""
		if bare || concern(part.Status) < concern(whole.Status) {
			whole.Status, whole.Reason = part.Status, "As its part "+part.ID+"."
		}
	}
}

// nothing says that there was nothing to judge, or that the result is from a version that did not count
// verdicts by rule.
func (c *controls) nothing() bool {
	cov := &c.res.Coverage
	return cov.Evaluations == 0 || len(c.tallies) == 0
}

// evidence names the findings of the control's rules.
func (c *controls) evidence(r *verdict.ControlResult) {
	var found []*verdict.Finding
	subjects := map[verdict.Subject]bool{}
	for _, id := range r.Rules {
		for _, f := range c.findings[id] {
			found = append(found, f)
			s := f.Subject
			s.Container = ""
			subjects[s] = true
		}
	}
	r.Subjects = len(subjects)
	slices.SortStableFunc(found, func(a, b *verdict.Finding) int {
		return cmp.Or(cmp.Compare(a.Verdict, b.Verdict), cmp.Compare(b.Severity, a.Severity))
	})
	for _, f := range found[:min(len(found), mostEvidence)] {
		r.Findings = append(r.Findings, f.Fingerprint)
	}
}
