package fact_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// workflow is an Argo workflow of one template with patches of it, as JSON.
func workflow(t testing.TB, spec map[string]any, patches ...string) *fact.Workload {
	t.Helper()
	template := map[string]any{"name": "a"}
	root := map[string]any{"entrypoint": "a", "templates": []any{template}}
	template["containerSet"] = map[string]any{"containers": spec["containers"]}
	for key, v := range spec {
		if key != "containers" {
			template[key] = v
		}
	}
	for i, patch := range patches {
		[]map[string]any{root, template}[i%2]["podSpecPatch"] = patch
	}
	raw, err := json.Marshal(map[string]any{"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": map[string]any{"name": "w"}, "spec": root})
	if err != nil {
		t.Fatal(err)
	}
	found := fact.NewInventory(objects(t, string(raw)), "1.36", true).Workloads
	if len(found) != 1 {
		t.Fatalf("%d workloads", len(found))
	}
	return found[0]
}

func TestPodSpecPatch(t *testing.T) {
	const text = `apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: a
  podSpecPatch: |
    hostPID: true
    containers:
    - name: main
      securityContext: {privileged: true, runAsUser: null}
    - name: helper
      $patch: delete
    - name: wait
      resources: {limits: {memory: 64Mi}}
  templates:
  - name: a
    podSpecPatch: '{"containers": [{"name": "main", "securityContext": {"readOnlyRootFilesystem": true}}, {"name": "last", "env": [{"name": "B", "value": "2"}]}]}'
    containerSet:
      containers:
      - {name: helper, image: h}
      - {name: main, image: m, securityContext: {runAsUser: 1000, allowPrivilegeEscalation: false}}
      - {name: last, image: l, env: [{name: A, value: "1"}]}
`
	found := fact.NewInventory(objects(t, text), "1.36", true).Workloads
	if len(found) != 1 || found[0].Doubt() != "" {
		t.Fatalf("%d workloads, doubt %q", len(found), found[0].Doubt())
	}
	w := found[0]
	const want = `{"containers":[{"image":"m","name":"main","securityContext":{"allowPrivilegeEscalation":false,"privileged":true,"readOnlyRootFilesystem":true}},{"env":[{"name":"A","value":"1"},{"name":"B","value":"2"}],"image":"l","name":"last"}],"hostPID":true}`
	if diff := cmp.Diff(want, string(w.Spec.AppendSorted(nil))); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
	for path, place := range map[string]string{
		"hostPID": "spec.podSpecPatch",
		"containers.0.securityContext.privileged":               "spec.podSpecPatch",
		"containers.0.securityContext.runAsUser":                "spec.podSpecPatch",
		"containers.0.securityContext.readOnlyRootFilesystem":   "spec.templates.0.podSpecPatch",
		"containers.0.securityContext.allowPrivilegeEscalation": "spec.templates.0.containerSet.containers.1.securityContext.allowPrivilegeEscalation",
		"containers.0.image":                                    "spec.templates.0.containerSet.containers.1.image",
		"containers.1.env.0.value":                              "spec.templates.0.containerSet.containers.2.env.0.value",
		"containers.1.env.1":                                    "spec.templates.0.podSpecPatch",
	} {
		at := w.Path
		for key := range strings.SplitSeq(path, ".") {
			step := document.Step{Key: key}
			if _, err := fmt.Sscan(key, &step.Index); err == nil {
				step.Key = ""
			}
			at = append(slices.Clip(at), step)
		}
		if got := where(w.Place(at)); got != place {
			t.Errorf("%s stands at %s, want %s", path, got, place)
		}
	}
}

// TestPodSpecPatchIsDoubt demands that a patch that cannot be told is no pass.
func TestPodSpecPatchIsDoubt(t *testing.T) {
	spec := map[string]any{"containers": []any{map[string]any{"name": "main", "image": "a"}}}
	for patch, doubtful := range map[string]bool{
		`{"hostPID": true}`: false, "{}": false, "": false, " ": false, "hostPID: true": false,
		"{{inputs.parameters.patch}}": true, `{"hostPID": {{=true}}}`: true, "[]": true, "a: [": true, "hostPID": true, "a: 1\n---\nb: 1": true,
		`{"$patch": "delete"}`: true, `{"$setElementOrder/containers": []}`: true, `{"containers": [{"image": "b"}]}`: true,
		`{"containers": [{"name": "wait", "securityContext": {"privileged": true}}]}`: true, `{"containers": [{"name": "wait", "resources": {}}]}`: false,
		`{"hostPID": true, "hostPID": false}`: true, `{"containers": [{"name": "main"}, {"name": "main"}]}`: true,
		strings.Repeat(" ", 300<<10) + "hostPID: true": true,
	} {
		for _, patches := range [][]string{{patch}, {"", patch}} {
			if w := workflow(t, spec, patches...); (w.Doubt() != "") != doubtful {
				t.Errorf("%.60q: doubt %q, want one: %v", patch, w.Doubt(), doubtful)
			}
		}
	}
}

// shapes makes random pod specs and patches of one small world of names.
type shapes struct{ *rand.Rand }

func (s shapes) items(names []string, item func(name string) map[string]any) []any {
	var list []any
	for _, name := range names {
		if s.IntN(2) == 0 {
			list = append(list, item(name))
		}
	}
	return list
}

func (s shapes) maybe(m map[string]any, key string, values ...any) {
	if s.IntN(3) == 0 {
		m[key] = values[s.IntN(len(values))]
	}
}

