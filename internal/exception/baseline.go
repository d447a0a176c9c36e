package exception

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/coaming/coaming/internal/verdict"
)

// A baseline is text, one finding a line in the order of its objects, so that it reads and merges
// well. It holds no message and no excerpt, and so nothing of what the manifests say.
//
//	# coaming.dev/baseline/v1
//	3f2a9c0d11e84b02 privileged-container critical Deployment/shop/web [app]
//
// Where equal objects were read at several places, their number stands behind the severity: critical*2.
const (
	baselineFamily = "# coaming.dev/baseline/"
	baselineHead   = baselineFamily + "v1"
	baselineAbout  = "# What failed before, one finding a line: fingerprint, rule, severity then, object. Only what is not here fails."
	maxBroken      = 20 // broken lines that are told one by one
)

// WriteBaseline writes the fails, and what an earlier baseline excused. The same findings give the
// same bytes. What is unknown is not written: it would have to be known to be old.
func WriteBaseline(w io.Writer, findings []verdict.Finding) error {
	var lines []verdict.BaselineEntry
	for i := range findings {
		f := &findings[i]
		if f.Verdict == verdict.Fail || f.Verdict == verdict.Exempt && f.Exemption != nil && f.Exemption.Grant == verdict.GrantBaseline {
			lines = append(lines, verdict.BaselineEntry{Fingerprint: f.Fingerprint, Rule: f.Rule, Severity: f.Severity, Subject: oneLine(f.Subject.String()), Places: manyPlaces(f)})
		}
	}
	slices.SortFunc(lines, func(a, b verdict.BaselineEntry) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	var b strings.Builder
	b.WriteString(baselineHead + "\n" + baselineAbout + "\n")
	for _, e := range slices.Compact(lines) {
		severity := e.Severity.String()
		if e.Places > 1 {
			severity += "*" + strconv.Itoa(e.Places)
		}
		fmt.Fprintf(&b, "%s %s %s %s\n", e.Fingerprint, e.Rule, severity, e.Subject)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write baseline: %w", err)
	}
	return nil
}

// manyPlaces is at how many places a fault was read, 0 for one.
func manyPlaces(f *verdict.Finding) int {
	if n := f.Places(); n > 1 {
		return n
	}
	return 0
}

// oneLine is a name as it may stand in a line of text.
func oneLine(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.QuoteToGraphic(s)
	}
	return s
}

// ReadBaseline reads what WriteBaseline wrote. Every broken line is an error with its place. Of a
// finding that stands there twice, as after a merge, the lesser severity and the lesser number of places count.
func ReadBaseline(name, text string) (*verdict.Baseline, error) {
	b := &verdict.Baseline{File: name}
	first, _, _ := strings.Cut(strings.TrimPrefix(text, "\xef\xbb\xbf"), "\n")
	switch first = strings.TrimSpace(first); {
	case first == baselineHead:
	case strings.HasPrefix(first, baselineFamily):
		return nil, &verdict.RemedyError{
			Err:    fmt.Errorf("read baseline %s:1: its format is %q, this program reads %q", name, short(first[2:]), baselineHead[2:]),
			Remedy: "Use the version of coaming that wrote it, or a newer one.",
		}
	default:
		return nil, &verdict.RemedyError{
			Err:    fmt.Errorf("read baseline %s:1: this is no baseline: its first line is not %q", name, baselineHead),
			Remedy: "Write one with 'coaming scan --write-baseline FILE'.",
		}
	}
	var errs []error
	broken, number := 0, 0
	known := map[string]int{}
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(strings.TrimPrefix(line, "\xef\xbb\xbf"))
		if line == "" || line[0] == '#' {
			continue
		}
		e, problem := baselineEntry(line)
		if problem != "" {
			if broken++; broken <= maxBroken {
				errs = append(errs, fmt.Errorf("read baseline %s:%d:1: %s", name, number, problem))
			}
			continue
		}
		e.Line = number
		key := e.Fingerprint + " " + e.Rule
		if at, twice := known[key]; twice {
			b.Entries[at].Severity = min(b.Entries[at].Severity, e.Severity)
			b.Entries[at].Places = min(b.Entries[at].Places, e.Places)
			continue
		}
		known[key] = len(b.Entries)
		b.Entries = append(b.Entries, e)
	}
	if broken > maxBroken {
		errs = append(errs, fmt.Errorf("read baseline %s: %d more lines are broken", name, broken-maxBroken))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, &verdict.RemedyError{Err: err, Remedy: "Mend or remove the lines; what is removed fails again."}
	}
	return b, nil
}

func baselineEntry(line string) (e verdict.BaselineEntry, problem string) {
	fields := strings.SplitN(line, " ", 4)
	if len(fields) < 3 {
		return e, fmt.Sprintf("%q is not fingerprint, rule, severity, object", short(line))
	}
	e = verdict.BaselineEntry{Fingerprint: fields[0], Rule: fields[1]}
	if len(fields) == 4 {
		e.Subject = fields[3]
	}
	severity, places, counted := strings.Cut(fields[2], "*")
	if counted {
		n, err := strconv.Atoi(places)
		if err != nil || n < 2 || n > 1<<30 {
			return e, "places " + strconv.Quote(short(places)) + " is no number from 2"
		}
		e.Places = n
	}
	if err := e.Severity.UnmarshalText([]byte(severity)); err != nil {
		return e, "severity " + strconv.Quote(short(fields[2])) + " is none of low, medium, high, critical"
	}
	named := verdict.Exception{Rules: []string{e.Rule}, Fingerprints: []string{e.Fingerprint}}
	for _, p := range named.Problems() {
		if p.Field == "rules" || p.Field == "fingerprints" {
			return e, p.Text
		}
	}
	return e, ""
}

// PruneBaseline is a baseline's text without those entries; a finding that stands there twice goes
// twice.
func PruneBaseline(text string, entries []verdict.BaselineEntry) string {
	drop := map[string]bool{}
	for i := range entries {
		drop[entries[i].Fingerprint+" "+entries[i].Rule] = true
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSpace(line), " ", 3)
		if len(fields) == 3 && drop[fields[0]+" "+fields[1]] {
			continue
		}
		b.WriteString(line)
	}
	return b.String()
}
