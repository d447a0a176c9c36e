package inject_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/inject"
	"github.com/coaming/coaming/internal/judge"
)

// BenchmarkPatch makes the patches of pods and deployments that a real API server gave out, each with a name of its own: both
// shipped sidecars, secure defaults and resources; and again of what came of it, of which nothing is to be changed.
func BenchmarkPatch(b *testing.B) {
	mutations := "{defaults: [{rules: [seccomp-missing, privilege-escalation, capabilities-not-dropped, service-account-token-unused]}], " +
		"resources: [{requests: {cpu: 50m, memory: 64Mi}, limits: {memory: 256Mi}}], sidecars: [" + forwarder + ", " + agent + "]}"
	around := judge.NewAmong(catalog.Shipped(), nil)
	in := injector(b, mutations, func(o *inject.Options) { o.Around = func(string) *judge.Among { return around } })
	for _, kind := range []string{"Deployment", "Pod"} {
		text, err := os.ReadFile("../../test/bench/gate/testdata/" + strings.ToLower(kind) + ".json")
		if err != nil {
			b.Fatal(err)
		}
		var before, after []*fact.Object
		for n := range 100 {
			o := object(b, plain(b, strings.ReplaceAll(string(text), "checkout", fmt.Sprintf("checkout-%d", n))))
			c, err := in.Change(b.Context(), o, shop, "1.36")
			if err != nil || c == nil {
				b.Fatal(c, err)
			}
			before, after = append(before, o), append(after, object(b, string(c.After.AppendJSON(nil))))
		}
		for name, objects := range map[string][]*fact.Object{"anew": before, "again": after} {
			b.Run(kind+" "+name, func(b *testing.B) {
				b.ReportAllocs()
				for n := 0; b.Loop(); n++ {
					operations, err := in.Patch(b.Context(), objects[n%len(objects)], shop, "1.36")
					if err != nil || (len(operations) == 0) != (name == "again") {
						b.Fatal(len(operations), err)
					}
				}
			})
		}
	}
}

// plain is the object without what a plan is to give it.
func plain(tb testing.TB, text string) string {
	tb.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		tb.Fatal(err)
	}
	for _, key := range []string{"resourceVersion", "uid", "managedFields"} { // of an object that is there already
		delete(o["metadata"].(map[string]any), key)
	}
	spec := o["spec"].(map[string]any)
	if template, ok := spec["template"].(map[string]any); ok {
		spec = template["spec"].(map[string]any)
	}
	delete(spec, "securityContext")
	for _, c := range spec["containers"].([]any) {
		delete(c.(map[string]any), "securityContext")
		delete(c.(map[string]any), "resources")
	}
	out, err := json.Marshal(o)
	if err != nil {
		tb.Fatal(err)
	}
	return string(out)
}
