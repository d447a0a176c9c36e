package source

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// told is a reading in short: objects, gaps and exclusions, a line each.
func told(r *Reading) []string {
	var lines []string
	for _, o := range r.Objects {
		line := fmt.Sprintf("%s %s/%s", o.GroupKind(), o.Namespace, o.Name)
		if o.Doubt != "" {
			line += " doubted"
		}
		lines = append(lines, line)
	}
	for _, g := range r.Coverage.Gaps {
		lines = append(lines, fmt.Sprintf("gap %s %d:%d %s", g.Code, g.Location.Line, g.Location.Column, strings.Join(g.Kinds, ",")))
	}
	for _, e := range r.Coverage.Exclusions {
		lines = append(lines, fmt.Sprintf("left out: %d %s", e.Count, e.What))
	}
	return lines
}

func taken(text string) *Reading {
	r := &Reading{}
	origin := &fact.Origin{Source: "files", File: "x.yaml"}
	decoded, failed := document.Decode(text)
	if failed != nil {
		r.take(nil, []*document.Error{failed}, origin)
		return r
	}
	docs, errs := document.Read(decoded, 1)
	r.take(docs, errs, origin)
	return r
}

func TestTake(t *testing.T) {
	const none = "left out: 1 documents that are no Kubernetes objects"
	const client = "left out: 1 client-side configuration"
	tests := map[string]struct {
		text string
		want []string
	}{
		"object":               {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: b}", []string{"Deployment.apps b/a"}},
		"generated name":       {"apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}", []string{"Pod /a-"}},
		"unknown kind":         {"apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}", []string{"Widget.example.com /a"}},
		"list":                 {"apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: b}", []string{"Pod /a", "Secret /b"}},
		"typed list":           {"apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- metadata: {name: a}", []string{"Deployment.apps /a"}},
		"nested lists":         {"apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: PodList\n  items:\n  - metadata: {name: a}", []string{"Pod /a"}},
		"empty list":           {"apiVersion: v1\nkind: PodList\nitems: []", []string{"left out: 1 empty lists"}},
		"null list":            {"apiVersion: v1\nkind: PodList\nitems: null", []string{"left out: 1 empty lists"}},
		"item no map":          {"apiVersion: v1\nkind: List\nitems: [5]", []string{"gap not-object 3:9 "}},
		"item without kind":    {"apiVersion: v1\nkind: List\nitems:\n- metadata: {name: a}", []string{"gap not-object 4:3 "}},
		"named like a list":    {"apiVersion: example.com/v1\nkind: AllowList\nmetadata: {name: a}\nitems: [x]", []string{"AllowList.example.com /a"}},
		"array":                {`[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}]`, []string{"Pod /a", "gap not-object 1:1 "}},
		"no name":              {"apiVersion: v1\nkind: Pod\nmetadata: {}\n", []string{"Pod /", "gap not-object 3:1 Pod"}},
		"no metadata":          {"apiVersion: v1\nkind: Pod\n", []string{"Pod /", "gap not-object 1:1 Pod"}},
		"review needs no name": {"apiVersion: authorization.k8s.io/v1\nkind: SubjectAccessReview\nspec: {}", []string{"SubjectAccessReview.authorization.k8s.io /"}},
		"no kind":              {"apiVersion: v1\nmetadata: {name: a}", []string{"gap not-object 1:1 "}},
		"no apiVersion":        {"kind: Pod\nmetadata: {name: a}", []string{"gap not-object 1:1 Pod"}},
		"null kind":            {"kind:\napiVersion: v1\nmetadata: {name: a}", []string{"gap not-object 1:1 "}},
		"values":               {"image:\n  tag: 1", []string{none}},
		"scalar":               {"hello", []string{none}},
		"list of scalars":      {"- a\n- b", []string{none}},
		"grafana":              {"apiVersion: 1\ndatasources: []", []string{none}},
		"index of charts":      {"apiVersion: v1\nentries: {}", []string{none}},
		"drone":                {"kind: pipeline\ntype: docker", []string{none}},
		"chart file":           {"apiVersion: v2\nname: a\nversion: 1.0.0", []string{client}},
		"kustomization":        {"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a]", []string{client}},
		"kubeconfig":           {"apiVersion: v1\nkind: Config\nusers: []", []string{client}},
		"kind cluster":         {"apiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster\nname: a", []string{client}},
		"cluster of CAPI":      {"apiVersion: cluster.x-k8s.io/v1beta1\nkind: Cluster\nmetadata: {name: a}", []string{"Cluster.cluster.x-k8s.io /a"}},
		"flux's Kustomization": {"apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: a}", []string{"Kustomization.kustomize.toolkit.fluxcd.io /a"}},
		"kind is a number":     {"apiVersion: v1\nkind: 5\nmetadata: {name: a}", []string{"5 /a", "gap wrong-type 2:1 5"}},
		"kind is a boolean":    {"apiVersion: v1\nkind: true\nmetadata: {name: a}", []string{" /a", "gap wrong-type 2:1 "}},
		"metadata is a string": {"apiVersion: v1\nkind: Pod\nmetadata: a", []string{"Pod /", "gap wrong-type 3:1 Pod"}},
		"name is a number":     {"apiVersion: v1\nkind: Pod\nmetadata: {name: 5}", []string{"Pod /5", "gap wrong-type 3:12 Pod"}},
		"labels are a list":    {"apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels: [a]", []string{"Pod /a", "gap wrong-type 5:3 Pod"}},
		"label is a boolean":   {"apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels:\n    a: yes\n    b: x", []string{"Pod /a", "gap wrong-type 6:5 Pod"}},
		"duplicate key":        {"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  hostPID: true\n  hostPID: false\n", []string{"Pod /a doubted", "gap duplicate 6:3 Pod"}},
		"doubt is the document's own": {
			"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nkind: Pod\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: b}",
			[]string{"Pod /a doubted", "Pod /b", "gap duplicate 4:1 Pod"},
		},
		"broken in the middle": {
			"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: b\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: c}\n",
			[]string{"Pod /a", "Pod /c", "gap syntax 8:0 Secret"},
		},
		"tabs":       {"apiVersion: v1\nkind: Pod\nmetadata:\n\tname: a\n", []string{"gap syntax 4:0 Pod"}},
		"a template": {"apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Values.name }}\n", []string{"gap template 4:0 "}},
		"NUL":        {"apiVersion: v1\x00", []string{"gap binary 1:15 "}},
		"crlf":       {"apiVersion: v1\r\nkind: Pod\r\nmetadata:\r\n  name: a\r\n", []string{"Pod /a"}},
		"bom":        {"\ufeffapiVersion: v1\nkind: Pod\nmetadata: {name: a}\n", []string{"Pod /a"}},
		"utf-16":     {"\xff\xfe" + wide16("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"), []string{"Pod /a"}},
		"nothing":    {"# only a comment\n---\n", nil},
		"deep":       {"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: " + strings.Repeat("[", 20000), []string{"gap too-large 4:0 Pod"}},
		"expanding":  {bomb, []string{"gap too-large 1:1 "}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := told(taken(test.text))
			for i, line := range got { // what the library says of the column is its own affair
				if strings.HasPrefix(line, "gap syntax") || strings.HasPrefix(line, "gap template") {
					got[i] = loose(line, test.want)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("taken (-want +got):\n%s", diff)
			}
		})
	}
}

