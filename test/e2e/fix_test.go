package e2e

import (
	"cmp"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coaming/coaming/internal/fact"
)

// TestFixedObjectsValidate sends what is there and what coaming fix makes of it, every choice taken, by
// server-side dry-run: what the API server took before it must take after.
func TestFixedObjectsValidate(t *testing.T) {
	s := startSandbox(t)
	a := newApplier(t, s)
	// Each project by itself, as its own people would mend it.
	projects, err := filepath.Glob(filepath.Join(corpus, "*"))
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, tree := range append([]string{shop}, projects...) {
		if info, err := os.Stat(tree); err != nil || !info.IsDir() {
			continue
		}
		fixed := filepath.Join(t.TempDir(), "tree")
		if err := os.CopyFS(fixed, os.DirFS(tree)); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), coamingBinary(t), "fix", "--apply", "--accept-proposed", fixed)
		text, err := cmd.CombinedOutput()
		if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() == 2) {
			t.Fatalf("%v\n%s", err, text)
		}
		before, after := readFiles(t, tree), readFiles(t, fixed)
		a.makeNamespaces(t, append(before, after...))
		a.makeAccounts(t, after)
		taken := map[identity]bool{}
		for _, o := range before {
			if id, ok := a.normal(o); ok && a.dryRun(t, o) == nil {
				taken[id] = true
			}
		}
		changed := 0
		for _, o := range after {
			id, ok := a.normal(o)
			if !ok || !taken[id] {
				continue
			}
			changed++
			if err := a.dryRun(t, o); err != nil {
				t.Errorf("%s was taken before it was fixed, and is refused after: %v", id, err)
			}
		}
		t.Logf("%s: %d objects are taken before and after", tree, changed)
		total += changed
	}
	if total < 100 {
		t.Errorf("the API server took %d objects in all: the test has lost what it is about", total)
	}
}

// makeAccounts makes the service accounts for good, those that a fix added among them: a dry-run makes nothing
// that a pod could name, and no pod is admitted without its account.
func (a *applier) makeAccounts(t *testing.T, objects []*fact.Object) {
	t.Helper()
	for _, o := range objects {
		if o.GroupKind() != "ServiceAccount" || o.Name == "" {
			continue
		}
		err := a.client.RESTClient().Patch(types.ApplyPatchType).AbsPath("/api/v1/namespaces", cmp.Or(o.Namespace, "default"), "serviceaccounts", o.Name).
			Param("fieldManager", "e2e").Param("force", "true").Body(manifest(o)).Do(t.Context()).Error()
		if err != nil {
			t.Errorf("service account %s: %v", o.Name, err)
		}
	}
}

// dryRun asks the API server whether it would take an object as a new one.
func (a *applier) dryRun(t *testing.T, o *fact.Object) error {
	t.Helper()
	r := a.served[o.APIVersion+" "+o.Kind]
	path := r.path
	if r.namespaced {
		path += "/namespaces/" + cmp.Or(o.Namespace, "default")
	}
	if o.Root.At("metadata", "name").Str() == "" {
		return errors.New("it has no name")
	}
	err := a.client.RESTClient().Patch(types.ApplyPatchType).AbsPath(path, r.plural, o.Name).
		Param("fieldManager", "e2e").Param("force", "true").Param("dryRun", "All").Body(manifest(o)).Do(t.Context()).Error()
	if apierrors.IsTooManyRequests(err) || apierrors.IsTimeout(err) {
		t.Fatal(err)
	}
	return err
}
