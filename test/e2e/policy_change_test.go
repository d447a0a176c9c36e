package e2e

import (
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/verdict"
)

// TestPolicyChanges demands that what was there before the policies can still be labelled and
// deleted, that a change of what is judged is judged, and that so is a container that is added to a running pod.
func TestPolicyChanges(t *testing.T) {
	s := startSandbox(t)
	s.apply(t, `{apiVersion: v1, kind: Pod, metadata: {name: old}, spec: {hostPID: true, containers: [{name: a, image: a}]}}`)
	s.apply(t, `{apiVersion: v1, kind: Pod, metadata: {name: good}, spec: {containers: [{name: a, image: a}]}}`)
	out := coaming(t, "policy", "export", "--rule", "host-pid,privileged-container")
	wantCode(t, out, verdict.ExitClean)
	s.apply(t, out.stdout)
	try := func(args ...string) string {
		_, message, _ := s.Kubectl(t, "", append([]string{"--kubeconfig=" + s.Kubeconfig}, args...)...)
		return message
	}
	add := func(privileged, name string) []string {
		return []string{
			"patch", "pod", "good", "--subresource=ephemeralcontainers", "--type=strategic",
			"-p", `{"spec":{"ephemeralContainers":[{"name":"` + name + `","image":"a","securityContext":{"privileged":` + privileged + `}}]}}`,
		}
	}
	eventually(t, "a running pod gets no privileged container", func() bool {
		return strings.Contains(try(append(add("true", "bad"), "--dry-run=server")...), "coaming-privileged-container")
	})
	eventually(t, "the old pod cannot be changed", func() bool {
		return strings.Contains(try("set", "image", "pod/old", "a=b", "--dry-run=server"), "coaming-host-pid")
	})
	for _, args := range [][]string{
		add("false", "well"),
		{"label", "pod", "old", "a=b"},
		{"annotate", "pod", "old", "a=b"},
		{"delete", "pod", "old", "--grace-period=0", "--force"},
	} {
		if message := try(args...); strings.Contains(message, "denied request") {
			t.Errorf("kubectl %v: %s", args, message)
		}
	}
	// Where the policies do not hold by default.
	s.kubectl(t, "--namespace=kube-system", "create", "--dry-run=server", "-f", writeFile(t, "pod.yaml",
		`{apiVersion: v1, kind: Pod, metadata: {name: system}, spec: {hostPID: true, serviceAccountName: default, containers: [{name: a, image: a}]}}`))
}
