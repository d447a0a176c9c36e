package admission_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/specimen"
)

const deploymentController, replicaSetController = "system:serviceaccount:kube-system:deployment-controller", "system:serviceaccount:kube-system:replicaset-controller"

// sentBy is a review that the API server says a user sent.
func sentBy(t testing.TB, user string, a asked) string {
	t.Helper()
	return strings.Replace(review(t, a), `"uid":"u-1"`, fmt.Sprintf(`"uid":"u-1","userInfo":{"username":%q}`, user), 1)
}

// grant is an exception for privileged containers.
func grant(change func(*verdict.Exception)) verdict.Exception {
	e := verdict.Exception{Rules: []string{"privileged-container"}, Owner: "ann", Reason: "known", Expires: now.AddDate(0, 1, 0)}
	change(&e)
	return e
}

// owned is an object of a kind whose controller is another; its pods are privileged.
func owned(kind, name, ownerKind, owner string) string {
	meta := fmt.Sprintf("metadata: {name: %s, namespace: shop, labels: {a: b}, ownerReferences: [{apiVersion: apps/v1, kind: %s, name: %s, uid: u, controller: true}]}", name, ownerKind, owner)
	if kind == "Pod" {
		return "{apiVersion: v1, kind: Pod, " + meta + ", spec: " + privileged + "}"
	}
	return "{apiVersion: apps/v1, kind: " + kind + ", " + meta + ", spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: " + privileged + "}}}"
}

// found are the fails of a rule among objects, as a scan finds them.
func found(t testing.TB, exceptions []verdict.Exception, objects ...string) []verdict.Finding {
	t.Helper()
	var all []*fact.Object
	for _, text := range objects {
		all = append(all, fact.NewObject(specimen.Value(t, text), &fact.Origin{Source: "cluster", Served: true}))
	}
	var list []verdict.Finding
	for _, f := range judge.Judge(judge.Input{Inventory: fact.NewInventory(all, catalog.Newest, true), Rules: compiled, Exceptions: exceptions, Now: now}).Findings {
		if f.Rule == "privileged-container" {
			list = append(list, f)
		}
	}
	return list
}

// TestWhatControllersMakeIsExcused lets what Kubernetes' own controllers make of an excused object in, however the exception names the
// object, and nothing that only says that it is made so.
func TestWhatControllersMakeIsExcused(t *testing.T) {
	whole := deployment(privileged)
	fingerprint := found(t, nil, whole)[0].Fingerprint
	named := func(e *verdict.Exception) {
		e.Selector, e.Namespace = verdict.Selector{Kind: "Deployment.apps", Name: "a"}, "shop"
	}
	const replicaSet, pod = "ReplicaSet", "Pod"
	for name, change := range map[string]func(*verdict.Exception){
		"by name":         named,
		"by container":    func(e *verdict.Exception) { named(e); e.Container = "app" },
		"counted":         func(e *verdict.Exception) { named(e); e.AtMost = 1 },
		"by labels, too":  func(e *verdict.Exception) { named(e); e.Selector.Labels = map[string]string{"a": "b"} },
		"by fingerprints": func(e *verdict.Exception) { e.Fingerprints = []string{fingerprint} },
	} {
		d := desk(t, "  mode: off\n  rules: [{rules: [privileged-container], mode: enforce}]\n", func(o *admission.Options) { o.Exceptions = []verdict.Exception{grant(change)} })
		for what, c := range map[string]struct {
			user, object string
			let          bool
		}{
			"its replica set":           {deploymentController, owned(replicaSet, "a-5d8f", "Deployment", "a"), true},
			"its pod":                   {replicaSetController, owned(pod, "a-5d8f-x", replicaSet, "a-5d8f"), true},
			"by the one account of all": {"system:kube-controller-manager", owned(pod, "a-5d8f-x", replicaSet, "a-5d8f"), true},
			"forged replica set":        {"ann", owned(replicaSet, "a-5d8f", "Deployment", "a"), false},
			"forged pod":                {"system:serviceaccount:shop:replicaset-controller", owned(pod, "a-5d8f-x", replicaSet, "a-5d8f"), false},
			"replica set of another":    {deploymentController, owned(replicaSet, "b-5d8f", "Deployment", "b"), false},
			"pod of another":            {replicaSetController, owned(pod, "a-b-5d8f-x", replicaSet, "a-b-5d8f"), false},
			"no controller of it":       {replicaSetController, strings.Replace(owned(pod, "a-5d8f-x", replicaSet, "a-5d8f"), "controller: true", "controller: false", 1), false},
		} {
			text, _, err := d.Validate(t.Context(), admission.Everything, sentBy(t, c.user, asked{"CREATE", "", "shop", c.object, ""}))
			if err != nil {
				t.Fatal(err)
			}
			if got := parse(t, text).Response; got.Allowed != c.let {
				t.Errorf("%s, %s: let in: %t, want %t: %s", name, what, got.Allowed, c.let, got.Status.Message)
			}
		}
		if name != "by labels, too" && !ask(t, d, admission.Everything, asked{"CREATE", "", "shop", whole, ""}).Response.Allowed {
			t.Errorf("%s: the Deployment itself is refused", name)
		}
		other := strings.Replace(owned(pod, "a-5d8f-x", replicaSet, "a-5d8f"), "namespace: shop", "namespace: ranged", 1)
		if text, _, err := d.Validate(t.Context(), admission.Everything, sentBy(t, replicaSetController, asked{"CREATE", "", "ranged", other, ""})); err != nil || parse(t, text).Response.Allowed {
			t.Errorf("%s: it is excused in another namespace (%v)", name, err)
		}
	}
}

