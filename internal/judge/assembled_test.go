package judge_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/judge"
)

// TestAssembledPlaces demands of findings in containers outside a pod spec the place in the object as
// written, and of templates that others complete silence on what they leave open.
func TestAssembledPlaces(t *testing.T) {
	privileged := newRule(t, "privileged", "match: container", `assert: '!container.?securityContext.?privileged.orValue(false)'`, "at: securityContext.privileged")
	limit := newRule(t, "limit", "match: container", `assert: container.?resources.?limits.?memory.hasValue()`, "at: resources.limits.memory")
	network := newRule(t, "network", "match: workload", `assert: '!workload.spec.?hostNetwork.orValue(false)'`, "at: spec.hostNetwork")
	token := newRule(t, "token", "match: workload", `assert: '!workload.spec.?automountServiceAccountToken.orValue(true)'`, "at: spec.automountServiceAccountToken")
	tests := map[string]struct {
		object string
		want   []string
	}{
		"Workflow": {
			"apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\nspec:\n  hostNetwork: true\n  templates:\n  - name: a\n    container:\n      securityContext: {privileged: true}\n      image: a\n",
			[]string{"network fail spec.hostNetwork 5", "token fail spec.templates[a].automountServiceAccountToken 7", "limit fail spec.templates[a].container.resources.limits.memory 8", "privileged fail spec.templates[a].container.securityContext.privileged 9"},
		},
		"Task leaves the pod to its run": {
			"apiVersion: tekton.dev/v1\nkind: Task\nmetadata: {name: t}\nspec:\n  stepTemplate:\n    securityContext: {privileged: true}\n  steps:\n  - name: a\n    image: a\n",
			[]string{"privileged fail spec.stepTemplate.securityContext.privileged 6", "limit fail spec.steps[a].computeResources.limits.memory 8"},
		},
		"an override is judged by what stands in it": {
			"apiVersion: elasticsearch.k8s.elastic.co/v1\nkind: Elasticsearch\nmetadata: {name: e}\nspec:\n  nodeSets:\n  - podTemplate:\n      spec:\n        hostNetwork: true\n        containers:\n        - name: elasticsearch\n          securityContext: {privileged: true}\n",
			[]string{"network fail spec.nodeSets[0].podTemplate.spec.hostNetwork 8", "privileged fail spec.nodeSets[0].podTemplate.spec.containers[elasticsearch].securityContext.privileged 11"},
		},
		"templates of a wrong type": {
			"apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\nspec:\n  templates: {a: b}\n",
			[]string{"network unknown spec.templates.hostNetwork 5", "token unknown spec.templates.automountServiceAccountToken 5"},
		},
		"steps of a wrong type": {
			"apiVersion: tekton.dev/v1\nkind: Task\nmetadata: {name: w}\nspec:\n  steps: {a: b}\n",
			[]string{"limit unknown spec.steps.resources.limits.memory 5", "privileged unknown spec.steps.securityContext.privileged 5", "network unknown spec.hostNetwork 4"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, f := range judge.Judge(input(t, test.object, privileged, limit, network, token)).Findings {
				got = append(got, strings.Join([]string{f.Rule, f.Verdict.String(), f.Path, strconv.Itoa(f.Location.Line)}, " "))
			}
			if diff := cmp.Diff(slices.Sorted(slices.Values(test.want)), slices.Sorted(slices.Values(got))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
