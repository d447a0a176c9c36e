package source

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/verdict"
)

// The doubles below stand in for what a real API server cannot be made to do at the right moment: to
// go away between two pages, to forget a page, to be busy. cluster_sandbox_test.go has the rest.

// double is an API server with config maps and services, whose answers a test may replace.
type double struct {
	*httptest.Server

	// answer may answer a request for config maps itself, the n-th from 1, and then returns true.
	answer func(w http.ResponseWriter, r *http.Request, n int) bool
	maps   int // config maps that there are

	mu   sync.Mutex
	asks int
}

func newDouble(t *testing.T, maps int, answer func(w http.ResponseWriter, r *http.Request, n int) bool) *double {
	t.Helper()
	d := &double{answer: answer, maps: maps}
	mux := http.NewServeMux()
	say := func(path, body string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(body))
		})
	}
	say("/api", `{"kind":"APIVersions","versions":["v1"]}`)
	say("/apis", `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`)
	say("/api/v1", `{"kind":"APIResourceList","groupVersion":"v1","resources":[
		{"name":"namespaces","kind":"Namespace","verbs":["list"]},
		{"name":"configmaps","namespaced":true,"kind":"ConfigMap","verbs":["list"]},
		{"name":"services","namespaced":true,"kind":"Service","verbs":["list"]},
		{"name":"services/status","namespaced":true,"kind":"Service","verbs":["get"]},
		{"name":"bindings","namespaced":true,"kind":"Binding","verbs":["create"]}]}`)
	say("/version", `{"major":"1","minor":"36+"}`)
	say("/api/v1/services", `{"kind":"ServiceList","apiVersion":"v1","metadata":{},"items":[{"metadata":{"name":"web","namespace":"b"}},{"metadata":{"name":"web","namespace":"a-b"}},{"metadata":{"name":"web","namespace":"a"}}]}`)
	mux.HandleFunc("/api/v1/configmaps", d.configMaps)
	d.Server = httptest.NewServer(mux)
	t.Cleanup(d.Close)
	return d
}