// TestNobodyIsExcusedWithoutBound sends three privileged pods one after the other: what a scan of the three refuses to excuse, the gate
// lets in none of.
func TestNobodyIsExcusedWithoutBound(t *testing.T) {
	pods := func(namespaces ...string) (list []string) {
		for i, namespace := range namespaces {
			name := "legacy"
			if namespaces[0] == namespace {
				name = fmt.Sprintf("legacy-%d", i)
			}
			list = append(list, strings.Replace(pod(namespace, privileged), "name: a,", "name: "+name+", labels: {legacy: 'true'},", 1))
		}
		return list
	}
	image := "sha256:" + strings.Repeat("a", 64)
	run := strings.NewReplacer("a:1", "a:1@"+image)
	shop := pods("shop", "shop", "shop")
	for name, c := range map[string]struct {
		change func(*verdict.Exception)
		pods   []string
	}{
		"labels": {func(e *verdict.Exception) {
			e.Selector.Labels, e.Namespace, e.AtMost = map[string]string{"legacy": "true"}, "shop", 1
		}, shop},
		"a namespace":      {func(e *verdict.Exception) { e.Namespace, e.AtMost = "shop", 2 }, shop},
		"an image":         {func(e *verdict.Exception) { e.Image, e.AtMost = image, 2 }, []string{run.Replace(shop[0]), run.Replace(shop[1]), run.Replace(shop[2])}},
		"a kind":           {func(e *verdict.Exception) { e.Selector.Kind, e.Namespace, e.AtMost = "Pod", "shop", 2 }, shop},
		"a name, anywhere": {func(e *verdict.Exception) { e.Selector = verdict.Selector{Kind: "Pod", Name: "legacy"} }, pods("shop", "ranged", "system")[1:]},
		"a name, counted":  {func(e *verdict.Exception) { e.Selector, e.AtMost = verdict.Selector{Kind: "Pod", Name: "legacy"}, 1 }, pods("shop", "ranged", "system")[1:]},
	} {
		e := []verdict.Exception{grant(c.change)}
		for _, f := range found(t, e, c.pods...) {
			if f.Verdict != verdict.Fail {
				t.Errorf("%s: a scan says %s of %s", name, f.Verdict, f.Subject)
			}
		}
		d := desk(t, "  mode: off\n  rules: [{rules: [privileged-container], mode: enforce}]\n", func(o *admission.Options) { o.Exceptions = e })
		for _, text := range c.pods {
			namespace := fact.NewObject(specimen.Value(t, text), nil).Namespace
			if ask(t, d, admission.Everything, asked{"CREATE", "", namespace, text, ""}).Response.Allowed {
				t.Errorf("%s: let in: %s", name, text)
			}
		}
	}

	// What one object says by itself is counted.
	two := `{containers: [{name: app, image: a, securityContext: {privileged: true}}, {name: side, image: a, securityContext: {privileged: true}}]}`
	for atMost, want := range map[int]bool{1: false, 2: true} {
		e := []verdict.Exception{grant(func(e *verdict.Exception) {
			e.Selector, e.Namespace, e.AtMost = verdict.Selector{Kind: "Pod", Name: "a"}, "shop", atMost
		})}
		d := desk(t, "  mode: off\n  rules: [{rules: [privileged-container], mode: enforce}]\n", func(o *admission.Options) { o.Exceptions = e })
		exempt := found(t, e, pod("shop", two))[0].Verdict == verdict.Exempt
		if let := ask(t, d, admission.Everything, asked{"CREATE", "", "shop", pod("shop", two), ""}).Response.Allowed; let != want || exempt != want {
			t.Errorf("two faults of at most %d: let in: %t, exempt in a scan: %t", atMost, let, exempt)
		}
	}
}

