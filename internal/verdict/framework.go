package verdict

import (
	"fmt"
	"slices"
)

// ControlStatus is how one control of a framework fared.
type ControlStatus string

// The statuses. Only ControlPass is good news, and it is given only when at least one subject was
// judged of what most of the control's rules are about, everything passed, and nothing that may matter
// was left unlooked at.
const (
	ControlFail          ControlStatus = "fail"
	ControlUnknown       ControlStatus = "unknown"        // something could not be judged or was not looked at
	ControlExempt        ControlStatus = "exempt"         // what fails is excused by an exception
	ControlManual        ControlStatus = "manual"         // a person must check it, or the part of it that no rule judges
	ControlNotJudged     ControlStatus = "not-judged"     // no rule judges it yet
	ControlNotApplicable ControlStatus = "not-applicable" // what most of its rules judge was not there
	ControlPass          ControlStatus = "pass"
)

// ControlStatuses are all statuses in the order of concern.
var ControlStatuses = []ControlStatus{
	ControlFail, ControlUnknown, ControlExempt, ControlManual, ControlNotJudged, ControlNotApplicable, ControlPass,
}

// UnmarshalText reads the status's word.
func (s *ControlStatus) UnmarshalText(text []byte) error {
	if !slices.Contains(ControlStatuses, ControlStatus(text)) {
		return fmt.Errorf("control status %q is none of %v", text, ControlStatuses)
	}
	*s = ControlStatus(text)
	return nil
}

// FrameworkResult is how the controls of one framework fared.
type FrameworkResult struct {
	ID       string          `json:"id"`
	Title    string          `json:"title"`
	Version  string          `json:"version"`
	Source   string          `json:"source"`
	Controls []ControlResult `json:"controls"`
}

// Count is how many controls have the status.
func (f *FrameworkResult) Count(s ControlStatus) int {
	n := 0
	for i := range f.Controls {
		if f.Controls[i].Status == s {
			n++
		}
	}
	return n
}

// ControlResult is how one control fared, with its evidence.
type ControlResult struct {
	ID     string        `json:"id"`
	Title  string        `json:"title"`
	PartOf string        `json:"partOf,omitempty"` // the control that this one is a part of
	Status ControlStatus `json:"status"`
	// Reason is why it is unknown, not judged or not applicable.
	Reason string `json:"reason,omitempty"`
	// Manual is what a person must check.
	Manual string `json:"manual,omitempty"`
	// Rules are those that judge it; the numbers count their verdicts.
	Rules   []string `json:"rules"`
	Pass    int      `json:"pass"`
	Fail    int      `json:"fail"`
	Unknown int      `json:"unknown"`
	Exempt  int      `json:"exempt"`
	// Subjects is how many different objects have a finding of these rules, Findings the
	// fingerprints of the first of these findings, the fails before the others.
	Subjects int      `json:"subjects"`
	Findings []string `json:"findings,omitempty"`
}
