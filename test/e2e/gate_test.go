package e2e

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/test/loopback"
)

// runningGate is a gate outside of the cluster that an API server on this machine reaches.
type runningGate struct {
	address string
	metrics string // where it tells figures
	bundle  []byte // the authority of its certificate, in PEM
	plan    string // the file
	process *exec.Cmd
	exited  chan error
}

// startGate runs the gate with a plan beside a cluster until the test ends.
func startGate(t *testing.T, s *sandbox, plan string, args ...string) *runningGate {
	t.Helper()
	return runGate(t, plan, append([]string{"--kubeconfig", s.Kubeconfig}, args...)...)
}

func runGate(t *testing.T, plan string, args ...string) *runningGate {
	t.Helper()
	dir := t.TempDir()
	g := &runningGate{plan: writeFile(t, "plan.yaml", plan), metrics: freeAddress(t), exited: make(chan error, 1)}
	var key []byte
	g.bundle, key = selfSigned(t)
	certFile, keyFile := writeFile(t, "tls.crt", string(g.bundle)), writeFile(t, "tls.key", string(key))
	args = append([]string{
		"gate", "--plan", g.plan, "--listen", "127.0.0.1:0", "--metrics-listen", g.metrics, "--tls-cert", certFile, "--tls-key", keyFile, "--drain", "0s",
	}, args...)
	g.process = exec.CommandContext(context.WithoutCancel(t.Context()), coamingBinary(t), args...)
	g.process.Env = append(os.Environ(), "HOME="+dir)
	g.process.Dir = dir
	log, err := g.process.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := g.process.Start(); err != nil {
		t.Fatal(err)
	}
	serving := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(log)
		for lines.Scan() {
			var line struct{ Msg, Address string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
				serving <- line.Address
			}
			_, _ = fmt.Fprintln(t.Output(), "gate:", lines.Text())
		}
		g.exited <- g.process.Wait()
	}()
	t.Cleanup(func() {
		_ = g.process.Process.Signal(os.Interrupt)
		if err := <-g.exited; err != nil {
			t.Log("the gate ended:", err)
		}
	})
	select {
	case g.address = <-serving:
	case err := <-g.exited:
		g.exited <- err
		t.Fatalf("the gate ended: %v", err)
	case <-time.After(patience):
		t.Fatal("the gate does not serve")
	}
	return g
}

// selfSigned is a certificate for this machine that is its own authority.
func selfSigned(t *testing.T) (certificate, key []byte) {
	t.Helper()
	c, err := loopback.New()
	if err == nil {
		certificate, key, err = c.PEM()
	}
	if err != nil {
		t.Fatal(err)
	}
	return certificate, key
}

// replan gives the gate another plan while it runs.
func (g *runningGate) replan(t *testing.T, plan string) {
	t.Helper()
	if err := os.WriteFile(g.plan, []byte(plan), 0o600); err != nil {
		t.Fatal(err)
	}
}

// register has the API server ask the gate about everything that carries pods, in all namespaces.
func (g *runningGate) register(t *testing.T, s *sandbox, failure string) {
	t.Helper()
	s.apply(t, fmt.Sprintf(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: coaming-gate}
webhooks:
- name: validate.coaming.dev
  clientConfig: {url: "https://%s/validate", caBundle: %s}
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: %s
  timeoutSeconds: 3
  rules:
  - {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [pods, pods/ephemeralcontainers, pods/resize, namespaces, serviceaccounts]}
  - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE, DELETE], resources: [deployments, deployments/scale, deployments/status, replicasets]}
`, g.address, base64.StdEncoding.EncodeToString(g.bundle), failure))
}

// try runs kubectl and returns what it says on standard error.
func (s *sandbox) try(t *testing.T, stdin string, args ...string) (message string, err error) {
	t.Helper()
	_, message, err = s.Kubectl(t, stdin, append([]string{"--kubeconfig=" + s.Kubeconfig}, args...)...)
	return message, err
}

const gatePlan = `
apiVersion: coaming.dev/v1alpha1
kind: Enforcement
spec:
  mode: off
  rules:
  - {rules: [privileged-container, host-path], namespaces: [shop], mode: enforce}
  - {rules: [host-network], namespaces: [shop], mode: warn}
  - {rules: [host-pid], namespaces: [shop], mode: audit}
  - {rules: [memory-limit-missing], namespaces: [ranged], mode: enforce}
  - {rules: [privileged-container], namespaceSelector: {matchLabels: {tier: prod}}, mode: enforce}
`

func deployment(namespace, name, podSpec string) string {
	return fmt.Sprintf(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: %s, namespace: %s}, spec: {selector: {matchLabels: {a: b}}, replicas: 1,
  template: {metadata: {labels: {a: b}}, spec: %s}}}`, name, namespace, podSpec)
}

const (
	plainPod      = `{containers: [{name: app, image: "a:1"}]}`
	privilegedPod = `{containers: [{name: app, image: "a:1", securityContext: {privileged: true}}]}`
)

