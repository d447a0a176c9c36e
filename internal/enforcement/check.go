package enforcement

import (
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/rule"
)

// check faults what speaks of rules that there are not, and entries that are for none; of the latter only where the file can be
// read as it stands, for what a fault left out may choose.
func (r *reader) check(rules []*rule.Rule) {
	p, whole := r.plan, len(r.faults) == 0
	known := make(map[string]*rule.Rule, len(rules))
	ids := make([]string, 0, len(rules))
	for _, one := range rules {
		known[one.ID], ids = one, append(ids, one.ID)
	}
	missing := func(at Spot, list []string) {
		for _, id := range list {
			if known[id] == nil {
				remedy := "'coaming rules' lists what there is."
				if near := rule.Nearest(id, ids); near != "" {
					remedy = "Did you mean " + near + "?"
				}
				r.faults = append(r.faults, fault{at.Line, at.Column, "there is no rule \"" + short(id) + "\"", remedy})
			}
		}
	}
	for i := range p.Entries {
		e := &p.Entries[i]
		missing(e.At, e.Rules)
		for _, id := range e.Rules {
			if one := known[id]; one != nil && one.Severity < e.Severity {
				r.faults = append(r.faults, fault{
					e.At.Line, e.At.Column, "rule " + id + " is of severity " + one.Severity.String() + ", below that of the entry, which leaves it out",
					"Take severity out of the entry, or the rule.",
				})
			}
		}
		if whole && len(e.Rules) == 0 && !slices.ContainsFunc(rules, e.chooses) {
			r.faults = append(r.faults, fault{e.At.Line, e.At.Column, "the entry is for no rule", "Write others, or take the entry out."})
		}
	}
	for i := range p.Defaults {
		e := &p.Defaults[i]
		for _, id := range e.Rules {
			if strings.Contains(id, "*") {
				if !slices.ContainsFunc(ids, func(name string) bool { return Matches(id, name) && len(known[name].Fix) > 0 }) {
					r.faults = append(r.faults, fault{e.At.Line, e.At.Column, "no rule with a fix is one of \"" + short(id) + "\"", "Take it out of defaults."})
				}
				continue
			}
			missing(e.At, []string{id})
			if one := known[id]; one != nil && len(one.Fix) == 0 {
				r.faults = append(r.faults, fault{e.At.Line, e.At.Column, "rule " + id + " has no fix", "Take it out of defaults."})
			}
		}
	}
}
