package judge_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/report"
	"github.com/coaming/coaming/internal/verdict"
)

// past is a result with one finding of each verdict, as of a scan of folder deploy.
func past() *verdict.Result {
	at := func(file string) verdict.Location { return verdict.Location{Source: "files", File: file, Line: 3} }
	subject := verdict.Subject{APIVersion: "v1", Kind: "Pod", Namespace: "shop", Name: "a"}
	return &verdict.Result{
		Findings: []verdict.Finding{
			{Fingerprint: "00000000000000f1", Verdict: verdict.Fail, Rule: "r", Practice: "pod", Severity: verdict.High, Subject: subject, Location: at("deploy/a.yaml")},
			{Fingerprint: "00000000000000f2", Verdict: verdict.Unknown, Rule: "r", Practice: "pod", Severity: verdict.High, Subject: subject, Location: at("deploy/b.yaml")},
		},
		Rules:    []verdict.RuleInfo{{ID: "r", Practice: "pod"}},
		Coverage: verdict.Coverage{Sources: []string{"deploy"}, Objects: 2, Evaluations: 2, Version: "1.36"},
	}
}

func TestDiffMarks(t *testing.T) {
	res := past()
	res.Findings[0].Severity = verdict.Critical
	third := res.Findings[0]
	third.Fingerprint = "00000000000000f3"
	res.Findings = append(res.Findings, third)
	judge.Diff(past(), res, "old.json")
	want := []verdict.Change{verdict.Changed, verdict.Unchanged, verdict.New}
	for i, f := range res.Findings {
		if f.Change != want[i] {
			t.Errorf("finding %d is %s, want %s", i, f.Change, want[i])
		}
	}
	if was := res.Findings[0].Was; was == nil || was.Severity != verdict.High || was.Verdict != verdict.Fail {
		t.Errorf("it was %+v, want a fail of severity high", was)
	}
	if d := res.Diff; d.New != 1 || d.Changed != 1 || d.Unchanged != 1 || len(d.Fixed)+len(d.NotLookedAt) != 0 || d.Against != "old.json" {
		t.Errorf("%+v", d)
	}
}

