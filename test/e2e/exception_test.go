package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/verdict"
)

// excused is a deployment that its own annotation excuses of one fault, and that has two more.
const excused = `
apiVersion: v1
kind: Namespace
metadata: {name: excused}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: agent
  namespace: excused
  labels: {app: agent}
  annotations:
    coaming.dev/exception.host-pid: owner=ann reason="it looks at processes" expires=DAY
spec:
  replicas: 0
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      hostPID: true
      hostNetwork: true
      containers:
      - {name: agent, image: registry.example.com/agent:1, securityContext: {privileged: true}}
`

// exceptionObject is an Exception; what differs from a good one comes in place of the good field.
func exceptionObject(name, namespace string, instead map[string]string) string {
	fields := []struct{ key, value string }{
		{"rules", "[privileged-container]"},
		{"fingerprints", ""},
		{"selector", "{kind: Deployment, name: agent}"},
		{"namespace", ""},
		{"image", ""},
		{"atMost", ""},
		{"owner", "ann"},
		{"reason", "it needs the disks"},
		{"expires", `"DAY"`},
		{"ticket", ""},
	}
	var text strings.Builder
	text.WriteString("apiVersion: coaming.dev/v1alpha1\nkind: Exception\nmetadata: {name: " + name + ", namespace: " + namespace + "}\nspec:\n")
	for _, f := range fields {
		if other, found := instead[f.key]; found {
			f.value = other
		}
		if f.value != "" {
			text.WriteString("  " + f.key + ": " + f.value + "\n")
		}
	}
	return text.String() + instead["more"]
}

// day is a text with a day in its place.
func day(text, when string) string { return strings.ReplaceAll(text, "DAY", when) }

