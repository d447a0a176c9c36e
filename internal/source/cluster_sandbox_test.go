package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/apiserver"
)

// TestClusterSandbox reads a real API server.
func TestClusterSandbox(t *testing.T) {
	s := startSandbox(t)
	s.kubectl(t, sandboxObjects, "apply", "-f", "-")
	s.kubectl(t, sandboxCustom, "apply", "-f", "-") // once their definitions are there

	t.Run("everything", s.testEverything)
	t.Run("pages", s.testPages)
	t.Run("fields managed deep", s.testManagedDeep)
	t.Run("what controllers made", s.testMade)
	t.Run("cluster role is enough", s.testRoleIsEnough)
	t.Run("forbidden", s.testForbidden)
	t.Run("one namespace", s.testOneNamespace)
	t.Run("namespace that is not there", s.testNoNamespace)
	t.Run("expired certificate", s.testExpired)
	t.Run("wrong authority", s.testWrongAuthority)
	t.Run("nobody listens", s.testNobodyListens)
	t.Run("cancelled", s.testCancelled)
	t.Run("archive", s.testArchive)
	t.Run("extension that is down", s.testExtensionDown)
	t.Run("secrets were not asked for", s.testAudit) // last: it looks at what all of the above did
}

func (s *sandbox) testEverything(t *testing.T) {
	var progress []string
	seen := &requests{}
	r := s.read(t, ClusterOptions{
		Config: seen.watch(s.config(t, s.Kubeconfig)), Custom: true, Pods: true,
		Progress: func(done, total int) { progress = append(progress, fmt.Sprintf("%d/%d", done, total)) },
	})
	if len(r.Coverage.Gaps) > 0 {
		t.Errorf("gaps: %+v", r.Coverage.Gaps)
	}
	if r.Version != "1.36" || !r.Live || !slices.Equal(r.Coverage.Sources, []string{"cluster:test"}) {
		t.Errorf("version %q, live %v, sources %v", r.Version, r.Live, r.Coverage.Sources)
	}
	if n := len(progress); n < 2 || progress[n-1] != fmt.Sprintf("%d/%d", n+1, n+1) {
		t.Errorf("progress: %v", progress)
	}
	for _, path := range seen.paths {
		if strings.Contains(path, "secrets") {
			t.Errorf("asked for %s", path)
		}
	}
	client := s.client(t)
	for _, o := range r.Objects {
		for _, gone := range [][]string{{"metadata", "managedFields"}, {"metadata", "annotations", lastApplied}, {"status"}} {
			if o.Kind != "Node" && o.Root.At(gone...).Exists() {
				t.Errorf("%s %s/%s still has %v", o.Kind, o.Namespace, o.Name, gone)
			}
		}
		if o.Root.Doc().Source().Content() == "" || o.Kind == "" || o.APIVersion == "" {
			t.Errorf("half an object: %+v", o)
		}
	}
	// Every object is where its origin says.
	for _, kind := range []string{"Deployment.apps", "ClusterRole.rbac.authorization.k8s.io", "ConfigMap", "Widget.example.com"} {
		of := ofKind(r, kind)
		if len(of) == 0 {
			t.Errorf("no %s was read", kind)
			continue
		}
		body, err := client.RESTClient().Get().AbsPath(of[0].Origin.File).Do(t.Context()).Raw()
		if err != nil {
			t.Errorf("%s: %v", of[0].Origin.File, err)
			continue
		}
		if doc, fault := document.ParseJSON(string(body)); fault != nil || doc.Root().At("metadata", "uid").Str() != of[0].Root.At("metadata", "uid").Str() {
			t.Errorf("%s is another object", of[0].Origin.File)
		}
	}
	if of := ofKind(r, "Gadget.example.com"); len(of) > 0 {
		t.Error("custom resources without a place for a pod were read")
	}
	if of := ofKind(r, "Secret"); len(of) > 0 {
		t.Error("secrets were read")
	}
	if !slices.IsSortedFunc(r.Objects, func(a, b *fact.Object) int {
		return strings.Compare(a.GroupKind()+"\x00"+a.Namespace+"\x00"+a.Name, b.GroupKind()+"\x00"+b.Namespace+"\x00"+b.Name)
	}) {
		t.Error("objects are in no order")
	}
	want := map[string]int{"Secret": 0, "custom resource kinds": 1}
	got := map[string]int{}
	for _, e := range r.Coverage.Exclusions {
		got[e.What] = e.Count
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("exclusions (-want +got):\n%s", diff)
	}
	if ofKind(r, definitionKind)[0].Root.At("spec", "versions").Index(0).Get("schema").Exists() {
		t.Error("a definition's schema was kept")
	}
}