// TestDiffFixed: fixed is said only of what was looked at again.
func TestDiffFixed(t *testing.T) {
	tests := map[string]struct {
		change func(earlier, res *verdict.Result)
		want   string // part of the reason; "" when both are fixed
	}{
		"looked at again": {func(_, _ *verdict.Result) {}, ""},
		"as ./deploy/":    {func(_, r *verdict.Result) { r.Coverage.Sources = []string{"./deploy/"} }, ""},
		"as .":            {func(_, r *verdict.Result) { r.Coverage.Sources = []string{"."} }, ""},
		"as two files":    {func(_, r *verdict.Result) { r.Coverage.Sources = []string{"deploy/a.yaml", "deploy/b.yaml"} }, ""},
		"another folder":  {func(_, r *verdict.Result) { r.Coverage.Sources = []string{"other"} }, "not among this time's sources: deploy/"},
		"a folder of a like name": {
			func(_, r *verdict.Result) { r.Coverage.Sources = []string{"dep"} }, "not among this time's sources",
		},
		"a folder called files": {func(_, r *verdict.Result) { r.Coverage.Sources = []string{"files"} }, "not among this time's sources"},
		"rule not asked":        {func(_, r *verdict.Result) { r.Rules = nil }, "was not asked this time"},
		"another namespace":     {func(_, r *verdict.Result) { r.Coverage.Namespaces = []string{"bank"} }, "only other namespaces"},
		"its namespace":         {func(_, r *verdict.Result) { r.Coverage.Namespaces = []string{"shop"} }, ""},
		"a new gap elsewhere": {
			func(_, r *verdict.Result) {
				r.Coverage.Gaps = []verdict.Gap{{Code: verdict.GapSyntax, Location: verdict.Location{Source: "files", File: "deploy/c.yaml"}}}
			}, "may stand in what was not looked at: deploy/c.yaml",
		},
		"a new gap of another kind": {
			func(_, r *verdict.Result) {
				r.Coverage.Gaps = []verdict.Gap{{Code: verdict.GapSyntax, Kinds: []string{"Secret"}}}
			}, "",
		},
		"a new gap of another namespace": {
			func(_, r *verdict.Result) {
				r.Coverage.Gaps = []verdict.Gap{{Code: verdict.GapForbidden, Namespace: "bank"}}
			}, "",
		},
		"an old gap elsewhere": {
			func(e, r *verdict.Result) {
				e.Coverage.Gaps = []verdict.Gap{{Code: verdict.GapSyntax, Location: verdict.Location{Source: "files", File: "deploy/c.yaml"}}}
				r.Coverage.Gaps = e.Coverage.Gaps
			}, "",
		},
		"an old gap in the folder": {
			func(e, r *verdict.Result) {
				e.Coverage.Gaps = []verdict.Gap{{Code: verdict.GapRender, Location: verdict.Location{Source: "files", File: "deploy"}}}
				r.Coverage.Gaps = e.Coverage.Gaps
			}, "may stand in what was not looked at: deploy",
		},
		"more is ignored": {
			func(_, r *verdict.Result) {
				r.Coverage.Exclusions = []verdict.Exclusion{{What: "files and directories that are ignored", Count: 1}}
			}, "more was left out",
		},
		"as much is ignored": {
			func(e, r *verdict.Result) {
				e.Coverage.Exclusions = []verdict.Exclusion{{What: "files and directories that are ignored", Count: 1}}
				r.Coverage.Exclusions = e.Coverage.Exclusions
			}, "",
		},
		"another version, another practice": {func(_, r *verdict.Result) { r.Coverage.Version = "1.30" }, ""},
		"another version": {func(e, r *verdict.Result) {
			r.Coverage.Version = "1.30"
			for i := range e.Findings {
				e.Findings[i].Practice = "version"
			}
		}, "for Kubernetes 1.36, this time for 1.30"},
		"another cluster": {func(e, r *verdict.Result) {
			for i := range e.Findings {
				e.Findings[i].Location = verdict.Location{Source: "cluster:prod", File: "/api/v1/pods"}
			}
			r.Coverage.Sources = []string{"cluster:dev", "."}
		}, "not among this time's sources"},
		"the same cluster, the kind left out": {func(e, r *verdict.Result) {
			for i := range e.Findings {
				e.Findings[i].Location = verdict.Location{Source: "cluster:prod", File: "/api/v1/pods"}
			}
			r.Coverage.Sources = []string{"cluster:prod"}
			r.Coverage.Exclusions = []verdict.Exclusion{{What: "Pod"}}
		}, "left out this time: Pod"},
		"one of two places": {func(e, _ *verdict.Result) {
			for i := range e.Findings {
				e.Findings[i].Also = []verdict.Location{{Source: "kustomize:overlays/prod", File: "overlays/prod"}}
			}
		}, "not among this time's sources: overlays/prod"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			earlier, res := past(), past()
			res.Findings = nil
			test.change(earlier, res)
			judge.Diff(earlier, res, "old.json")
			d := res.Diff
			if test.want == "" && (len(d.Fixed) != 2 || len(d.NotLookedAt) != 0) {
				t.Errorf("%d fixed, want 2; not looked at: %+v", len(d.Fixed), d.NotLookedAt)
			}
			if test.want != "" && (len(d.NotLookedAt) != 2 || !strings.Contains(d.NotLookedAt[0].Reason, test.want)) {
				t.Errorf("not looked at: %+v, want 2 for %q", d.NotLookedAt, test.want)
			}
		})
	}
}

