package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// mutatePlan asks for every mutation that there is: a fix that a policy can make and one that none can, resources, and sidecars.
const mutatePlan = `
apiVersion: coaming.dev/v1alpha1
kind: Enforcement
metadata: {name: mutate}
spec:
  mode: off
  mutations:
    defaults: [{rules: [%s], namespaces: [shop]}]
    resources: [{namespaces: [shop], requests: {cpu: 5m, memory: 16Mi}}]
    sidecars:
    - {template: audit-forwarder, namespaces: [shop], workloadSelector: {matchLabels: {audit: "on"}}, values: {image: "example.test/forwarder:1", path: /var/log/shop}}
    - {template: own, namespaces: [shop], workloadSelector: {matchLabels: {audit: "on"}}}
`

// ownTemplate is a sidecar of the user's own.
const ownTemplate = `
apiVersion: coaming.dev/v1alpha1
kind: SidecarTemplate
metadata: {name: own}
spec:
  version: 0.1.0
  about: It waits.
  sidecars:
  - name: waits
    image: example.test/waits:1
    resources: {requests: {cpu: 5m, memory: 8Mi}, limits: {memory: 8Mi}}
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}
`

// TestInstallMutates installs a plan with mutations on a real node and creates pods: the API server's own policies change them
// where they can, the webhook alone does the rest, and, told so, all of it.
func TestInstallMutates(t *testing.T) {
	d := newDrill(t)
	d.kubectl(t, "create", "namespace", "shop")
	plan := func(rules string) string { return writeFile(t, "plan.yaml", fmt.Sprintf(mutatePlan, rules)) }
	const natives = "seccomp-missing, capabilities-not-dropped"
	template := writeFile(t, "own.yaml", ownTemplate)
	d.install(t, "--image", d.image, "--set", "image.pullPolicy=Never", "--plan", plan(natives), "--template", "own="+template)
	policies := d.kubectl(t, "get", "mutatingadmissionpolicies", "-l", "app.kubernetes.io/managed-by=coaming", "-o", "name")
	if n := len(strings.Fields(policies)); n != 4 {
		t.Fatalf("mutating policies are %q, want one for each rule, one for resources and one for sidecars", policies)
	}
	if d.there(t, "mutatingwebhookconfiguration/coaming-gate") {
		t.Error("a webhook is asked though policies do all that the plan asks")
	}
	d.status(t, 0, "")
	d.mutates(t, "by policies", true, false)

	// What somebody edits is told, and taken back.
	d.kubectl(t, "patch", "mutatingadmissionpolicybinding/coaming-sidecars", "--type=merge", "-p", `{"spec":{"matchResources":{"objectSelector":{"matchLabels":{"a":"b"}}}}}`)
	d.status(t, 1, "MutatingAdmissionPolicyBinding coaming-sidecars was edited: spec.matchResources.objectSelector")
	d.told(t, "Drift")
	d.install(t)
	d.status(t, 0, "")

	// A fix that no policy can make is the webhook's, and nothing else.
	d.install(t, "--plan", plan(natives+", service-account-token-unused"))
	if !d.there(t, "mutatingwebhookconfiguration/coaming-gate") {
		t.Error("no webhook is asked for what no policy can do")
	}
	d.renewed(t)
	d.status(t, 0, "")
	d.mutates(t, "by both", true, true)

	// A plan that is edited where it lies needs what only who installs can do: another policy of either kind.
	d.kubectl(t, "patch", "configmap/coaming-enforcement", "-n", "coaming-system", "--type=merge", "-p", d.planPatch(t, plan("seccomp-missing, service-account-token-unused"),
		"  rules: [{rules: [privileged-container], namespaces: [shop], mode: warn}]\n"))
	d.renewed(t)
	within(t, 60*time.Second, "what is left to do is told", func() bool {
		text := d.kubectl(t, "get", "events", "-n", "coaming-system", "--field-selector", "reason=InstallAgain", "-o", "jsonpath={.items[*].message}")
		return strings.Contains(text, "coaming-capabilities-not-dropped-fix is no longer asked for by the plan") && strings.Contains(text, "its name is not among those that may be written")
	})
	d.status(t, 1, "its plan asks for what only 'coaming install --plan FILE' can do")
	d.install(t, "--plan", plan(natives))

	d.install(t, "--set", "mutations.native=never")
	d.renewed(t)
	if d.kubectl(t, "get", "mutatingadmissionpolicies", "-l", "app.kubernetes.io/managed-by=coaming", "-o", "name") != "" {
		t.Error("the policies are still there, and so is the webhook")
	}
	d.status(t, 0, "")
	d.mutates(t, "by the webhook", true, false)

	d.install(t, "--set", "mutations.native=auto")
	wantCode(t, d.coaming(t, "uninstall"), 0)
	for _, resource := range []string{"mutatingadmissionpolicies", "mutatingadmissionpolicybindings", "mutatingwebhookconfigurations"} {
		if left := d.kubectl(t, "get", resource, "-l", "app.kubernetes.io/managed-by=coaming", "-o", "name"); left != "" {
			t.Errorf("left: %s", left)
		}
	}
	within(t, 20*time.Second, "pods are as they are written", func() bool { return d.injected(t) == "" })
}

