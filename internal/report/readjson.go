package report

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	kjson "sigs.k8s.io/json"

	"github.com/coaming/coaming/internal/verdict"
)

// maxResult bounds what ReadJSON takes in: about a million findings.
const maxResult = 1 << 30

// ErrNotResult is wrapped by ReadJSON's errors about text that is not a result of this version.
var ErrNotResult = errors.New("not a result")

const notResultRemedy = "Give a file that this version of coaming wrote with --format json."

// The wire types differ from verdict's where a missing value would pass for a meaningful zero: a
// verdict that is not there must not be read as "pass", nor a severity as "low".
type (
	resultJSON struct {
		Schema   string            `json:"schema"`
		Tool     *toolJSON         `json:"tool"`
		Exit     *int              `json:"exit"`
		Findings *[]wireFinding    `json:"findings"`
		Rules    *[]wireRule       `json:"rules"`
		Tally    *[]verdict.Tally  `json:"tally"`
		Coverage *verdict.Coverage `json:"coverage"`
		Ledger   *verdict.Ledger   `json:"exceptions"`

		ByRule     []verdict.RuleTally       `json:"byRule"`
		Frameworks []verdict.FrameworkResult `json:"frameworks"`
		Advice     []verdict.Advice          `json:"advice"`
		Diff       *wireDiff                 `json:"diff"`
	}
	wireDiff struct {
		verdict.Diff

		Fixed       []wireFinding `json:"fixed"`
		NotLookedAt []wireFinding `json:"notLookedAt"`
	}
	wireFinding struct {
		verdict.Finding

		Verdict  *verdict.Verdict  `json:"verdict"`
		Severity *verdict.Severity `json:"severity"`
	}
	wireRule struct {
		verdict.RuleInfo

		Severity *verdict.Severity `json:"severity"`
	}
)

// ReadJSON reads what JSON wrote. It is strict: an unknown, repeated or missing field is an error, as
// is anything after the document, and nothing is returned of a result that is not whole.
func ReadJSON(r io.Reader) (*verdict.Result, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxResult+1))
	if err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	if len(data) > maxResult {
		return nil, notResult(fmt.Errorf("over %d MiB", maxResult>>20))
	}
	wire := new(resultJSON)
	strict, err := kjson.UnmarshalStrict(data, wire)
	if err == nil {
		err = errors.Join(strict...)
	}
	if err != nil {
		return nil, notResult(err)
	}
	res, err := wire.result()
	if err != nil {
		return nil, notResult(err)
	}
	return res, nil
}

func notResult(err error) error {
	return &verdict.RemedyError{Err: fmt.Errorf("read result: %w: %w", ErrNotResult, err), Remedy: notResultRemedy}
}

// result checks that nothing is missing and copies what was read.
func (w *resultJSON) result() (*verdict.Result, error) {
	switch {
	case w.Schema != Schema:
		return nil, fmt.Errorf("schema is %q, want %q", w.Schema, Schema)
	case w.Tool == nil || w.Exit == nil:
		return nil, errors.New("tool or exit is missing")
	case w.Findings == nil || w.Rules == nil || w.Tally == nil || w.Coverage == nil:
		return nil, errors.New("findings, rules, tally or coverage is missing")
	}
	res := &verdict.Result{
		Rules:    make([]verdict.RuleInfo, len(*w.Rules)),
		Tally:    *w.Tally,
		Coverage: *w.Coverage,
		Ledger:   w.Ledger, ByRule: w.ByRule, Frameworks: w.Frameworks, Advice: w.Advice,
	}
	var err error
	if res.Findings, err = findings(*w.Findings, "findings"); err != nil {
		return nil, err
	}
	if res.Diff, err = w.Diff.diff(); err != nil {
		return nil, err
	}
	for i := range res.Frameworks {
		for k := range res.Frameworks[i].Controls {
			if res.Frameworks[i].Controls[k].Status == "" {
				return nil, fmt.Errorf("frameworks[%d].controls[%d]: status is missing", i, k)
			}
		}
	}
	for i := range *w.Rules {
		rule := &(*w.Rules)[i]
		if rule.ID == "" || rule.Severity == nil {
			return nil, fmt.Errorf("rules[%d]: id or severity is missing", i)
		}
		res.Rules[i] = rule.RuleInfo
		res.Rules[i].Severity = *rule.Severity
	}
	for i := range res.Coverage.Gaps {
		if g := &res.Coverage.Gaps[i]; g.Code == "" || misplaced(&g.Location) {
			return nil, fmt.Errorf("coverage.gaps[%d]: code is missing or position is impossible", i)
		}
	}
	return res, checkLedger(res.Ledger)
}

