package judge_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/report"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// examples are the objects of a rule's examples, one set of roots for each.
func examples(r *rule.Compiled) [][]document.Value {
	var list [][]document.Value
	for _, e := range append(slices.Clip(r.Bad), r.Good...) {
		list = append(list, e)
	}
	return list
}

func fromRoots(roots []document.Value, file string) []*fact.Object {
	var objects []*fact.Object
	for _, v := range roots {
		objects = append(objects, fact.NewObject(v, &fact.Origin{Source: "files", File: file}))
	}
	return objects
}

// TestSameBytes demands the same result, byte for byte, of any number of goroutines.
func TestSameBytes(t *testing.T) {
	rules := all(t)
	var objects []*fact.Object
	for _, r := range rules {
		for _, e := range examples(r) {
			objects = append(objects, fromRoots(e, r.ID+".yaml")...)
		}
	}
	gaps := []verdict.Gap{{Code: verdict.GapForbidden, Kinds: []string{"ServiceAccount"}}}
	var want string
	for width := range 10 {
		res := judge.Judge(judge.Input{
			Inventory: fact.NewInventory(objects, "1.36", false), Rules: rules, Now: now, Width: max(1, width%9),
			Coverage: verdict.Coverage{Gaps: gaps}, Exceptions: []verdict.Exception{{Rules: []string{"host-path"}}},
		})
		var out bytes.Buffer
		if err := report.JSON(&out, res, report.Meta{}); err != nil {
			t.Fatal(err)
		}
		if want == "" {
			want = out.String()
			if len(res.Findings) < 200 {
				t.Errorf("only %d findings: the test compares nothing", len(res.Findings))
			}
			counted := map[verdict.Verdict]int{}
			for _, f := range res.Findings {
				counted[f.Verdict]++
			}
			fails, unknowns := 0, 0
			for _, tally := range res.Tally {
				fails, unknowns = fails+tally.Fail, unknowns+tally.Unknown
			}
			if fails != counted[verdict.Fail] || unknowns != counted[verdict.Unknown] {
				t.Errorf("tally of %d fails and %d unknowns, findings %v", fails, unknowns, counted)
			}
		}
		if out.String() != want {
			t.Errorf("%d goroutines: another result", width%9)
		}
	}
}

