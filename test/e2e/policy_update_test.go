package e2e

import (
	"strings"
	"testing"
)

// TestPolicyOnOldObjects: of a Deployment that was there before the policy what the documentation says can be changed, and the rest not.
func TestPolicyOnOldObjects(t *testing.T) {
	s := startSandbox(t)
	s.kubectl(t, "create", "namespace", "free")
	s.apply(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: old, namespace: free}
spec:
  selector: {matchLabels: {app: old}}
  template:
    metadata: {labels: {app: old}}
    spec: {containers: [{name: a, image: "a:1", securityContext: {privileged: true}}]}
`)
	exported := coaming(t, "policy", "export", "--plan", writeFile(t, "plan.yaml", handPlan), "--kubernetes-version", "1.36")
	wantCode(t, exported, 0)
	s.apply(t, exported.stdout)
	setImage := []string{"-n", "free", "set", "image", "deployment/old"}
	tag := 1
	eventually(t, "the policy holds", func() bool {
		tag++
		message, err := s.try(t, "", append(setImage, "a=a:"+strings.Repeat("2", tag))...)
		return err != nil && strings.Contains(message, "ValidatingAdmissionPolicy")
	})
	for name, c := range map[string]struct {
		args    []string
		refused bool
	}{
		"scaled":        {[]string{"scale", "deployment/old", "--replicas=2"}, false},
		"labelled":      {[]string{"label", "deployment/old", "team=shop"}, false},
		"replicas":      {[]string{"patch", "deployment/old", "-p", `{"spec":{"replicas":3}}`}, true},
		"another image": {[]string{"set", "image", "deployment/old", "a=a:9"}, true},
		"mended":        {[]string{"patch", "deployment/old", "--dry-run=server", "-p", `{"spec":{"template":{"spec":{"containers":[{"name":"a","securityContext":{"privileged":false}}]}}}}`}, false},
	} {
		if message, err := s.try(t, "", append([]string{"-n", "free"}, c.args...)...); (err != nil) != c.refused {
			t.Errorf("%s: refused %v, want %v\n%s", name, err != nil, c.refused, message)
		}
	}
}
