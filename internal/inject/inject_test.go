package inject_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/inject"
	"github.com/coaming/coaming/internal/rule"
)

const (
	forwarder = `{template: audit-forwarder, values: {image: registry.example.com/fluent-bit:4}}`
	agent     = `{template: falco-agent, values: {image: registry.example.com/falco:1}}`
)

// plan is a plan with these mutations.
func plan(t testing.TB, mutations string) *enforcement.Plan {
	t.Helper()
	p, err := enforcement.Read("plan.yaml", "apiVersion: coaming.dev/v1alpha1\nkind: Enforcement\nmetadata: {name: test}\nspec:\n  mutations: "+mutations+"\n")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// compiled are the rules of the catalogue.
func compiled(t testing.TB) []*rule.Compiled {
	t.Helper()
	all, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	var list []*rule.Compiled
	for _, r := range all {
		c, err := rule.Compile(r, catalog.Checked)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	return list
}

func now() time.Time { return time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC) }

func injector(t testing.TB, mutations string, change ...func(*inject.Options)) *inject.Injector {
	t.Helper()
	o := inject.Options{Plan: plan(t, mutations), Rules: compiled(t), Now: now}
	for _, c := range change {
		c(&o)
	}
	in, err := inject.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func object(t testing.TB, text string) *fact.Object {
	t.Helper()
	docs, errs := document.Read(document.NewText(text), 1)
	if len(errs) > 0 || len(docs) != 1 {
		t.Fatalf("%v in %s", errs, text)
	}
	return fact.NewObject(docs[0].Root(), &fact.Origin{})
}

var shop = enforcement.Place{Namespace: "shop", Labels: map[string]string{"env": "prod"}, LabelsKnown: true}

// applied applies a patch with the API server's own library.
func applied(t testing.TB, o *fact.Object, operations []inject.Operation) *fact.Object {
	t.Helper()
	text, err := json.Marshal(operations)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(text)
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	after, err := patch.Apply(o.Root.AppendJSON(nil))
	if err != nil {
		t.Fatalf("%v: %s on %s", err, text, o.Root.AppendJSON(nil))
	}
	return object(t, string(after))
}

func tree(t testing.TB, v document.Value) any {
	t.Helper()
	var out any
	if err := json.Unmarshal(v.AppendJSON(nil), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// change patches an object, holds the patch to what the API server's library makes of it, and asks that a second one is empty.
func change(t testing.TB, in *inject.Injector, o *fact.Object, server string) *fact.Object {
	t.Helper()
	c, err := in.Change(t.Context(), o, shop, server)
	if err != nil {
		t.Fatal(err)
	}
	if c == nil {
		return o
	}
	after := applied(t, o, c.Operations)
	if !reflect.DeepEqual(tree(t, after.Root), tree(t, c.After)) {
		t.Fatalf("the patch gives\n%s\nand is meant to give\n%s", after.Root.AppendJSON(nil), c.After.AppendJSON(nil))
	}
	again, err := in.Patch(t.Context(), after, shop, server)
	if err != nil || len(again) > 0 {
		t.Fatalf("a second patch: %v %v", again, err)
	}
	return after
}

func containerNames(o *fact.Object, field string) string {
	var list []string
	for _, c := range o.Root.At("spec", field).Items() {
		list = append(list, c.Get("name").Str())
	}
	return strings.Join(list, " ")
}

const webPod = `{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}, spec: {initContainers: [{name: prepare, image: a}], containers: [{name: web, image: a}]}}`

func TestSidecarsBecomePartOfAPod(t *testing.T) {
	in := injector(t, "{sidecars: ["+agent+", "+forwarder+"]}")
	after := change(t, in, object(t, webPod), "1.36")
	if got := containerNames(after, "initContainers"); got != "audit-forwarder falco-agent prepare" {
		t.Errorf("init containers: %s", got)
	}
	if got := after.Root.At("spec", "initContainers").Index(0).Get("restartPolicy").Str(); got != "Always" {
		t.Errorf("restartPolicy %q", got)
	}
	if got := after.Root.At("metadata", "annotations").Get(inject.InjectedKey).Str(); got != "audit-forwarder@1.0.0,falco-agent@1.0.0" {
		t.Errorf("injected: %q", got)
	}
	if got := after.Root.At("metadata", "annotations").Get(inject.MutationsKey).Str(); !strings.Contains(got, "sidecar audit-forwarder@1.0.0: Reads") {
		t.Errorf("reasons: %q", got)
	}
	old := change(t, in, object(t, webPod), "1.28")
	if got := containerNames(old, "containers"); got != "web audit-forwarder falco-agent" {
		t.Errorf("containers before native sidecars: %s", got)
	}
}

func TestDefaultsAreProved(t *testing.T) {
	in := injector(t, "{defaults: [{rules: [seccomp-missing, privilege-escalation, capabilities-not-dropped]}], resources: [{requests: {cpu: 50m, memory: 64Mi}, limits: {memory: 256Mi}}]}")
	after := change(t, in, object(t, webPod), "1.36")
	t.Logf("%s", after.Root.AppendJSON(nil))
	c := after.Root.At("spec", "containers").Index(0)
	if c.At("securityContext", "seccompProfile", "type").Str() != "RuntimeDefault" || !c.At("securityContext", "allowPrivilegeEscalation").Exists() ||
		c.At("securityContext", "capabilities", "drop").Index(0).Str() != "ALL" || c.At("resources", "limits", "memory").Str() != "256Mi" {
		t.Errorf("%s", c.AppendJSON(nil))
	}
}

// readable is an object of a text, where it is one.
func readable(text string) (*fact.Object, bool) {
	docs, errs := document.Read(document.NewText(text), 1)
	if len(errs) > 0 || len(docs) != 1 || docs[0].Doubt() != nil || docs[0].Root().Kind() != document.Map {
		return nil, false
	}
	return fact.NewObject(docs[0].Root(), &fact.Origin{}), true
}

// TestPatchStops demands that nothing is half proved: when the time for a review is over, no default is given, and the error says so.
func TestPatchStops(t *testing.T) {
	in := injector(t, "{defaults: [{rules: [seccomp-missing, privilege-escalation]}]}")
	o := object(t, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"shop"},"spec":{"containers":[{"name":"a","image":"a:1"}]}}`)
	if operations, err := in.Patch(t.Context(), o, shop, "1.36"); err != nil || len(operations) == 0 {
		t.Fatal(operations, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if operations, err := in.Patch(ended, o, shop, "1.36"); !errors.Is(err, context.Canceled) || len(operations) > 0 {
		t.Errorf("%v, %v", operations, err)
	}
}

// TestPatchGrows demands that four times the containers cost four times the work, not sixteen times.
func TestPatchGrows(t *testing.T) {
	in := injector(t, "{defaults: [{rules: [seccomp-missing, privilege-escalation, capabilities-not-dropped, service-account-token-unused]}]}")
	cost := func(n int) float64 {
		containers := make([]string, 0, n)
		for i := range n {
			containers = append(containers, fmt.Sprintf(`{"name":"c%d","image":"a:1"}`, i))
		}
		o := object(t, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"shop"},"spec":{"containers":[`+strings.Join(containers, ",")+`]}}`)
		return testing.AllocsPerRun(1, func() {
			if operations, err := in.Patch(t.Context(), o, shop, "1.36"); err != nil || len(operations) < n {
				t.Error(len(operations), err)
			}
		})
	}
	if few, many := cost(60), cost(240); many > 5*few {
		t.Errorf("%.0f allocations for 60 containers, %.0f for 240", few, many)
	}
}