func (d *double) configMaps(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	d.asks++
	n := d.asks
	d.mu.Unlock()
	if d.answer != nil && d.answer(w, r, n) {
		return
	}
	from, _ := strconv.Atoi(r.FormValue("continue"))
	limit, _ := strconv.Atoi(r.FormValue("limit"))
	var items []string
	for i := from; i < min(from+limit, d.maps); i++ {
		items = append(items, fmt.Sprintf(`{"metadata":{"name":"m%04d","namespace":"a"}}`, i))
	}
	next := ""
	if from+limit < d.maps {
		next = strconv.Itoa(from + limit)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"continue":%q},"items":[%s]}`, next, strings.Join(items, ","))
}

// read reads it without waiting between tries.
func (d *double) read(t *testing.T, o ClusterOptions) (*Reading, error) {
	t.Helper()
	o.Config, o.Context = &rest.Config{Host: d.URL}, "double"
	if o.Kinds == nil {
		o.Kinds = []string{"ConfigMap", "Service"}
	}
	c, err := newCluster(o)
	if err != nil {
		t.Fatal(err)
	}
	c.pause = 0
	return c.read(t.Context())
}

func refuse(w http.ResponseWriter, code int, reason string) bool {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "told to: " + reason, "reason": reason, "code": code,
	})
	return true
}

// gapSummary is the code, kinds and namespace of each gap.
func gapSummary(gaps []verdict.Gap) []string {
	var lines []string
	for _, g := range gaps {
		lines = append(lines, fmt.Sprintf("%s %v %s", g.Code, g.Kinds, g.Namespace))
	}
	return lines
}

func TestClusterGoesAwayDouble(t *testing.T) {
	var d *double
	d = newDouble(t, 250, func(_ http.ResponseWriter, _ *http.Request, n int) bool {
		if n < 2 {
			return false
		}
		_ = d.Listener.Close()
		d.CloseClientConnections()
		return true
	})
	r, err := d.read(t, ClusterOptions{PageSize: 100})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(ofKind(r, "ConfigMap")); n != 100 {
		t.Errorf("%d config maps of the first page were kept", n)
	}
	got := r.Coverage.Gaps
	if len(got) != 1 || got[0].Code != verdict.GapUnreachable || !slices.Contains(got[0].Kinds, "ConfigMap") || !strings.Contains(got[0].Message, "went away") {
		t.Errorf("gaps: %+v", got)
	}
}

func TestClusterIsNotThereDouble(t *testing.T) {
	d := newDouble(t, 0, nil)
	d.Close()
	_, err := d.read(t, ClusterOptions{})
	wantRemedy(t, err, "Check the server's address")
}

func TestClusterIsSomethingElseDouble(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	d := &double{Server: other}
	_, err := d.read(t, ClusterOptions{})
	wantRemedy(t, err, "Check the server's address")
}

func TestClusterPagesExpireDouble(t *testing.T) {
	tests := map[string]struct {
		expire func(n int) bool // the n-th answer is 410
		maps   int
		gaps   []string
	}{
		"once": {
			expire: func(n int) bool { return n == 3 },
			maps:   250,
		},
		"for ever": {
			expire: func(n int) bool { return n%3 == 0 },
			maps:   200,
			gaps:   []string{"unreachable [ConfigMap] "},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDouble(t, 250, func(w http.ResponseWriter, _ *http.Request, n int) bool {
				return test.expire(n) && refuse(w, http.StatusGone, "Expired")
			})
			r, err := d.read(t, ClusterOptions{PageSize: 100})
			if err != nil {
				t.Fatal(err)
			}
			names := namesOf(ofKind(r, "ConfigMap"))
			if len(names) != test.maps || len(slices.Compact(names)) != test.maps {
				t.Errorf("%d config maps, want %d, each once", len(names), test.maps)
			}
			if diff := cmp.Diff(test.gaps, gapSummary(r.Coverage.Gaps)); diff != "" {
				t.Errorf("gaps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClusterIsBusyDouble(t *testing.T) {
	for _, code := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			d := newDouble(t, 3, func(w http.ResponseWriter, _ *http.Request, n int) bool {
				if n > 2 {
					return false
				}
				w.Header().Set("Retry-After", "0")
				return refuse(w, code, "TooManyRequests")
			})
			r, err := d.read(t, ClusterOptions{})
			if err != nil || len(r.Coverage.Gaps) > 0 || len(ofKind(r, "ConfigMap")) != 3 {
				t.Errorf("%v, %+v", err, r)
			}
		})
	}
}

func TestClusterHasOneBrokenListDouble(t *testing.T) {
	var limits []string
	d := newDouble(t, 3, func(w http.ResponseWriter, r *http.Request, _ int) bool {
		limits = append(limits, r.FormValue("limit"))
		return refuse(w, http.StatusInternalServerError, "InternalError")
	})
	r, err := d.read(t, ClusterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"unreachable [ConfigMap] "}, gapSummary(r.Coverage.Gaps)); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"100", "50", "25"}, limits); diff != "" {
		t.Errorf("page sizes (-want +got):\n%s", diff)
	}
	var paths []string
	for _, o := range r.Objects {
		paths = append(paths, o.Origin.File)
	}
	want := []string{"/api/v1/namespaces/a/services/web", "/api/v1/namespaces/a-b/services/web", "/api/v1/namespaces/b/services/web"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	if r.Version != "1.36" {
		t.Errorf("version %q", r.Version)
	}
}

// nested is a value that many maps stand around.
func nested(depth int) string {
	return strings.Repeat(`{"f:x":`, depth) + "1" + strings.Repeat("}", depth)
}

func TestClusterAnswersNonsenseDouble(t *testing.T) {
	tests := map[string]struct {
		body string
		maps int
		gaps []string
	}{
		"no JSON":          {body: `<html>`, gaps: []string{"syntax [ConfigMap] "}},
		"cut off":          {body: `{"items":[{"metadata":{"name":"a"}}`, gaps: []string{"syntax [ConfigMap] "}},
		"items of no kind": {body: `{"items":[null,[],"x",7,{},{"metadata":{"name":"a"}}]}`, maps: 1, gaps: slices.Repeat([]string{"not-object [ConfigMap] "}, 5)},
		"no items":         {body: `{}`},
		"one nested deep":  {body: `{"items":[{"metadata":{"name":"a"},"x":` + nested(900) + `},{"metadata":{"name":"b"}}]}`, maps: 1, gaps: []string{"too-large [ConfigMap] "}},
		"fields managed deep": {
			body: `{"items":[{"metadata":{"name":"a","managedFields":[{"fieldsV1":` + nested(9_900) + `}]}},{"metadata":{"name":"b"}}]}`, maps: 2,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDouble(t, 0, func(w http.ResponseWriter, _ *http.Request, _ int) bool {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(test.body))
				return true
			})
			r, err := d.read(t, ClusterOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if n := len(ofKind(r, "ConfigMap")); n != test.maps {
				t.Errorf("%d config maps", n)
			}
			if diff := cmp.Diff(test.gaps, gapSummary(r.Coverage.Gaps)); diff != "" {
				t.Errorf("gaps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClusterCredentialsEndDouble(t *testing.T) {
	d := newDouble(t, 250, func(w http.ResponseWriter, _ *http.Request, n int) bool {
		return n > 1 && refuse(w, http.StatusUnauthorized, "Unauthorized")
	})
	r, err := d.read(t, ClusterOptions{Kinds: []string{"ConfigMap"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Coverage.Gaps; len(got) != 1 || got[0].Code != verdict.GapUnreachable || !strings.HasPrefix(got[0].Remedy, "Renew the credentials") {
		t.Errorf("gaps: %+v", got)
	}
	if d.asks != 3 {
		t.Errorf("asked %d times: a refused page is asked once more", d.asks)
	}
}

// TestClusterRedirectsDouble sends the client and its credentials elsewhere.
func TestClusterRedirectsDouble(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("asked for %s with %q", r.URL, r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	d := newDouble(t, 3, func(w http.ResponseWriter, r *http.Request, _ int) bool {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		return true
	})
	r, err := d.read(t, ClusterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"unreachable [ConfigMap] "}, gapSummary(r.Coverage.Gaps)); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
}

// TestClusterSendsTooMuchDouble sends an answer without an end.
func TestClusterSendsTooMuchDouble(t *testing.T) {
	blank := []byte(strings.Repeat(" ", 1<<20))
	d := newDouble(t, 3, func(w http.ResponseWriter, _ *http.Request, n int) bool {
		if n > 1 {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		for {
			if _, err := w.Write(blank); err != nil {
				return true
			}
		}
	})
	r, err := d.read(t, ClusterOptions{})
	if err != nil || len(ofKind(r, "ConfigMap")) != 3 {
		t.Errorf("%v, %+v", err, r)
	}
}

func TestCompact(t *testing.T) {
	tests := map[string]struct{ kind, item, want string }{
		"bookkeeping": {
			"Service",
			`{"metadata":{"name":"a","managedFields":[{"a":1}],"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}","b":"c"}},"spec":{"status":1,"managedFields":2},"status":{"x":1}}`,
			`{"apiVersion":"v1","kind":"Service","metadata":{"name":"a","annotations":{"b":"c"}},"spec":{"status":1,"managedFields":2}}`,
		},
		"status of a node": {"Node", `{"status":{"x":1}}`, `{"apiVersion":"v1","kind":"Node","status":{"x":1}}`},
		"nothing":          {"Service", `{}`, `{"apiVersion":"v1","kind":"Service"}`},
		"kind of its own":  {"Service", `{"kind":"Other","apiVersion":"v9"}`, `{"apiVersion":"v1","kind":"Service"}`},
		"config map":       {"ConfigMap", `{"data":{"a":"b"}}`, `{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"b"}}`},
		"secret inside": {
			"Bundle",
			`{"spec":{"objects":[{"data":{"a":"b"},"kind":"Secret","stringData":{},"type":"x"},{"data":{"a":"b"},"kind":"ConfigMap"}]}}`,
			`{"apiVersion":"v1","kind":"Bundle","spec":{"objects":[{"kind":"Secret","type":"x"},{"data":{"a":"b"},"kind":"ConfigMap"}]}}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			doc, fault := document.ParseJSON(test.item)
			if fault != nil {
				t.Fatal(fault)
			}
			comp := newCompactor(&list{resource: resource{version: "v1", kind: test.kind}})
			o, fault := comp.object(doc.Root())
			if fault != nil {
				t.Fatal(fault)
			}
			if diff := cmp.Diff(test.want, string(o.Root.AppendJSON(nil))); diff != "" {
				t.Errorf("object (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDefinesPod(t *testing.T) {
	version := func(schema string) string {
		return `{"versions":[{"name":"v0","served":false},{"name":"v1","served":true,"schema":{"openAPIV3Schema":` + schema + `}}]}`
	}
	tests := map[string]struct {
		spec string
		want bool
	}{
		"containers deep inside":     {version(`{"properties":{"spec":{"properties":{"jobs":{"items":{"properties":{"template":{"properties":{"spec":{"properties":{"containers":{"type":"array","items":{"properties":{"image":{}}}}}}}}}}}}}}}`), true},
		"in a map":                   {version(`{"properties":{"spec":{"properties":{"byName":{"additionalProperties":{"properties":{"containers":{"items":{"properties":{"name":{}}}}}}}}}}}`), true},
		"an open template":           {version(`{"properties":{"spec":{"properties":{"template":{"x-kubernetes-preserve-unknown-fields":true}}}}}`), true},
		"no schema":                  {`{"versions":[{"name":"v1","served":true}]}`, true},
		"open values of a chart":     {version(`{"properties":{"spec":{"properties":{"values":{"x-kubernetes-preserve-unknown-fields":true}}}}}`), false},
		"containers of another kind": {version(`{"properties":{"spec":{"properties":{"containers":{"items":{"type":"string"}}}}}}`), false},
		"only in the status":         {version(`{"properties":{"status":{"properties":{"containers":{"items":{"properties":{"image":{}}}}}}}}`), false},
		"nothing":                    {`{}`, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			doc, fault := document.ParseJSON(test.spec)
			if fault != nil {
				t.Fatal(fault)
			}
			if got := definesPod(doc.Root()); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestClusterRole(t *testing.T) {
	got := ClusterRole([]string{"Secret", "Pod", "Deployment.apps", "Deployment.extensions", "Gateway.example.com", "NetworkPolicy.networking.k8s.io", "Policy.example.com", "Pod", "Mesh.example.com"})
	const want = `rules:
  - apiGroups: [""]
    resources: [pods]
    verbs: [list]
  - apiGroups: ["apiextensions.k8s.io"]
    resources: [customresourcedefinitions]
    verbs: [list]
  - apiGroups: ["apps"]
    resources: [deployments]
    verbs: [list]
  - apiGroups: ["example.com"]
    resources: [gateways, meshes, policies]
    verbs: [list]
  - apiGroups: ["networking.k8s.io"]
    resources: [networkpolicies]
    verbs: [list]
`
	if _, rules, _ := strings.Cut(got, "name: coaming-scan\n"); rules != want {
		t.Errorf("rules (-want +got):\n%s", cmp.Diff(want, rules))
	}
	whole := ClusterRole(nil)
	if whole != ClusterRole(nil) {
		t.Error("not the same each time")
	}
	if strings.Contains(whole, "secrets,") || strings.Contains(whole, "*") {
		t.Errorf("too much:\n%s", whole)
	}
	if rules := ClusterRole([]string{"Secret"}); !strings.HasSuffix(rules, "\nrules: []\n") {
		t.Errorf("empty role:\n%s", rules)
	}
}

func TestClusterVersion(t *testing.T) {
	for _, test := range [][3]string{{"1", "36", "1.36"}, {"1", "36+", "1.36"}, {"1", "29-eks-1", "1.29"}, {"", "36", ""}, {"1", "", ""}, {"v1", "2", ""}} {
		if got := clusterVersion(test[0], test[1]); got != test[2] {
			t.Errorf("%q and %q are %q, want %q", test[0], test[1], got, test[2])
		}
	}
}

func TestPageSize(t *testing.T) {
	tests := map[string]struct{ bytes, items, limit, want int }{
		"small objects":  {100_000, 100, 500, 500},
		"large objects":  {100 << 20, 100, 500, 8},
		"giants":         {100 << 20, 1, 500, 1},
		"nothing at all": {10, 0, 500, 500},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := pageSize(test.bytes, test.items, test.limit); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}
