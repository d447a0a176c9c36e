package workbench

import (
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// Told is a rule that code judges, not an expression, so that lists and pages tell of it as of any other. It cannot be asked:
// it has no condition. judges is what it is asked about.
func Told(info verdict.RuleInfo, judges string) *rule.Compiled {
	return &rule.Compiled{Rule: &rule.Rule{
		ID: info.ID, Title: info.Title, Practice: info.Practice, Severity: info.Severity, Why: info.Why, Remedy: info.Remedy, Maps: info.Maps,
		Match: rule.Match{Fact: judges},
	}}
}