// TestCacheAgrees demands of every rule and example that expressions checked beforehand, with
// types, give what those compiled without types give.
func TestCacheAgrees(t *testing.T) {
	for _, cached := range all(t) {
		fresh, err := rule.Compile(cached.Rule, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(fresh.Reads(), cached.Reads()); diff != "" {
			t.Errorf("%s reads (-fresh +cached):\n%s", cached.ID, diff)
		}
		for i, e := range examples(cached) {
			var got [2][]verdict.Finding
			for n, r := range []*rule.Compiled{fresh, cached} {
				in := judge.Input{Inventory: fact.NewInventory(fromRoots(e, "a.yaml"), "1.30", true), Rules: []*rule.Compiled{r}, Now: now}
				got[n] = judge.Judge(in).Findings
			}
			if diff := cmp.Diff(got[0], got[1]); diff != "" {
				t.Errorf("%s, example %d (-fresh +cached):\n%s", cached.ID, i, diff)
			}
		}
	}
}

// mutated is a value as JSON with the n-th value below it replaced.
func mutated(v document.Value, n *int, with string) string {
	defer func() { *n-- }()
	if *n == 0 {
		return with
	}
	var parts []string
	switch v.Kind() { //nolint:exhaustive // scalars are behind the switch
	case document.Map:
		for key, entry := range v.Fields() {
			*n--
			parts = append(parts, fmt.Sprintf("%q: %s", key, mutated(entry, n, with)))
			*n++
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case document.List:
		for _, item := range v.Items() {
			*n--
			parts = append(parts, mutated(item, n, with))
			*n++
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return string(v.AppendJSON(nil))
}

// wrong are values that stand in the place of others.
var wrong = []string{`"x"`, `"true"`, "3", "-1", "1.5", "true", "false", "null", "[]", "{}", `[{}]`, `[null]`, `["x"]`, `{"a": {"b": "c"}}`, `{"name": 3}`, `[[["x"]]]`, `18446744073709551616`, `""`}

// demandCare judges an object with one value replaced: no panic, a reason for every unknown, and no
// pass of a workload that the API server refuses.
func demandCare(t *testing.T, rules []*rule.Compiled, text string) {
	t.Helper()
	docs, errs := document.Read(document.NewText(text), 1)
	if len(errs) > 0 || len(docs) == 0 || docs[0].Root().Kind() != document.Map {
		return
	}
	inv := fact.NewInventory(fromRoots([]document.Value{docs[0].Root()}, "a.yaml"), "1.36", false)
	res := judge.Judge(judge.Input{Inventory: inv, Rules: rules, Now: now})
	for _, f := range res.Findings {
		if f.Message == "" || f.Fingerprint == "" || f.Verdict == verdict.Unknown && f.Reason == "" {
			t.Errorf("a finding without a message, a fingerprint or a reason: %+v of\n%s", f, text)
		}
		if f.Reason == "the rule could not be evaluated" {
			t.Errorf("%s: %s of\n%s", f.Rule, f.Reason, text)
		}
	}
	for _, w := range inv.Workloads {
		if w.Doubt() == "" {
			continue
		}
		for _, tally := range judge.Judge(judge.Input{Inventory: inv, Rules: aboutWorkloads(rules), Now: now}).Tally {
			if tally.Pass > 0 {
				t.Errorf("%d passes in %s although %s:\n%s", tally.Pass, tally.Practice, w.Doubt(), text)
			}
		}
	}
}

func aboutWorkloads(rules []*rule.Compiled) []*rule.Compiled {
	var list []*rule.Compiled
	for _, r := range rules {
		if r.Match.Fact == "container" || r.Match.Fact == "workload" {
			list = append(list, r)
		}
	}
	return list
}

// TestWrongTypes replaces values of the examples, chosen at random, by others of any type.
func TestWrongTypes(t *testing.T) {
	rules := all(t)
	random := rand.New(rand.NewPCG(3, 4))
	rounds := 1500
	if testing.Short() {
		rounds = 100
	}
	for range rounds {
		list := examples(rules[random.IntN(len(rules))])
		e := list[random.IntN(len(list))]
		v := e[random.IntN(len(e))]
		n := 1 + random.IntN(max(1, v.Nodes()-1))
		demandCare(t, rules, mutated(v, &n, wrong[random.IntN(len(wrong))]))
	}
}

// FuzzJudge judges any object by all rules.
func FuzzJudge(f *testing.F) {
	rules := all(f)
	for i, r := range rules {
		n := i + 1
		f.Add(mutated(r.Bad[0][0], &n, wrong[i%len(wrong)]))
	}
	f.Fuzz(func(t *testing.T, text string) { demandCare(t, rules, text) })
}

// TestMalformed holds what is said of workloads that the API server refuses.
func TestMalformed(t *testing.T) {
	container := newRule(t, "container", "match: container", `assert: '!container.?securityContext.?privileged.orValue(false)'`, "at: securityContext.privileged")
	workload := newRule(t, "workload", "match: workload", `assert: '!workload.spec.?hostNetwork.orValue(false)'`, "at: spec.hostNetwork")
	volume := newRule(t, "volume", "match: workload", "each: {volume: spec.volumes}", "assert: '!has(volume.hostPath)'")
	entry := newRule(t, "entry", "match: ConfigMap", "each: {entry: data}", `assert: 'entry.key != "bad"'`)
	const refuses = ", which the API server refuses"
	tests := map[string]struct {
		object string
		want   []string
	}{
		"privileged is text":    {`{apiVersion: v1, kind: Pod, spec: {containers: [{name: a, securityContext: {privileged: "true"}}]}}`, []string{"container unknown spec.containers[a].securityContext.privileged: a field", "workload unknown spec.hostNetwork: containers[0].securityContext.privileged is a string, not a boolean" + refuses}},
		"securityContext list":  {`{apiVersion: v1, kind: Pod, spec: {containers: [{name: a, securityContext: []}]}}`, []string{"container unknown spec.containers[a].securityContext.privileged: a field", "workload unknown spec.hostNetwork: containers[0].securityContext is a list, not a map" + refuses}},
		"securityContext text":  {`{apiVersion: v1, kind: Pod, spec: {containers: [{name: a, securityContext: x}]}}`, []string{"container unknown spec.containers[a].securityContext.privileged: containers[0].securityContext is a string, not a map" + refuses, "workload unknown spec.hostNetwork: containers[0].securityContext is a string, not a map" + refuses}},
		"containers are a map":  {`{apiVersion: v1, kind: Pod, spec: {containers: {}}}`, []string{"container unknown spec.containers.securityContext.privileged: containers is a map, not a list" + refuses, "workload unknown spec.hostNetwork: containers is a map, not a list" + refuses}},
		"a container is text":   {`{apiVersion: v1, kind: Pod, spec: {containers: [x]}}`, []string{"container unknown spec.containers[0].securityContext.privileged: containers[0] is a string", "workload unknown spec.hostNetwork: containers[0] is a string"}},
		"a container is null":   {`{apiVersion: v1, kind: Pod, spec: {containers: [null]}}`, []string{"container unknown spec.containers[0].securityContext.privileged: containers[0] is a null", "workload unknown spec.hostNetwork: containers[0] is a null"}},
		"the spec is a list":    {`{apiVersion: apps/v1, kind: Deployment, spec: {template: {spec: []}}}`, []string{"workload unknown spec.template.spec.hostNetwork: a field", "volume unknown spec.template.spec: a field"}},
		"hostNetwork is text":   {`{apiVersion: v1, kind: Pod, spec: {hostNetwork: "true"}}`, []string{"workload unknown spec.hostNetwork: a field"}},
		"volumes are a map":     {`{apiVersion: v1, kind: Pod, spec: {volumes: {a: {hostPath: {path: /}}}}}`, []string{"workload unknown spec.hostNetwork: the pod's spec.volumes is a map, not a list" + refuses, "volume unknown spec.volumes.a: a field"}},
		"null is not there":     {`{apiVersion: v1, kind: Pod, spec: {hostNetwork: null, volumes: null, containers: [{name: a, securityContext: null}]}}`, nil},
		"data is a list":        {`{apiVersion: v1, kind: ConfigMap, data: [x]}`, []string{"entry unknown data[0]: a field"}},
		"data is text":          {`{apiVersion: v1, kind: ConfigMap, data: x}`, []string{"entry unknown data: a field"}},
		"null entries":          {`{apiVersion: v1, kind: ConfigMap, data: {bad: null}}`, nil},
		"a bad and a good pod":  {`{apiVersion: v1, kind: Pod, spec: {containers: [{name: a, securityContext: {privileged: true}}, {name: b}]}}`, []string{"container fail spec.containers[a].securityContext.privileged"}},
		"a path through a list": {`{apiVersion: apps/v1, kind: Deployment, spec: []}`, []string{"workload unknown spec.hostNetwork: a field", "volume unknown spec: a field"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := outcomes(judge.Judge(input(t, test.object, container, workload, volume, entry)))
			ok := len(got) == len(test.want)
			for _, want := range test.want {
				found := false
				for _, g := range got {
					found = found || strings.HasPrefix(g, want)
				}
				ok = ok && found
			}
			if !ok {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// TestCatalogueOfVersions demands that an unknown version is no pass.
func TestUnknownVersion(t *testing.T) {
	supported := newRule(t, "supported", "match: cluster", "assert: cluster.supported")
	for version, want := range map[string]string{catalog.Newest: "[]", "1.99": "[supported unknown : the support calendar does not know Kubernetes 1.99]", "1.10": "[supported"} {
		in := judge.Input{Inventory: fact.NewInventory(nil, version, true), Rules: []*rule.Compiled{supported}, Now: now}
		if got := fmt.Sprint(outcomes(judge.Judge(in))); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", version, got, want)
		}
	}
}
