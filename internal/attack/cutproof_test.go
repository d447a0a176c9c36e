package attack

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/fix"
	"github.com/coaming/coaming/internal/source"
)

// proveCut makes the changes of a cut in the texts and reads them again: no path is left, and without
// any one of the changes there is one. It answers how many changes the cut has.
func proveCut(t *testing.T, files map[string]string, from, to []Kind) int {
	t.Helper()
	dir := t.TempDir()
	graph := func(files map[string]string) (*Graph, []int32, []int32) {
		ends := [2]Ends{{Kinds: from}, {Kinds: to}}
		g := New(worldIn(t, dir, files), Steps())
		return g, g.Resolve(ends[0]), g.Resolve(ends[1])
	}
	g, entries, sinks := graph(files)
	cut := g.Cut(entries, sinks, nil)
	if g.Leads(entries, sinks) == nil {
		if len(cut.Changes) > 0 {
			t.Fatalf("there is no path, and the cut has %d changes", len(cut.Changes))
		}
		return 0
	}
	if len(cut.Left) > 0 {
		t.Fatalf("no change ends %v", describe(g, cut.Left[0]))
	}
	proveFewest(t, g, entries, sinks, cut)
	without := func(leftOut int) []Deed {
		var routes []fix.Route
		for i, c := range cut.Changes {
			if i != leftOut {
				routes = append(routes, fix.Route{Edits: []fix.Edit{{Place: fix.PlaceOf(c.Object), Changes: c.Rules()}}})
			}
		}
		written, err := fix.Write(routes)
		if err != nil || len(written.Failed) > 0 {
			t.Fatal(err, written.Failed)
		}
		changed := maps.Clone(files)
		for _, f := range written.Result.Files {
			name, err := filepath.Rel(dir, filepath.FromSlash(f.Path))
			if err != nil {
				t.Fatal(err)
			}
			changed[filepath.ToSlash(name)] = f.After
		}
		after, entries, sinks := graph(changed)
		return after.Leads(entries, sinks)
	}
	if left := without(-1); left != nil {
		var texts []string
		for _, d := range left {
			texts = append(texts, d.Step.ID+" "+d.Source().String()+" -> "+d.Target().String())
		}
		t.Fatalf("after %s a path is left:\n%s", titles(cut), strings.Join(texts, "\n"))
	}
	for i := range cut.Changes {
		if without(i) == nil {
			t.Fatalf("without %q there is no path either; the cut: %s", cut.Changes[i].Title, titles(cut))
		}
	}
	return len(cut.Changes)
}

// proveFewest tries every set of one change less, of all that the steps name and that close no way in, where
// the cut is small.
func proveFewest(t *testing.T, g *Graph, entries, sinks []int32, cut *Cut) {
	t.Helper()
	if len(cut.Changes) > 3 || slices.ContainsFunc(cut.Changes, func(c *Cutting) bool { return c.Last }) {
		return
	}
	of := map[string][]int32{}
	for i := range g.Edges {
		for k := range g.Edges[i].Changes {
			if g.Edges[i].Changes[k].Last {
				continue
			}
			key := g.Edges[i].Changes[k].Key()
			of[key] = append(of[key], int32(i))
		}
	}
	keys := slices.Sorted(maps.Keys(of))
	gone := make([]int, len(g.Edges))
	var try func(from, left int)
	try = func(from, left int) {
		r := g.search(entries, fewest, false, func(i int32) bool { return gone[i] > 0 })
		if !slices.ContainsFunc(sinks, func(s int32) bool { return r.by[s] >= 0 }) {
			t.Fatalf("the cut has %d changes (%s), and fewer do", len(cut.Changes), titles(cut))
		}
		for at := from; left > 0 && at < len(keys); at++ {
			for _, i := range of[keys[at]] {
				gone[i]++
			}
			try(at+1, left-1)
			for _, i := range of[keys[at]] {
				gone[i]--
			}
		}
	}
	try(0, len(cut.Changes)-1)
}

func titles(c *Cut) string {
	var list []string
	for _, change := range c.Changes {
		list = append(list, change.Title)
	}
	return strings.Join(list, "; ")
}

func describe(g *Graph, p Path) []string {
	var list []string
	for _, d := range g.Deeds(&p) {
		list = append(list, d.Step.ID+" from "+d.Source().String())
	}
	return list
}

// worldIn writes texts into a folder and reads that as every command does.
func worldIn(t *testing.T, dir string, files map[string]string) *World {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	reading, err := source.Files(t.Context(), source.FileOptions{Paths: []string{dir}, MaxFile: 1 << 24, MaxTotal: 1 << 28})
	if err != nil {
		t.Fatal(err)
	}
	for _, gap := range reading.Coverage.Gaps {
		t.Fatal(gap.Place(), gap.Message)
	}
	return NewWorld(Input{Inventory: fact.NewInventory(reading.Objects, "1.36", false), Gaps: reading.Coverage.Gaps})
}

