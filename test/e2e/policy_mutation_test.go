package e2e

import (
	"encoding/json"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// TestPolicyMutation installs every fix that is a policy and creates the bad examples: what the API
// server makes of each no longer has the finding, and sent once more it does not change again.
func TestPolicyMutation(t *testing.T) {
	s := startSandbox(t)
	j := newPolicyJudges(t, s)
	out := coaming(t, "policy", "export", "--mutate", "--agree", "--namespace-selector", "")
	wantCode(t, out, verdict.ExitClean)
	s.apply(t, out.stdout)
	var mutated []*rule.Compiled
	for _, r := range j.rules {
		if regexp.MustCompile(`(?m)^  name: coaming-` + r.ID + `-fix$`).MatchString(out.stdout) {
			mutated = append(mutated, r)
		}
	}
	j.counts["rules mutated"] = len(mutated)
	canary := parseObject(t, `{apiVersion: v1, kind: Pod, metadata: {name: canary}, spec: {hostPID: true, containers: [{name: a, image: a, securityContext: {privileged: true}}]}}`)
	eventually(t, "the policies hold", func() bool {
		after := j.created(t, canary)
		return after != nil && !after.Root.At("spec", "hostPID").Bool() &&
			!after.Root.At("spec", "containers").Index(0).At("securityContext", "privileged").Exists()
	})
	time.Sleep(2 * time.Second) //nolint:forbidigo // policies are taken up once a second, and nothing tells of the last
	for _, r := range mutated {
		for i, e := range r.Bad {
			for _, v := range e {
				j.mend(t, r, fmt.Sprintf("%s, bad example %d", r.ID, i), fact.NewObject(v, &fact.Origin{}))
			}
		}
	}
	j.tell(t)
	if n := j.counts["objects whose fault the fix does not reach"]; n > len(otherFaults) {
		t.Errorf("the fix does not reach the fault of %d objects", n)
	}
	if len(mutated) < 15 || j.counts["objects mended"] < len(mutated) {
		t.Errorf("%d rules mutated and %d objects mended, which is too few", len(mutated), j.counts["objects mended"])
	}
}

// created is what the API server makes of an object; nil where it refuses it.
func (j *policyJudges) created(t *testing.T, o *fact.Object) *fact.Object {
	t.Helper()
	a := j.dryRun(t, o)
	if a.refused != "" {
		j.counts["objects that the server itself refuses"]++
		t.Logf("refused: %.300s", a.refused)
		return nil
	}
	var object map[string]any
	if err := json.Unmarshal(a.body, &object); err != nil {
		t.Fatal(err)
	}
	metadata := object["metadata"].(map[string]any)
	for _, key := range []string{"uid", "creationTimestamp", "managedFields", "generation"} {
		delete(metadata, key)
	}
	delete(object, "status")
	if spec, ok := object["spec"].(map[string]any); ok { // what the server gives to each object anew
		delete(spec, "clusterIP")
		delete(spec, "clusterIPs")
		if object["kind"] == "Job" {
			delete(spec, "selector")
			delete(spec["template"].(map[string]any)["metadata"].(map[string]any), "labels")
		}
	}
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return parseObject(t, string(text))
}

// otherFaults are rules of which one example has the fault where the fix does not reach: it stays
// refused by the rule's own policy.
var otherFaults = map[string]string{
	"dashboard-open":                     "the fix takes arguments, the example has them in its command",
	"role-read-secrets":                  "the fix leaves the other resources, the example has none",
	"ingress-controller-allows-snippets": "the fix removes one switch, the example has another",
}

func (j *policyJudges) mend(t *testing.T, r *rule.Compiled, name string, o *fact.Object) {
	t.Helper()
	if o.Root.At("spec", "ephemeralContainers").Kind() == document.List {
		j.counts["objects with ephemeral containers, which nothing changes"]++
		return
	}
	if j.ours(o)[r.ID] == "" {
		return // an object that the faulty one needs
	}
	once := j.created(t, o)
	if once == nil {
		return
	}
	if found := j.ours(once)[r.ID]; found != "" && otherFaults[r.ID] != "" {
		j.counts["objects whose fault the fix does not reach"]++
		return
	} else if found != "" {
		t.Errorf("%s: still %q\n%s", name, found, once.Root.AppendJSON(nil))
		return
	}
	twice := j.created(t, once)
	if twice == nil {
		t.Errorf("%s: what came of it is refused", name)
		return
	}
	if string(twice.Root.AppendJSON(nil)) != string(once.Root.AppendJSON(nil)) {
		t.Errorf("%s: a second pass changes it again\n%s\n%s", name, once.Root.AppendJSON(nil), twice.Root.AppendJSON(nil))
		return
	}
	j.counts["objects mended"]++
}
