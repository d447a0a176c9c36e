package e2e

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/rehearsal"
	"github.com/coaming/coaming/internal/verdict"
)

// rehearsed is a plan for the objects of the shop and some more: told of first, and then enforced in parts.
const rehearsed = `apiVersion: coaming.dev/v1alpha1
kind: Enforcement
metadata: {name: default}
spec:
  mode: warn
  onError: fail
  excludeNamespaces: ["*-lab"]
  rules:
  - {rules: [image-latest-tag], mode: "off"}
`

const rehearsedParts = rehearsed + `  - {severity: high, mode: enforce}
  - {namespaceSelector: {matchLabels: {tier: two}}, mode: audit}
`

const rehearsedMore = `
apiVersion: v1
kind: Namespace
metadata: {name: a-lab}
---
apiVersion: v1
kind: Namespace
metadata: {name: second, labels: {tier: two}}
---
apiVersion: v1
kind: Pod
metadata: {name: hostile, namespace: a-lab}
spec: {hostPID: true, containers: [{name: a, image: a}]}
---
apiVersion: v1
kind: Pod
metadata: {name: hostile, namespace: second}
spec: {hostPID: true, containers: [{name: a, image: a}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: agent, namespace: default}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec: {hostPID: true, hostNetwork: true, containers: [{name: a, image: a}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: everything}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]
`

const rehearsedExceptions = `exceptions:
- {rules: [host-pid], selector: {kind: Deployment, name: agent}, namespace: default, owner: ann, reason: it watches processes, expires: "DAY"}
`

// TestPolicyRehearsal puts objects into a cluster, asks what policies would make of them, applies the policies, and sends each object anew
// without keeping it: what is warned of and refused is what was said, object by object and rule by rule.
func TestPolicyRehearsal(t *testing.T) {
	s := startSandbox(t)
	a := newApplier(t, s)
	a.apply(t, readFiles(t, shop))
	s.serviceAccount(t, "default")
	s.apply(t, rehearsedMore)
	eventually(t, "controllers have made pods", func() bool {
		return strings.Contains(s.kubectl(t, "get", "pods", "-n", "default", "-o", "name"), "pod/agent-")
	})
	exceptions := writeFile(t, "exceptions.yaml", day(rehearsedExceptions, time.Now().AddDate(0, 0, 30).Format("2006-01-02")))
	settle(t, s)
	objects := replayed(t, a)

	told := writeFile(t, "plan.yaml", rehearsed)
	said := rehearse(t, s, told, exceptions)
	s.apply(t, exportPlan(t, s, told, exceptions))
	j := newPolicyJudges(t, s)
	j.awaitWarning(t)
	compared := 0
	for _, o := range objects {
		got := j.send(t, o)
		if got.refused != "" && !strings.Contains(got.refused, "already exists") {
			j.counts["objects that the server itself refuses to make again"]++
			t.Logf("%s: %s", o, got.refused)
			continue
		}
		if got.cut {
			j.counts["objects with more warnings than the server tells"]++
			continue
		}
		want := said.of(o, enforcement.Warn)
		compared++
		if have := slices.Sorted(maps.Keys(got.violated)); !slices.Equal(have, want) {
			t.Errorf("%s: the API server warns of %v, it was said %v", o, have, want)
		}
		j.counts["warnings agreed"] += len(want)
	}

	parts := writeFile(t, "plan.yaml", rehearsedParts)
	said = rehearse(t, s, parts, exceptions)
	s.kubectl(t, "delete", "validatingadmissionpolicies,validatingadmissionpolicybindings", "--all")
	s.apply(t, exportPlan(t, s, parts, exceptions))
	eventually(t, "the policies refuse", func() bool {
		_, message, _ := s.Kubectl(t, `{apiVersion: v1, kind: Pod, metadata: {name: other}, spec: {hostPID: true, containers: [{name: a, image: a}]}}`, "--kubeconfig="+s.Kubeconfig, "create", "--dry-run=server", "-f", "-")
		return strings.Contains(message, "denied request")
	})
	time.Sleep(3 * time.Second) //nolint:forbidigo // bindings are taken up once a second, and nothing tells of the last
	for _, o := range objects {
		got := j.send(t, o)
		refused := strings.Contains(got.refused, "denied request")
		if want := said.of(o, enforcement.Enforce); refused != (len(want) > 0) {
			t.Errorf("%s: the API server says %q, it was said that these refuse it: %v", o, got.refused, want)
		}
		if refused {
			j.counts["objects refused"]++
		} else {
			j.counts["objects let in"]++
		}
	}
	if made := said.Made; made == 0 {
		t.Error("nothing that a controller made would be refused")
	}
	j.counts["objects compared rule by rule"] = compared
	j.tell(t)
	if compared < 100 || j.counts["objects refused"] < 5 || j.counts["warnings agreed"] < 100 {
		t.Error("that is too little to prove anything")
	}
}

// replay is an object as it stands in the cluster.
type replay struct {
	resource resource
	kind     string
	content  map[string]any
}

