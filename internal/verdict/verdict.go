// Package verdict is the vocabulary of what was judged: verdicts, findings, coverage and
// exceptions. It decides nothing and formats nothing; every floor may import it.
package verdict

import (
	"fmt"
	"strings"
)

// Verdict is the outcome of one rule on one subject.
type Verdict uint8

// The four outcomes. Unknown is never shown, counted or gated as Pass.
const (
	Pass Verdict = iota
	Fail
	Unknown
	Exempt
)

var verdictNames = [...]string{"pass", "fail", "unknown", "exempt"}

// String is the verdict's word.
func (v Verdict) String() string { return verdictNames[v] }

// MarshalText writes the verdict's word.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads the verdict's word.
func (v *Verdict) UnmarshalText(text []byte) error {
	for i, name := range verdictNames {
		if name == string(text) {
			*v = Verdict(i)
			return nil
		}
	}
	return fmt.Errorf("verdict %q is none of %s", text, strings.Join(verdictNames[:], ", "))
}

// Severity is how grave a failed rule is.
type Severity uint8

// The severities, in rising order.
const (
	Low Severity = iota
	Medium
	High
	Critical
)

var severityNames = [...]string{"low", "medium", "high", "critical"}

// String is the severity's word.
func (s Severity) String() string { return severityNames[s] }

// MarshalText writes the severity's word.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the severity's word.
func (s *Severity) UnmarshalText(text []byte) error {
	for i, name := range severityNames {
		if name == string(text) {
			*s = Severity(i)
			return nil
		}
	}
	return fmt.Errorf("severity %q is none of %s", text, strings.Join(severityNames[:], ", "))
}

// RemedyError is an error that a person can act on.
type RemedyError struct {
	Err    error
	Remedy string // one sentence in the imperative
}

// Error is the cause's text; the remedy is shown apart.
func (e *RemedyError) Error() string { return e.Err.Error() }

// Unwrap is the cause.
func (e *RemedyError) Unwrap() error { return e.Err }