// TestCutOfTheShop cuts the example's manifests, to every kind of sink that the default asks for.
func TestCutOfTheShop(t *testing.T) {
	files := map[string]string{}
	root := filepath.Join("..", "..", "examples", "shop", "base")
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == "kustomization.yaml" {
			return err
		}
		raw, err := os.ReadFile(path)
		name, _ := filepath.Rel(root, path)
		files[filepath.ToSlash(name)] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// The cluster role that every cluster has.
	files["shipped.yaml"] = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: cluster-admin}\nrules: [{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]\n"
	for _, to := range [][]Kind{{ClusterAdmin}, {Machine}, {ClusterAdmin, Machine}} {
		if n := proveCut(t, files, []Kind{Internet}, to); n == 0 {
			t.Errorf("nothing is cut on the way to %v", to)
		}
	}
}

// TestCutOfGeneratedClusters does the same in clusters of all sorts, most of which take several changes.
func TestCutOfGeneratedClusters(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	sizes := map[int]int{}
	for range 60 {
		files := randomCluster(r)
		sizes[proveCut(t, files, []Kind{Internet}, []Kind{ClusterAdmin})]++
		sizes[proveCut(t, files, []Kind{Internet}, []Kind{ClusterAdmin, Machine})]++
	}
	several := 0
	for size, n := range sizes {
		if size > 1 {
			several += n
		}
	}
	if several < 20 || len(sizes) < 4 {
		t.Errorf("cuts by their size: %v: too few take several changes", sizes)
	}
}

// randomCluster is a few namespaces with workloads, services, roles and bindings, by file.
func randomCluster(r *rand.Rand) map[string]string {
	files := map[string]string{}
	namespaces := []string{"a", "b", "c"}
	odds := func(n int) bool { return r.IntN(n) == 0 }
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	account := func() string { return fmt.Sprintf("sa-%d", r.IntN(4)) }
	for _, ns := range namespaces {
		var b strings.Builder
		for i := range 3 + r.IntN(4) {
			name := fmt.Sprintf("w%d", i)
			fmt.Fprintf(&b, "---\n# %s of %s\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: %s\n  namespace: %s\nspec:\n  selector: {matchLabels: {app: %s}}\n", name, ns, name, ns, name)
			fmt.Fprintf(&b, "  template:\n    metadata: {labels: {app: %s}}\n    spec:\n      serviceAccountName: %s\n", name, account())
			if odds(3) {
				b.WriteString("      automountServiceAccountToken: false\n")
			}
			b.WriteString("      containers:\n        - name: app\n          image: app:1 # keep\n          ports: [{containerPort: 8080}]\n")
			switch r.IntN(6) {
			case 0:
				b.WriteString("          securityContext:\n            privileged: true\n            runAsUser: 0\n")
			case 1:
				b.WriteString("          securityContext: {privileged: true}\n")
			}
			if odds(3) {
				fmt.Fprintf(&b, "---\napiVersion: v1\nkind: Service\nmetadata: {name: %s, namespace: %s}\nspec: {type: %s, selector: {app: %s}, ports: [{port: 80, targetPort: 8080}]}\n", name, ns, pick([]string{"LoadBalancer", "LoadBalancer", "ClusterIP"}), name)
			}
		}
		files[ns+".yaml"] = b.String()
	}
	var b strings.Builder
	rules := []string{
		`{apiGroups: [""], resources: [pods/exec], verbs: [create]}`,
		`{apiGroups: [""], resources: [pods, pods/exec], verbs: [get, create]}`,
		`{apiGroups: [""], resources: [pods], verbs: [get, list]}`,
		`{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}`,
		`{apiGroups: [""], resources: [secrets], verbs: [get]}`,
	}
	for i := range 4 {
		fmt.Fprintf(&b, "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: r%d}\nrules:\n  - %s\n", i, pick(rules))
	}
	for i := range 2 + r.IntN(7) {
		kind, where := "RoleBinding", ", namespace: "+pick(namespaces)
		if odds(3) {
			kind, where = "ClusterRoleBinding", ""
		}
		fmt.Fprintf(&b, "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: %s\nmetadata: {name: b%d%s}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: r%d}\nsubjects:\n", kind, i, where, r.IntN(4))
		for range 1 + r.IntN(3) {
			fmt.Fprintf(&b, "  - kind: ServiceAccount\n    name: %s\n    namespace: %s\n", account(), pick(namespaces))
		}
	}
	files["rbac.yaml"] = b.String()
	return files
}
