package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/catalog"
)

// TestAsked demands that the webhook is asked about the kinds of rules that are on and no policies, and never about Secrets.
func TestAsked(t *testing.T) {
	o := Options{Version: catalog.Newest}
	for name, c := range map[string]struct {
		plan string
		want []Resources
	}{
		"off":                            {"  mode: off\n", []Resources{}},
		"a policy":                       {"  mode: off\n  rules: [{rules: [role-wildcard, host-pid], mode: enforce}]\n", []Resources{}},
		"no policy":                      {"  mode: off\n  rules: [{rules: [secret-in-configmap], mode: audit}]\n", []Resources{{"", []string{"configmaps"}}}},
		"in one namespace":               {"  mode: off\n  rules: [{rules: [secret-in-configmap], namespaces: [shop], mode: warn}]\n", []Resources{{"", []string{"configmaps"}}}},
		"what nobody can be asked about": {"  mode: off\n  rules: [{rules: [secret-in-custom-resource], mode: enforce}]\n", []Resources{}},
	} {
		if diff := cmp.Diff(c.want, Asked(catalogue(t), planOf(t, c.plan), o)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, r := range Asked(catalogue(t), planOf(t, "  mode: enforce\n"), o) {
		t.Logf("%q: %v", r.Group, r.Resources)
		for _, resource := range r.Resources {
			if r.Group == "" && (resource == "*" || resource == "secrets" || resource == "namespaces" || resource == "events") {
				t.Errorf("the webhook is asked about %s", resource)
			}
		}
	}
}

// TestUnasked demands that each rule that is enforced is a policy, asked about, or told of.
func TestUnasked(t *testing.T) {
	o := Options{Version: catalog.Newest}
	told := Unasked(catalogue(t), planOf(t, "  mode: enforce\n"), o)
	for _, r := range catalogue(t) {
		if r.Match.Fact == "image" {
			continue
		}
		_, why := Webhook(r)
		if enforced := Native(r, o) == nil || why == ""; enforced != (told[r.ID] == "") {
			t.Errorf("%s is enforced: %t, and told is %q", r.ID, enforced, told[r.ID])
		}
	}
	if told["secret-in-custom-resource"] == "" {
		t.Errorf("%v", told)
	}
	if told := Unasked(catalogue(t), planOf(t, "  mode: audit\n"), o); len(told) > 0 {
		t.Errorf("nothing is enforced, and %v is told of", told)
	}
}
