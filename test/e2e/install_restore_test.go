package e2e

import (
	"slices"
	"strings"
	"testing"
)

// handPlan is what somebody enforces natively by hand, before anything is installed.
const handPlan = `
apiVersion: coaming.dev/v1alpha1
kind: Enforcement
spec:
  mode: off
  rules:
  - {rules: [privileged-container, host-network], namespaces: [free], mode: enforce}
`

// installAnywhere installs a gate of which no pod runs.
func (s *sandbox) installAnywhere(t *testing.T, args ...string) outcome {
	t.Helper()
	return coaming(t, append([]string{"install", "--kubeconfig", s.Kubeconfig, "--image", "example.test/coaming@sha256:" + strings.Repeat("a", 64), "--wait=false"}, args...)...)
}

// TestInstallLeavesExportedPolicies applies policies by hand and installs beside them: what refuses goes only when somebody says so.
func TestInstallLeavesExportedPolicies(t *testing.T) {
	s := startSandbox(t)
	exported := coaming(t, "policy", "export", "--plan", writeFile(t, "hand.yaml", handPlan), "--kubernetes-version", "1.36")
	wantCode(t, exported, 0)
	s.apply(t, exported.stdout)
	const policies = "validatingadmissionpolicies,validatingadmissionpolicybindings"
	there := func() []string { return strings.Fields(s.kubectl(t, "get", policies, "-o", "name")) }
	byHand := there()
	missing := func() []string {
		now := there()
		return slices.DeleteFunc(slices.Clone(byHand), func(name string) bool { return slices.Contains(now, name) })
	}
	elsewhere := writeFile(t, "plan.yaml", strings.ReplaceAll(strings.ReplaceAll(handPlan, "privileged-container, host-network", "host-pid"), "free", "other"))
	o := s.installAnywhere(t, "--plan", elsewhere)
	wantCode(t, o, 0)
	if gone := missing(); len(gone) > 0 {
		t.Fatalf("an installation removed policies that were applied by hand: %v\n%s", gone, o.stderr)
	}
	if !strings.Contains(o.stderr, "no installation wrote (--adopt removes them)") {
		t.Errorf("what stays is not told: %s", o.stderr)
	}
	if o := coaming(t, "status", "--kubeconfig", s.Kubeconfig); !strings.Contains(o.stdout, " was not installed, and holds beside what was") {
		t.Errorf("status does not tell what was applied by hand\n%s", o.stdout)
	}

	// A plan that would make something else of such a policy does so only when told to.
	for _, name := range byHand {
		if binding, is := strings.CutPrefix(name, "validatingadmissionpolicybinding.admissionregistration.k8s.io/"); is {
			s.kubectl(t, "patch", "validatingadmissionpolicybinding/"+binding, "--type=merge", "-p", `{"spec":{"validationActions":["Audit"]}}`)
		}
	}
	same := writeFile(t, "plan.yaml", handPlan)
	if o = s.installAnywhere(t, "--plan", same); o.code != 2 || !strings.Contains(o.stderr, "--adopt") {
		t.Errorf("policies of somebody else's were changed: exit code %d\n%s", o.code, o.stderr)
	}
	wantCode(t, s.installAnywhere(t, "--plan", same, "--adopt"), 0)
	if gone := missing(); len(gone) > 0 {
		t.Errorf("%v are gone, which the plan asks for", gone)
	}

	// What an installation wrote, another removes.
	wantCode(t, s.installAnywhere(t, "--plan", elsewhere), 0)
	if len(missing()) != len(byHand) {
		t.Errorf("what the earlier installation had stays: %v", there())
	}
}

// TestInstallLeavesOthersObjects has a team's quota stand under the name of ours, and a namespace be stricter than the plan: neither is changed
// unless somebody says so.
func TestInstallLeavesOthersObjects(t *testing.T) {
	s := startSandbox(t)
	s.kubectl(t, "create", "namespace", "shop")
	s.kubectl(t, "create", "namespace", "team-c")
	s.kubectl(t, "create", "quota", "coaming", "-n", "shop", "--hard=pods=3")
	s.kubectl(t, "label", "namespace", "team-c", "pod-security.kubernetes.io/enforce=restricted")
	plan := writeFile(t, "plan.yaml", `
apiVersion: coaming.dev/v1alpha1
kind: Enforcement
metadata: {name: others}
spec:
  mode: off
  quotas: [{namespaces: [shop], hard: {pods: 50}}]
  podSecurity: [{namespaces: ["team-*"], enforce: baseline}]
`)
	state := func() string {
		return s.kubectl(t, "get", "quota", "coaming", "-n", "shop", "-o", "jsonpath={.spec.hard.pods}") + " " +
			s.kubectl(t, "get", "namespace", "team-c", "-o", `jsonpath={.metadata.labels.pod-security\.kubernetes\.io/enforce}`)
	}
	o := s.installAnywhere(t, "--plan", plan)
	if o.code != 2 || !strings.Contains(o.stderr, "ResourceQuota shop/coaming") || !strings.Contains(o.stderr, "Namespace team-c") || !strings.Contains(o.stderr, "--adopt") || state() != "3 restricted" {
		t.Errorf("exit code %d, %s: %s", o.code, state(), o.stderr)
	}
	o = s.installAnywhere(t, "--plan", plan, "--dry-run")
	if got := strings.Count(o.stdout, "not change without --adopt"); o.code != 0 || got != 2 {
		t.Errorf("exit code %d, what is not changed: %s", o.code, o.stdout)
	}
	wantCode(t, s.installAnywhere(t, "--plan", plan, "--adopt"), 0)
	if state() != "50 baseline" {
		t.Errorf("adopted: %s", state())
	}
	wantCode(t, s.installAnywhere(t, "--plan", plan), 0) // they are the installation's now
}

// TestInstallRestoresDivertedWebhook has somebody point the webhook elsewhere, by a url beside which the service of the installation is
// no valid configuration: another installation restores it.
func TestInstallRestoresDivertedWebhook(t *testing.T) {
	s := startSandbox(t)
	wantCode(t, s.installAnywhere(t), 0)
	s.kubectl(t, "annotate", "validatingwebhookconfiguration/coaming-gate", "team=shop")
	s.kubectl(t, "patch", "validatingwebhookconfiguration/coaming-gate", "--type=json",
		"-p", `[{"op":"replace","path":"/webhooks/0/clientConfig","value":{"url":"https://elsewhere.example.com/x"}}]`)
	wantCode(t, s.installAnywhere(t), 0)
	const path = "-o=jsonpath={.webhooks[0].clientConfig.url}{.webhooks[0].clientConfig.service.name} {.metadata.annotations.team}"
	if got := s.kubectl(t, "get", "validatingwebhookconfiguration/coaming-gate", path); got != "coaming-gate shop" {
		t.Errorf("the webhook is at %q, want the service and the annotation of others'", got)
	}
}