func (r replay) at(keys ...string) string {
	var v any = r.content
	for _, key := range keys {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	text, _ := v.(string)
	return text
}

func (r replay) String() string {
	return r.kind + "/" + r.at("metadata", "namespace") + "/" + r.at("metadata", "name")
}

// replayed are the objects of all kinds but those that no policy hears of and secrets, which are not read.
func replayed(t *testing.T, a *applier) (list []replay) {
	t.Helper()
	for key, r := range a.served {
		group, kind, _ := strings.Cut(key, " ")
		if slices.Contains([]string{"Secret", "Event", "Lease", "ComponentStatus"}, kind) || strings.HasPrefix(group, "admissionregistration") {
			continue
		}
		raw, err := a.client.RESTClient().Get().AbsPath(r.path, r.plural).SetHeader("Accept", "application/json").Do(t.Context()).Raw()
		var page struct{ Items []map[string]any }
		if err != nil || json.Unmarshal(raw, &page) != nil {
			continue // of what cannot be listed there are no objects
		}
		for _, content := range page.Items {
			content["apiVersion"], content["kind"] = group, kind
			delete(content, "status")
			meta := content["metadata"].(map[string]any)
			for _, key := range []string{"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"} {
				delete(meta, key)
			}
			if spec, ok := content["spec"].(map[string]any); ok && kind == "Service" {
				unallocate(spec)
			}
			list = append(list, replay{r, kind, content})
		}
	}
	return list
}

// unallocate takes out of a service what is given to one alone: the server would say so before it asks policies.
func unallocate(spec map[string]any) {
	for _, key := range []string{"clusterIP", "clusterIPs", "healthCheckNodePort"} {
		if spec["clusterIP"] != "None" {
			delete(spec, key)
		}
	}
	ports, _ := spec["ports"].([]any)
	for _, port := range ports {
		delete(port.(map[string]any), "nodePort")
	}
}

// send sends an object anew without keeping it. That there is one of its name the server says last.
func (j *policyJudges) send(t *testing.T, r replay) answer {
	t.Helper()
	path := r.resource.path
	if r.resource.namespaced {
		path += "/namespaces/" + r.at("metadata", "namespace")
	}
	body, err := json.Marshal(r.content)
	if err != nil {
		t.Fatal(err)
	}
	if owners, _ := r.content["metadata"].(map[string]any)["ownerReferences"].([]any); len(owners) > 0 {
		return j.postAs(t, "system:serviceaccount:kube-system:replicaset-controller", path, r.resource.plural, body) // as who made it
	}
	return j.post(t, path, r.resource.plural, body)
}

// settle waits until controllers make nothing more.
func settle(t *testing.T, s *sandbox) {
	t.Helper()
	last, since := "", time.Now()
	eventually(t, "controllers rest", func() bool {
		if now := s.kubectl(t, "get", "pods,replicasets,jobs", "-A", "-o", "name"); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > 4*time.Second
	})
}

type said struct {
	rehearsal.Result
}

func rehearse(t *testing.T, s *sandbox, plan, exceptions string) said {
	t.Helper()
	out := coaming(t, "policy", "test", "--against", "cluster", "--kubeconfig", s.Kubeconfig, "--plan", plan, "--exceptions", exceptions, "--format", "json")
	wantCode(t, out, verdict.ExitClean, verdict.ExitFindings, verdict.ExitUnknown)
	var r said
	if err := json.Unmarshal([]byte(out.stdout), &r.Result); err != nil {
		t.Fatalf("%v\n%s", err, out.stderr)
	}
	return r
}

// of are the rules whose policies say that of an object.
func (s *said) of(r replay, mode enforcement.Mode) []string {
	found := map[string]bool{}
	for i := range s.Entries {
		e := &s.Entries[i]
		if e.By == rehearsal.ByPolicy && e.Mode == mode && e.Subject.Kind == r.kind && e.Subject.Name == r.at("metadata", "name") && e.Subject.Namespace == r.at("metadata", "namespace") && e.Subject.APIVersion == r.at("apiVersion") {
			found[e.Rule] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func exportPlan(t *testing.T, s *sandbox, plan, exceptions string) string {
	t.Helper()
	out := coaming(t, "policy", "export", "--plan", plan, "--exceptions", exceptions, "--cluster", "--kubeconfig", s.Kubeconfig)
	wantCode(t, out, verdict.ExitClean)
	return out.stdout
}

// awaitWarning waits until all policies hold: that of the last rule, and then a little.
func (j *policyJudges) awaitWarning(t *testing.T) {
	t.Helper()
	body := []byte(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"canary"},"spec":{"hostPID":true,"containers":[{"name":"a","image":"a"}]}}`)
	eventually(t, "the policies hold", func() bool {
		return j.post(t, "/api/v1/namespaces/default", "pods", body).violated["host-pid"] != ""
	})
	time.Sleep(5 * time.Second) //nolint:forbidigo // bindings are taken up once a second, and nothing tells of the last
}
