package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/verdict"
)

// TestExceptionsOfFixesEndByThemselves applies a fix as a mutating policy, with an exception that ends in seconds, and does nothing more: what
// it excuses is left as it is before its end, and mended afterwards, what a controller makes of it and what is changed like what is made.
func TestExceptionsOfFixesEndByThemselves(t *testing.T) {
	s := startSandbox(t)
	s.kubectl(t, "create", "namespace", "tools")
	s.serviceAccount(t, "tools")
	const lasts = 25 * time.Second
	end := time.Now().Add(lasts).UTC().Truncate(time.Second)
	out := coaming(t, "policy", "export", "--mutate", "--agree", "--rule", "host-pid", "--exceptions", writeFile(t, "exceptions.yaml", strings.ReplaceAll(endingSoon, "WHEN", end.Format(time.RFC3339))))
	wantCode(t, out, verdict.ExitClean)
	s.apply(t, out.stdout)
	deployment := func(name string) string {
		return `{apiVersion: apps/v1, kind: Deployment, metadata: {name: ` + name + `, namespace: tools}, ` +
			`spec: {replicas: 0, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {hostPID: true, containers: [{name: a, image: a}]}}}}`
	}
	const pod = `{"apiVersion":"v1","kind":"Pod","metadata":{"generateName":"agent-1-","namespace":"tools","ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"agent-1","uid":"u","controller":true}]},"spec":{"hostPID":true,"containers":[{"name":"a","image":"a"}]}}`
	shares := func(text string, args ...string) bool { // whether what comes of it has the fault
		made, message, _ := s.Kubectl(t, text, append([]string{"--kubeconfig=" + s.Kubeconfig, "-o", "jsonpath={.spec.hostPID}{.spec.template.spec.hostPID}", "--dry-run=server"}, args...)...)
		if message != "" {
			t.Errorf("%v: %s", args, message)
		}
		return made == "true"
	}
	create := func(name string) bool { return shares(deployment(name), "create", "-f", "-") }
	change := func() bool { return shares("", "set", "image", "-n", "tools", "deployment/agent", "a=b") }
	const controller = "--as=system:serviceaccount:kube-system:replicaset-controller"
	eventually(t, "what is not excused is mended", func() bool { return !create("other") })
	s.apply(t, deployment("agent"))
	if !change() || !shares(pod, "create", controller, "-f", "-") {
		t.Error("before its end what is excused is mended")
	}
	if shares(pod, "create", "-f", "-") {
		t.Error("what only says that it is made of it is left as it is")
	}
	if !time.Now().Before(end) {
		t.Fatal("the machine is too slow for an exception of that length")
	}
	time.Sleep(time.Until(end)) //nolint:forbidigo // the end of the exception is what is asked about
	within(t, 20*time.Second, "what was excused is mended", func() bool { return !change() && !shares(pod, "create", controller, "-f", "-") })
	if create("agent2") {
		t.Error("another is left as it is")
	}
}
