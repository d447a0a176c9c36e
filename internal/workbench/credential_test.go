package workbench

import (
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/image"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// TestExplainHidesSecrets explains the bad examples of every built-in rule, and demands that no
// credential of theirs is shown.
func TestExplainHidesSecrets(t *testing.T) {
	rules, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, r := range rules {
		c, err := rule.Compile(r, catalog.Checked)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range r.Bad {
			var out strings.Builder
			v, err := Explain(&out, c, e, Bench{Now: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC), Image: image.Specimen})
			if err != nil || v != verdict.Fail && v != verdict.Unknown {
				t.Errorf("%s: %v, %v\n%s", r.ID, v, err, out.String())
			}
			for _, secret := range credentials(e) {
				if len(secret) < 6 || strings.Contains(r.Assert+r.When, secret) {
					continue
				}
				if found++; strings.Contains(out.String(), secret) {
					t.Errorf("%s shows %s:\n%s", r.ID, secret, out.String())
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("the examples hold %d credentials: they were not looked for where they are", found)
	}
}
