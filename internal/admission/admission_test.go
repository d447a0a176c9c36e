package admission_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/specimen"
)

var now = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

var compiled = func() []*rule.Compiled {
	rules, err := catalog.Rules()
	if err != nil {
		panic(err)
	}
	list, err := catalog.Compile(rules)
	if err != nil {
		panic(err)
	}
	return list
}()

// around is a cluster that a test made up.
type around struct {
	objects    []*fact.Object
	gaps       []verdict.Gap
	everywhere []string
	labels     map[string]map[string]string
}

func (a *around) Among(namespace string) *judge.Among {
	var list []*fact.Object
	for _, o := range a.objects {
		if o.Namespace == "" || o.Namespace == namespace || slices.Contains(a.everywhere, o.GroupKind()) {
			list = append(list, o)
		}
	}
	return judge.NewAmong(list, a.gaps)
}

func (a *around) Labels(namespace string) (map[string]string, bool) {
	labels, known := a.labels[namespace]
	return labels, known
}

func desk(t testing.TB, spec string, change ...func(*admission.Options)) *admission.Desk {
	t.Helper()
	plan, err := enforcement.Read("plan.yaml", "apiVersion: coaming.dev/v1alpha1\nkind: Enforcement\nspec:\n"+spec)
	if err != nil {
		t.Fatal(err)
	}
	o := admission.Options{
		Plan: plan, Rules: compiled, Version: catalog.Newest, Now: func() time.Time { return now }, Width: 1,
		Surroundings: &around{labels: map[string]map[string]string{"shop": {}, "ranged": {}, "system": {"tier": "prod"}}},
	}
	for _, c := range change {
		c(&o)
	}
	return admission.New(o)
}

// asked is a request of the API server.
type asked struct {
	operation, sub, namespace string
	object, old               string // YAML
}

