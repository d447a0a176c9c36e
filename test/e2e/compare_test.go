package e2e

import (
	gocmp "cmp"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/verdict"
)

// key is what is wrong where: the same in files, in a cluster and in its snapshot.
type key struct {
	rule      string
	subject   identity
	container string
	path      string
}

func (k key) String() string {
	text := k.rule + " " + k.subject.String()
	if k.container != "" {
		text += " [" + k.container + "]"
	}
	return text + " " + k.path
}

func keyOf(f *verdict.Finding) key {
	return key{f.Rule, subjectOf(f), f.Subject.Container, f.Path}
}

func subjectOf(f *verdict.Finding) identity {
	kind := f.Subject.Kind
	if group, _, found := strings.Cut(f.Subject.APIVersion, "/"); found {
		kind += "." + group
	}
	return identity{kind, f.Subject.Namespace, f.Subject.Name}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func compareExactly(t *testing.T, live, snapshot *verdict.Result) {
	t.Helper()
	if diff := cmp.Diff(fingerprints(live), fingerprints(snapshot)); diff != "" {
		t.Errorf("findings (-cluster +snapshot):\n%s", diff)
	}
	if diff := cmp.Diff(live.Tally, snapshot.Tally); diff != "" {
		t.Errorf("tally (-cluster +snapshot):\n%s", diff)
	}
	l, s := live.Coverage, snapshot.Coverage
	l.Sources, s.Sources = nil, nil
	if diff := cmp.Diff(l, s); diff != "" {
		t.Errorf("coverage (-cluster +snapshot):\n%s", diff)
	}
}

func compare(t *testing.T, a *applier, files, live *verdict.Result) {
	t.Helper()
	inFiles, inCluster := map[key]*verdict.Finding{}, map[key]*verdict.Finding{}
	for i := range files.Findings {
		f := &files.Findings[i]
		k := keyOf(f)
		if a.namespaced[k.subject.kind] {
			k.subject.namespace = gocmp.Or(k.subject.namespace, "default")
		}
		if a.applied[k.subject] != nil {
			inFiles[k] = f
		}
	}
	for i := range live.Findings {
		f := &live.Findings[i]
		if k := keyOf(f); a.applied[k.subject] != nil {
			inCluster[k] = f
		}
	}
	t.Logf("%d findings in files, %d in the cluster", len(inFiles), len(inCluster))
	for k, f := range inFiles {
		g := inCluster[k]
		switch {
		case g == nil:
			t.Logf("DIFF files only: %s %s (%s)", f.Verdict, k, f.Message)
		case g.Verdict != f.Verdict:
			t.Logf("DIFF verdict %s %s: %s (%s) (%s)", f.Verdict, g.Verdict, k, f.Reason, g.Reason)
		case g.Fingerprint != f.Fingerprint && f.Subject.Namespace == g.Subject.Namespace:
			t.Logf("DIFF fingerprint %s %s: %s", f.Fingerprint, g.Fingerprint, k)
		case g.Severity != f.Severity || g.Message != f.Message:
			t.Logf("DIFF text %s %s: %s", f.Message, g.Message, k)
		}
	}
	for k, f := range inCluster {
		if inFiles[k] == nil {
			t.Logf("DIFF cluster only: %s %s (%s)", f.Verdict, k, f.Message)
		}
	}
}