// TestExceptionObjects asks the API server what it takes as an Exception, and scans the cluster, and a
// snapshot of it, by those that it stores.
func TestExceptionObjects(t *testing.T) {
	s := startSandbox(t)
	definition, err := os.ReadFile("../../deploy/crd/exceptions.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s.apply(t, string(definition))
	s.kubectl(t, "wait", "--for=condition=Established", "crd/exceptions.coaming.dev")
	soon := time.Now().AddDate(0, 0, 30).Format("2006-01-02")
	past := time.Now().AddDate(0, 0, -1).Format("2006-01-02")
	s.apply(t, day(excused, soon))
	s.kubectl(t, "create", "namespace", "coaming-system")

	t.Run("what the server takes", func(t *testing.T) {
		good := map[string]map[string]string{
			"one object":   {},
			"fingerprints": {"selector": "", "fingerprints": `["0123456789abcdef"]`},
			"labels":       {"selector": "{labels: {app: agent}}", "atMost": "2"},
			"image":        {"selector": "", "image": "sha256:" + strings.Repeat("0a", 32), "atMost": "1", "ticket": "SEC-1"},
			"a moment":     {"expires": `"2027-01-31T12:00:00Z"`},
		}
		bad := map[string]map[string]string{
			"no owner":        {"owner": ""},
			"a blank owner":   {"owner": `" "`},
			"no reason":       {"reason": ""},
			"no expiry":       {"expires": ""},
			"no day":          {"expires": "tomorrow"},
			"no rules":        {"rules": ""},
			"empty rules":     {"rules": "[]"},
			"a pattern":       {"rules": `["*"]`},
			"no scope":        {"selector": ""},
			"labels alone":    {"selector": "{labels: {app: agent}}"},
			"an empty choice": {"selector": "{}", "atMost": "1"},
			"empty labels":    {"selector": "{labels: {}}", "atMost": "1"},
			"a name alone":    {"selector": "{name: agent}"},
			"a name pattern":  {"selector": `{kind: Deployment, name: "*"}`},
			"no digest":       {"selector": "", "image": "nginx", "atMost": "1"},
			"a fingerprint":   {"selector": "", "fingerprints": "[abc]"},
			"every namespace": {"namespace": `"*"`},
			"atMost 0":        {"atMost": "0"},
			"an unknown key":  {"more": "  rule: host-pid\n"},
		}
		for name, instead := range good {
			s.apply(t, day(exceptionObject("good-"+strings.ReplaceAll(name, " ", "-"), "default", instead), soon))
		}
		for name, instead := range bad {
			text := day(exceptionObject("bad", "default", instead), soon)
			if _, message, err := s.Kubectl(t, text, "--kubeconfig="+s.Kubeconfig, "apply", "-f", "-"); err == nil {
				t.Errorf("%s: the API server took it", name)
			} else if !strings.Contains(message, "nvalid") && !strings.Contains(message, "unknown field") {
				t.Errorf("%s: refused for another reason: %s", name, message)
			}
		}
		s.kubectl(t, "delete", "exceptions", "--all", "-n", "default")
	})

	args := []string{"--cluster", "--kubeconfig", s.Kubeconfig, "-n", "excused", "--rule", "privileged-container,host-pid,host-network"}
	verdicts := func(args []string, codes ...int) map[string]verdict.Verdict {
		found := map[string]verdict.Verdict{}
		for _, f := range scan(t, codes, args...).Findings {
			found[f.Rule] = f.Verdict
		}
		return found
	}
	expect := func(t *testing.T, got map[string]verdict.Verdict, rule string, want verdict.Verdict) {
		t.Helper()
		if got[rule] != want {
			t.Errorf("%s: %s, want %s", rule, got[rule], want)
		}
	}
	t.Run("an annotation lives on", func(t *testing.T) {
		got := verdicts(args, 1)
		expect(t, got, "host-pid", verdict.Exempt)
		expect(t, got, "privileged-container", verdict.Fail)
		got = verdicts(append(slices.Clip(args), "--no-inline-exceptions"), 1)
		expect(t, got, "host-pid", verdict.Fail)
	})
	t.Run("objects", func(t *testing.T) {
		s.apply(t, day(exceptionObject("past", "excused", map[string]string{"rules": "[host-network]"}), past))
		s.apply(t, day(exceptionObject("near", "excused", nil), soon))
		got := verdicts(args, 1)
		expect(t, got, "privileged-container", verdict.Exempt)
		expect(t, got, "host-network", verdict.Fail)
		expect(t, verdicts(append(slices.Clip(args), "--exceptions-from", "files,inline"), 1), "privileged-container", verdict.Fail)

		ledger := scan(t, []int{1}, args...).Ledger
		if n := ledger.Count(verdict.Expired); n != 1 {
			t.Errorf("%d expired, want 1: %+v", n, ledger.Exceptions)
		}
	})
	t.Run("elsewhere", func(t *testing.T) {
		// In another namespace it reaches nothing here; in coaming-system it does.
		s.kubectl(t, "delete", "exceptions", "--all", "-n", "excused")
		s.apply(t, day(exceptionObject("far", "default", nil), soon))
		all := []string{"--cluster", "--kubeconfig", s.Kubeconfig, "--rule", "privileged-container,host-pid,host-network"}
		expect(t, verdicts(all, 1), "privileged-container", verdict.Fail)
		s.apply(t, day(exceptionObject("far", "coaming-system", map[string]string{"namespace": "excused"}), soon))
		expect(t, verdicts(all, 1), "privileged-container", verdict.Exempt)
		expect(t, verdicts(args, 1), "privileged-container", verdict.Exempt)

		file := t.TempDir() + "/cluster.coaming"
		wantCode(t, coaming(t, "snapshot", "-o", file, "--kubeconfig", s.Kubeconfig), 0)
		got := verdicts([]string{file, "--rule", "privileged-container,host-pid,host-network"}, 1)
		expect(t, got, "privileged-container", verdict.Exempt)
		expect(t, got, "host-pid", verdict.Exempt)
		expect(t, got, "host-network", verdict.Fail)
	})
	t.Run("who may not read them", func(t *testing.T) {
		role := coaming(t, "snapshot", "--print-role")
		blind := strings.Replace(role.stdout, "resources: [exceptions]", "resources: [others]", 1)
		if blind == role.stdout {
			t.Fatal("the printed role does not grant exceptions")
		}
		s.apply(t, blind)
		s.kubectl(t, "create", "clusterrolebinding", "coaming-scan", "--clusterrole=coaming-scan", "--user=scanner")
		res := scan(t, []int{1}, "--cluster", "--kubeconfig", s.User(t, "--user", "scanner"), "--rule", "privileged-container")
		if len(res.Coverage.Gaps) > 0 {
			t.Errorf("gaps: %+v", res.Coverage.Gaps)
		}
		if !slices.ContainsFunc(res.Coverage.Exclusions, func(e verdict.Exclusion) bool { return e.What == "Exception.coaming.dev" }) {
			t.Errorf("that exceptions were not read is not told: %+v", res.Coverage.Exclusions)
		}
		if !slices.ContainsFunc(res.Findings, func(f verdict.Finding) bool { return f.Subject.Namespace == "excused" && f.Verdict == verdict.Fail }) {
			t.Error("what nobody could read excuses something")
		}
	})
}
