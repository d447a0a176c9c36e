package source

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/coaming/coaming/internal/verdict"
)

func TestKustomize(t *testing.T) {
	const head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
	const unused = "left out: 1 kustomize components that no overlay here uses"
	tests := map[string]struct {
		files map[string]string
		paths []string
		want  []string
	}{
		"resources alone are read as they stand": {
			map[string]string{"base/kustomization.yaml": "resources: [a.yaml, sub]\n", "base/a.yaml": object("a"), "base/sub/kustomization.yml": "resources: [b.yaml]\n", "base/sub/b.yaml": object("b"), "base/c.yaml": object("c")},
			[]string{"."},
			[]string{"a base/a.yaml", "c base/c.yaml", "b base/sub/b.yaml"},
		},
		"an overlay over a base": {
			map[string]string{"base/kustomization.yaml": "resources: [a.yaml]\n", "base/a.yaml": object("a"), "prod/kustomization.yaml": head + "resources: [../base]\nnamePrefix: prod-\npatches: [{path: p.yaml}]\n", "prod/p.yaml": object("a")},
			[]string{"."},
			[]string{"prod-a base/a.yaml"},
		},
		"two overlays over a base": {
			map[string]string{"base/kustomization.yaml": "resources: [a.yaml]\n", "base/a.yaml": object("a"), "prod/kustomization.yaml": "resources: [../base]\nnamePrefix: prod-\n", "dev/Kustomization": "resources: [../base]\nnamePrefix: dev-\n"},
			[]string{"."},
			[]string{"dev-a base/a.yaml", "prod-a base/a.yaml"},
		},
		"a base that is named is built too": {
			map[string]string{"base/kustomization.yaml": "resources: [a.yaml]\n", "base/a.yaml": object("a"), "prod/kustomization.yaml": "resources: [../base]\nnamePrefix: prod-\n"},
			[]string{"base", "prod"},
			[]string{"a base/a.yaml", "prod-a base/a.yaml"},
		},
		"an overlay alone": {
			map[string]string{"base/kustomization.yaml": "resources: [a.yaml]\n", "base/a.yaml": object("a"), "prod/kustomization.yaml": "resources: [../base]\nnameSuffix: -x\n"},
			[]string{"prod"},
			[]string{"a-x base/a.yaml"},
		},
		"given as a file": {
			map[string]string{"prod/a.yaml": object("a"), "prod/b.yaml": object("b"), "prod/kustomization.yaml": "resources: [a.yaml]\nnameSuffix: -x\n"},
			[]string{"prod/kustomization.yaml"},
			[]string{"a-x prod/a.yaml"},
		},
		"what is generated": {
			map[string]string{
				"k/kustomization.yaml": "configMapGenerator: [{name: c, files: [x.json, key=y.yaml], envs: [e.env]}]\nsecretGenerator: [{name: s, literals: [a=b]}]\ngeneratorOptions: {disableNameSuffixHash: true}\n",
				"k/x.json":             `{"kind":"no object"}`, "k/y.yaml": "apiVersion: broken [", "k/e.env": "A=B\n",
			},
			[]string{"."},
			[]string{"c k/kustomization.yaml", "s k/kustomization.yaml"},
		},
		"everything that is referred to": {
			map[string]string{
				"k/kustomization.yaml": "resources: [a.yaml]\ntransformers: [t.yaml]\ngenerators: [g.yaml]\nconfigurations: [conf.yaml]\npatchesStrategicMerge: [p.yaml]\npatchesJson6902: [{target: {version: v1, kind: Pod, name: a}, path: j.yaml}]\n" +
					"replacements: [{path: r.yaml}]\ncrds: [crd.json]\ncomponents: [comp]\ncommonLabels: {x: v}\nbases: [old]\n",
				"k/a.yaml": object("a"), "k/t.yaml": "apiVersion: builtin\nkind: PrefixTransformer\nmetadata: {name: t}\nprefix: t-\nfieldSpecs: [{path: metadata/name}]\n",
				"k/g.yaml":    "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: g}\nname: g\nliterals: [a=b]\noptions: {disableNameSuffixHash: true}\n",
				"k/conf.yaml": "nameReference: []\n", "k/p.yaml": object("a") + "spec: {hostPID: true}\n", "k/j.yaml": "- {op: add, path: /spec/hostIPC, value: true}\n",
				"k/r.yaml": "- source: {kind: Pod, name: a, fieldPath: metadata.name}\n  targets: [{select: {kind: Pod, name: old}, fieldPaths: [spec.hostname], options: {create: true}}]\n", "k/crd.json": "{}",
				"k/comp/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [c.yaml]\n", "k/comp/c.yaml": object("c"),
				"k/old/kustomization.yaml": "resources: [o.yaml]\n", "k/old/o.yaml": object("old"), "k/unused.yaml": object("unused"),
			},
			[]string{"."},
			[]string{"t-a k", "t-old k", "t-g k", "t-c k", "unused k/unused.yaml"}, // a plugin renamed them: which file is a guess,
		},
		"a component that nothing uses": {
			map[string]string{
				"comp/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [c.yaml]\npatches: [{path: p.yaml}]\n", "comp/c.yaml": object("c"), "comp/p.yaml": object("other"),
			},
			[]string{"."},
			[]string{"c comp/c.yaml", unused},
		},
		"a remote base": {
			map[string]string{"k/kustomization.yaml": "namePrefix: x-\nresources:\n- a.yaml\n- github.com/org/repo//deploy?ref=v1\n- https://example.invalid/x.yaml\n", "k/a.yaml": object("a")},
			[]string{"."},
			[]string{"x-a k/a.yaml", "gap remote k/kustomization.yaml:4", "gap remote k/kustomization.yaml:5"},
		},
		"nothing but remote": {
			map[string]string{"k/kustomization.yaml": "resources: ['git@github.com:org/repo.git']\n", "a.yaml": object("a")},
			[]string{"."},
			[]string{"a a.yaml", "gap remote k/kustomization.yaml:1"},
		},
		"a missing resource": {
			map[string]string{"k/kustomization.yaml": "namePrefix: x-\nresources: [a.yaml, gone.yaml]\n", "k/a.yaml": object("a")},
			[]string{"."},
			[]string{"x-a k/a.yaml", "gap missing k/kustomization.yaml:2"},
		},
		"a missing patch: nothing is guessed": {
			map[string]string{"k/kustomization.yaml": "resources: [a.yaml]\npatches: [{path: gone.yaml}]\n", "k/a.yaml": object("a")},
			[]string{"."},
			[]string{"a k/a.yaml", "gap missing k/kustomization.yaml:2"},
		},
		"a remote component in the base": {
			map[string]string{"base/kustomization.yaml": "resources: [a.yaml]\ncomponents: ['https://example.invalid/c']\n", "base/a.yaml": object("a"), "prod/kustomization.yaml": "resources: [../base]\nnamePrefix: x-\n"},
			[]string{"."},
			[]string{"a base/a.yaml", "gap remote base/kustomization.yaml:2"},
		},
		"a patch without its object": {
			map[string]string{"k/kustomization.yaml": "resources: [a.yaml]\npatches: [{path: p.yaml}]\n", "k/a.yaml": object("a"), "k/p.yaml": object("b")},
			[]string{"."},
			[]string{"a k/a.yaml", "gap render k/kustomization.yaml"},
		},
		"a broken resource": {
			map[string]string{"k/kustomization.yaml": "resources: [a.yaml, b.yaml]\nnamePrefix: x-\n", "k/a.yaml": object("a") + "---\napiVersion: v1\nkind: [", "k/b.yaml": object("b")},
			[]string{"."},
			[]string{"a k/a.yaml", "b k/b.yaml", "gap render k/kustomization.yaml", "gap syntax k/a.yaml:7"},
		},
		"a broken kustomization": {
			map[string]string{"k/kustomization.yaml": "resources: [\n", "k/a.yaml": object("a")},
			[]string{"."},
			[]string{"a k/a.yaml", "gap syntax k/kustomization.yaml:1"},
		},
		"an unknown field": {
			map[string]string{"k/kustomization.yaml": "resourcse: [a.yaml]\n", "k/a.yaml": object("a")},
			[]string{"."},
			[]string{"a k/a.yaml", "gap render k/kustomization.yaml:1"},
		},
		"an empty kustomization": {
			map[string]string{"k/kustomization.yaml": "# nothing\n", "k/a.yaml": object("a")},
			[]string{"."},
			[]string{"a k/a.yaml"}, // nothing is lost with it
		},
		"a circle": {
			map[string]string{"a/kustomization.yaml": "resources: [../b]\nnamePrefix: a-\n", "b/kustomization.yaml": "resources: [../a, b.yaml]\n", "b/b.yaml": object("b")},
			[]string{"."},
			[]string{"b b/b.yaml", "gap render a/kustomization.yaml"},
		},
		"outside of its directory": {
			map[string]string{"k/kustomization.yaml": "resources: [../a.yaml]\nnamePrefix: x-\n", "a.yaml": object("a")},
			[]string{"k"},
			[]string{"a a.yaml", "gap render k/kustomization.yaml"},
		},
		"Helm charts": {
			map[string]string{"k/kustomization.yaml": "resources: [a.yaml]\nhelmCharts: [{name: x, repo: 'https://example.invalid', version: 1.0.0}]\nnamePrefix: x-\n", "k/a.yaml": object("a")},
			[]string{"."},
			[]string{"x-a k/a.yaml", "gap render k/kustomization.yaml:2"},
		},
		"Flux's Kustomization": {
			map[string]string{"k/kustomization.yaml": "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: flux}\n"},
			[]string{"."},
			[]string{"flux k/kustomization.yaml"},
		},
		"executables": {
			map[string]string{
				"k/kustomization.yaml": "resources: [a.yaml]\ntransformers: [t.yaml]\n", "k/a.yaml": object("a"),
				"k/t.yaml": "apiVersion: x/v1\nkind: T\nmetadata:\n  name: t\n  annotations:\n    config.kubernetes.io/function: |\n      exec: {path: ./touch.sh}\n", "k/touch.sh": "#!/bin/sh\ntouch touched\ncat\n",
			},
			[]string{"."},
			[]string{"a k/a.yaml", "gap render k/kustomization.yaml"},
		},
		"local configuration is no part of a build": {
			map[string]string{"k/kustomization.yaml": "resources: [a.yaml]\n", "k/a.yaml": object("a") + "  annotations: {config.kubernetes.io/local-config: 'true'}\n---\n" + object("b")},
			[]string{"."},
			[]string{"b k/a.yaml", "left out: 1 client-side configuration"},
		},
		"a bomb": {
			map[string]string{"k/kustomization.yaml": "resources: [a.yaml]\nnamePrefix: x-\n", "k/a.yaml": bomb},
			[]string{"."},
			[]string{"gap render k/kustomization.yaml", "gap too-large k/a.yaml:1"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tree(t, test.files)
			if diff := cmp.Diff(test.want, found(read(t, FileOptions{Paths: test.paths}))); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
			if _, err := os.Stat("k/touched"); err == nil {
				t.Error("an executable was run")
			}
		})
	}
}

