package source

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"text/template"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/verdict"
)

const chartYAML = "apiVersion: v2\nname: web\nversion: 1.0.0\n"

// charted adds a chart's usual files.
func charted(files map[string]string) map[string]string {
	all := map[string]string{"web/Chart.yaml": chartYAML, "web/values.yaml": "name: plain\n"}
	maps.Copy(all, files)
	return all
}

const podTemplate = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Release.Name }}-{{ .Values.name }}\n"

func TestHelm(t *testing.T) {
	tests := map[string]struct {
		files map[string]string
		o     FileOptions
		want  []string
	}{
		"found in a walk": {
			map[string]string{
				"web/templates/pod.yaml": podTemplate, "web/templates/NOTES.txt": "hello", "web/templates/_helpers.tpl": `{{ define "x" }}apiVersion{{ end }}`,
				"web/crds/crd.yaml": object("crd"), "web/templates/tests/t.yaml": "apiVersion: v1\nkind: Pod\nmetadata:\n  name: t\n  annotations: {helm.sh/hook: test}\n",
				"web/templates/job.yaml": "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: hook\n  annotations: {helm.sh/hook: 'pre-install,pre-upgrade'}\n",
				"web/ci/other.yaml":      object("beside"), "web/files/x.yaml": "apiVersion: {{ .x }}", "k8s/a.yaml": object("a"),
			},
			FileOptions{Paths: []string{"."}},
			[]string{
				"a k8s/a.yaml", "crd web/crds/crd.yaml", "hook web/templates/job.yaml", "web-plain web/templates/pod.yaml", "beside web/ci/other.yaml",
				"left out: 1 test hooks of charts", "left out: 1 template files of charts",
			},
		},
		"given as a directory": {
			map[string]string{"web/templates/pod.yaml": podTemplate}, FileOptions{Paths: []string{"web"}}, []string{"web-plain web/templates/pod.yaml"},
		},
		"given as Chart.yaml": {
			map[string]string{"web/templates/pod.yaml": podTemplate}, FileOptions{Paths: []string{"web/Chart.yaml"}}, []string{"web-plain web/templates/pod.yaml"},
		},
		"matched by a pattern": {
			map[string]string{"web/templates/pod.yaml": podTemplate, "web/templates/x.yaml": object("x")},
			FileOptions{Paths: []string{"**/*.yaml"}},
			[]string{"web-plain web/templates/pod.yaml", "x web/templates/x.yaml"},
		},
		"a template that is named is no manifest": {
			map[string]string{"web/templates/pod.yaml": podTemplate},
			FileOptions{Paths: []string{"web/templates/pod.yaml"}},
			[]string{"gap template web/templates/pod.yaml:4"},
		},
		"values": {
			map[string]string{"web/templates/pod.yaml": podTemplate + "  labels: {a: {{ .Values.a | quote }}}\n", "v.yaml": "name: file\na: 1\n"},
			FileOptions{Paths: []string{"web"}, Values: []string{"v.yaml"}, Set: []string{"name=set"}, SetString: []string{"a=5"}},
			[]string{"web-set web/templates/pod.yaml"},
		},
		"releases": {
			map[string]string{"web/templates/pod.yaml": podTemplate, "v.yaml": "name: file\n"},
			FileOptions{Paths: []string{"."}, Releases: []Release{{Name: "one", Chart: "web", Values: []string{"v.yaml"}}, {Name: "two", Chart: "./web/", Set: []string{"name=b"}}}},
			[]string{"one-file web/templates/pod.yaml", "two-b web/templates/pod.yaml", "left out: 1 files that hold no Kubernetes object"},
		},
		"a subchart": {
			map[string]string{
				"web/templates/pod.yaml": podTemplate, "web/charts/db/Chart.yaml": "apiVersion: v2\nname: db\nversion: 1.0.0\n",
				"web/charts/db/templates/db.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: db-{{ .Values.size }}}\n", "web/charts/db/values.yaml": "size: small",
			},
			FileOptions{Paths: []string{"web"}, Set: []string{"db.size=large"}},
			[]string{"db-large web/charts/db/templates/db.yaml", "web-plain web/templates/pod.yaml"},
		},
		"a dependency that is not vendored": {
			map[string]string{
				"web/Chart.yaml":         chartYAML + "dependencies: [{name: db, version: 1.x, repository: 'https://charts.invalid'}, {name: extra, version: 1.x, repository: 'oci://x', condition: extra.enabled}]\n",
				"web/templates/pod.yaml": podTemplate, "web/values.yaml": "name: plain\nextra: {enabled: false}\n",
			},
			FileOptions{Paths: []string{"web"}},
			[]string{"web-plain web/templates/pod.yaml", "gap missing web/Chart.yaml"},
		},
		"a dependency beside the chart": {
			map[string]string{
				"web/Chart.yaml": chartYAML + "dependencies: [{name: db, version: 1.x, repository: 'file://../db'}]\n", "web/templates/pod.yaml": podTemplate,
				"db/Chart.yaml": "apiVersion: v2\nname: db\nversion: 1.0.0\n", "db/templates/db.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: db-{{ .Release.Name }}}\n",
			},
			FileOptions{Paths: []string{"."}},
			[]string{"db-db db/templates/db.yaml", "db-web web/charts/db/templates/db.yaml", "web-plain web/templates/pod.yaml"},
		},
		"a library chart": {
			map[string]string{"web/Chart.yaml": chartYAML + "type: library\n", "web/templates/_x.tpl": "", "a.yaml": object("a")},
			FileOptions{Paths: []string{"."}},
			[]string{"a a.yaml", "left out: 1 library charts"},
		},
		"a chart that needs a value": {
			map[string]string{"web/templates/pod.yaml": "a: 1\nb: {{ required \"give an image\" .Values.image }}\n", "a.yaml": object("a")},
			FileOptions{Paths: []string{"."}},
			[]string{"a a.yaml", "gap render web/templates/pod.yaml:2"},
		},
		"a chart that fails in a helper": {
			map[string]string{"web/templates/pod.yaml": "a: {{ include \"x\" . }}", "web/templates/_h.tpl": "{{ define \"x\" }}\n\n{{ .Values.a.b.c }}{{ end }}"},
			FileOptions{Paths: []string{"web"}},
			[]string{"gap render web/templates/_h.tpl:3"},
		},
		"a template that does not parse": {
			map[string]string{"web/templates/pod.yaml": "a: 1\n{{ if }}\n"}, FileOptions{Paths: []string{"web"}}, []string{"gap render web/templates/pod.yaml:2"},
		},
		"a template that prints no YAML": {
			map[string]string{"web/templates/bad.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: [}\n", "web/templates/pod.yaml": podTemplate},
			FileOptions{Paths: []string{"web"}},
			[]string{"web-plain web/templates/pod.yaml", "gap render web/templates/bad.yaml:3"},
		},
		"values against the schema": {
			map[string]string{"web/values.schema.json": `{"properties":{"name":{"type":"integer"}}}`, "web/templates/pod.yaml": podTemplate},
			FileOptions{Paths: []string{"web"}},
			[]string{"gap render web"},
		},
		"values that fit the schema": {
			map[string]string{"web/values.schema.json": `{"properties":{"name":{"type":"string"}}}`, "web/templates/pod.yaml": podTemplate},
			FileOptions{Paths: []string{"web"}},
			[]string{"web-plain web/templates/pod.yaml"},
		},
		"for another Kubernetes": {
			map[string]string{"web/Chart.yaml": chartYAML + "kubeVersion: '<1.20'\n", "web/templates/pod.yaml": podTemplate}, FileOptions{Paths: []string{"web"}}, []string{"gap render web"},
		},
		"for the Kubernetes that was said": {
			map[string]string{"web/Chart.yaml": chartYAML + "kubeVersion: '<1.20'\n", "web/templates/pod.yaml": podTemplate},
			FileOptions{Paths: []string{"web"}, KubeVersion: "1.19"},
			[]string{"web-plain web/templates/pod.yaml"},
		},
		"capabilities": {
			map[string]string{"web/templates/pod.yaml": `{{ if and (.Capabilities.APIVersions.Has "networking.k8s.io/v1") (semverCompare ">=1.36-0" .Capabilities.KubeVersion.Version) (not (lookup "v1" "Pod" "" "")) (not (getHostByName "localhost")) .Release.IsInstall }}` + podTemplate + "{{ end }}"},
			FileOptions{Paths: []string{"web"}},
			[]string{"web-plain web/templates/pod.yaml"},
		},
		"Chart.yaml that is broken": {
			map[string]string{"web/Chart.yaml": "apiVersion: [", "web/templates/pod.yaml": podTemplate, "a.yaml": object("a")},
			FileOptions{Paths: []string{"."}},
			[]string{"a a.yaml", "gap render web"},
		},
		"helmignore": {
			map[string]string{"web/.helmignore": "*.bak.yaml\n", "web/templates/pod.bak.yaml": "{{", "web/templates/pod.yaml": podTemplate},
			FileOptions{Paths: []string{"web"}},
			[]string{"web-plain web/templates/pod.yaml"},
		},
		"links out of the tree": {
			map[string]string{"web/templates/out.yaml": "-> ../../out.yaml", "out.yaml": object("out"), "web/templates/pod.yaml": podTemplate},
			FileOptions{Paths: []string{"web"}},
			[]string{"web-plain web/templates/pod.yaml", "gap unreadable web/templates/out.yaml"},
		},
		"links in the tree": {
			map[string]string{"web/templates/in.yaml": "-> ../../in.yaml", "in.yaml": object("in"), "web/templates/pod.yaml": podTemplate},
			FileOptions{Paths: []string{"."}},
			[]string{"in in.yaml", "in web/templates/in.yaml", "web-plain web/templates/pod.yaml"},
		},
		"a loop of links": {
			map[string]string{"web/templates/up": "-> ..", "web/templates/pod.yaml": podTemplate}, FileOptions{Paths: []string{"web"}}, []string{"gap render web"},
		},
		"renders to nothing": {
			map[string]string{"web/templates/pod.yaml": "{{ if .Values.on }}" + podTemplate + "{{ end }}", "a.yaml": object("a")},
			FileOptions{Paths: []string{"."}},
			[]string{"a a.yaml", "left out: 1 charts that render to nothing"},
		},
		"panics": {
			map[string]string{"web/templates/pod.yaml": `{{ index (list 1) 5 }}`}, FileOptions{Paths: []string{"web"}}, []string{"gap render web/templates/pod.yaml:1"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tree(t, charted(test.files))
			if diff := cmp.Diff(test.want, found(read(t, test.o))); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReleaseNamespace(t *testing.T) {
	tree(t, charted(map[string]string{"web/templates/all.yaml": object("a") + "---\napiVersion: v1\nkind: Pod\nmetadata: {name: b, namespace: own}\n---\n" +
		"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: c}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: '{{ .Release.Namespace }}'}\n"}))
	for given, want := range map[string][]string{
		"":     {"Pod /a", "Pod own/b", "ClusterRole.rbac.authorization.k8s.io /c", "Namespace /default"},
		"prod": {"Pod prod/a", "Pod own/b", "ClusterRole.rbac.authorization.k8s.io /c", "Namespace /prod"},
	} {
		r := read(t, FileOptions{Releases: []Release{{Chart: "web", Name: "x", Namespace: given}}})
		if diff := cmp.Diff(want, told(r)); diff != "" {
			t.Errorf("namespace %q (-want +got):\n%s", given, diff)
		}
		if o := r.Objects[0].Origin; o.Source != "helm:x" || !o.Rendered {
			t.Errorf("origin %+v", o)
		}
	}
}

func TestChartArchive(t *testing.T) {
	tree(t, nil)
	var buffer bytes.Buffer
	zipped := gzip.NewWriter(&buffer)
	archive := tar.NewWriter(zipped)
	for name, content := range map[string]string{"web/Chart.yaml": chartYAML, "web/values.yaml": "name: packed", "web/templates/pod.yaml": podTemplate} {
		if err := archive.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = archive.Close(), zipped.Close()
	for name, content := range map[string][]byte{"web-1.0.0.tgz": buffer.Bytes(), "broken.tgz": buffer.Bytes()[:100], "other.tgz": []byte("no archive")} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := found(read(t, FileOptions{Paths: []string{"web-1.0.0.tgz", "broken.tgz", "other.tgz"}}))
	want := []string{"web-packed web-1.0.0.tgz/templates/pod.yaml", "gap render broken.tgz", "gap render other.tgz"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}

// TestChartsDoNotRunAway holds that no template prints or works without end.
func TestChartsDoNotRunAway(t *testing.T) {
	tests := map[string]struct {
		template string
		want     verdict.GapCode
	}{
		"text in a loop":       {"{{ range $i := until 100000 }}{{ range $j := until 100000 }}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n{{ end }}{{ end }}", verdict.GapTooLarge},
		"a loop over a number": {"{{ range 10000000000 }}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n{{ end }}", verdict.GapTooLarge},
		"an empty loop":        {"{{ range 10000000000 -}} {{- $x := 1 -}} {{ end }}", verdict.GapTooLarge},
		"repeat":               {`{{ "aaaaaaaaaa" | repeat 1000000000 }}`, verdict.GapTooLarge},
		"repeat over and over": {`{{ "a" | repeat 1000000 | repeat 1000000 | repeat 1000000 }}`, verdict.GapTooLarge},
		"until":                {`{{ until 2000000000 }}`, verdict.GapTooLarge},
		"seq":                  {`{{ seq 1 2000000000 }}`, verdict.GapTooLarge},
		"indent":               {`{{ "a" | nindent 2000000000 }}`, verdict.GapTooLarge},
		"doubling":             {`{{ $x := "aaaaaaaaaaaaaaaa" }}{{ range until 60 }}{{ $x = print $x $x }}{{ end }}`, verdict.GapTooLarge},
		"doubling a list":      {`{{ $x := list 1 2 3 4 }}{{ range until 60 }}{{ $x = concat $x $x }}{{ end }}`, verdict.GapTooLarge},
		"calling itself":       {`{{ define "x" }}{{ include "x" . }}{{ include "x" . }}{{ end }}{{ include "x" . }}`, verdict.GapRender},
		"calling twice":        {`{{ define "a" }}{{ template "b" }}{{ template "b" }}{{ end }}{{ define "b" }}{{ range until 1000 }}{{ range until 1000 }}{{ end }}{{ end }}{{ end }}{{ template "a" }}{{ template "a" }}{{ template "a" }}{{ template "a" }}{{ template "a" }}{{ template "a" }}`, verdict.GapTooLarge},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tree(t, charted(map[string]string{"web/templates/x.yaml": test.template, "a.yaml": object("a")}))
			r := read(t, FileOptions{Paths: []string{"."}, MaxRender: 4 << 20, RenderTime: 20 * time.Second})
			if len(r.Objects) != 1 || len(r.Coverage.Gaps) != 1 || r.Coverage.Gaps[0].Code != test.want {
				t.Errorf("objects %d, gaps %+v", len(r.Objects), r.Coverage.Gaps)
			}
		})
	}
}

func TestRenderTime(t *testing.T) {
	tree(t, charted(map[string]string{"web/templates/x.yaml": "{{ range 10000000000 }}{{ end }}{{ range 1000000000 }}a{{ end }}", "a.yaml": object("a")}))
	got := found(read(t, FileOptions{Paths: []string{"."}, RenderTime: 50 * time.Millisecond, MaxRender: 1 << 40}))
	if diff := cmp.Diff([]string{"a a.yaml", "gap render web"}, got); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}

// TestInstrument holds that the meter changes nothing in what a template prints, line by line.
func TestInstrument(t *testing.T) {
	for _, text := range []string{
		"a", "{{ range .l }}x{{ . }}\n{{ end }}", "{{- range .l -}}\n  x{{ . }}  \n{{- end -}}\n", "{{ range $i, $x := .l }}{{ if eq $x `}}` }}a{{ else if $i }}b{{ else }}c{{ end }}{{ else }}none{{ end }}",
		"{{/* range */}}{{ range .none }}a{{ else }}b{{ end }}", `{{ define "x" }}{{ "}}" }}{{ end }}{{ template "x" }}`, `{{ define "e" }}{{/* nothing */}} {{ end }}{{ define "y" -}} a {{- end }}{{ template "y" }}{{ template "e" }}`,
		"{{- /* a }} b */ -}} c {{ with .m }}{{ .k }}{{ range $.l }}{{ break }}{{ end }}{{ end }}", `{{ block "z" .l }}{{ range . -}} {{ . }} {{- end }}{{ end }}`, "{{ '}' }}{{ range .l }}{{ \"\\\"}}\" }}{{ continue }}{{ end }}",
	} {
		data := map[string]any{"l": []string{"p", "}}", "q"}, "m": map[string]any{"k": "v"}}
		render := func(text string) string {
			m := &meter{ctx: t.Context(), limit: 1 << 20}
			parsed, err := template.New("main").Funcs(m.functions()).Parse(text)
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			var b strings.Builder
			if err := parsed.Execute(&b, data); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			return b.String()
		}
		metered := instrument(text)
		if strings.Count(metered, "\n") != strings.Count(text, "\n") {
			t.Errorf("%q has other lines as %q", text, metered)
		}
		if got, want := render(metered), render(text); got != want {
			t.Errorf("%q prints %q, as %q it prints %q", text, want, metered, got)
		}
	}
	for _, text := range []string{"{{", "{{ range", "{{ end }}", "{{ \"", "{{/*", "{{ ` }}", "{{ '", "{{-", "}}{{ range }}"} {
		_ = instrument(text) // must not panic
	}
}

// TestChartsStayOffTheNetwork counts what a schema's reference would ask of a server.
func TestChartsStayOffTheNetwork(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	tree(t, charted(map[string]string{
		"web/Chart.yaml":         chartYAML + "dependencies: [{name: db, version: 1.x, repository: '" + server.URL + "'}]\n",
		"web/values.schema.json": `{"$ref":"` + server.URL + `/schema.json"}`,
		"web/templates/pod.yaml": podTemplate,
	}))
	got := found(read(t, FileOptions{Paths: []string{"web"}}))
	want := []string{"web-plain web/templates/pod.yaml", "gap missing web/Chart.yaml", "left out: 1 values schemas that refer to other files or the network"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	if asked.Load() != 0 {
		t.Errorf("the server was asked %d times", asked.Load())
	}
}

// FuzzInstrument holds that metering changes neither whether a template parses nor what it prints.
func FuzzInstrument(f *testing.F) {
	for _, seed := range []string{"{{ range .l }}a{{ end }}", "{{- range .l -}} a {{- end -}}", "{{ define `a` }}{{ end }}{{ template `a` }}", "{{/* {{ */}}", "{{ '\\'' }}", "{{if .l}}{{else}}{{end}}", "{{ range .l }}{{ break }}{{ end }}", "{{range .l}}{{else}}{{end}}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1000 {
			return
		}
		render := func(text string) (string, bool, bool) {
			m := &meter{ctx: t.Context(), limit: 1 << 16}
			parsed, err := template.New("main").Funcs(m.functions()).Parse(text)
			if err != nil {
				return "", false, false
			}
			var b strings.Builder
			err = parsed.Execute(&b, map[string]any{"l": []string{"p", "q"}})
			return b.String(), true, err == nil && m.over() == nil
		}
		got, parses, runs := render(instrument(text))
		if strings.Contains(text, "range") && strings.ContainsAny(text, "0123456789") {
			return // a range over a number may have no end without the meter
		}
		want, parsesBefore, runsBefore := render(text)
		if parses != parsesBefore {
			t.Errorf("%q: parses %v, metered %v: %q", text, parsesBefore, parses, instrument(text))
		}
		if runs && runsBefore && got != want {
			t.Errorf("%q prints %q, metered %q", text, want, got)
		}
	})
}