// TestGate asks the real API server to ask the gate, and looks at what kubectl tells.
func TestGate(t *testing.T) {
	s := startSandbox(t, "--audit")
	for _, namespace := range []string{"shop", "ranged", "elsewhere"} {
		s.apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: "+namespace+"}}")
	}
	s.apply(t, deployment("shop", "old", privilegedPod))
	g := startGate(t, s, gatePlan)
	g.register(t, s, "Fail")
	eventually(t, "the API server asks the gate", func() bool {
		_, err := s.try(t, deployment("shop", "canary", privilegedPod), "create", "--dry-run=server", "-f", "-")
		return err != nil
	})

	refused := func(name, want, stdin string, args ...string) {
		t.Helper()
		message, err := s.try(t, stdin, args...)
		if err == nil || !strings.Contains(message, want) {
			t.Errorf("%s: %v, want %q refused:\n%s", name, err, want, message)
		}
	}
	taken := func(name, want, stdin string, args ...string) {
		t.Helper()
		message, err := s.try(t, stdin, args...)
		if err != nil || !strings.Contains(message, want) {
			t.Errorf("%s: %v, want it taken with %q:\n%s", name, err, want, message)
		}
		if want == "" && strings.Contains(message, "Warning") {
			t.Errorf("%s: nobody asked for a warning:\n%s", name, message)
		}
	}
	create := []string{"create", "-f", "-"}
	refused("a deployment", `admission webhook "validate.coaming.dev" denied the request: container app runs privileged (privileged-container, spec.template.spec.containers[app].securityContext.privileged)`,
		deployment("shop", "bad", privilegedPod), create...)
	refused("a pod", "container app runs privileged", `{apiVersion: v1, kind: Pod, metadata: {generateName: bad-, namespace: shop}, spec: `+privilegedPod+`}`, create...)
	refused("two reasons", "2 reasons not to let this Deployment in", deployment("shop", "bad",
		`{containers: [{name: app, image: "a:1", securityContext: {privileged: true}}, {name: second, image: "a:1", securityContext: {privileged: true}}]}`), create...)
	taken("a warning", "Warning: ", deployment("shop", "warned", `{hostNetwork: true, containers: [{name: app, image: "a:1"}]}`), create...)
	taken("an audit", "", deployment("shop", "audited", `{hostPID: true, containers: [{name: app, image: "a:1"}]}`), create...)
	taken("another namespace", "", deployment("elsewhere", "privileged", privilegedPod), create...)
	taken("the system's namespace", "", `{apiVersion: v1, kind: Pod, metadata: {name: privileged, namespace: kube-system}, spec: {nodeName: nowhere, `+privilegedPod[1:]+`}`, create...)
	taken("what is plain", "", deployment("shop", "plain", plainPod), create...)

	// What was there before may be changed, where the change is not about what the rule judges.
	taken("a label of an old one", "pods above all, is refused: container app runs privileged", "", "-n", "shop", "label", "deployment", "old", "x=y")
	taken("an image of an old one", "pods above all, is refused: container app runs privileged", "", "-n", "shop", "set", "image", "deployment/old", "app=b:2")
	taken("the scale of an old one", "", "", "-n", "shop", "scale", "deployment", "old", "--replicas=2")
	refused("worse than before", "container second runs privileged", "", "-n", "shop", "patch", "deployment", "old", "--type=json", "-p",
		`[{"op":"add","path":"/spec/template/spec/containers/-","value":{"name":"second","image":"a","securityContext":{"privileged":true}}}]`)
	refused("what was well", "runs privileged", "", "-n", "shop", "patch", "deployment", "plain", "--type=json", "-p",
		`[{"op":"add","path":"/spec/template/spec/containers/0/securityContext","value":{"privileged":true}}]`)
	taken("a deletion", "", "", "-n", "shop", "delete", "deployment", "old", "--wait=false")

	// Labels of the namespace, and what else stands in it.
	taken("a label of a namespace", "", "", "label", "namespace", "elsewhere", "tier=prod")
	eventually(t, "the gate sees the label", func() bool {
		_, err := s.try(t, deployment("elsewhere", "canary", privilegedPod), "create", "--dry-run=server", "-f", "-")
		return err != nil
	})
	refused("no limit", "memory-limit-missing", deployment("ranged", "bad", plainPod), create...)
	s.apply(t, "{apiVersion: v1, kind: LimitRange, metadata: {name: a, namespace: ranged}, spec: {limits: [{type: Container, default: {memory: 1Gi}}]}}")
	eventually(t, "the gate sees the LimitRange", func() bool {
		_, err := s.try(t, deployment("ranged", "good", plainPod), "create", "--dry-run=server", "-f", "-")
		return err == nil
	})

	// A new plan holds without a restart; a broken one changes nothing.
	g.replan(t, "nonsense")
	time.Sleep(3 * time.Second) //nolint:forbidigo // nothing is waited for: nothing may change
	refused("with a broken plan", "runs privileged", deployment("shop", "bad", privilegedPod), create...)
	g.replan(t, strings.Replace(gatePlan, "mode: off\n", "mode: off\n  excludeNamespaces: [shop]\n", 1))
	eventually(t, "the new plan holds", func() bool {
		_, err := s.try(t, deployment("shop", "excluded", privilegedPod), "create", "--dry-run=server", "-f", "-")
		return err == nil
	})
	s.wantAudited(t, "validate.coaming.dev/host-pid", "audit: fail: ")
}

// wantAudited demands an annotation in the API server's audit log.
func (s *sandbox) wantAudited(t *testing.T, key, begin string) {
	t.Helper()
	text, err := os.ReadFile(s.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var event struct{ Annotations map[string]string }
		if json.Unmarshal([]byte(line), &event) == nil && strings.HasPrefix(event.Annotations[key], begin) {
			return
		}
	}
	t.Errorf("no event of the audit log has the annotation %s: %s…", key, begin)
}