// TestUpdatesOfWhatIsExcused judges changes of an object of which an exception excuses one fault, and demands that the rest is judged as ever.
func TestUpdatesOfWhatIsExcused(t *testing.T) {
	e := grant(func(e *verdict.Exception) { e.Selector, e.Namespace = verdict.Selector{Kind: "Pod", Name: "a"}, "shop" })
	d := desk(t, "  mode: off\n  rules: [{rules: [privileged-container, host-pid], mode: enforce}]\n", func(o *admission.Options) { o.Exceptions = []verdict.Exception{e} })
	both := strings.Replace(privileged, "{", "{hostPID: true, ", 1)
	for name, c := range map[string]struct {
		before, after string
		let           bool
	}{
		"a fault that is excused comes":          {plain, privileged, true},
		"one that is not comes":                  {privileged, both, false},
		"one was there that is not excused":      {both, strings.Replace(both, "a:1", "a:2", 1), true},
		"both come":                              {plain, both, false},
		"the excused one comes beside the other": {strings.Replace(plain, "{", "{hostPID: true, ", 1), both, true},
	} {
		if got := ask(t, d, admission.Everything, asked{"UPDATE", "", "shop", pod("shop", c.after), pod("shop", c.before)}).Response; got.Allowed != c.let {
			t.Errorf("%s: let in: %t: %s", name, got.Allowed, got.Status.Message)
		}
	}
}

// BenchmarkExcused decides reviews of an object of which an exception excuses a fault, made and changed, by the whole catalogue.
func BenchmarkExcused(b *testing.B) {
	e := grant(func(e *verdict.Exception) {
		e.Selector, e.Namespace = verdict.Selector{Kind: "Deployment", Name: "a"}, "shop"
	})
	large := strings.Replace(privileged, "]}", strings.Repeat(`, {name: more, image: "a:1", env: [{name: A, value: b}]}`, 20)+"]}", 1)
	for what, spec := range map[string]string{"small": privileged, "large": large} {
		for _, operation := range []string{"CREATE", "UPDATE"} {
			for name, exceptions := range map[string][]verdict.Exception{"none": nil, "one": {e}} {
				d := desk(b, "  mode: audit\n", func(o *admission.Options) { o.Exceptions = exceptions })
				a := asked{operation, "", "shop", deployment(spec), ""}
				if operation == "UPDATE" {
					a.old = strings.Replace(a.object, "a:1", "a:0", 1)
				}
				body := review(b, a)
				b.Run(what+"/"+operation+"/"+name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if _, _, err := d.Validate(b.Context(), admission.Everything, body); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}
