package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// TestSameFindings puts the same manifests to the product as files, as a live cluster and as its snapshot.
func TestSameFindings(t *testing.T) {
	s := startSandbox(t)
	s.applyShop(t)
	a := newApplier(t, s)
	objects := readFiles(t, shop+"/base", shop+"/chart")
	a.apply(t, objects)
	a.tell(t, len(objects))
	if len(a.refused) > 0 {
		t.Error("the API server refuses an object of the shop")
	}
	applied := applyCorpus(t, a)

	live := s.readTwice(t)
	others := a.standing(t, applied, live)
	files := scan(t, []int{1}, append([]string{shop + "/base", shop + "/chart"}, others...)...)
	t.Run("cluster and files", func(t *testing.T) { compare(t, a, files, live, len(others) > 0) })
	t.Run("what controllers made", func(t *testing.T) { judgedOnce(t, s, a, live) })
}

// applyCorpus applies what can be applied of manifests that nobody here wrote, and says what was.
func applyCorpus(t *testing.T, a *applier) []*fact.Object {
	t.Helper()
	if _, err := os.Stat(corpus); err != nil {
		t.Logf("skipped: the manifests of other projects are not here: %v", err)
		return nil
	}
	objects := readFiles(t, corpus)
	before := len(a.applied)
	a.apply(t, objects)
	a.tell(t, before+len(objects))
	return slices.DeleteFunc(objects, func(o *fact.Object) bool {
		id, _ := a.normal(o)
		return a.applied[id] != o
	})
}

// standing writes a file of the objects that the cluster still judges by themselves: no controller has
// removed them or judges them with its own.
func (a *applier) standing(t *testing.T, objects []*fact.Object, live *verdict.Result) []string {
	t.Helper()
	if len(objects) == 0 {
		return nil
	}
	judged := map[identity]bool{}
	for i := range live.Findings {
		judged[subjectOf(&live.Findings[i])] = true
	}
	var text []byte
	for _, o := range objects {
		id, _ := a.normal(o)
		if id.kind == "Pod" && !judged[id] && a.taken(t, id) {
			t.Logf("left out: a controller has adopted or removed %s since it was applied", id)
			delete(a.applied, id)
			continue
		}
		text = append(o.Root.AppendJSON(append(text, "---\n"...)), '\n')
	}
	return []string{writeFile(t, "corpus.yaml", string(text))}
}

// readTwice judges the cluster and snapshots of it until all agree in everything: what the controllers
// change in between goes away when they rest, what the product reads differently stays and fails.
func (s *sandbox) readTwice(t *testing.T) *verdict.Result {
	t.Helper()
	before := s.snapshot(t)
	for late := time.Now().Add(patience); ; {
		live := scan(t, []int{1}, "--cluster", "--kubeconfig", s.Kubeconfig)
		snapshot := s.snapshot(t)
		moved, differ := unlike(before, snapshot), unlike(live, snapshot)
		if moved == "" && differ == "" {
			return live
		}
		if time.Now().After(late) {
			t.Errorf("cluster and snapshot (-cluster +snapshot):\n%s\ntwo snapshots (-earlier +later):\n%s", differ, moved)
			return live
		}
		before = snapshot
	}
}

func (s *sandbox) snapshot(t *testing.T) *verdict.Result {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cluster.coaming")
	wantCode(t, coaming(t, "snapshot", "-o", path, "--kubeconfig", s.Kubeconfig), 0)
	return scan(t, []int{1}, path)
}

// judgedOnce looks for what controllers made of the applied objects: it is judged through them.
func judgedOnce(t *testing.T, s *sandbox, a *applier, live *verdict.Result) {
	t.Helper()
	made := map[string]int{}
	owned := `{range .items[?(@.metadata.ownerReferences)]}{.kind} {.metadata.namespace}{"\n"}{end}`
	for line := range strings.Lines(s.kubectl(t, "get", "pods,replicasets,jobs", "-A", "-o", "jsonpath="+owned)) {
		made[strings.TrimSpace(line)]++
	}
	for _, what := range []string{"ReplicaSet quayside-shop", "Pod quayside-shop", "Pod quayside-data", "Pod quayside-payments"} {
		t.Logf("controllers made %d: %s", made[what], what)
	}
	if made["ReplicaSet quayside-shop"] == 0 || made["Pod quayside-shop"] == 0 || made["Pod quayside-payments"] == 0 {
		t.Error("the controllers did not make what this test is about")
	}
	through := 0
	for i := range live.Findings {
		switch id := subjectOf(&live.Findings[i]); {
		case a.applied[id] != nil && id.kind == "Deployment.apps" && id.namespace == "quayside-shop":
			through++
		case a.applied[id] == nil && (id.kind == "Pod" || id.kind == "ReplicaSet.apps" || id.kind == "Job.batch"):
			t.Errorf("judged beside what it was made from: %s", keyOf(&live.Findings[i]))
		}
	}
	if through == 0 {
		t.Error("the Deployments themselves were not judged")
	}
}
