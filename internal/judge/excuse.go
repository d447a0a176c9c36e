package judge

import (
	"fmt"
	"slices"
	"time"

	"github.com/coaming/coaming/internal/verdict"
)

// DefaultLifetime is how far ahead an exception may expire when nobody says otherwise: a year.
const DefaultLifetime = 366 * 24 * time.Hour

// excuse turns the fails that exceptions name into exempt ones, and tells what became of each
// exception. It looks at fails alone, so that nothing else can become anything. Whether an
// exception may count is decided by all that it matches: first everything is matched, then each
// exception stands or falls as a whole, then those that stand are applied.
func (in *Input) excuse(res *verdict.Result, counts tallies, seen *traits) {
	if len(in.Exceptions) == 0 {
		return
	}
	x := newExcuses(in, res, seen)
	matched := make([][]match, len(res.Findings)) // by finding, the exceptions that match, in their order
	for i := range res.Findings {
		if f := &res.Findings[i]; f.Verdict == verdict.Fail {
			matched[i] = x.matching(f)
		}
	}
	for _, matches := range matched {
		for _, m := range matches {
			if e := &x.entries[m.exception]; !x.made || e.isNew(m.as.Fingerprint) {
				e.add(m.as)
			}
		}
	}
	for n := range x.entries {
		x.entries[n].settle(in)
	}
	for i, matches := range matched {
		if by := x.excusing(&res.Findings[i], matches); by != nil {
			exempt(&res.Findings[i], by, counts)
		}
	}
	res.Ledger = &verdict.Ledger{Exceptions: make([]verdict.LedgerEntry, 0, len(x.entries))}
	for n := range x.entries {
		e := x.entries[n].close()
		if e.Standing == verdict.Unused && e.Within != nil && e.Within.Made {
			continue
		}
		res.Ledger.Exceptions = append(res.Ledger.Exceptions, e)
	}
}

// entry is an exception with what it matched.
type entry struct {
	verdict.LedgerEntry

	places  int             // at how many the findings were read
	most    int             // at how many the most spread one was
	object  verdict.Subject // the first object that it matched
	spread  string          // another object, where it matched more than one
	excused int
	faults  map[string]bool // fingerprints that were counted, where what controllers made was judged beside what they made it of
}

// isNew says whether a fault was not counted before, of what is made as little as of what it is made of.
func (e *entry) isNew(fingerprint string) bool {
	if fingerprint == "" { // it stands nowhere in what the object was made of
		return true
	}
	if e.faults[fingerprint] {
		return false
	}
	if e.faults == nil {
		e.faults = map[string]bool{}
	}
	e.faults[fingerprint] = true
	return true
}

// add notes a fail that the exception matches.
func (e *entry) add(f *verdict.Finding) {
	object := f.Subject
	object.Container = ""
	switch {
	case e.Findings == 0:
		e.object = object
	case e.object != object:
		e.spread = object.String()
	}
	e.Findings++
	e.places += f.Places()
	e.most = max(e.most, f.Places())
	if len(e.Matched) < verdict.MaxMatched {
		e.Matched = append(e.Matched, f.Fingerprint)
	}
}

// settle decides whether the exception counts. An exception with a fault of its own is refused
// whatever it matches, and an expired one is expired even when it would be refused for its reach.
func (e *entry) settle(in *Input) {
	lifetime := in.Lifetime
	if lifetime <= 0 {
		lifetime = DefaultLifetime
	}
	problems := e.Problems()
	switch {
	case e.Fault != "":
		e.refuse(e.Fault, e.Remedy)
	case len(problems) > 0:
		e.refuse(problems[0].Text, problems[0].Remedy)
	case in.barred(&e.Exception) != "":
		e.refuse("the settings bar exceptions that stand in what is judged for "+in.barred(&e.Exception),
			"Have it granted in a file of exceptions, or change exceptions.inline.barred.")
	case !in.Now.Before(e.Expires):
		e.Standing = verdict.Expired
		e.Advice = "Mend what it excused, or have its owner renew it with a new day."
	case e.Expires.Sub(in.Now) > lifetime:
		e.refuse(fmt.Sprintf("it expires on %s, more than %d days ahead", day(e.Expires), int(lifetime.Hours()/24)),
			"Give a nearer day, or raise --exception-max-days.")
	case e.Findings == 0 && !in.asks(e.Rules):
		e.Standing = verdict.Unasked
	case e.Findings == 0:
		e.Standing = verdict.Unused
		e.Advice = "Remove it ('coaming exception prune'); what it was for is mended, moved, or named otherwise."
	case e.AtMost > 0 && e.Findings > e.AtMost:
		e.refuse(fmt.Sprintf("it would excuse %d findings and names %d at most", e.Findings, e.AtMost),
			"Narrow its scope, or raise atMost once somebody has looked at each.")
	case e.Within == nil && len(e.Fingerprints) > 0 && e.AtMost > 0 && e.places > e.AtMost:
		e.refuse(fmt.Sprintf("what it names stands at %d places and it names %d at most", e.places, e.AtMost),
			"Mend the others, or raise atMost once somebody has looked at each.")
	case e.Within == nil && len(e.Fingerprints) > 0 && e.AtMost == 0 && e.most > 1:
		e.refuse(fmt.Sprintf("it names single faults, and one of them stands at %d places", e.most),
			fmt.Sprintf("Mend the others, or give atMost: %d once somebody has looked at each.", e.places))
	case e.AtMost == 0 && e.Selector.Name != "" && len(e.Fingerprints) == 0 && e.spread != "":
		e.refuse("it names one object and would excuse "+e.object.String()+" and "+e.spread,
			"Add the namespace, or the kind with its group, or atMost.")
	default:
		e.Standing = verdict.Applied
	}
}

