package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// partition is a plan whose entries overlap in names, globs and labels, and differ in what errors come to.
const partition = `apiVersion: coaming.dev/v1alpha1
kind: Enforcement
metadata: {name: default}
spec:
  mode: audit
  excludeNamespaces: [ops, "*-lab"]
  rules:
  - {namespaces: ["team-*"], mode: warn}
  - {namespaceSelector: {matchLabels: {env: prod}}, mode: enforce, onError: fail}
  - {rules: [host-pid], namespaces: [team-b, shop], mode: "off"}
  - {namespaceSelector: {matchExpressions: [{key: tier, operator: In, values: [one, two]}, {key: env, operator: NotIn, values: [prod]}]}, mode: enforce}
  - {namespaces: ["*-relaxed"], mode: warn, onError: ignore}
`

// TestPlannedPolicies applies the policies of a plan, and asks the API server in namespaces of many names and labels about a pod, a Role
// binding and the namespace itself, and about what belongs to none: it refuses, warns and notes in its audit log as the plan says, once.
func TestPlannedPolicies(t *testing.T) {
	s := startSandbox(t, "--audit")
	client := s.client(t)
	plan, err := enforcement.Read("plan.yaml", partition)
	if err != nil {
		t.Fatal(err)
	}
	out := coaming(t, "policy", "export", "--plan", writeFile(t, "plan.yaml", partition), "--rule", "host-pid,binding-everyone,namespace-without-pod-security", "--cluster", "--kubeconfig", s.Kubeconfig)
	wantCode(t, out, verdict.ExitClean)
	var places []enforcement.Place
	for _, name := range []string{"shop", "ops", "team-a", "team-b", "a-relaxed", "team-relaxed", "my-lab", "other"} {
		for i, labels := range []map[string]string{{}, {"env": "prod"}, {"tier": "one"}, {"env": "prod", "tier": "two"}} {
			full := name
			switch {
			case i > 0 && name == "shop":
				continue // an exact name stands for itself
			case i > 0 && strings.HasPrefix(name, "team-"):
				full = fmt.Sprintf("team-%d%s", i, strings.TrimPrefix(name, "team"))
			case i > 0:
				full = fmt.Sprintf("p%d-%s", i, name)
			}
			raw, _ := json.Marshal(metav1.PartialObjectMetadata{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: full, Labels: labels},
			})
			s.apply(t, string(raw))
			places = append(places, enforcement.Place{Namespace: full, Labels: labels, LabelsKnown: true})
		}
	}
	s.apply(t, out.stdout)
	rules := map[string]*rule.Rule{}
	all, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		rules[r.ID] = r
	}
	asked := []placed{}
	for _, at := range places {
		asked = append(asked,
			placed{"host-pid", at, "/api/v1/namespaces/" + at.Namespace + "/pods", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"@"},"spec":{"hostPID":true,"containers":[{"name":"a","image":"a"}]}}`},
			placed{"binding-everyone", at, "/apis/rbac.authorization.k8s.io/v1/namespaces/" + at.Namespace + "/rolebindings", `{"metadata":{"name":"@"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"r"},"subjects":[{"kind":"Group","apiGroup":"rbac.authorization.k8s.io","name":"system:authenticated"}]}`},
		)
	}
	for _, at := range places { // namespaces that are made
		at.Namespace = "n" + at.Namespace
		labels, _ := json.Marshal(at.Labels)
		asked = append(asked, placed{"namespace-without-pod-security", at, "/api/v1/namespaces", `{"metadata":{"name":"` + at.Namespace + `","annotations":{"a":"@"},"labels":` + string(labels) + `}}`})
	}
	asked = append(asked, placed{"binding-everyone", enforcement.Place{LabelsKnown: true}, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", `{"metadata":{"name":"@"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"r"},"subjects":[{"kind":"Group","apiGroup":"rbac.authorization.k8s.io","name":"system:authenticated"}]}`})
	ask := func(q placed, id string) (told string, warnings int) {
		result := client.RESTClient().Post().AbsPath(q.path).Param("dryRun", "All").SetHeader("Content-Type", "application/json").Body([]byte(strings.ReplaceAll(q.body, "@", id))).Do(t.Context())
		for _, w := range result.Warnings() {
			if strings.Contains(w.Text, ": "+q.rule+": ") {
				warnings++
			}
		}
		if err := result.Error(); err != nil {
			return err.Error(), warnings
		}
		return "", warnings
	}
	for _, at := range places {
		s.serviceAccount(t, at.Namespace)
	}
	eventually(t, "the policies hold", func() bool {
		told, _ := ask(placed{"host-pid", enforcement.Place{}, "/api/v1/namespaces/team-1-a/pods", asked[0].body}, "canary")
		return strings.Contains(told, "denied request")
	})
	time.Sleep(3 * time.Second) //nolint:forbidigo // bindings are taken up once a second, and nothing tells of the last
	modes := map[enforcement.Mode]int{}
	for i, q := range asked {
		id := fmt.Sprintf("asked-%d", i)
		told, warnings := ask(q, id)
		want := plan.Of(rules[q.rule], q.at)
		modes[want.Mode]++
		if denied := strings.Contains(told, "denied request: "+q.rule+": "); denied != (want.Mode == enforcement.Enforce) || told != "" && !denied {
			t.Errorf("%s in %+v: told %q, want %s", q.rule, q.at, told, want.Mode)
		}
		if (warnings > 0) != (want.Mode == enforcement.Warn) || warnings > 1 {
			t.Errorf("%s in %+v: %d warnings, want %s", q.rule, q.at, warnings, want.Mode)
		}
		noted := s.noted(t, id, q.rule)
		if wantNoted := want.Mode == enforcement.Audit || want.Mode == enforcement.Warn; noted != wantNoted {
			t.Errorf("%s in %+v: in the audit log %t, want %s", q.rule, q.at, noted, want.Mode)
		}
	}
	t.Logf("%d requests judged as the plan says, by mode %v", len(asked), modes)
	if len(modes) < 4 {
		t.Error("the plan is too simple to prove anything")
	}
}

// placed is a faulty object that is sent somewhere.
type placed struct {
	rule       string
	at         enforcement.Place
	path, body string
}

// serviceAccount waits for the account without which no pod is let into a namespace.
func (s *sandbox) serviceAccount(t *testing.T, namespace string) {
	t.Helper()
	client := s.client(t)
	eventually(t, "the default account of "+namespace, func() bool {
		return client.RESTClient().Get().AbsPath("/api/v1/namespaces/"+namespace+"/serviceaccounts/default").Do(t.Context()).Error() == nil
	})
}

// noted says whether the audit log tells of a violation of a rule's policy by an object of that name, in one annotation for one binding.
func (s *sandbox) noted(t *testing.T, name, rule string) bool {
	t.Helper()
	log, err := os.ReadFile(s.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, `"`+name+`"`) {
			if strings.Contains(line, "validation.policy.admission.k8s.io/validation_failure") && strings.Contains(line, `message\":\"`+rule+": ") {
				return true
			}
		}
	}
	return false
}

