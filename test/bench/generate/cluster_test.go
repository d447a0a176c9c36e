package generate

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/source"
)

// Both forms of a cluster are read whole, and describe the same workloads.
func TestForms(t *testing.T) {
	const pods = 1000
	dir := t.TempDir()
	c := NewCluster(1, pods)
	if err := c.Files(filepath.Join(dir, "files")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "cluster.coaming")
	if err := c.Snapshot(path); err != nil {
		t.Fatal(err)
	}
	files, err := source.Files(t.Context(), source.FileOptions{Paths: []string{filepath.Join(dir, "files")}})
	if err != nil {
		t.Fatal(err)
	}
	live, thrifty := readSnapshot(t, path, source.Thrift{}), readSnapshot(t, path, source.Thrift{Replicas: true})
	for _, r := range []*source.Reading{files, live, thrifty} {
		for _, g := range r.Coverage.Gaps {
			t.Errorf("gap: %s: %s", g.Location.File, g.Message)
		}
	}
	written, served := fact.NewInventory(files.Objects, "1.36", false), fact.NewInventory(live.Objects, "1.36", true)
	if w, s := len(written.Workloads), len(served.Workloads); w != len(c.owners) || s != len(c.owners) {
		t.Errorf("%d owners: %d workloads in files, %d in the snapshot", len(c.owners), w, s)
	}
	if diff := cmp.Diff(names(served), names(fact.NewInventory(thrifty.Objects, "1.36", true))); diff != "" {
		t.Errorf("what is read with thrift has other workloads (-all +thrifty):\n%s", diff)
	}
	count := 0
	for _, w := range served.Workloads {
		count += w.Pods
		if w.Object.Kind == "Pod" {
			count++
		}
	}
	if count < pods {
		t.Errorf("%d pods and ReplicaSets in the snapshot, want %d pods at least", count, pods)
	}
	for kind, want := range map[string]int{"Service": 50, "NetworkPolicy.networking.k8s.io": 20} {
		for _, inv := range []*fact.Inventory{written, served} {
			if n := len(inv.OfKind(kind)); n != want {
				t.Errorf("%d %s, want %d", n, kind, want)
			}
		}
	}
	if n := len(written.OfKind("RoleBinding.rbac.authorization.k8s.io")) + len(written.OfKind("ClusterRoleBinding.rbac.authorization.k8s.io")); n != 30 {
		t.Errorf("%d bindings, want 30", n)
	}
	t.Log(c.Shape())
}

func readSnapshot(t *testing.T, path string, thrift source.Thrift) *source.Reading {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	r, err := source.ReadArchive(file, path, source.ArchiveLimits{Thrift: thrift})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// names are the workloads with their pods.
func names(inventory *fact.Inventory) []string {
	var list []string
	for _, w := range inventory.Workloads {
		list = append(list, fmt.Sprintf("%s %s/%s: %d", w.Object.Kind, w.Object.Namespace, w.Object.Name, w.Pods))
	}
	return list
}

// The same seed and size give the same bytes.
func TestSameSeed(t *testing.T) {
	var texts [2][]byte
	for i := range texts {
		path := filepath.Join(t.TempDir(), "cluster.coaming")
		if err := NewCluster(7, 500).Snapshot(path); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = text
	}
	if !bytes.Equal(texts[0], texts[1]) {
		t.Error("two snapshots of the same seed differ")
	}
}
