package verdict

// Result is one judgement of one inventory: everything a report needs. Findings are in the order
// of location, path and rule, so that the same input gives the same bytes.
type Result struct {
	Findings []Finding   `json:"findings"`
	Rules    []RuleInfo  `json:"rules"`            // those that were asked, by id
	Tally    []Tally     `json:"tally"`            // by practice, in the catalogue's order
	ByRule   []RuleTally `json:"byRule,omitempty"` // by id
	Coverage Coverage    `json:"coverage"`
	// Ledger tells what became of the exceptions; nil when there were none, and no baseline.
	Ledger *Ledger `json:"exceptions,omitempty"`
	// Frameworks is how the controls fared of the frameworks that were asked for.
	Frameworks []FrameworkResult `json:"frameworks,omitempty"`
	// Advice is what would clear the most vulnerabilities, the best first.
	Advice []Advice `json:"advice,omitempty"`
	// Diff is set when the result was compared with an earlier one.
	Diff *Diff `json:"diff,omitempty"`
}

// RuleInfo is what a report tells of a rule.
type RuleInfo struct {
	ID       string              `json:"id"`
	Title    string              `json:"title"`
	Practice string              `json:"practice"`
	Severity Severity            `json:"severity"`
	Why      string              `json:"why"`
	Remedy   string              `json:"remedy"`
	Maps     map[string][]string `json:"maps,omitempty"` // framework -> control ids
}

// Tally counts verdicts of one practice.
type Tally struct {
	Practice string `json:"practice"`
	Rules    int    `json:"rules"`
	Pass     int    `json:"pass"`
	Fail     int    `json:"fail"`
	Unknown  int    `json:"unknown"`
	Exempt   int    `json:"exempt"`
}

// RuleTally counts verdicts of one rule.
type RuleTally struct {
	Rule    string `json:"rule"`
	Pass    int    `json:"pass"`
	Fail    int    `json:"fail"`
	Unknown int    `json:"unknown"`
	Exempt  int    `json:"exempt"`
}

// Exit codes of a judgement (docs/design.md, "Where it runs").
const (
	ExitClean    = 0
	ExitFindings = 1
	ExitError    = 2
	ExitUnknown  = 3
)

// Exit is the judgement's exit code: findings that meet the gate outrank what is unknown, a gate that cannot be
// decided among it, and unknown outranks clean unless it is allowed. A judgement of nothing is unknown. Of a result that
// was compared with an earlier one only what is new counts.
func (r *Result) Exit(failOn Gate, allowUnknown bool) int {
	if failOn == nil {
		failOn = Low
	}
	unknown := r.Coverage.hasNewGap() || r.Coverage.Evaluations == 0 && len(r.Findings) == 0
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Known() {
			continue
		}
		switch f.Verdict {
		case Fail:
			switch failOn.Meets(f) {
			case Fail:
				return ExitFindings
			case Unknown:
				unknown = true
			case Pass, Exempt:
			}
		case Unknown:
			unknown = true
		case Pass, Exempt:
		}
	}
	if unknown && !allowUnknown {
		return ExitUnknown
	}
	return ExitClean
}

// Rule is the rule of that id among those asked; nil when there is none.
func (r *Result) Rule(id string) *RuleInfo {
	for i := range r.Rules {
		if r.Rules[i].ID == id {
			return &r.Rules[i]
		}
	}
	return nil
}