// endingSoon is an exception for a deployment.
const endingSoon = `exceptions:
- {rules: [host-pid], selector: {kind: Deployment, name: agent}, namespace: tools, owner: ann, reason: it watches processes, expires: "WHEN"}
`

// TestExceptionsEndByThemselves applies policies with an exception that ends in seconds, and does nothing more: what it excuses is let in and may be
// changed before, and not after.
func TestExceptionsEndByThemselves(t *testing.T) {
	s := startSandbox(t)
	s.kubectl(t, "create", "namespace", "tools")
	s.serviceAccount(t, "tools")
	const lasts = 25 * time.Second
	end := time.Now().Add(lasts).UTC().Truncate(time.Second)
	out := coaming(t, "policy", "export", "--rule", "host-pid", "--exceptions", writeFile(t, "exceptions.yaml", strings.ReplaceAll(endingSoon, "WHEN", end.Format(time.RFC3339))))
	wantCode(t, out, verdict.ExitClean)
	s.apply(t, out.stdout)
	deployment := func(name string) string {
		return `{apiVersion: apps/v1, kind: Deployment, metadata: {name: ` + name + `, namespace: tools, creationTimestamp: "2020-01-01T00:00:00Z"}, ` +
			`spec: {replicas: 0, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b, c: d}}, spec: {hostPID: true, containers: [{name: a, image: a}]}}}}`
	}
	try := func(text string, args ...string) string {
		_, message, _ := s.Kubectl(t, text, append([]string{"--kubeconfig=" + s.Kubeconfig}, args...)...)
		return message
	}
	create := func(name string) string { return try(deployment(name), "create", "--dry-run=server", "-f", "-") }
	// A change of what the rule judges, one that adds nothing and one that only removes.
	image := func() string {
		return try("", "set", "image", "-n", "tools", "deployment/agent", fmt.Sprintf("a=b:%d", time.Now().UnixNano()), "--dry-run=server")
	}
	removal := func() string {
		return try("", "patch", "deployment", "agent", "-n", "tools", "--type=json", "-p", `[{"op":"remove","path":"/spec/template/metadata/labels/c"}]`, "--dry-run=server")
	}
	eventually(t, "what is not excused is refused", func() bool { return strings.Contains(create("other"), "coaming-host-pid") })
	if message := try(deployment("agent"), "create", "-f", "-"); message != "" {
		t.Fatalf("before its end the exception excuses nothing: %s", message)
	}
	eventually(t, "the policy for changes has its leases", func() bool { return image()+removal() == "" })
	if message := create("other"); !strings.Contains(message, "coaming-host-pid") {
		t.Errorf("another is let in: %q", message)
	}
	if !time.Now().Before(end) {
		t.Fatal("the machine is too slow for an exception of that length")
	}
	time.Sleep(time.Until(end)) //nolint:forbidigo // the end of the exception is what is asked about
	eventually(t, "the second of the end", func() bool { return time.Now().After(end.Add(time.Second)) })
	if message := create("agent"); !strings.Contains(message, "coaming-host-pid") {
		t.Errorf("after its end the exception still excuses what is made: %q", message)
	}
	within(t, 15*time.Second, "changes are refused, too", func() bool { return strings.Contains(image(), "coaming-host-pid") })
	if message := removal(); !strings.Contains(message, "coaming-host-pid") {
		t.Errorf("a change that only removes is let through: %q", message)
	}
	if message := try("", "label", "-n", "tools", "deployment/agent", "a=b"); strings.Contains(message, "denied") {
		t.Errorf("what was there can no longer be labelled: %s", message)
	}
	s.kubectl(t, "delete", "deployment", "agent", "-n", "tools")
}