func (s shapes) container(patch bool) func(string) map[string]any {
	return func(name string) map[string]any {
		c := map[string]any{"name": name}
		if patch && s.IntN(8) == 0 {
			c["$patch"] = "delete"
			return c
		}
		c["image"] = "i" + strconv.Itoa(s.IntN(2))
		s.maybe(c, "command", []any{"a"}, []any{"b", "c"})
		security := map[string]any{}
		s.maybe(security, "privileged", true, false)
		s.maybe(security, "capabilities", map[string]any{"add": []any{"A"}}, map[string]any{"drop": []any{"ALL"}})
		if patch {
			s.maybe(security, "privileged", nil)
			s.maybe(c, "securityContext", nil, security, map[string]any{"$patch": "replace", "runAsUser": 1.0})
		} else {
			s.maybe(c, "securityContext", security)
		}
		if env := s.items([]string{"A", "B", "C"}, func(n string) map[string]any { return map[string]any{"name": n, "value": strconv.Itoa(s.IntN(9))} }); env != nil {
			c["env"] = env
		}
		if mounts := s.items([]string{"/a", "/b"}, func(n string) map[string]any {
			return map[string]any{"mountPath": n, "name": "v" + strconv.Itoa(s.IntN(3))}
		}); mounts != nil {
			c["volumeMounts"] = mounts
		}
		s.maybe(c, "resources", map[string]any{"limits": map[string]any{"memory": "1Gi"}}, map[string]any{"limits": map[string]any{"cpu": "1"}})
		return c
	}
}

func (s shapes) spec(patch bool) map[string]any {
	spec := map[string]any{"containers": s.items([]string{"main", "b", "c"}, s.container(patch))}
	if spec["containers"] == nil || len(spec["containers"].([]any)) == 0 {
		spec["containers"] = []any{map[string]any{"name": "main", "image": "i"}}
	}
	s.maybe(spec, "hostPID", true, false)
	s.maybe(spec, "nodeSelector", map[string]any{"a": "b"}, map[string]any{"c": "d"})
	s.maybe(spec, "tolerations", []any{map[string]any{"key": "a"}}, []any{map[string]any{"key": "b"}})
	s.maybe(spec, "volumes", []any{map[string]any{"name": "v0", "emptyDir": map[string]any{}}}, []any{map[string]any{"name": "v0", "hostPath": map[string]any{"path": "/"}}, map[string]any{"name": "v1"}})
	return spec
}

// TestPodSpecPatchIsStrategicMerge holds the merge to Kubernetes' own on random pods and patches; the order of
// what a list is told apart by is left aside, which no verdict depends on.
func TestPodSpecPatchIsStrategicMerge(t *testing.T) {
	s := shapes{rand.New(rand.NewPCG(1, 2))}
	const pods = 2000
	doubtful := 0
	for n := range pods {
		base, patch := s.spec(false), s.spec(true)
		patchText, err := json.Marshal(patch)
		if err != nil {
			t.Fatal(err)
		}
		w := workflow(t, base, string(patchText))
		if w.Doubt() != "" {
			if !strings.Contains(string(patchText), `"replace"`) {
				t.Fatalf("%d: %s: %s", n, patchText, w.Doubt())
			}
			doubtful++
			continue
		}
		baseText, err := json.Marshal(base)
		if err != nil {
			t.Fatal(err)
		}
		want, err := strategicpatch.StrategicMergePatch(baseText, patchText, corev1.PodSpec{})
		if err != nil {
			t.Fatalf("%d: %s over %s: %v", n, patchText, baseText, err)
		}
		if diff := cmp.Diff(ordered(t, want), ordered(t, w.Spec.AppendJSON(nil))); diff != "" {
			t.Fatalf("%d: %s over %s (-want +got):\n%s", n, patchText, baseText, diff)
		}
	}
	if doubtful > pods/4 {
		t.Errorf("%d of %d patches are in doubt", doubtful, pods)
	}
}

// ordered is a JSON value with its lists of named items in order, and without what is empty.
func ordered(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	var sort func(v any) any
	sort = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			delete(v, "$patch") // which it leaves in what is new, and the type then drops
			for key := range maps.Clone(v) {
				if v[key] = sort(v[key]); v[key] == nil {
					delete(v, key)
				}
			}
		case []any:
			for i := range v {
				v[i] = sort(v[i])
			}
			slices.SortFunc(v, func(a, b any) int {
				x, _ := json.Marshal(a)
				y, _ := json.Marshal(b)
				return strings.Compare(string(x), string(y))
			})
		}
		return v
	}
	return sort(v)
}

// FuzzPodSpecPatch demands that no text of a patch breaks anything.
func FuzzPodSpecPatch(f *testing.F) {
	for _, text := range []string{`{"containers": [{"name": "main", "$patch": "delete"}]}`, "hostPID: true", "{{a}}", `{"$patch": "replace"}`, "containers: [a, {name: [1]}]", "volumes: {a: b}", "containers: null"} {
		f.Add(text)
	}
	spec := map[string]any{"containers": []any{map[string]any{"name": "main", "image": "a", "env": []any{map[string]any{"name": "A"}}}}}
	f.Fuzz(func(t *testing.T, text string) {
		w := workflow(t, spec, text)
		if w.Doubt() == "" && w.Spec.Kind() != document.Map {
			t.Errorf("%q gives no pod spec, and no doubt", text)
		}
	})
}