// TestDiffExit: only what is new or worse decides the exit code.
func TestDiffExit(t *testing.T) {
	fail := verdict.Finding{Fingerprint: "00000000000000f1", Verdict: verdict.Fail, Severity: verdict.High}
	with := func(v verdict.Verdict, s verdict.Severity) verdict.Finding {
		f := fail
		f.Verdict, f.Severity = v, s
		return f
	}
	gap := verdict.Gap{Code: verdict.GapSyntax, Location: verdict.Location{File: "a"}}
	tests := map[string]struct {
		was, is         []verdict.Finding
		wasGaps, isGaps []verdict.Gap
		want            int
	}{
		"the same fail":       {was: []verdict.Finding{fail}, is: []verdict.Finding{fail}, want: verdict.ExitClean},
		"a new fail":          {is: []verdict.Finding{fail}, want: verdict.ExitFindings},
		"a graver fail":       {was: []verdict.Finding{with(verdict.Fail, verdict.Medium)}, is: []verdict.Finding{fail}, want: verdict.ExitFindings},
		"a lesser fail":       {was: []verdict.Finding{with(verdict.Fail, verdict.Critical)}, is: []verdict.Finding{fail}, want: verdict.ExitClean},
		"unknown now fails":   {was: []verdict.Finding{with(verdict.Unknown, verdict.High)}, is: []verdict.Finding{fail}, want: verdict.ExitFindings},
		"no longer excused":   {was: []verdict.Finding{with(verdict.Exempt, verdict.High)}, is: []verdict.Finding{fail}, want: verdict.ExitFindings},
		"a fail is unknown":   {was: []verdict.Finding{fail}, is: []verdict.Finding{with(verdict.Unknown, verdict.High)}, want: verdict.ExitUnknown},
		"a new unknown":       {is: []verdict.Finding{with(verdict.Unknown, verdict.High)}, want: verdict.ExitUnknown},
		"the same unknown":    {was: []verdict.Finding{with(verdict.Unknown, verdict.High)}, is: []verdict.Finding{with(verdict.Unknown, verdict.High)}, want: verdict.ExitClean},
		"a new gap":           {isGaps: []verdict.Gap{gap}, want: verdict.ExitUnknown},
		"the same gap":        {wasGaps: []verdict.Gap{gap}, isGaps: []verdict.Gap{gap}, want: verdict.ExitClean},
		"a fail now passes":   {was: []verdict.Finding{fail}, want: verdict.ExitClean},
		"unknown beside fail": {was: []verdict.Finding{fail}, is: []verdict.Finding{fail, with(verdict.Unknown, verdict.High)}, want: verdict.ExitUnknown},
	}
	for name, test := range tests {
		earlier := &verdict.Result{Findings: test.was, Coverage: verdict.Coverage{Objects: 1, Evaluations: 1, Gaps: test.wasGaps}}
		res := &verdict.Result{Findings: test.is, Coverage: verdict.Coverage{Objects: 1, Evaluations: 1, Gaps: test.isGaps}}
		judge.Diff(earlier, res, "old.json")
		if got := res.Exit(verdict.Low, false); got != test.want {
			t.Errorf("%s: exit %d, want %d", name, got, test.want)
		}
	}
}

// FuzzDiff: whatever two results say, each finding of the earlier one is there, fixed or not looked at, and
// the comparison is written and read again.
func FuzzDiff(f *testing.F) {
	write := func(res *verdict.Result) []byte {
		var out bytes.Buffer
		if err := report.JSON(&out, res, report.Meta{}); err != nil {
			f.Fatal(err)
		}
		return out.Bytes()
	}
	gone := past()
	gone.Findings = gone.Findings[:1]
	gone.Coverage.Gaps = []verdict.Gap{{Code: verdict.GapSyntax, Kinds: []string{"Pod"}}}
	f.Add(write(past()), write(gone))
	f.Add(write(gone), write(past()))
	f.Fuzz(func(t *testing.T, before, after []byte) {
		earlier, err := report.ReadJSON(bytes.NewReader(before))
		if err != nil {
			return
		}
		res, err := report.ReadJSON(bytes.NewReader(after))
		if err != nil {
			return
		}
		judge.Diff(earlier, res, "old.json")
		d := res.Diff
		if d.New+d.Changed+d.Unchanged != len(res.Findings) {
			t.Errorf("%d new, %d changed and %d unchanged of %d", d.New, d.Changed, d.Unchanged, len(res.Findings))
		}
		there := map[string]bool{}
		for i := range res.Findings {
			there[res.Findings[i].Fingerprint] = true
		}
		gone := 0
		for i := range earlier.Findings {
			if !there[earlier.Findings[i].Fingerprint] {
				gone++
			}
		}
		if len(d.Fixed)+len(d.NotLookedAt) != gone {
			t.Errorf("%d fixed and %d not looked at, want %d in all", len(d.Fixed), len(d.NotLookedAt), gone)
		}
		var out bytes.Buffer
		if err := report.JSON(&out, res, report.Meta{}); err != nil {
			t.Fatal(err)
		}
		if _, err := report.ReadJSON(&out); err != nil {
			t.Errorf("what was written is not read: %v", err)
		}
	})
}

// TestDiffKnowsExclusions: the words by which a diff knows what was ignored are those of the readers.
func TestDiffKnowsExclusions(t *testing.T) {
	var text []byte
	files, err := filepath.Glob("../source/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		more, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, more...)
	}
	diff, err := os.ReadFile("diff.go")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(diff), "var hides = map[string]bool{")
	list, _, _ = strings.Cut(list, "\n}")
	words := strings.Split(list, `"`)
	if len(words) < 5 {
		t.Fatal("no words found")
	}
	for i := 1; i < len(words); i += 2 {
		if !bytes.Contains(text, []byte(`"`+words[i]+`"`)) {
			t.Errorf("no reader says %q", words[i])
		}
	}
}