// testManagedDeep has somebody write what the API server keeps to any depth: it hides no other object.
func (s *sandbox) testManagedDeep(t *testing.T) {
	s.kubectl(t, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"deep","namespace":"shop","managedFields":[
		{"manager":"m","operation":"Update","apiVersion":"v1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":`+nested(900)+`}]}}`, "create", "-f", "-")
	defer s.kubectl(t, "", "delete", "configmap", "deep", "-n", "shop")
	r := s.read(t, ClusterOptions{Config: s.config(t, s.Kubeconfig), Custom: true, Pods: true})
	if len(r.Coverage.Gaps) > 0 {
		t.Errorf("gaps: %+v", r.Coverage.Gaps)
	}
	if maps := ofKind(r, "ConfigMap"); len(maps) < 2 || !slices.ContainsFunc(maps, func(o *fact.Object) bool { return o.Name == "deep" }) {
		t.Errorf("%d config maps were read", len(maps))
	}
}

func (s *sandbox) testPages(t *testing.T) {
	s.fill(t, 1200)
	seen := &requests{}
	r := s.read(t, ClusterOptions{
		Config: seen.watch(s.config(t, s.Kubeconfig)), Kinds: []string{"ConfigMap"}, Namespaces: []string{"many"}, PageSize: 100,
	})
	names := map[string]bool{}
	for _, o := range ofKind(r, "ConfigMap") {
		names[o.Name] = true
	}
	names["kube-root-ca.crt"] = true // may or may not be there yet
	if len(names) != 1201 || len(r.Coverage.Gaps) > 0 {
		t.Errorf("%d names, gaps %+v", len(names), r.Coverage.Gaps)
	}
	pages := 0
	for _, path := range seen.paths {
		if strings.Contains(path, "/many/configmaps") {
			pages++
			if !strings.Contains(path, "limit=100") {
				t.Errorf("asked for %s", path)
			}
		}
	}
	if pages < 12 || pages > 13 {
		t.Errorf("%d pages", pages)
	}
}

func (s *sandbox) testMade(t *testing.T) {
	kinds := []string{"Pod", "ReplicaSet.apps", "Deployment.apps"}
	var all *Reading
	for {
		all = s.read(t, ClusterOptions{Config: s.config(t, s.Kubeconfig), Kinds: kinds, Pods: true})
		if len(ofKind(all, "Pod")) == 3 { // the controllers take a moment
			break
		}
	}
	few := s.read(t, ClusterOptions{Config: s.config(t, s.Kubeconfig), Kinds: kinds})
	if names := namesOf(ofKind(few, "Pod")); !slices.Equal(names, []string{"lone"}) {
		t.Errorf("pods: %v", names)
	}
	if n := len(ofKind(few, "ReplicaSet.apps")); n != 0 {
		t.Errorf("%d replica sets", n)
	}
	if i := slices.IndexFunc(few.Coverage.Exclusions, func(e verdict.Exclusion) bool { return e.Count == 3 }); i < 0 {
		t.Errorf("not told: %+v", few.Coverage.Exclusions)
	}
	// Without the Deployment there is nothing to judge them through but the ReplicaSet.
	fewer := s.read(t, ClusterOptions{Config: s.config(t, s.Kubeconfig), Kinds: kinds[:2]})
	if p, rs := len(ofKind(fewer, "Pod")), len(ofKind(fewer, "ReplicaSet.apps")); p != 1 || rs != 1 {
		t.Errorf("%d pods and %d replica sets", p, rs)
	}
}

// testRoleIsEnough holds the plurals in ClusterRole to the API server's own.
func (s *sandbox) testRoleIsEnough(t *testing.T) {
	s.kubectl(t, ClusterRole(nil), "apply", "-f", "-")
	s.kubectl(t, "", "create", "clusterrolebinding", "scan", "--clusterrole=coaming-scan", "--user=scanner")
	r := s.read(t, ClusterOptions{Config: s.config(t, s.User(t, "--user", "scanner")), Custom: true})
	if len(r.Coverage.Gaps) > 0 {
		t.Errorf("gaps: %+v", r.Coverage.Gaps)
	}
	told := slices.IndexFunc(r.Coverage.Exclusions, func(e verdict.Exclusion) bool { return e.What == "Widget.example.com" })
	if told < 0 {
		t.Errorf("that widgets are forbidden is not told: %+v", r.Coverage.Exclusions)
	}
	if out := s.kubectl(t, "", "auth", "can-i", "--list", "--as=scanner"); strings.Contains(out, "secrets") {
		t.Errorf("the role has secrets:\n%s", out)
	}
}

func (s *sandbox) testForbidden(t *testing.T) {
	r := s.read(t, ClusterOptions{Config: s.config(t, s.User(t, "--user", "nobody")), Kinds: []string{"Deployment.apps", "Node", "Secret"}})
	want := []verdict.Gap{{
		Code:     verdict.GapForbidden,
		Location: verdict.Location{Source: "cluster:test", File: "/apis/apps/v1/deployments"},
		Message:  `listing deployments.apps failed: deployments.apps is forbidden: User "nobody" cannot list resource "deployments" in API group "apps" at the cluster scope`,
		Remedy:   `Grant {apiGroups: ["apps"], resources: ["deployments"], verbs: ["list"]} in a ClusterRole, or name the namespaces that may be read.`,
		Kinds:    []string{"Deployment.apps"},
	}, {
		Code:     verdict.GapForbidden,
		Location: verdict.Location{Source: "cluster:test", File: "/api/v1/nodes"},
		Message:  `listing nodes failed: nodes is forbidden: User "nobody" cannot list resource "nodes" in API group "" at the cluster scope`,
		Remedy:   `Grant {apiGroups: [""], resources: ["nodes"], verbs: ["list"]} in a ClusterRole.`,
		Kinds:    []string{"Node"},
	}}
	if diff := cmp.Diff(want, r.Coverage.Gaps); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
}

func (s *sandbox) testOneNamespace(t *testing.T) {
	s.kubectl(t, "", "create", "role", "reader", "-n", "shop", "--verb=list", "--resource=configmaps,deployments.apps")
	s.kubectl(t, "", "create", "rolebinding", "reader", "-n", "shop", "--role=reader", "--user=shopper")
	s.kubectl(t, "", "create", "clusterrole", "see-shop", "--verb=list", "--resource=namespaces", "--resource-name=shop")
	s.kubectl(t, "", "create", "clusterrolebinding", "see-shop", "--clusterrole=see-shop", "--user=shopper")
	r := s.read(t, ClusterOptions{
		Config: s.config(t, s.User(t, "--user", "shopper")),
		Kinds:  []string{"ConfigMap", "Deployment.apps", "ClusterRole.rbac.authorization.k8s.io", "Service", "Namespace"}, Namespaces: []string{"shop", "shop"},
	})
	var got []string
	for _, g := range r.Coverage.Gaps {
		got = append(got, fmt.Sprint(g.Code, g.Kinds, g.Namespace, ": ", g.Remedy))
	}
	want := []string{
		`forbidden[ClusterRole.rbac.authorization.k8s.io]: Grant {apiGroups: ["rbac.authorization.k8s.io"], resources: ["clusterroles"], verbs: ["list"]} in a ClusterRole.`,
		`forbidden[Service]shop: Grant {apiGroups: [""], resources: ["services"], verbs: ["list"]} in a Role of namespace shop.`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
	if names := namesOf(ofKind(r, "Namespace")); !slices.Equal(names, []string{"shop"}) {
		t.Errorf("namespaces: %v", names)
	}
	if names := namesOf(ofKind(r, "Deployment.apps")); !slices.Equal(names, []string{"cart"}) {
		t.Errorf("deployments: %v", names)
	}
}

func (s *sandbox) testNoNamespace(t *testing.T) {
	r := s.read(t, ClusterOptions{Config: s.config(t, s.Kubeconfig), Kinds: []string{"ConfigMap"}, Namespaces: []string{"shpo"}})
	if g := r.Coverage.Gaps; len(g) != 1 || g[0].Code != verdict.GapMissing || g[0].Namespace != "shpo" {
		t.Errorf("gaps: %+v", g)
	}
	_, err := Cluster(t.Context(), ClusterOptions{Config: s.config(t, s.Kubeconfig), Namespaces: []string{"../../secrets"}})
	wantRemedy(t, err, "Name the namespaces")
}

func (s *sandbox) testExpired(t *testing.T) {
	_, err := Cluster(t.Context(), ClusterOptions{Config: s.config(t, s.User(t, "--user", "late", "--expired")), Context: "test"})
	wantRemedy(t, err, "Renew the credentials")
}

func (s *sandbox) testWrongAuthority(t *testing.T) {
	config := s.config(t, s.Kubeconfig)
	config.CAData, config.CAFile = nil, ""
	_, err := Cluster(t.Context(), ClusterOptions{Config: config, Context: "test"})
	wantRemedy(t, err, "Check certificate-authority")
}

func (s *sandbox) testNobodyListens(t *testing.T) {
	config := s.config(t, s.Kubeconfig)
	config.Host = "https://127.0.0.1:1"
	_, err := Cluster(t.Context(), ClusterOptions{Config: config, Context: "test"})
	wantRemedy(t, err, "Check the server's address")
}

func (s *sandbox) testCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Cluster(ctx, ClusterOptions{
		Config: s.config(t, s.Kubeconfig), Context: "test",
		Progress: func(int, int) { cancel() },
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("want the context's error, got %v", err)
	}
}

// testArchive judges a snapshot as the cluster itself: the same objects, byte for byte.
func (s *sandbox) testArchive(t *testing.T) {
	live := s.read(t, ClusterOptions{Config: s.config(t, s.User(t, "--user", "scanner")), Custom: true, Pods: true})
	var file bytes.Buffer
	if err := WriteArchive(&file, live, ArchiveMeta{Context: "test", Taken: time.Unix(0, 0), Tool: "coaming/test"}); err != nil {
		t.Fatal(err)
	}
	stored, err := ReadArchive(&file, "cluster.coaming", ArchiveLimits{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(flat(live), flat(stored)); diff != "" {
		t.Errorf("objects (-live +stored):\n%s", diff)
	}
	if diff := cmp.Diff(live.Coverage.Exclusions, stored.Coverage.Exclusions); diff != "" {
		t.Errorf("exclusions (-live +stored):\n%s", diff)
	}
	if stored.Version != live.Version || !stored.Live {
		t.Errorf("version %q, live %v", stored.Version, stored.Live)
	}
}

func (s *sandbox) testExtensionDown(t *testing.T) {
	s.kubectl(t, sandboxExtension, "apply", "-f", "-")
	var gaps []verdict.Gap
	for len(gaps) == 0 { // until the API server has noticed
		gaps = s.read(t, ClusterOptions{Config: s.config(t, s.Kubeconfig), Kinds: []string{"NodeMetrics.metrics.example.com"}}).Coverage.Gaps
	}
	if g := gaps[0]; g.Code != verdict.GapUnreachable || !slices.Equal(g.Kinds, []string{"NodeMetrics.metrics.example.com"}) {
		t.Errorf("gap: %+v", g)
	}
	r := s.read(t, ClusterOptions{Config: s.config(t, s.Kubeconfig), Kinds: []string{"Pod"}})
	if len(r.Coverage.Gaps) > 0 {
		t.Errorf("gaps: %+v", r.Coverage.Gaps)
	}
	if !slices.ContainsFunc(r.Coverage.Exclusions, func(e verdict.Exclusion) bool { return e.What == "API group metrics.example.com/v1" }) {
		t.Errorf("exclusions: %+v", r.Coverage.Exclusions)
	}
}

func (s *sandbox) testAudit(t *testing.T) {
	ours := s.Audited(t, "coaming/test")
	for _, e := range ours {
		if e.ObjectRef != nil && e.ObjectRef.Resource == "secrets" {
			t.Errorf("asked for secrets: %s", e.Line)
		}
		if e.Verb != "list" && e.Verb != "get" {
			t.Errorf("not a reading: %s", e.Line)
		}
	}
	if len(ours) < 100 {
		t.Errorf("the audit log has %d requests of ours", len(ours))
	}
}

// sandbox is a running API server.
type sandbox struct{ *apiserver.Sandbox }

func startSandbox(t *testing.T) *sandbox {
	t.Helper()
	return &sandbox{apiserver.Start(t, "--audit")}
}

func (s *sandbox) kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	// What was made a moment ago (a definition, a namespace's account) may not be there yet.
	for attempt := 1; ; attempt++ {
		out, message, err := s.Kubectl(t, stdin, append([]string{"--kubeconfig=" + s.Kubeconfig}, args...)...)
		if err == nil {
			return out
		}
		if attempt == 20 {
			t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, message)
		}
	}
}

func (s *sandbox) config(t *testing.T, kubeconfig string) *rest.Config {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func (s *sandbox) client(t *testing.T) *discovery.DiscoveryClient {
	t.Helper()
	config := s.config(t, s.Kubeconfig)
	config.QPS, config.Burst = 1000, 1000
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// fill makes config maps in the namespace "many".
func (s *sandbox) fill(t *testing.T, n int) {
	t.Helper()
	client := s.client(t)
	names := make(chan string)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for name := range names {
				body := fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q},"data":{"a":"b"}}`, name)
				err := client.RESTClient().Post().AbsPath("/api/v1/namespaces/many/configmaps").SetHeader("Content-Type", "application/json").Body([]byte(body)).Do(t.Context()).Error()
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range n {
		names <- fmt.Sprintf("m%04d", i)
	}
	close(names)
	wg.Wait()
}