// checkLedger refuses places that no file has, and words that no exception has.
func checkLedger(l *verdict.Ledger) error {
	if l == nil {
		return nil
	}
	for i := range l.Exceptions {
		e := &l.Exceptions[i]
		known := slices.ContainsFunc(standingOrder[:], func(o standingLook) bool { return o.standing == e.Standing })
		if !known || grantWord[e.Grant] == "" || misplaced(&e.Location) || e.Findings < 0 {
			return fmt.Errorf("exceptions.entries[%d]: standing, grant or place is impossible", i)
		}
	}
	return nil
}

// findings checks a list of findings and copies it.
func findings(list []wireFinding, name string) ([]verdict.Finding, error) {
	found := make([]verdict.Finding, len(list))
	for i := range list {
		if err := list[i].into(&found[i]); err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", name, i, err)
		}
	}
	return found, nil
}

func (w *wireDiff) diff() (*verdict.Diff, error) {
	if w == nil {
		return nil, nil //nolint:nilnil // no comparison is neither a diff nor a fault
	}
	d := w.Diff
	var err, other error
	d.Fixed, err = findings(w.Fixed, "diff.fixed")
	d.NotLookedAt, other = findings(w.NotLookedAt, "diff.notLookedAt")
	if err := errors.Join(err, other); err != nil {
		return nil, err
	}
	return &d, nil
}

func (w *wireFinding) into(f *verdict.Finding) error {
	switch {
	case w.Verdict == nil || w.Severity == nil:
		return errors.New("verdict or severity is missing")
	case *w.Verdict == verdict.Pass:
		return errors.New("verdict is pass; a finding is a fail, an unknown or an exempt one")
	case !isFingerprint(w.Fingerprint):
		return fmt.Errorf("fingerprint %q is not 16 hex digits", w.Fingerprint)
	case w.Rule == "" || w.Subject.Kind == "":
		return errors.New("rule or subject.kind is missing")
	case misplaced(&w.Location) || slices.ContainsFunc(w.Also, func(l verdict.Location) bool { return misplaced(&l) }):
		return errors.New("location is impossible")
	}
	if x := w.Exemption; x != nil && (*w.Verdict != verdict.Exempt || grantWord[x.Grant] == "" || misplaced(&x.Location)) {
		return errors.New("exemption is of no exempt finding, or impossible")
	}
	if !slices.Contains([]verdict.Change{"", verdict.New, verdict.Changed, verdict.Unchanged}, w.Change) {
		return fmt.Errorf("change is %q", w.Change)
	}
	if w.Excerpt != nil && !holds(w.Excerpt) {
		return errors.New("excerpt marks a line that it does not hold")
	}
	*f = w.Finding
	f.Verdict, f.Severity = *w.Verdict, *w.Severity
	return nil
}

// misplaced says that a position is none that a file can have.
func misplaced(l *verdict.Location) bool {
	return min(l.Line, l.Column) < 0 || max(l.Line, l.Column) > math.MaxInt32
}

// holds says that the excerpt holds the line that it marks.
func holds(e *verdict.Excerpt) bool {
	return e.First >= 1 && e.First <= math.MaxInt32 && e.Marked >= e.First && e.Marked-e.First < max(len(e.Lines), 1)
}

func isFingerprint(s string) bool {
	return len(s) == 16 && strings.Trim(s, "0123456789abcdef") == ""
}
