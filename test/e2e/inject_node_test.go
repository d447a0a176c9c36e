package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"

	"github.com/coaming/coaming/internal/inject"
	"github.com/coaming/coaming/internal/verdict"
)

// Images of the test's own, by the name of what they stand in for.
const (
	forwarderImage = "sandbox.test/fluent-bit-stand-in:1"
	agentImage     = "sandbox.test/falco-stand-in:1"
	programImage   = "sandbox.test/auditing-program:1"
)

const nodePlan = `
apiVersion: coaming.dev/v1alpha1
kind: Enforcement
metadata: {name: node}
spec:
  onError: fail
  mutations:
    sidecars:
    - {template: audit-forwarder, namespaces: [by-policy], values: {image: "` + forwarderImage + `"}}
    - {template: audit-forwarder, namespaces: [by-patch], values: {image: "` + forwarderImage + `", output: "{name: http, match: '*', host: 127.0.0.1, port: 54827, format: json}"}}
    - {template: falco-agent, namespaces: [by-policy, by-patch], values: {image: "` + agentImage + `"}}
`

// auditJob is a job whose program writes an audit log, and goes on only if the sidecars were there first. The namespace
// holds its pods to the restricted Pod Security standard.
const auditJob = `{apiVersion: batch/v1, kind: Job, metadata: {name: audited, namespace: NAMESPACE}, spec: {backoffLimit: 0, template: {metadata: {labels: {app: audited}}, spec: {
restartPolicy: Never, automountServiceAccountToken: false,
securityContext: {runAsNonRoot: true, runAsUser: 10001, seccompProfile: {type: RuntimeDefault}},
containers: [{name: program, image: "` + programImage + `", imagePullPolicy: Never, args: [program, /var/log/audit, "sign-in of eve: invalid password"],
securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]}}}}`

// TestInjectedSidecarsRun runs a job on a real node with the sidecars of both shipped templates, injected by the API server's
// policies and by a patch of the manifest: they start before the program and end after it, the job completes, and what the
// program wrote was forwarded and judged.
func TestInjectedSidecarsRun(t *testing.T) {
	f := &field{sandbox: startSandbox(t, "--node")}
	program := filepath.Join(t.TempDir(), "standin")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", program, "./standin")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the pods' program: %v\n%s", err, out)
	}
	for _, image := range []string{forwarderImage, agentImage, programImage} {
		f.onNode(t, "load", "--dir", f.Dir, "--image", image, program)
	}
	for _, namespace := range []string{"by-policy", "by-patch"} {
		f.apply(t, `{apiVersion: v1, kind: Namespace, metadata: {name: `+namespace+`, labels: {pod-security.kubernetes.io/enforce: restricted}}}`)
	}
	plan := writeFile(t, "plan.yaml", nodePlan)

	patched := coaming(t, "inject", "--plan", plan, "--format", "yaml", writeFile(t, "job.yaml", strings.ReplaceAll(auditJob, "NAMESPACE", "by-patch")))
	wantCode(t, patched, verdict.ExitClean)
	f.apply(t, patched.stdout)
	f.holdJob(t, "by-patch")

	policies := coaming(t, "inject", "--plan", plan, "--policies", "--kubernetes-version", "1.36")
	wantCode(t, policies, verdict.ExitClean)
	f.apply(t, policies.stdout)
	time.Sleep(3 * time.Second) //nolint:forbidigo // policies are taken up once a second, and nothing tells of the last
	f.apply(t, strings.ReplaceAll(auditJob, "NAMESPACE", "by-policy"))
	f.holdJob(t, "by-policy")
	f.holdDrift(t, plan)
}