func (s *sandbox) read(t *testing.T, o ClusterOptions) *Reading {
	t.Helper()
	o.Context, o.UserAgent = "test", "coaming/test"
	r, err := Cluster(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// requests remembers what was asked for.
type requests struct {
	mu    sync.Mutex
	paths []string
}

func (r *requests) watch(config *rest.Config) *rest.Config {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			r.mu.Lock()
			r.paths = append(r.paths, request.URL.RequestURI())
			r.mu.Unlock()
			return next.RoundTrip(request)
		})
	})
	return config
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

func ofKind(r *Reading, kind string) []*fact.Object {
	var of []*fact.Object
	for _, o := range r.Objects {
		if o.GroupKind() == kind {
			of = append(of, o)
		}
	}
	return of
}

func namesOf(objects []*fact.Object) []string {
	names := make([]string, 0, len(objects))
	for _, o := range objects {
		names = append(names, o.Name)
	}
	return names
}

// flat is a reading's objects as text.
func flat(r *Reading) []string {
	lines := make([]string, 0, len(r.Objects))
	for _, o := range r.Objects {
		lines = append(lines, fmt.Sprintf("%s %s %s/%s %s %s", o.APIVersion, o.Kind, o.Namespace, o.Name, o.Origin.File, o.Root.AppendJSON(nil)))
	}
	return lines
}

