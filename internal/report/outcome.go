package report

import (
	"fmt"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// outcome is a result with the policy that decides its exit code, and says in words what it comes to.
type outcome struct {
	res          *verdict.Result
	failOn       verdict.Gate
	allowUnknown bool
	count        [grades]int
	// judged, over, undecided and gaps leave out what an earlier result had too: it does not decide the exit code.
	judged    [grades]int
	over      [grades]int // those that meet the gate
	undecided int         // fails of which nobody can tell whether they do
	gaps      int
}

func newOutcome(res *verdict.Result, failOn verdict.Gate, allowUnknown bool) outcome {
	if failOn == nil {
		failOn = verdict.Low
	}
	if s, ok := failOn.(verdict.Severity); ok {
		failOn = min(s, verdict.Critical)
	}
	o := outcome{res: res, failOn: failOn, allowUnknown: allowUnknown}
	for i := range res.Findings {
		o.add(&res.Findings[i])
	}
	for i := range res.Coverage.Gaps {
		if !res.Coverage.Gaps[i].Known {
			o.gaps++
		}
	}
	return o
}

func (o *outcome) add(f *verdict.Finding) {
	grade := gradeOf(f)
	o.count[grade]++
	if f.Known() {
		return
	}
	o.judged[grade]++
	if f.Verdict != verdict.Fail {
		return
	}
	switch o.failOn.Meets(f) {
	case verdict.Fail:
		o.over[grade]++
	case verdict.Unknown:
		o.undecided++
	case verdict.Pass, verdict.Exempt:
	}
}

// threshold is the gate in words: "high (--fail-on high)".
func (o *outcome) threshold() (atOrOver, below string) {
	if s, ok := o.failOn.(verdict.Severity); ok {
		return fmt.Sprintf("at or over %s (--fail-on %s)", s, s), "Below " + s.String()
	}
	return "by --fail-on '" + visible(o.failOn.String()) + "'", "Outside of that"
}

func (o *outcome) exit() int { return o.res.Exit(o.failOn, o.allowUnknown) }

// nothingJudged says why there is no verdict at all, "" when there is one.
func (o *outcome) nothingJudged() string {
	c := &o.res.Coverage
	switch {
	case c.Evaluations > 0 || len(o.res.Findings) > 0:
		return ""
	case c.Rules == 0:
		return "no rule was asked"
	case c.Images > 0 && c.Packages == 0:
		return "no package was found in what was named, and no rule on images applies"
	case c.Objects == 0:
		return "no Kubernetes object was found"
	}
	return "no rule applies to what was found; those that need settings (docs/settings.md) apply to nothing without them"
}

// because is the exit code's reason in one sentence or two.
func (o *outcome) because() string {
	code := o.exit()
	over, below := 0, -o.undecided
	var parts []string
	for g := gradeCritical; g <= gradeLow; g++ {
		if n := o.over[g]; n > 0 {
			over += n
			parts = append(parts, thousands(n)+" "+looks[g].word)
		}
		below += o.judged[g] - o.over[g]
	}
	threshold, _ := o.threshold()
	rest := o.allowances(code, below)
	if code == verdict.ExitFindings {
		return fmt.Sprintf("%s %s: %s.%s", count(over, "finding"), threshold, strings.Join(parts, ", "), rest)
	}
	if why := o.nothingJudged(); why != "" {
		return "Nothing was judged: " + why + ". This says nothing about the security of what was given." + rest
	}
	if code == verdict.ExitUnknown {
		return fmt.Sprintf("Nothing judged fails %s, but %s. What was not judged is not known to be safe; "+
			"--allow-unknown accepts that.%s", threshold, o.openEnds(), rest)
	}
	return fmt.Sprintf("Nothing judged fails %s.%s", threshold, rest)
}

// allowances names what is there beside the exit code's reason.
func (o *outcome) allowances(code, below int) string {
	text := ""
	if below > 0 {
		_, outside := o.threshold()
		text += fmt.Sprintf(" %s and not counted: %s.", outside, count(below, "finding"))
	}
	switch ends := o.openEnds(); {
	case ends == "":
	case o.allowUnknown:
		text += " Allowed by --allow-unknown, and not the same as fine: " + ends + "."
	case code == verdict.ExitFindings || o.nothingJudged() != "":
		text += " Besides, " + ends + "."
	}
	if o.res.Diff != nil {
		text += " Only what is new or worse than in " + visible(o.res.Diff.Against) + " counts."
	}
	old := 0
	if l := o.res.Ledger; l != nil && l.Baseline != nil {
		old = l.Baseline.Old
	}
	if old > 0 {
		text += fmt.Sprintf(" Old, by the baseline: %s.", count(old, "finding"))
	}
	if n := o.count[gradeExempt] - old; n > 0 {
		text += fmt.Sprintf(" Excused by an exception: %s.", count(n, "finding"))
	}
	return text
}

// openEnds counts what could not be decided and what was not looked at.
func (o *outcome) openEnds() string {
	var parts []string
	if n := o.judged[gradeUnknown]; n == 1 {
		parts = append(parts, "1 verdict is unknown")
	} else if n > 1 {
		parts = append(parts, thousands(n)+" verdicts are unknown")
	}
	if n := o.undecided; n > 0 {
		parts = append(parts, "of "+count(n, "finding")+" nobody can tell whether --fail-on means them")
	}
	if n := o.gaps; n == 1 {
		parts = append(parts, "1 thing was not looked at")
	} else if n > 1 {
		parts = append(parts, thousands(n)+" things were not looked at")
	}
	return strings.Join(parts, " and ")
}

// gravest is the finding to start with; nil when nothing failed and nothing is unknown.
func (o *outcome) gravest() *verdict.Finding {
	var worst *verdict.Finding
	for i := range o.res.Findings {
		f := &o.res.Findings[i]
		if f.Verdict != verdict.Exempt && (worst == nil || gradeOf(f) < gradeOf(worst)) {
			worst = f
		}
	}
	return worst
}