// holdJob waits for the job, and holds what became of its pod to what was promised.
func (f *field) holdJob(t *testing.T, namespace string) {
	t.Helper()
	var pods core.PodList
	defer func() {
		if t.Failed() {
			t.Log(f.kubectl(t, "--namespace", namespace, "get", "pods,events", "-o", "wide"))
		}
	}()
	eventually(t, "the job in "+namespace+" is done", func() bool {
		var job batch.Job
		if err := json.Unmarshal([]byte(f.kubectl(t, "--namespace", namespace, "get", "job", "audited", "-o", "json")), &job); err != nil {
			t.Fatal(err)
		}
		if job.Status.Failed > 0 {
			t.Errorf("%s: the program failed: %s", namespace, f.kubectl(t, "--namespace", namespace, "logs", "job/audited", "--container", "program"))
			return true
		}
		return job.Status.Succeeded == 1
	})
	if err := json.Unmarshal([]byte(f.kubectl(t, "--namespace", namespace, "get", "pods", "-o", "json")), &pods); err != nil || len(pods.Items) != 1 {
		t.Fatalf("%s: %d pods, %v", namespace, len(pods.Items), err)
	}
	pod := &pods.Items[0]
	if got := pod.Annotations[inject.InjectedKey]; got != "audit-forwarder@1.0.0,falco-agent@1.0.0" {
		t.Errorf("%s: injected %q", namespace, got)
	}
	logs := func(container string) string {
		return f.kubectl(t, "--namespace", namespace, "logs", pod.Name, "--container", container)
	}
	if got := logs("program"); !strings.Contains(got, "both sidecars were there first") {
		t.Errorf("%s: the program said %q", namespace, got)
	}
	ended := pod.Status.ContainerStatuses[0].State.Terminated
	for _, s := range pod.Status.InitContainerStatuses {
		if s.State.Terminated == nil || ended == nil || s.State.Terminated.FinishedAt.Before(&ended.FinishedAt) || s.State.Terminated.ExitCode != 0 {
			t.Errorf("%s: sidecar %s did not end, well, after the program: %+v", namespace, s.Name, s.State)
		}
		if s.State.Terminated != nil && ended != nil && ended.StartedAt.Before(&s.State.Terminated.StartedAt) {
			t.Errorf("%s: sidecar %s began after the program", namespace, s.Name)
		}
	}
	alerts := logs("falco-agent")
	posted := fmt.Sprintf("{\n  %q: %q\n}", "log", "sign-in of eve: invalid password")
	told := []string{posted}
	if namespace == "by-patch" { // there the forwarder posts to the agent, too
		told = append(told, `"pod": "`+pod.Name+`"`)
	} else if got := logs("audit-forwarder"); !strings.Contains(got, `"log":"sign-in of eve: invalid password"`) || !strings.Contains(got, `"pod":"`+pod.Name+`"`) {
		t.Errorf("%s: forwarded was %s", namespace, got)
	}
	for line := range strings.Lines(alerts) {
		var alert struct {
			Rule, Priority, Source, Output, Time, Hostname string
			Tags                                           []string
			OutputFields                                   map[string]any `json:"output_fields"`
		}
		if err := json.Unmarshal([]byte(line), &alert); err != nil || alert.Rule != "Refused sign-in" || alert.Priority != "NOTICE" || alert.Source != "collector" || len(alert.Tags) != 2 {
			t.Errorf("%s: the agent told %q, %v", namespace, line, err)
		}
		told = slices.DeleteFunc(told, func(of string) bool { return strings.Contains(fmt.Sprint(alert.OutputFields["json.obj"]), of) })
	}
	if len(told) > 0 {
		t.Errorf("%s: the agent told nothing of %q: %q", namespace, told, alerts)
	}
}

// holdDrift looks at a pod that is still there: as injected, with a newer template, and changed by somebody.
func (f *field) holdDrift(t *testing.T, plan string) {
	t.Helper()
	f.apply(t, strings.NewReplacer("NAMESPACE", "by-policy", "apiVersion: batch/v1, kind: Job", "apiVersion: v1, kind: Pod", "name: audited", "name: stays",
		"spec: {backoffLimit: 0, template: {metadata: {labels: {app: audited}}, ", "", "restartPolicy: Never", "restartPolicy: Always").Replace(strings.TrimSuffix(auditJob, "}}")))
	check := func(code int, want string, args ...string) {
		t.Helper()
		o := coaming(t, append([]string{"inject", "--check", "--cluster", "--kubeconfig", f.Kubeconfig, "--allow-unknown"}, args...)...)
		wantCode(t, outcome{code: o.code, stderr: o.stdout + o.stderr}, code)
		if !strings.Contains(o.stdout, want) {
			t.Errorf("want %q in\n%s", want, o.stdout)
		}
	}
	check(verdict.ExitClean, "nothing has drifted", "--plan", plan)
	newer := strings.Replace(nodePlan, forwarderImage, "sandbox.test/fluent-bit-stand-in:2", 1)
	check(verdict.ExitFindings, "container audit-forwarder.image is not what the template says", "--plan", writeFile(t, "newer.yaml", newer))
	text, _ := inject.ShippedText("audit-forwarder")
	template := writeFile(t, "template.yaml", strings.Replace(text, "version: 1.0.0", "version: 1.1.0", 1))
	check(verdict.ExitFindings, "it is version 1.0.0, and the template is version 1.1.0", "--plan", plan, "--template", template)
	f.kubectl(t, "--namespace", "by-policy", "annotate", "--overwrite", "pod", "stays", "coaming.dev/falco-agent-rules=[]")
	check(verdict.ExitFindings, "annotation coaming.dev/falco-agent-rules is not what the template says", "--plan", plan)
}
