package attack

import (
	"strings"
	"testing"
)

// TestRests holds which workloads have no pods as they were read.
func TestRests(t *testing.T) {
	const pod = "spec: {containers: [{name: app, image: app}]}"
	const template = "template: {metadata: {labels: {app: web}}, " + pod + "}"
	for name, test := range map[string]struct {
		text string
		want string
	}{
		"a pod":                {"apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\n" + pod, ""},
		"a pod that has ended": {"apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\nstatus: {phase: Succeeded}\n" + pod, "it has ended"},
		"a running pod":        {"apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\nstatus: {phase: Running}\n" + pod, ""},
		"no replicas":          {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {replicas: 0, " + template + "}", "replicas are 0"},
		"replicas unsaid":      {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {" + template + "}", ""},
		"suspended":            {"apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: web, namespace: shop}\nspec: {suspend: true, schedule: '@daily', jobTemplate: {spec: {" + template + "}}}", "suspended"},
		"a complete job":       {"apiVersion: batch/v1\nkind: Job\nmetadata: {name: web, namespace: shop}\nspec: {" + template + "}\nstatus: {completionTime: '2026-01-01T00:00:00Z'}", "complete"},
	} {
		t.Run(name, func(t *testing.T) {
			w := worldFrom(t, "web.yaml", test.text)
			if len(w.Pods) != 1 {
				t.Fatalf("%d workloads", len(w.Pods))
			}
			if got := w.Pods[0].stopped(); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("stopped: %q, want %q", got, test.want)
			}
		})
	}
}