func (e *entry) refuse(problem, advice string) {
	e.Standing, e.Problem, e.Advice = verdict.Refused, problem, advice
}

// close is the ledger's entry. One that matched and excused nothing was not enough.
func (e *entry) close() verdict.LedgerEntry {
	if e.Standing == verdict.Applied {
		if e.excused == 0 {
			e.refuse("the same fault of the same object was read at other places, too, where nothing excuses it",
				"Write it at each place, or name the fingerprint in a file of exceptions.")
		} else {
			e.Findings = e.excused
		}
	}
	return e.LedgerEntry
}

// barred is the first of an exception's rules that the settings bar from being excused where it stands; "" for none.
func (in *Input) barred(e *verdict.Exception) string {
	if !e.Grant.Inline() || len(in.Settings.InlineBarred) == 0 {
		return ""
	}
	for _, id := range e.Rules {
		for _, r := range in.Rules {
			if r.ID == id && in.Settings.Bars(r.Rule) {
				return id
			}
		}
	}
	return ""
}

// asks says whether any of the rules was asked of everything.
func (in *Input) asks(rules []string) bool {
	if len(in.Namespaces) > 0 {
		return false
	}
	for _, r := range in.Rules {
		if slices.Contains(rules, r.ID) {
			return true
		}
	}
	return slices.ContainsFunc(in.Found.Rules, func(r verdict.RuleInfo) bool { return slices.Contains(rules, r.ID) })
}

// excusing is the exception that excuses the finding: the first in order that stands. Of those that
// stand in the text the finding needs one for each place where it was read. All of those that would
// do count as used.
func (x *excuses) excusing(f *verdict.Finding, matched []match) *entry {
	var first *entry
	var inline []*entry
	for _, m := range matched {
		e := &x.entries[m.exception]
		switch {
		case e.Standing != verdict.Applied:
		case e.Within != nil:
			inline = append(inline, e)
		default:
			e.excused++
			if first == nil {
				first = e
			}
		}
	}
	if len(inline) == 0 || !everywhere(f, inline) {
		return first
	}
	for _, e := range inline {
		e.excused++
	}
	if first == nil {
		first = inline[0]
	}
	return first
}

// everywhere says whether the exceptions reach each place where the finding was read.
func everywhere(f *verdict.Finding, inline []*entry) bool {
	reached := func(l *verdict.Location) bool {
		for _, e := range inline {
			if e.Within.Contains(l) {
				return true
			}
		}
		return false
	}
	for i := range f.Also {
		if !reached(&f.Also[i]) {
			return false
		}
	}
	return reached(&f.Location)
}

// exempt excuses one fail.
func exempt(f *verdict.Finding, by *entry, counts tallies) {
	counts.discount(f.Rule, verdict.Fail)
	counts.count(f.Rule, verdict.Exempt)
	f.Verdict = verdict.Exempt
	f.Exemption = &verdict.Exemption{
		Grant: by.Grant, Location: by.Location, Owner: by.Owner, Reason: by.Reason, Ticket: by.Ticket, Expires: by.Expires,
	}
	f.Reason = by.Owner + " until " + day(by.Expires) + ": " + by.Reason
	if by.Ticket != "" {
		f.Reason += " (" + by.Ticket + ")"
	}
	if by.Grant.Inline() {
		f.Reason += "; granted by what was judged itself, in " + where(&by.Location)
	}
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func where(l *verdict.Location) string {
	if l.Line == 0 {
		return l.File
	}
	return fmt.Sprintf("%s:%d", l.File, l.Line)
}

// Lapse takes back what exceptions excused in a result that was judged earlier, where they have
// expired since.
func Lapse(res *verdict.Result, now time.Time) {
	for i := range res.Findings {
		f := &res.Findings[i]
		x := f.Exemption
		if f.Verdict != verdict.Exempt || x == nil || x.Expires.IsZero() || now.Before(x.Expires) {
			continue
		}
		f.Verdict, f.Exemption = verdict.Fail, nil
		f.Reason = "the exception of " + x.Owner + " expired on " + day(x.Expires)
		for n := range res.Tally {
			if t := &res.Tally[n]; t.Practice == f.Practice {
				t.Exempt--
				t.Fail++
			}
		}
		for n := range res.ByRule {
			if t := &res.ByRule[n]; t.Rule == f.Rule {
				t.Exempt--
				t.Fail++
			}
		}
	}
	if res.Ledger == nil {
		return
	}
	for i := range res.Ledger.Exceptions {
		if e := &res.Ledger.Exceptions[i]; e.Standing == verdict.Applied && !now.Before(e.Expires) {
			e.Standing = verdict.Expired
		}
	}
}
