package e2e

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/verdict"
)

// TestFixesAreMadeOnce demands of the second run of coaming fix --apply that it changes nothing, without choices and
// with all of them taken, and that the first run changed something.
func TestFixesAreMadeOnce(t *testing.T) {
	coamingBinary(t)
	for _, tree := range []string{shop + "/base/backoffice", shop + "/base/platform", filepath.Join(corpus, "bank-of-anthos")} {
		t.Run(filepath.Base(tree), func(t *testing.T) {
			if _, err := os.Stat(tree); err != nil {
				t.Skipf("no %s beside this checkout", tree)
			}
			fixed := filepath.Join(t.TempDir(), "tree")
			if err := os.CopyFS(fixed, os.DirFS(tree)); err != nil {
				t.Fatal(err)
			}
			texts := textsOf(t, fixed)
			for _, flags := range [][]string{nil, {"--accept-proposed"}} {
				args := slices.Concat([]string{"fix", "--apply"}, flags, []string{fixed})
				if out := coaming(t, args...); out.code == int(verdict.ExitError) {
					t.Fatalf("%v: %s", args, out.stderr)
				}
				once := textsOf(t, fixed)
				if cmp.Equal(texts, once) {
					t.Errorf("%v changes nothing", args)
				}
				out := coaming(t, args...)
				if out.code == int(verdict.ExitError) || !strings.Contains(out.stdout, "\n0 files written\n") {
					t.Errorf("%v for the second time: exit code %d\n%s%s", args, out.code, out.stdout, out.stderr)
				}
				if diff := cmp.Diff(once, textsOf(t, fixed)); diff != "" {
					t.Errorf("%v for the second time (-before +after):\n%s", args, diff)
				}
				texts = once
			}
		})
	}
}

// textsOf are the contents of all files of a tree.
func textsOf(t *testing.T, tree string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	err := filepath.WalkDir(tree, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		texts[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// TestSnapshotIsFixedByScript runs what coaming fix --beside writes for a snapshot, and demands that the cluster
// then lacks the findings: objects are patched, and new ones applied.
func TestSnapshotIsFixedByScript(t *testing.T) {
	s := startSandbox(t)
	s.apply(t, `{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, namespace: shop}
spec:
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec: {containers: [{name: app, image: "registry.example.com/app:1"}]}
`)
	const rules = "default-service-account,privilege-escalation,workload-without-network-policy"
	dir := t.TempDir()
	before := filepath.Join(dir, "before.coaming")
	wantCode(t, coaming(t, "snapshot", "-o", before, "--kubeconfig", s.Kubeconfig), 0)
	wantCode(t, coaming(t, "scan", "--namespace", "shop", "--rule", rules, before), verdict.ExitFindings)
	out := coaming(t, "fix", "--rule", rules, "--accept-proposed", "--beside", dir, before)
	if out.code == int(verdict.ExitError) {
		t.Fatal(out.stderr)
	}
	script, err := os.ReadFile(filepath.Join(dir, "cluster", "apply.sh"))
	if err != nil {
		t.Fatal(err, out.stdout, out.stderr)
	}
	ran := 0
	for line := range strings.Lines(string(script)) {
		args, found := strings.CutPrefix(strings.TrimSpace(line), "kubectl ")
		if !found || !strings.Contains(line, "shop") {
			continue
		}
		ran++
		var words []string
		for word := range strings.FieldsSeq(args) {
			word = strings.Trim(word, "'")
			if strings.HasSuffix(word, ".json") || strings.HasSuffix(word, ".yaml") {
				word = filepath.Join(dir, "cluster", word)
			}
			words = append(words, word)
		}
		s.kubectl(t, words...)
	}
	if ran < 3 {
		t.Errorf("%d commands for the namespace in:\n%s%s", ran, script, out.stdout)
	}
	after := filepath.Join(dir, "after.coaming")
	wantCode(t, coaming(t, "snapshot", "-o", after, "--kubeconfig", s.Kubeconfig), 0)
	var report struct {
		Findings []struct {
			Verdict, Rule string
			Subject       struct{ Kind string }
		}
	}
	if err := json.Unmarshal([]byte(coaming(t, "scan", "--namespace", "shop", "--rule", rules, "--format", "json", after).stdout), &report); err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		if f.Subject.Kind == "Deployment" { // the replica set of the old template stays until the rollout is done
			t.Errorf("still there: %+v", f)
		}
	}
}
