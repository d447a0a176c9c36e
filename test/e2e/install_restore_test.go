package e2e

import (
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

func (s *sandbox) has(t *testing.T, kind, name string) bool {
	t.Helper()
	return strings.Contains(s.kubectl(t, "get", kind, "-o", "name"), "/"+name+"\n")
}

// TestInstallLeavesExportedPolicies applies policies by hand and installs beside them: what refuses goes only when somebody says so.
func TestInstallLeavesExportedPolicies(t *testing.T) {
	s := startSandbox(t)
	exported := coaming(t, "policy", "export", "--plan", writeFile(t, "hand.yaml", handPlan), "--kubernetes-version", "1.36")
	wantCode(t, exported, 0)
	s.apply(t, exported.stdout)
	const policies = "validatingadmissionpolicy"

	o := s.installAnywhere(t)
	wantCode(t, o, 0)
	if !s.has(t, policies, "coaming-privileged-container") || !s.has(t, policies, "coaming-host-network") {
		t.Fatalf("an installation without a plan removed policies that were applied by hand\n%s", o.stderr)
	}
	if !strings.Contains(o.stderr, "no installation wrote (--adopt removes them)") {
		t.Errorf("what stays is not told: %s", o.stderr)
	}
	if o := coaming(t, "status", "--kubeconfig", s.Kubeconfig); !strings.Contains(o.stdout, "coaming-host-network was not installed, and holds beside what was") {
		t.Errorf("status does not tell what was applied by hand\n%s", o.stdout)
	}

	// A plan that would have the same policy hold elsewhere takes it over only when told so, and nothing of it before.
	elsewhere := writeFile(t, "plan.yaml", strings.ReplaceAll(strings.ReplaceAll(handPlan, "free", "other"), ", host-network", ""))
	if o = s.installAnywhere(t, "--plan", elsewhere); o.code == 0 || !strings.Contains(o.stderr, "--adopt") {
		t.Errorf("a policy of somebody else's was changed: exit code %d\n%s", o.code, o.stderr)
	}
	wantCode(t, s.installAnywhere(t, "--plan", elsewhere, "--adopt"), 0)
	if !s.has(t, policies, "coaming-privileged-container") || s.has(t, policies, "coaming-host-network") {
		t.Error("--adopt did not make the cluster be as planned")
	}

	// What an installation wrote it also removes.
	wantCode(t, s.installAnywhere(t, "--reset-values"), 0)
	if s.has(t, policies, "coaming-privileged-container") {
		t.Error("what an earlier installation had stays")
	}
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