// loose is the wanted line when it differs from the given one in the place alone.
func loose(line string, want []string) string {
	f := strings.SplitN(line, " ", 4)
	for _, w := range want {
		if g := strings.SplitN(w, " ", 4); len(g) == 4 && g[1] == f[1] && g[3] == f[3] {
			return w
		}
	}
	return line
}

func wide16(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteByte(s[i])
		b.WriteByte(0)
	}
	return b.String()
}

// bomb is a document whose aliases expand to gigabytes.
var bomb = func() string {
	var b strings.Builder
	b.WriteString("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := range 9 {
		fmt.Fprintf(&b, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i+1, i+1, i, i, i, i, i, i, i, i, i, i)
	}
	return b.String()
}()

func TestGapsSayWhatToDo(t *testing.T) {
	for _, text := range []string{
		"kind: Pod\nmetadata: {name: a}", "apiVersion: v1\nkind: 5", "apiVersion: v1\nkind: Pod\nmetadata: a", "a: [", "a\x00", bomb,
		"apiVersion: v1\nkind: List\nitems: [5]", `[{"apiVersion":"v1","kind":"Pod"}]`, "a: {{ b }}",
	} {
		r := taken(text)
		if len(r.Coverage.Gaps) == 0 {
			t.Errorf("%.40q: no gap", text)
		}
		for _, g := range r.Coverage.Gaps {
			if g.Message == "" || g.Remedy == "" || g.Location.File != "x.yaml" || g.Location.Line == 0 || !strings.HasSuffix(g.Remedy, ".") {
				t.Errorf("%.40q: gap %+v", text, g)
			}
		}
	}
}

func TestJoinCountsTogether(t *testing.T) {
	r := taken("a: 1\n---\nb: 2")
	r.Version, r.Coverage.Sources = "", []string{"x"}
	other := taken("c: 3\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: a}")
	other.Version, other.Live, other.Coverage.Sources = "1.36", true, []string{"x", "y"}
	r.Join(other)
	want := []string{"Pod /a", "left out: 3 documents that are no Kubernetes objects"}
	if diff := cmp.Diff(want, told(r)); diff != "" {
		t.Errorf("joined (-want +got):\n%s", diff)
	}
	if !r.Live || r.Version != "1.36" || r.Coverage.Documents != 4 || !slices.Equal(r.Coverage.Sources, []string{"x", "y"}) {
		t.Errorf("joined: %+v", r.Coverage)
	}
}

// FuzzTake holds that nothing is lost: every document ends as objects, gaps or exclusions.
func FuzzTake(f *testing.F) {
	for _, seed := range []string{
		"apiVersion: v1\nkind: Pod\nmetadata: {name: a}", "kind: List\napiVersion: v1\nitems: []", "kind: PodList\nitems: [{}]", "- kind: 1\n  apiVersion: 2",
		"kind: [a]\napiVersion: {}", "apiVersion: v1\nkind: List\nitems: [{kind: List, apiVersion: v1, items: [[]]}]", "kind: \"\"\napiVersion: v1", "a: &a [*a]",
		"kind: A\nmetadata:\n  labels: {a: 1, b: [x]}\napiVersion: v1", "{\"kind\":null}", "kind: k\x00", "kind: L\nkind: M", "kind: ~\napiVersion: ~\nmetadata: 1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		origin := &fact.Origin{Source: "files", File: "x"}
		decoded, failed := document.Decode(text)
		if failed != nil {
			return
		}
		docs, errs := document.Read(decoded, 1)
		for _, d := range docs {
			r := &Reading{}
			r.take([]*document.Doc{d}, nil, origin)
			if len(told(r)) == 0 {
				t.Errorf("a document of %q was lost", text)
			}
			for _, o := range r.Objects {
				_ = o.GroupKind()
			}
		}
		r := &Reading{}
		r.take(docs, errs, origin)
		if r.Coverage.Documents != len(docs)+len(errs) || len(r.Coverage.Gaps) < len(errs) {
			t.Errorf("%d documents and %d errors were counted as %+v", len(docs), len(errs), r.Coverage)
		}
	})
}
