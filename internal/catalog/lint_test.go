package catalog_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/workbench"
)

// lint runs a check on every rule.
func lint(t *testing.T, check func(t *testing.T, r *rule.Rule)) {
	t.Helper()
	rules, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		t.Run(r.ID, func(t *testing.T) { check(t, r) })
	}
}

func TestRuleNamesAreUnique(t *testing.T) {
	ids, titles := map[string]string{}, map[string]string{}
	lint(t, func(t *testing.T, r *rule.Rule) {
		if other := ids[r.ID]; other != "" {
			t.Errorf("the id is also that of %s", other)
		}
		if other := titles[r.Title]; other != "" {
			t.Errorf("the title is also that of %s", other)
		}
		ids[r.ID], titles[r.Title] = r.File, r.File
	})
}

// TestRulesAreTried holds every rule to what is demanded of a rule from outside.
func TestRulesAreTried(t *testing.T) {
	for _, c := range compiled(t) {
		t.Run(c.ID, func(t *testing.T) {
			if err := workbench.Lint(c, bench); err != nil {
				t.Error(err)
			}
			if err := workbench.Try(c, bench); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestMessagesNameNoValue looks in what rules about secrets say for a field that may hold one. That
// the messages of the examples hold no credential is part of TestRulesAreTried.
func TestMessagesNameNoValue(t *testing.T) {
	value := regexp.MustCompile(`\.value\b|\bargument\b|\b(command|args|data|stringData)\b`)
	literal := regexp.MustCompile(`"[^"]*"`)
	lint(t, func(t *testing.T, r *rule.Rule) {
		if says := literal.ReplaceAllString(withoutCalls(r.Says, "credential"), ""); r.Practice == "secret" && value.MatchString(says) {
			t.Errorf("the message may hold a value: %s", r.Says)
		}
	})
}

// withoutCalls is an expression less the calls of a function: what those give is no part of what they are given.
func withoutCalls(expression, function string) string {
	for {
		start := strings.Index(expression, function+"(")
		if start < 0 {
			return expression
		}
		end, depth := start+len(function)+1, 1
		for ; end < len(expression) && depth > 0; end++ {
			switch expression[end] {
			case '(':
				depth++
			case ')':
				depth--
			}
		}
		expression = expression[:start] + expression[end:]
	}
}