// review writes the AdmissionReview of a request.
func review(t testing.TB, a asked) string {
	t.Helper()
	request := map[string]any{"uid": "u-1", "operation": a.operation, "namespace": a.namespace, "subResource": a.sub}
	for key, text := range map[string]string{"object": a.object, "oldObject": a.old} {
		if text == "" {
			continue
		}
		v := specimen.Value(t, text)
		request[key] = json.RawMessage(v.AppendJSON(nil))
		o := fact.NewObject(v, nil)
		request["kind"] = map[string]string{"group": o.Group(), "version": o.APIVersion[strings.LastIndexByte(o.APIVersion, '/')+1:], "kind": o.Kind}
		request["name"] = o.Name
	}
	text, err := json.Marshal(map[string]any{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// answered is an answer as the API server reads it.
type answered struct {
	APIVersion, Kind string
	Response         struct {
		UID     string
		Allowed bool
		Status  struct {
			Status, Message, Reason string
			Code                    int
		}
		Warnings         []string
		AuditAnnotations map[string]string
		Patch            []byte
		PatchType        string
	}
}

func ask(t testing.TB, d *admission.Desk, class admission.Class, a asked) *answered {
	t.Helper()
	text, _, err := d.Validate(t.Context(), class, review(t, a))
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, text)
}

func parse(t testing.TB, text []byte) *answered {
	t.Helper()
	got := &answered{}
	if err := json.Unmarshal(text, got); err != nil {
		t.Fatal(err)
	}
	if got.APIVersion != "admission.k8s.io/v1" || got.Kind != "AdmissionReview" || got.Response.UID != "u-1" {
		t.Fatalf("the answer is %s", text)
	}
	return got
}

func pod(namespace, spec string) string {
	return fmt.Sprintf("{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: %s}, spec: %s}", namespace, spec)
}

func deployment(spec string) string {
	return "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: shop}, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: " + spec + "}}}"
}

const (
	plain      = `{containers: [{name: app, image: "a:1"}]}`
	privileged = `{containers: [{name: app, image: "a:1", securityContext: {privileged: true}}]}`
	ephemeral  = `{containers: [{name: app, image: "a:1"}], ephemeralContainers: [{name: debug, image: "a:1", securityContext: {privileged: true}}]}`
)

// TestDecisions asks a plan that enforces one rule everywhere, and demands who is refused.
func TestDecisions(t *testing.T) {
	d := desk(t, "  mode: off\n  rules: [{rules: [privileged-container], mode: enforce}]\n")
	const leaving = "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop, deletionTimestamp: '2026-01-01T00:00:00Z'}, spec: %s}"
	for name, c := range map[string]struct {
		asked
		refused bool
	}{
		"a pod":                       {asked{"CREATE", "", "shop", pod("shop", privileged), ""}, true},
		"a plain pod":                 {asked{"CREATE", "", "shop", pod("shop", plain), ""}, false},
		"a deployment":                {asked{"CREATE", "", "shop", deployment(privileged), ""}, true},
		"a generated name":            {asked{"CREATE", "", "shop", "{apiVersion: v1, kind: Pod, metadata: {generateName: a-}, spec: " + privileged + "}", ""}, true},
		"a namespace that is a lie":   {asked{"CREATE", "", "shop", pod("kube-system", privileged), ""}, true},
		"the system's namespace":      {asked{"CREATE", "", "kube-system", pod("shop", privileged), ""}, false},
		"our own namespace":           {asked{"CREATE", "", "coaming-system", pod("coaming-system", privileged), ""}, false},
		"made well":                   {asked{"UPDATE", "", "shop", pod("shop", plain), pod("shop", privileged)}, false},
		"made bad":                    {asked{"UPDATE", "", "shop", pod("shop", privileged), pod("shop", plain)}, true},
		"bad as before":               {asked{"UPDATE", "", "shop", deployment(privileged), deployment(strings.Replace(privileged, "a:1", "a:2", 1))}, false},
		"another container":           {asked{"UPDATE", "", "shop", deployment(strings.Replace(privileged, "name: app", "name: other", 1)), deployment(privileged)}, true},
		"being deleted":               {asked{"UPDATE", "", "shop", fmt.Sprintf(leaving, privileged), fmt.Sprintf(leaving, plain)}, true},
		"a finalizer of what is bad":  {asked{"UPDATE", "", "shop", fmt.Sprintf(leaving, privileged), strings.Replace(fmt.Sprintf(leaving, privileged), "deletionT", "finalizers: [a/b], deletionT", 1)}, false},
		"an owner of what is bad":     {asked{"UPDATE", "", "shop", pod("shop", privileged), strings.Replace(pod("shop", privileged), "name: a,", "name: a, ownerReferences: [{kind: Job, name: b, uid: c}],", 1)}, false},
		"created as if being deleted": {asked{"CREATE", "", "shop", fmt.Sprintf(leaving, privileged), ""}, true},
		"says that it is deleted":     {asked{"UPDATE", "", "shop", fmt.Sprintf(leaving, privileged), pod("shop", plain)}, true},
		"an ephemeral container":      {asked{"UPDATE", "ephemeralcontainers", "shop", pod("shop", ephemeral), pod("shop", plain)}, true},
		"a resize":                    {asked{"UPDATE", "resize", "shop", pod("shop", privileged), pod("shop", privileged)}, false},
		"a status":                    {asked{"UPDATE", "status", "shop", pod("shop", privileged), pod("shop", plain)}, false},
		"an annotation by a status":   {asked{"UPDATE", "status", "shop", strings.Replace(pod("shop", privileged), "name: a,", "name: a, annotations: {a: b},", 1), pod("shop", plain)}, true},
		"a scale": {asked{
			"UPDATE", "scale", "shop", "{apiVersion: autoscaling/v1, kind: Scale, metadata: {name: a}, spec: {replicas: 2}}",
			"{apiVersion: autoscaling/v1, kind: Scale, metadata: {name: a}, spec: {replicas: 1}}",
		}, false},
		"a deletion":                 {asked{"DELETE", "", "shop", "", pod("shop", privileged)}, false},
		"a connection":               {asked{"CONNECT", "exec", "shop", "{apiVersion: v1, kind: PodExecOptions, metadata: {}, command: [sh]}", ""}, false},
		"a custom kind with pods":    {asked{"CREATE", "", "shop", "{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: a}, spec: {template: {spec: " + privileged + "}}}", ""}, true},
		"a cron job":                 {asked{"CREATE", "", "shop", "{apiVersion: batch/v1, kind: CronJob, metadata: {name: a}, spec: {schedule: '* * * * *', jobTemplate: {spec: {template: {spec: " + privileged + "}}}}}", ""}, true},
		"a replica set that is idle": {asked{"CREATE", "", "shop", "{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: a}, spec: {replicas: 0, template: {spec: " + privileged + "}}}", ""}, true},
		"a pod of a controller": {asked{
			"CREATE", "", "shop",
			"{apiVersion: v1, kind: Pod, metadata: {name: a, ownerReferences: [{kind: ReplicaSet, name: b, uid: c, controller: true}]}, spec: " + privileged + "}", "",
		}, true},
	} {
		got := ask(t, d, admission.Everything, c.asked)
		if got.Response.Allowed == c.refused {
			t.Errorf("%s: allowed %v, %s", name, got.Response.Allowed, got.Response.Status.Message)
		}
		if s := got.Response.Status; c.refused && (s.Code != 403 || s.Reason != "Forbidden" || s.Status != "Failure" || !strings.Contains(s.Message, "(privileged-container, ") || !strings.Contains(s.Message, "privileged")) {
			t.Errorf("%s: the status is %+v", name, s)
		}
	}
}

// TestStoodBefore: an update that makes nothing worse is let in, and who sends it is warned that the pods of it are refused from now on,
// which would else be told in the status of a ReplicaSet alone.
func TestStoodBefore(t *testing.T) {
	d := desk(t, "  mode: off\n  rules: [{rules: [privileged-container], mode: enforce}, {rules: [host-network], mode: warn}]\n")
	const old = `{hostNetwork: true, containers: [{name: app, image: "a:1", securityContext: {privileged: true}}]}`
	for name, next := range map[string]string{
		"another image": deployment(strings.Replace(old, "a:1", "a:2", 1)), "a label": strings.Replace(deployment(old), "name: a", "labels: {b: c}, name: a", 1),
	} {
		got := ask(t, d, admission.Everything, asked{"UPDATE", "", "shop", next, deployment(old)}).Response
		if !got.Allowed || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "pods above all, is refused") || !strings.Contains(got.Warnings[0], "privileged") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := ask(t, d, admission.Everything, asked{"UPDATE", "", "shop", deployment(plain), deployment(old)}).Response; !got.Allowed || len(got.Warnings) != 0 {
		t.Errorf("what is mended is warned of: %+v", got)
	}
}

func TestModes(t *testing.T) {
	d := desk(t, `  mode: audit
  rules:
  - {rules: [privileged-container], mode: warn}
  - {rules: [privileged-container], namespaceSelector: {matchLabels: {tier: prod}}, mode: enforce}
  - {rules: [memory-limit-missing], mode: off}
  - {rules: [host-network], mode: enforce, onError: fail}
`)
	got := ask(t, d, admission.Everything, asked{"CREATE", "", "shop", pod("shop", privileged), ""})
	if w := got.Response.Warnings; !got.Response.Allowed || len(w) != 1 || !strings.Contains(w[0], "privileged-container") || len(w[0]) > 256 {
		t.Errorf("warned of %q", w)
	}
	notes := got.Response.AuditAnnotations
	if !strings.HasPrefix(notes["privileged-container"], "warn: fail: container app runs privileged") || !strings.HasPrefix(notes["image-without-digest"], "audit: ") {
		t.Errorf("audited %v", notes)
	}
	if _, off := notes["memory-limit-missing"]; off {
		t.Error("a rule that is off has something to say")
	}
	if got := ask(t, d, admission.Everything, asked{"CREATE", "", "system", pod("system", privileged), ""}); got.Response.Allowed {
		t.Error("the label of the namespace does not enforce")
	}
	if got := ask(t, d, admission.Everything, asked{"CREATE", "", "nowhere", pod("nowhere", privileged), ""}); got.Response.Allowed {
		t.Error("a namespace whose labels nobody knows is taken for the milder")
	}
	// Each webhook is about the rules of its onError alone.
	host := pod("shop", `{hostNetwork: true, containers: [{name: app, image: "a:1", securityContext: {privileged: true}}]}`)
	ignoring, failing := ask(t, d, admission.Ignoring, asked{"CREATE", "", "shop", host, ""}), ask(t, d, admission.Failing, asked{"CREATE", "", "shop", host, ""})
	if !ignoring.Response.Allowed || len(ignoring.Response.Warnings) != 1 || failing.Response.Allowed || len(failing.Response.Warnings) != 0 {
		t.Errorf("ignoring says %+v, failing %+v", ignoring.Response, failing.Response)
	}
}

func TestUnknown(t *testing.T) {
	for onError, refused := range map[string]bool{"fail": true, "ignore": false} {
		spec := "  mode: off\n  rules: [{rules: [memory-limit-missing], mode: enforce, onError: " + onError + "}]\n"
		unsynced := &around{labels: map[string]map[string]string{"shop": {}}, gaps: []verdict.Gap{{Code: verdict.GapForbidden, Kinds: []string{"LimitRange"}}}}
		for name, s := range map[string]admission.Surroundings{"forbidden": unsynced, "no cluster": nil} {
			d := desk(t, spec, func(o *admission.Options) { o.Surroundings = s })
			got := ask(t, d, admission.Everything, asked{"CREATE", "", "shop", pod("shop", plain), ""}).Response
			if got.Allowed == refused || !refused && (len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "could not be decided")) {
				t.Errorf("%s, %s: %+v", onError, name, got)
			}
		}
	}
	limits := specimen.Objects(t, fact.Origin{Source: "cluster", Served: true}, "{apiVersion: v1, kind: LimitRange, metadata: {name: a, namespace: shop}, spec: {limits: [{type: Container, default: {memory: 1Gi}}]}}")
	d := desk(t, "  mode: off\n  rules: [{rules: [memory-limit-missing], mode: enforce}]\n", func(o *admission.Options) { o.Surroundings = &around{objects: limits} })
	if got := ask(t, d, admission.Everything, asked{"CREATE", "", "shop", pod("shop", plain), ""}).Response; !got.Allowed {
		t.Errorf("beside a LimitRange: %s", got.Status.Message)
	}
	if got := ask(t, d, admission.Everything, asked{"CREATE", "", "ranged", pod("ranged", plain), ""}).Response; got.Allowed {
		t.Error("a LimitRange of another namespace gives a limit")
	}
}

func TestExceptions(t *testing.T) {
	e := verdict.Exception{
		Rules: []string{"privileged-container"}, Selector: verdict.Selector{Kind: "Pod", Name: "a"}, Namespace: "shop",
		Owner: "o", Reason: "r", Expires: now.AddDate(0, 1, 0), Grant: verdict.GrantFile,
	}
	expired := e
	expired.Expires = now.AddDate(0, 0, -1)
	const spec = "  mode: off\n  rules: [{rules: [privileged-container], mode: enforce}]\n"
	annotated := `{apiVersion: v1, kind: Pod, metadata: {name: a, annotations: {coaming.dev/ignore: 'privileged-container owner=a reason="b" expires=2026-12-24'}}, spec: ` + privileged + "}"
	for name, c := range map[string]struct {
		exceptions []verdict.Exception
		inline     bool
		object     string
		allowed    bool
	}{
		"an exception":        {[]verdict.Exception{e}, false, pod("shop", privileged), true},
		"an expired one":      {[]verdict.Exception{expired}, false, pod("shop", privileged), false},
		"one for another":     {[]verdict.Exception{e}, false, deployment(privileged), false},
		"an annotation":       {nil, false, annotated, false},
		"one that may excuse": {nil, true, annotated, true},
	} {
		d := desk(t, spec, func(o *admission.Options) { o.Exceptions, o.Inline = c.exceptions, c.inline })
		got := ask(t, d, admission.Everything, asked{"CREATE", "", "shop", c.object, ""}).Response
		if got.Allowed != c.allowed || c.allowed && !strings.HasPrefix(got.AuditAnnotations["privileged-container"], "exempt: ") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestNoReview(t *testing.T) {
	d := desk(t, "  mode: enforce\n")
	whole := review(t, asked{"CREATE", "", "shop", pod("shop", plain), ""})
	for name, body := range map[string]string{
		"nothing":               "",
		"no JSON":               "{",
		"another version":       strings.Replace(whole, "admission.k8s.io/v1", "admission.k8s.io/v1beta1", 1),
		"another kind":          strings.Replace(whole, "AdmissionReview", "Pod", 1),
		"no uid":                strings.Replace(whole, `"uid":"u-1"`, `"uid":""`, 1),
		"no request":            `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}`,
		"no operation":          strings.Replace(whole, "CREATE", "PATCH", 1),
		"no object":             strings.Replace(whole, `"object"`, `"subject"`, 1),
		"an update of nothing":  strings.Replace(whole, "CREATE", "UPDATE", 1),
		"said twice":            strings.Replace(whole, `"uid":"u-1"`, `"uid":"u-1","uid":"u-2"`, 1),
		"another object":        strings.Replace(whole, `"kind":"Pod","metadata"`, `"kind":"Service","metadata"`, 1),
		"deeper than anybody":   strings.Repeat("[", 100_000),
		"a depth without names": strings.Replace(whole, `"uid":"u-1"`, `"x":`+strings.Repeat("[", 600)+strings.Repeat("]", 600), 1),
		"named twice, and deep": strings.Replace(whole, `"uid":"u-1"`, `"uid":"u-1","uid":"u-2","x":`+strings.Repeat("[", 600)+strings.Repeat("]", 600), 1),
	} {
		if text, _, err := d.Validate(t.Context(), admission.Everything, body); !admission.IsRefused(err) || text != nil || len(err.Error()) > 500 {
			t.Errorf("%s: %v, %s", name, err, text)
		}
		if text, _, err := d.Patch(t.Context(), body); !admission.IsRefused(err) || text != nil {
			t.Errorf("%s: patch %v, %s", name, err, text)
		}
	}
}

// TestStopped demands that what is not judged to its end is unknown, and what was found before counts.
func TestStopped(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for onError, allowed := range map[string]bool{"fail": false, "ignore": true} {
		d := desk(t, "  mode: enforce\n  onError: "+onError+"\n")
		text, out, err := d.Validate(ended, admission.Everything, review(t, asked{"CREATE", "", "shop", pod("shop", plain), ""}))
		if err != nil {
			t.Fatal(err)
		}
		if got := parse(t, text); got.Response.Allowed != allowed || out.Unknown != 1 || !strings.Contains(got.Response.AuditAnnotations["unfinished"], "not judged to its end") {
			t.Errorf("%s: %s", onError, text)
		}
	}
	var many strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&many, "{name: c%d, image: a, securityContext: {privileged: true}}, ", i)
	}
	d := desk(t, "  mode: enforce\n")
	got := ask(t, d, admission.Everything, asked{"CREATE", "", "shop", pod("shop", "{containers: ["+many.String()+"]}"), ""}).Response
	if got.Allowed || len(got.Status.Message) > 32<<10 || len(got.AuditAnnotations) > 100 {
		t.Errorf("allowed %v, %d bytes", got.Allowed, len(got.Status.Message))
	}
}

// TestExamples judges each object of every example of every rule that is judged here as the API server would send it, and
// demands that it is refused where a scan of a cluster that holds the example has something to say of the object.
func TestExamples(t *testing.T) {
	judged, refusals := 0, 0
	for _, r := range compiled {
		if admission.Unjudged(r) != "" || r.ExampleVersion != "" {
			continue
		}
		judged++
		d := desk(t, "  mode: off\n  rules: [{rules: ["+r.ID+"], mode: enforce, onError: fail}]\n", func(o *admission.Options) {
			o.Settings, o.Rules = r.Settings, []*rule.Compiled{r}
		})
		for i, e := range slices.Concat(r.Bad, r.Good) {
			for k := range e {
				got, want := asScan(t, d, r, e, k)
				if got.Response.Allowed == want {
					t.Errorf("%s, example %d, object %d: allowed %v, want refused %v: %s", r.ID, i, k, got.Response.Allowed, want, got.Response.Status.Message)
				}
				if want {
					refusals++
				}
			}
		}
	}
	t.Logf("%d rules, %d refusals", judged, refusals)
	if judged < 300 || refusals < 700 {
		t.Errorf("%d rules, %d refusals: the test compares nothing", judged, refusals)
	}
}

// asScan is what the desk answers about one object of an example, and whether a scan has something to say of it. Nothing is
// ever said of excluded namespaces.
func asScan(t *testing.T, d *admission.Desk, r *rule.Compiled, e rule.Example, k int) (*answered, bool) {
	t.Helper()
	served := &fact.Origin{Source: "cluster", Served: true}
	_, everywhere := d.Around()
	s := &around{labels: map[string]map[string]string{}, everywhere: everywhere}
	var objects []*fact.Object
	for n, v := range e {
		o := fact.NewObject(v, served)
		if o.Namespace == "" && placeOf(o) != "" {
			o.Namespace = placeOf(o)
		}
		if objects = append(objects, o); n != k {
			s.objects = append(s.objects, o)
		}
	}
	d.Surroundings = s
	o := objects[k]
	res := judge.Judge(judge.Input{
		Inventory: fact.NewInventory(objects, catalog.Newest, true), Rules: []*rule.Compiled{r}, Settings: r.Settings, Now: now,
		About: func(other *fact.Object) bool { return other == o },
	})
	home := placeOf(o)
	if o.Kind == "Namespace" {
		home = o.Name
	}
	return ask(t, d, admission.Everything, asked{"CREATE", "", placeOf(o), string(e[k].AppendJSON(nil)), ""}), len(res.Findings) > 0 && !d.Plan.Excludes(home)
}

// placeOf is the namespace that a request about an object is for.
func placeOf(o *fact.Object) string {
	if fact.ClusterScoped(o.GroupKind()) || o.Kind == "Namespace" {
		return ""
	}
	return fact.Place(o.Namespace)
}

func TestUnjudged(t *testing.T) {
	byID := map[string]string{}
	for _, r := range compiled {
		byID[r.ID] = admission.Unjudged(r)
	}
	for id, want := range map[string]bool{
		"privileged-container": false, "memory-limit-missing": false, "workload-without-network-policy": false, "service-account-token-powerful": false,
		"exposed-owns-cluster": true, "workload-owns-cluster": true, "store-open-to-strangers": true, "network-policy-selects-nothing": true,
		"webhook-slow": true, "kubelet-anonymous": true, "namespace-without-quota": true,
	} {
		why, found := byID[id]
		if !found || (why != "") != want {
			t.Errorf("%s: found %v, %q", id, found, why)
		}
	}
	if around, everywhere := desk(t, "  mode: audit\n").Around(); !slices.Contains(everywhere, "RoleBinding.rbac.authorization.k8s.io") || slices.Contains(around, "Secret") || slices.Contains(around, "Pod") || !slices.Contains(around, "LimitRange") {
		t.Errorf("around are %v", around)
	}
	if around, _ := desk(t, "  mode: off\n  rules: [{rules: [privileged-container], mode: enforce}]\n").Around(); len(around) != 0 {
		t.Errorf("around are %v, though no rule asks", around)
	}
}