func (d *drill) there(t *testing.T, name string) bool {
	t.Helper()
	_, _, err := d.Kubectl(t, "", "--kubeconfig="+d.Kubeconfig, "get", name)
	return err == nil
}

// renewed replaces the gate's pods: new ones see at once what ConfigMaps hold, which others see within a minute or two.
func (d *drill) renewed(t *testing.T) {
	t.Helper()
	d.kubectl(t, "delete", "pods", "-n", "coaming-system", "-l", "app.kubernetes.io/name=coaming-gate", "--force", "--grace-period=0")
	within(t, 90*time.Second, "the pods are there again", func() bool {
		return d.kubectl(t, "get", "deployment", "coaming-gate", "-n", "coaming-system", "-o", "jsonpath={.status.readyReplicas}") == "2"
	})
}

// planPatch is a patch of the ConfigMap with another plan.
func (d *drill) planPatch(t *testing.T, file, more string) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"data": map[string]string{"plan.yaml": readText(t, file) + more}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// injected is what a new pod says of its sidecars.
func (d *drill) injected(t *testing.T) string {
	t.Helper()
	metadata, _ := d.made(t)["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	text, _ := annotations["coaming.dev/injected"].(string)
	return text
}

// made is a new pod as the API server makes it, and not keeps it.
func (d *drill) made(t *testing.T) map[string]any {
	t.Helper()
	out, message, err := d.Kubectl(t, `{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {audit: "on"}}, spec: {containers: [{name: web, image: "example.test/none:1"}]}}`,
		"--kubeconfig="+d.Kubeconfig, "create", "--dry-run=server", "-o", "json", "-f", "-")
	if err != nil {
		t.Fatalf("create: %s", message)
	}
	var pod map[string]any
	if err := json.Unmarshal([]byte(out), &pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

// mutates says what must become of a new pod.
func (d *drill) mutates(t *testing.T, how string, all, token bool) {
	t.Helper()
	within(t, 150*time.Second, how+" a pod gets its sidecars", func() bool {
		return strings.Contains(d.injected(t), "audit-forwarder@") == all && strings.Contains(d.injected(t), "own@0.1.0") == all
	})
	within(t, 150*time.Second, how+" a pod gets its defaults", func() bool {
		text, err := json.Marshal(d.made(t)["spec"])
		if err != nil {
			t.Fatal(err)
		}
		for want, wanted := range map[string]bool{
			`"seccompProfile":{"type":"RuntimeDefault"}`: all, `"drop":["ALL"]`: all, `"requests":{"cpu":"5m","memory":"16Mi"}`: all,
			`"automountServiceAccountToken":false`: token,
		} {
			if strings.Contains(string(text), want) != wanted {
				t.Logf("%s: %s is there: %t, want %t", how, want, !wanted, wanted)
				return false
			}
		}
		return true
	})
}
