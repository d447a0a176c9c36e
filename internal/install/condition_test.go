package install

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/coaming/coaming/internal/policy"
)

// conditions are the match conditions of each webhook that the chart makes, by their names.
func conditions(t *testing.T, list map[string]any) []map[string]string {
	t.Helper()
	var all []map[string]string
	for _, o := range render(t, list) {
		webhooks, _, _ := unstructured.NestedSlice(o.Object, "webhooks")
		for _, one := range webhooks {
			byName := map[string]string{}
			given, _, _ := unstructured.NestedSlice(one.(map[string]any), "matchConditions")
			for _, c := range given {
				byName[c.(map[string]any)["name"].(string)] = c.(map[string]any)["expression"].(string)
			}
			all = append(all, byName)
		}
	}
	return all
}

// TestWebhooksLetGarbageCollectionBe demands of each webhook the condition that policies have.
func TestWebhooksLetGarbageCollectionBe(t *testing.T) {
	list := conditions(t, everything)
	if len(list) != 3 {
		t.Fatalf("%d webhooks", len(list))
	}
	for _, byName := range list {
		if got := byName["more-than-garbage-collection-changes"]; got != policy.Changes {
			t.Errorf("the chart says %q, policies %q", got, policy.Changes)
		}
		if got := byName["more-than-a-status"]; got != policy.MoreThanStatus {
			t.Errorf("the chart says %q, policies %q", got, policy.MoreThanStatus)
		}
		if byName["not-being-deleted"] != "" {
			t.Error("what is being deleted is free of all rules")
		}
	}
}

// TestExcludedGlobs demands that a selector names namespaces alone, and a condition the globs.
func TestExcludedGlobs(t *testing.T) {
	list := map[string]any{"plan.spec.excludeNamespaces": []any{"lab", "ops-*", "a*-b"}, "plan.spec.onError": "fail"}
	for _, byName := range conditions(t, list) {
		if got, want := byName["not-excluded-namespaces"], `!(request.?namespace.orValue('') in ["coaming-system","kube-node-lease","kube-public","kube-system","lab"])`; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if got, want := byName["not-excluded-globs"], `!request.?namespace.orValue('').matches("^(a.*-b|ops-.*)$")`; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for _, byName := range conditions(t, nil) {
		if got, there := byName["not-excluded-globs"]; there {
			t.Errorf("without globs there is a condition: %s", got)
		}
	}
}
