package e2e

import (
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/verdict"
)

// TestDeletionFreesNothing demands that a finalizer, which keeps an object in force while it is being deleted, frees it of no rule, and
// that finalizers and owners can be taken off what a rule refuses.
func TestDeletionFreesNothing(t *testing.T) {
	s := startSandbox(t)
	s.apply(t, `{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: harmless, finalizers: [example.com/x]}, rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: old, finalizers: [example.com/x]}, rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]}
---
{apiVersion: v1, kind: Pod, metadata: {name: old, finalizers: [example.com/x], ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: gone, uid: a}]}, spec: {nodeName: nowhere, hostPID: true, containers: [{name: a, image: a}]}}
---
{apiVersion: batch/v1, kind: Job, metadata: {name: old, finalizers: [example.com/x]}, spec: {suspend: true, backoffLimit: 100000, template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: old, finalizers: [example.com/x], labels: {pod-security.kubernetes.io/enforce: privileged}}}`)
	out := coaming(t, "policy", "export", "--rule", "role-wildcard,host-pid,namespace-pod-security-exempt,job-retries-absurd")
	wantCode(t, out, verdict.ExitClean)
	s.apply(t, out.stdout)
	const wildcard = `{"rules":[{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}]}`
	patch := func(kind, name, what string) string {
		message, _ := s.try(t, "", "patch", kind, name, "--type=merge", "-p", what)
		return message
	}
	eventually(t, "the policy holds", func() bool {
		message, _ := s.try(t, "", "patch", "role", "harmless", "--type=merge", "-p", wildcard, "--dry-run=server")
		return strings.Contains(message, "coaming-role-wildcard")
	})
	for _, what := range []string{"role/harmless", "role/old", "pod/old", "job/old", "namespace/old"} {
		s.kubectl(t, "delete", what, "--wait=false")
	}
	if message := patch("role", "harmless", wildcard); !strings.Contains(message, "coaming-role-wildcard") {
		t.Errorf("a role that is being deleted may become everything: %s", message)
	}
	if message := patch("role", "old", `{"rules":[{"apiGroups":["*"],"resources":["*"],"verbs":["*"]},{"nonResourceURLs":["*"],"verbs":["*"]}]}`); !strings.Contains(message, "coaming-role-wildcard") {
		t.Errorf("a role that is being deleted may become more: %s", message)
	}
	for _, c := range [][2]string{
		{"pod", `{"metadata":{"ownerReferences":null}}`},
		{"pod", `{"metadata":{"finalizers":null}}`},
		{"role", `{"metadata":{"finalizers":["example.com/y"]}}`}, {"role", `{"metadata":{"finalizers":null}}`},
		{"job", `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"gone","uid":"a"}]}}`}, {"job", `{"metadata":{"finalizers":null}}`},
		{"namespace", `{"metadata":{"finalizers":null}}`},
	} {
		if message := patch(c[0], "old", c[1]); message != "" && !strings.Contains(message, "Warning") {
			t.Errorf("%s old: %s is refused: %s", c[0], c[1], message)
		}
	}
}
