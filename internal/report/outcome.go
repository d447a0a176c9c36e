package report

import (
	"fmt"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// outcome is a result with the policy that decides its exit code, and says in words what it comes to.
type outcome struct {
	res          *verdict.Result
	failOn       verdict.Severity
	allowUnknown bool
	count        [grades]int
	// judged and gaps leave out what an earlier result had too: it does not decide the exit code.
	judged [grades]int
	gaps   int
}

func newOutcome(res *verdict.Result, failOn verdict.Severity, allowUnknown bool) outcome {
	o := outcome{res: res, failOn: failOn, allowUnknown: allowUnknown}
	for i := range res.Findings {
		o.count[gradeOf(&res.Findings[i])]++
		if !res.Findings[i].Known() {
			o.judged[gradeOf(&res.Findings[i])]++
		}
	}
	for i := range res.Coverage.Gaps {
		if !res.Coverage.Gaps[i].Known {
			o.gaps++
		}
	}
	return o
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
	case c.Objects == 0:
		return "no Kubernetes object was found"
	}
	return "no rule applies to what was found; those that need settings (docs/settings.md) apply to nothing without them"
}

// because is the exit code's reason in one sentence or two.
func (o *outcome) because() string {
	code, failOn := o.exit(), min(o.failOn, verdict.Critical)
	over, below := 0, 0
	var parts []string
	for g := gradeCritical; g <= gradeLow; g++ {
		switch {
		case o.judged[g] == 0:
		case verdict.Critical-verdict.Severity(g) >= failOn:
			over += o.judged[g]
			parts = append(parts, thousands(o.judged[g])+" "+looks[g].word)
		default:
			below += o.judged[g]
		}
	}
	threshold := failOn.String() + " (--fail-on " + failOn.String() + ")"
	rest := o.allowances(code, below)
	if code == verdict.ExitFindings {
		return fmt.Sprintf("%s at or over %s: %s.%s", count(over, "finding"), threshold, strings.Join(parts, ", "), rest)
	}
	if why := o.nothingJudged(); why != "" {
		return "Nothing was judged: " + why + ". This says nothing about the security of what was given." + rest
	}
	if code == verdict.ExitUnknown {
		return fmt.Sprintf("Nothing judged fails at or over %s, but %s. What was not judged is not known to be safe; "+
			"--allow-unknown accepts that.%s", threshold, o.openEnds(), rest)
	}
	return fmt.Sprintf("Nothing judged fails at or over %s.%s", threshold, rest)
}

// allowances names what is there beside the exit code's reason.
func (o *outcome) allowances(code, below int) string {
	text := ""
	if below > 0 {
		text += fmt.Sprintf(" Below %s and not counted: %s.", o.failOn, count(below, "finding"))
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
