package cli

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/install"
)

// someImage is an image by digest, which nobody pulls.
const someImage = "registry.example.com/coaming@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// TestGateMayReadWhatItsRulesAsk holds the chart's role to the rules: the gate may list and watch the kinds that they ask
// for; Secrets never.
func TestGateMayReadWhatItsRulesAsk(t *testing.T) {
	brief, err := catalog.Brief()
	if err != nil {
		t.Fatal(err)
	}
	rules, err := catalog.Compile(brief)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := enforcement.Read("plan.yaml", "apiVersion: coaming.dev/v1alpha1\nkind: Enforcement\nspec: {mode: enforce}\n")
	if err != nil {
		t.Fatal(err)
	}
	objects, err := install.Render(t.Context(), nil, "1.36")
	if err != nil {
		t.Fatal(err)
	}
	watched := map[string]bool{}
	for _, o := range objects {
		if o.GetKind() != "ClusterRole" {
			continue
		}
		list, _, _ := unstructured.NestedSlice(o.Object, "rules")
		for _, item := range list {
			words := func(name string) []string {
				words, _, _ := unstructured.NestedStringSlice(item.(map[string]any), name)
				return words
			}
			if !slices.Contains(words("verbs"), "list") || !slices.Contains(words("verbs"), "watch") || len(words("resourceNames")) > 0 {
				continue
			}
			for _, group := range words("apiGroups") {
				for _, resource := range words("resources") {
					watched[strings.TrimSuffix(resource+"."+group, ".")] = true
				}
			}
		}
	}
	kinds, _ := admission.New(admission.Options{Plan: plan, Rules: rules, Version: catalog.Newest}).Around()
	for _, kind := range kinds {
		name, group := fact.SplitKind(kind)
		resource := strings.ToLower(name) + "s"
		if before, ok := strings.CutSuffix(name, "y"); ok {
			resource = strings.ToLower(before) + "ies"
		}
		if may := watched[strings.TrimSuffix(resource+"."+group, ".")]; may == (kind == "Secret") {
			t.Errorf("rules ask for %s; that the gate may watch it is %t (deploy/chart/templates/rights.yaml)", kind, may)
		}
	}
}

// TestOwnManifestsPass scans what an installation consists of, by all rules and with nothing excused, and looks for paths from it.
func TestOwnManifestsPass(t *testing.T) {
	const chart = "../../deploy/chart"
	run := func(stdin string, args ...string) (int, string) {
		var out bytes.Buffer
		code := Run(t.Context(), Env{
			Args: args, Name: "coaming", Version: "test", Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &out,
			Getenv: func(string) string { return "" }, Now: time.Now,
		})
		return code, out.String()
	}
	for name, args := range map[string][]string{
		"as it is":       {chart},
		"with namespace": {chart, "--set", "namespace.create=true", "--set", "exceptions=[]", "--set", "rights.validatingadmissionpolicies={coaming-a}"},
		"with images":    {chart, "--set", "plan.spec.images[0].pin=true", "--set", "images.registryConfig=registries: {}"},
		"cert-manager":   {chart, "--set", "certificates.certManager.enabled=true"},
	} {
		if code, out := run("", append([]string{"scan", "--exceptions-from", "none"}, args...)...); code != 0 {
			t.Errorf("scan %s: exit code %d\n%s", name, code, out)
		}
	}
	file := t.TempDir() + "/installed.yaml"
	code, out := run("", "install", "--image", someImage, "--kubernetes-version", "1.36", "--output", "yaml")
	if code != 0 {
		t.Fatalf("install: exit code %d\n%s", code, out)
	}
	if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out, "PRIVATE KEY") || strings.Contains(out, "kind: Secret") {
		t.Error("a key is printed")
	}
	if code, out := run("", "scan", "--exceptions-from", "none", file); code != 0 {
		t.Errorf("scan what is installed: exit code %d\n%s", code, out[max(0, len(out)-3000):])
	}
	for name, plan := range map[string]string{
		"everything enforced": "  mode: enforce\n",
		"enforced in parts": "  mode: audit\n  rules:\n  - {severity: high, namespaces: [shop, 'team-*'], mode: enforce}\n" +
			"  - {practices: [pod], namespaceSelector: {matchLabels: {tier: lab}}, mode: warn}\n  - {rules: [host-pid], namespaces: [bank], mode: enforce, onError: fail}\n",
	} {
		values := t.TempDir() + "/values.yaml"
		granted := "exceptions: |\n  exceptions:\n  - {rules: [host-pid, host-network], selector: {kind: Deployment, name: agent}, namespace: shop, owner: ann, reason: it watches processes, expires: " +
			time.Now().AddDate(0, 1, 0).Format(time.DateOnly) + "}\n"
		if err := errors.Join(os.WriteFile(file, []byte("apiVersion: coaming.dev/v1alpha1\nkind: Enforcement\nmetadata: {name: default}\nspec:\n"+plan), 0o600), os.WriteFile(values, []byte(granted), 0o600)); err != nil {
			t.Fatal(err)
		}
		code, out := run("", "install", "--image", someImage, "--kubernetes-version", "1.36", "--plan", file, "--values", values, "--output", "yaml")
		if code != 0 || !strings.Contains(out, "host-pid.changed") || !strings.Contains(out, "- Deny") {
			t.Fatalf("%s: install: exit code %d\n%s", name, code, out[max(0, len(out)-3000):])
		}
		_, out, _ = strings.Cut(out, "---\n")
		if code, told := run("---\n"+out, "scan", "--exceptions-from", "none", "-"); code != 0 {
			t.Errorf("%s: scan what is installed: exit code %d\n%s", name, code, told[max(0, len(told)-3000):])
		}
	}
	if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"cluster-admin", "node", "secret"} {
		if code, out := run("", "paths", "--from", "sa:coaming-system/coaming-gate", "--to", to, file); code != 0 || !strings.Contains(out, "no path") {
			t.Errorf("paths to %s: exit code %d\n%s", to, code, out)
		}
	}
	// What gate.repair opens is one path, and it is told.
	code, out = run("", "scan", "--exceptions-from", "none", chart, "--set", "gate.repair=true")
	if code != 1 || !strings.Contains(out, "1 finding at or over") || !strings.Contains(out, "have the API server send its writes to a webhook") {
		t.Errorf("the path that gate.repair opens: exit code %d\n%s", code, out)
	}
}
