package threshold_test

import (
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/threshold"
	"github.com/coaming/coaming/internal/verdict"
)

func TestMeets(t *testing.T) {
	half := 0.5
	plain := &verdict.Finding{Severity: verdict.High, Rule: "privileged-container"}
	known := &verdict.Finding{Severity: verdict.High, Vulnerability: &verdict.Vulnerability{
		ID: "CVE-2026-1", Package: "left", FixedIn: "2", Exploited: true, Likelihood: &half, Score: 8, Vector: "v", Exposed: verdict.NotKnown, Origin: verdict.OriginBase,
	}}
	vague := &verdict.Finding{Severity: verdict.Medium, Vulnerability: &verdict.Vulnerability{ID: "X", Unrated: true, ExploitedUnknown: true, Exposed: verdict.No}}
	for text, want := range map[string][3]verdict.Verdict{ // of plain, known and vague
		"high":   {verdict.Fail, verdict.Fail, verdict.Unknown},
		"low":    {verdict.Fail, verdict.Fail, verdict.Fail},
		"medium": {verdict.Fail, verdict.Fail, verdict.Unknown},
		`severity >= high && fixed && (exploited || likelihood > 0.1) && exposed != 'no'`: {verdict.Pass, verdict.Fail, verdict.Pass},
		`severity >= low`:                   {verdict.Fail, verdict.Fail, verdict.Fail},
		`severity >= medium`:                {verdict.Fail, verdict.Fail, verdict.Unknown},
		`severity == medium`:                {verdict.Pass, verdict.Pass, verdict.Unknown},
		`severity < low`:                    {verdict.Pass, verdict.Pass, verdict.Pass},
		`severity >= low && likelihood > 1`: {verdict.Pass, verdict.Pass, verdict.Unknown},
		`severity >= high`:                  {verdict.Fail, verdict.Fail, verdict.Unknown},
		`exploited`:                         {verdict.Pass, verdict.Fail, verdict.Unknown},
		`likelihood > 0.1 || id == "X"`:     {verdict.Pass, verdict.Fail, verdict.Fail},
		`likelihood > 0.1 && fixed`:         {verdict.Pass, verdict.Fail, verdict.Pass},
		`score > 7`:                         {verdict.Pass, verdict.Fail, verdict.Unknown},
		`rule.startsWith("privileged")`:     {verdict.Fail, verdict.Pass, verdict.Pass},
		`vulnerability && origin == "base"`: {verdict.Pass, verdict.Fail, verdict.Pass},
		`1 / (layer - layer) == 1`:          {verdict.Unknown, verdict.Unknown, verdict.Unknown},
	} {
		gate, err := threshold.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		for i, f := range []*verdict.Finding{plain, known, vague} {
			if got := gate.Meets(f); got != want[i] {
				t.Errorf("%s of finding %d: %s, want %s", text, i, got, want[i])
			}
		}
	}
}

// TestSpellingsAgree asks that a severity, the expression that says the same, and no gate at all mean the same findings.
func TestSpellingsAgree(t *testing.T) {
	var findings []*verdict.Finding
	for s := verdict.Low; s <= verdict.Critical; s++ {
		for _, unrated := range []bool{false, true} {
			findings = append(findings, &verdict.Finding{Verdict: verdict.Fail, Severity: s, Vulnerability: &verdict.Vulnerability{ID: "X", Unrated: unrated}})
		}
		findings = append(findings, &verdict.Finding{Verdict: verdict.Fail, Severity: s})
	}
	for s := verdict.Low; s <= verdict.Critical; s++ {
		word, err := threshold.Parse(s.String())
		if err != nil {
			t.Fatal(err)
		}
		expression, err := threshold.Parse("severity >= " + s.String())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings {
			unrated := f.Vulnerability != nil && f.Vulnerability.Unrated
			if a, b := word.Meets(f), expression.Meets(f); a != b || unrated && (a == verdict.Fail) != (s == verdict.Low) {
				t.Errorf("%s: %s by the word, %s by the expression, of severity %s, unrated %v", s, a, b, f.Severity, unrated)
			}
			res := verdict.Result{Findings: []verdict.Finding{*f}}
			if s == verdict.Low && res.Exit(nil, false) != res.Exit(expression, false) {
				t.Errorf("without a gate exit %d, by the expression %d", res.Exit(nil, false), res.Exit(expression, false))
			}
		}
	}
}

func TestFaultsAreTold(t *testing.T) {
	for text, want := range map[string]string{
		"hihg":                     "none of low, medium, high, critical",
		"":                         "none of low",
		"severity":                 "not true or false",
		"severity >= hig && fxed":  "undeclared reference to 'hig' (column 13); undeclared reference to 'fxed'",
		`severity == "high"`:       "no matching overload",
		"severity >=":              "Syntax error",
		strings.Repeat("(", 10000): "over 4096",
	} {
		if _, err := threshold.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("severity >= high && fixed")
	f.Add("exploited ? 1 : 2")
	f.Fuzz(func(_ *testing.T, text string) {
		if gate, err := threshold.Parse(text); err == nil {
			gate.Meets(&verdict.Finding{})
		}
	})
}