// TestKustomizeStaysOffTheNetwork names a server wherever kustomize reads something, and counts.
func TestKustomizeStaysOffTheNetwork(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte(object("remote")))
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	tree(t, map[string]string{"base/a.yaml": object("a"), "plain.yaml": object("plain")})
	for i, text := range []string{
		"resources: [URL/x.yaml]", "Resources: [URL/x.yaml]", "resources: ['HTTP://HOST/x.yaml']", "resources: ['http:HOST/x.yaml']", "resources: [' URL/x.yaml']",
		"bases: [URL/org/repo]", "resources: ['git::URL/org/repo.git']", "resources: ['URL/org/repo//deploy?ref=main']", "components: [URL/org/repo]",
		"resources: [a.yaml]\npatches: [{path: URL/p.yaml}]", "resources: [a.yaml]\npatchesStrategicMerge: [URL/p.yaml]", "resources: [a.yaml]\npatchesJson6902: [{path: URL/p.yaml, target: {kind: Pod}}]",
		"resources: [a.yaml]\nreplacements: [{path: URL/r.yaml}]", "resources: [a.yaml]\ncrds: [URL/c.json]", "resources: [a.yaml]\nconfigurations: [URL/c.yaml]",
		"resources: [a.yaml]\nopenapi: {path: URL/o.json}", "resources: [a.yaml]\nOpenAPI: {path: URL/o.json}", "generators: [URL/g.yaml]", "resources: [a.yaml]\ntransformers: [URL/t.yaml]", "resources: [a.yaml]\nvalidators: [URL/t.yaml]",
		"configMapGenerator: [{name: c, files: [URL/f]}]", "configMapGenerator: [{name: c, files: [k=URL/f]}]", "configMapGenerator: [{name: c, envs: [URL/f]}]", "secretGenerator: [{name: c, env: URL/f}]",
		"generators:\n- |-\n  apiVersion: builtin\n  kind: ConfigMapGenerator\n  metadata: {name: g}\n  name: g\n  files: [k=URL/f]", "resources: [a.yaml]\ntransformers:\n- |-\n  apiVersion: builtin\n  kind: PatchTransformer\n  metadata: {name: g}\n  Path: \"\\x68ttp://HOST/f\"",
		"resources: [a.yaml]\ntransformers: ['{apiVersion: builtin, kind: PatchTransformer, metadata: {name: g}, path: \"URL/f\"}']",
		"resources: [a.yaml]\ntransformers: [t.yaml]", "resources: [a.yaml]\ntransformers: [t]", "generators: [t.yaml]", "helmCharts: [{name: x, repo: URL}]", "helmChartInflationGenerator: [{chartName: x, chartRepoUrl: URL}]",
		"resources: [a.yaml]\npatchesStrategicMerge: ['http:/HOST/p']",
	} {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "URL", server.URL), "HOST", host)
		for name, content := range map[string]string{
			"k/kustomization.yaml": text + "\n", "k/a.yaml": object("a"), "k/t/kustomization.yaml": "resources: [t.yaml]\n",
			"k/t.yaml":   "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: t}\npath: " + server.URL + "/p.yaml\n",
			"k/t/t.yaml": "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: t}\npath: " + server.URL + "/p.yaml\n",
		} {
			if err := os.MkdirAll("k/t", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r := read(t, FileOptions{Paths: []string{"k/kustomization.yaml"}})
		if len(r.Coverage.Gaps) == 0 {
			t.Errorf("%d: no gap for %s", i, text)
		}
		if asked.Load() != 0 {
			t.Fatalf("%d: the server was asked for %s", i, text)
		}
	}
}

