package verdict_test

import (
	"testing"

	"github.com/coaming/coaming/internal/verdict"
)

// TestExit holds the order of what decides the exit code.
func TestExit(t *testing.T) {
	finding := func(v verdict.Verdict, s verdict.Severity) verdict.Finding {
		return verdict.Finding{Verdict: v, Severity: s}
	}
	seen := verdict.Coverage{Objects: 1, Evaluations: 1}
	gap := verdict.Coverage{Objects: 1, Evaluations: 1, Gaps: []verdict.Gap{{}}}
	tests := map[string]struct {
		result       verdict.Result
		failOn       verdict.Severity
		allowUnknown bool
		want         int
	}{
		"clean":                       {verdict.Result{Coverage: seen}, verdict.Low, false, verdict.ExitClean},
		"a fail over the threshold":   {verdict.Result{Coverage: seen, Findings: []verdict.Finding{finding(verdict.Fail, verdict.High)}}, verdict.High, false, verdict.ExitFindings},
		"a fail under the threshold":  {verdict.Result{Coverage: seen, Findings: []verdict.Finding{finding(verdict.Fail, verdict.Medium)}}, verdict.High, false, verdict.ExitClean},
		"an exempt one":               {verdict.Result{Coverage: seen, Findings: []verdict.Finding{finding(verdict.Exempt, verdict.Critical)}}, verdict.Low, false, verdict.ExitClean},
		"an unknown":                  {verdict.Result{Coverage: seen, Findings: []verdict.Finding{finding(verdict.Unknown, verdict.Low)}}, verdict.High, false, verdict.ExitUnknown},
		"an unknown that may be":      {verdict.Result{Coverage: seen, Findings: []verdict.Finding{finding(verdict.Unknown, verdict.Low)}}, verdict.High, true, verdict.ExitClean},
		"a fail outranks an unknown":  {verdict.Result{Coverage: seen, Findings: []verdict.Finding{finding(verdict.Unknown, verdict.Low), finding(verdict.Fail, verdict.High)}}, verdict.High, false, verdict.ExitFindings},
		"a fail that may be unknown":  {verdict.Result{Coverage: seen, Findings: []verdict.Finding{finding(verdict.Unknown, verdict.Low), finding(verdict.Fail, verdict.High)}}, verdict.High, true, verdict.ExitFindings},
		"a gap":                       {verdict.Result{Coverage: gap}, verdict.Low, false, verdict.ExitUnknown},
		"a gap that may be":           {verdict.Result{Coverage: gap}, verdict.Low, true, verdict.ExitClean},
		"nothing was judged":          {verdict.Result{}, verdict.Low, false, verdict.ExitUnknown},
		"no rule applied":             {verdict.Result{Coverage: verdict.Coverage{Objects: 1, Rules: 1}}, verdict.Low, false, verdict.ExitUnknown},
		"nothing, which may be":       {verdict.Result{}, verdict.Low, true, verdict.ExitClean},
		"only the cluster was judged": {verdict.Result{Coverage: verdict.Coverage{Evaluations: 1}}, verdict.Low, false, verdict.ExitClean},
	}
	for name, test := range tests {
		if got := test.result.Exit(test.failOn, test.allowUnknown); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}

// TestWords demands that every word is read back as what wrote it, and no other word is.
func TestWords(t *testing.T) {
	for v := verdict.Pass; v <= verdict.Exempt; v++ {
		var back verdict.Verdict
		text, _ := v.MarshalText()
		if err := back.UnmarshalText(text); err != nil || back != v {
			t.Errorf("%s: %v %v", text, back, err)
		}
	}
	for s := verdict.Low; s <= verdict.Critical; s++ {
		var back verdict.Severity
		text, _ := s.MarshalText()
		if err := back.UnmarshalText(text); err != nil || back != s {
			t.Errorf("%s: %v %v", text, back, err)
		}
	}
	if new(verdict.Verdict).UnmarshalText([]byte("Pass")) == nil || new(verdict.Severity).UnmarshalText([]byte("")) == nil {
		t.Error("a word that is none is read")
	}
}