func wantRemedy(t *testing.T, err error, begins string) {
	t.Helper()
	re, ok := errors.AsType[*verdict.RemedyError](err)
	if !ok || !strings.HasPrefix(re.Remedy, begins) {
		t.Errorf("want a remedy that begins %q, got %#v", begins, err)
		return
	}
	t.Logf("%v (%s)", err, re.Remedy)
}

const sandboxObjects = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Namespace
metadata: {name: many}
---
apiVersion: v1
kind: Secret
metadata: {name: token, namespace: shop}
stringData: {password: never-to-be-seen}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {a: "1"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart}}
    spec: {containers: [{name: cart, image: "example.test/cart:1"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: lone, namespace: shop}
spec: {containers: [{name: lone, image: "example.test/lone:1"}]}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                worker:
                  type: object
                  properties:
                    spec:
                      type: object
                      properties:
                        containers:
                          type: array
                          items:
                            type: object
                            properties: {name: {type: string}, image: {type: string}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: gadgets, kind: Gadget}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties: {spec: {type: object, properties: {size: {type: integer}}}}
`

const sandboxCustom = `
apiVersion: example.com/v1
kind: Widget
metadata: {name: saw, namespace: shop}
spec: {worker: {spec: {containers: [{name: saw, image: "example.test/saw:1"}]}}}
---
apiVersion: example.com/v1
kind: Gadget
metadata: {name: lamp, namespace: shop}
spec: {size: 3}
`

const sandboxExtension = `
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.metrics.example.com}
spec:
  group: metrics.example.com
  version: v1
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: true
  service: {name: metrics, namespace: shop}
`