func TestRemote(t *testing.T) {
	for text, want := range map[string]bool{
		"https://github.com/org/repo": true, "HTTP://x/y": true, "http:x": true, "git@host:org/repo": true, "org-1@host/x": true, "github.com/org/repo": true, "GitHub.com:org/repo": true,
		"git::https://x/y": true, "ssh://git@x/y": true, "file:///srv/repo": true, "git::github.com/org/repo": true, "s3::https://x": true,
		"../base": false, "a.yaml": false, "./github.com/x": false, "x@y.yaml/../b": true, "my_app@1.yaml": false, "https.yaml": false, "github.community/a": false,
	} {
		if got := remote(text); got != want {
			t.Errorf("remote(%q) is %v", text, got)
		}
	}
}

// TestKustomizeAsItself compares a build with what kustomize makes of the untouched files.
func TestKustomizeAsItself(t *testing.T) {
	tree(t, map[string]string{
		"base/kustomization.yaml": "resources: [a.yaml, b.yaml]\ncommonLabels: {app: x}\n", "base/a.yaml": object("a") + "  annotations: {own: kept}\n---\n" + object("c"), "base/b.yaml": object("b"),
		"prod/kustomization.yaml": "bases: [../base]\nnamePrefix: prod-\nnamespace: ns\nlabels: [{pairs: {team: z}}]\npatchesStrategicMerge:\n- p.yaml\n- |-\n  apiVersion: v1\n  kind: Pod\n  metadata: {name: b}\n  spec: {hostIPC: true}\nimages: [{name: i, newTag: '2'}]\nconfigMapGenerator: [{name: m, files: [p.yaml]}]\n",
		"prod/p.yaml":             object("a") + "spec: {containers: [{name: x, image: i:1}]}\n---\n" + object("b") + "spec: {hostPID: true}\n",
	})
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "prod")
	if err != nil {
		t.Fatal(err)
	}
	want, err := made.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	r := read(t, FileOptions{Paths: []string{"prod"}})
	var got []string
	for _, o := range r.Objects {
		got = append(got, strings.TrimSpace(o.Root.Doc().Source().Content()))
		if o.Origin.Source != "kustomize:prod" || !o.Origin.Rendered {
			t.Errorf("origin %+v", o.Origin)
		}
	}
	if diff := cmp.Diff(strings.TrimSpace(string(want)), strings.Join(got, "\n---\n")); diff != "" {
		t.Errorf("build (-kustomize +ours):\n%s", diff)
	}
	files := found(r)
	if diff := cmp.Diff([]string{"prod-a base/a.yaml", "prod-c base/a.yaml", "prod-b base/b.yaml"}, files[:3]); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for _, g := range r.Coverage.Gaps {
		if g.Code == verdict.GapRender {
			t.Errorf("%+v", g)
		}
	}
}
