package verdict

import "time"

// Exemption is what excused a finding.
type Exemption struct {
	Grant    Grant     `json:"grant"`
	Location Location  `json:"location"`
	Owner    string    `json:"owner,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Ticket   string    `json:"ticket,omitempty"`
	Expires  time.Time `json:"expires,omitzero"`
}

// Standing is what became of an exception in one judgement.
type Standing string

// The standings. Only an applied exception changed a verdict.
const (
	Applied Standing = "applied"
	Expired Standing = "expired" // its day has come
	Unused  Standing = "unused"  // its rules were asked, and nothing that failed matches
	Unasked Standing = "unasked" // none of its rules was asked, or only some namespaces were judged
	Refused Standing = "refused" // it is not whole, reaches too far into time, or would hide more than it names
)

// LedgerEntry tells of one exception what became of it.
type LedgerEntry struct {
	Exception

	Standing Standing `json:"standing"`
	// Findings counts what it excuses; of one that is expired or refused, what it would have excused.
	Findings int `json:"findings"`
	// Matched are fingerprints of those, at most MaxMatched.
	Matched []string `json:"matched,omitempty"`
	Problem string   `json:"problem,omitempty"`
	Advice  string   `json:"advice,omitempty"`
}

// MaxMatched bounds the fingerprints that a ledger's entry lists.
const MaxMatched = 50

// Ledger tells what became of every exception, and of the baseline.
type Ledger struct {
	Exceptions []LedgerEntry   `json:"entries"`
	Baseline   *BaselineLedger `json:"baseline,omitempty"`
}

// Count is how many exceptions have that standing.
func (l *Ledger) Count(s Standing) int {
	n := 0
	for i := range l.Exceptions {
		if l.Exceptions[i].Standing == s {
			n++
		}
	}
	return n
}

// Baseline is the fails that were there before somebody began to mind them.
type Baseline struct {
	File    string
	Entries []BaselineEntry
}

// BaselineEntry is one of them.
type BaselineEntry struct {
	Fingerprint string   `json:"fingerprint"`
	Rule        string   `json:"rule"`
	Severity    Severity `json:"severity"` // what it had then: one that became graver fails again
	Subject     string   `json:"subject"`  // for people
	// Places is at how many places the fault of that object was read then; 0 for one.
	Places int `json:"places,omitempty"`
	Line   int `json:"line,omitempty"` // where the entry stands, from 1
}

// BaselineLedger tells what became of a baseline's entries.
type BaselineLedger struct {
	File    string `json:"file"`
	Entries int    `json:"entries"`
	// Old counts the findings that it excused; Graver those that fail again because their severity rose;
	// Spread those that fail because the same fault of an object of that name stands at more places.
	Old    int `json:"old"`
	Graver int `json:"graver,omitempty"`
	Spread int `json:"spread,omitempty"`
	// Unasked counts entries whose rule was not asked.
	Unasked int `json:"unasked,omitempty"`
	// Fixed are the entries of which nothing was found any more: the baseline can lose them, when
	// everything was looked at.
	Fixed []BaselineEntry `json:"fixed,omitempty"`
}
