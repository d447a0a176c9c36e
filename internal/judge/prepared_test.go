package judge_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/report"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/specimen"
)

func told(t testing.TB, r *verdict.Result) string {
	t.Helper()
	var out bytes.Buffer
	if err := report.JSON(&out, r, report.Meta{}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestPreparedRulesJudgeTheSame judges the examples of all rules, as they are and spoilt, one inventory after the other
// by rules that remember, and demands the same bytes as of a judgement that asks afresh: in two versions by turns, with an
// exception, and of several goroutines at once.
func TestPreparedRulesJudgeTheSame(t *testing.T) {
	rules := all(t)
	p := judge.Prepare(rules, rule.Settings{Registries: []string{"registry.example.com"}}, 1)
	exceptions := []verdict.Exception{{Rules: []string{"host-path"}, Namespace: "default", Owner: "o", Reason: "r", Expires: now.AddDate(0, 1, 0)}}
	var group sync.WaitGroup
	defer group.Wait()
	for half := range 2 { // of two at a time one has no memory to borrow
		group.Go(func() {
			findings := 0
			for i := half; i < len(rules); i += 8 {
				for _, e := range examples(rules[i]) {
					for n, with := range []string{"", `""`, "[]", "1"} {
						if with != "" {
							e = spoilt(t, e, 3*i+5*n, with)
						}
						in := judge.Input{
							Inventory: fact.NewInventory(fromRoots(e, "a.yaml"), []string{"1.36", "1.24"}[n%2], n%2 == 0), Now: now, Exceptions: exceptions,
							Rules: rules, Settings: p.Settings,
						}
						got := p.Judge(in)
						in.Forgetful = true
						want := judge.Judge(in)
						findings += len(want.Findings)
						if got, want := told(t, got), told(t, want); got != want {
							t.Errorf("%s: rules that were prepared judge otherwise (-afresh +prepared):\n%s", rules[i].ID, cmp.Diff(want, got))
							return
						}
					}
				}
			}
			if findings < 2_000 {
				t.Errorf("only %d findings: the test compares nothing", findings)
			}
		})
	}
}

func TestJudgesWhatItIsAbout(t *testing.T) {
	bad := newRule(t, "bad", "match: container", `assert: 'container.image != "a"'`, "at: image")
	in := input(t, "kind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec: {containers: [{name: a, image: a}]}\n---\n"+
		"kind: Pod\napiVersion: v1\nmetadata: {name: b}\nspec: {containers: [{name: a, image: a}]}\n", bad)
	in.About = func(o *fact.Object) bool { return o.Name == "b" }
	in.Terse = true
	res := judge.Judge(in)
	if len(res.Findings) != 1 || res.Findings[0].Subject.Name != "b" || res.Findings[0].Excerpt != nil {
		t.Errorf("findings are %+v", res.Findings)
	}
	in.About = nil
	in.Stop = func(findings int) bool { return findings > 0 }
	if res := judge.Judge(in); len(res.Findings) != 1 {
		t.Errorf("stopped after one, there are %d findings", len(res.Findings))
	}
}

// TestNotices demands that what a finding rests on changes with what its rule reads, and with nothing else.
func TestNotices(t *testing.T) {
	rules := []*rule.Compiled{
		newRule(t, "user", "match: container", `assert: container.?securityContext.?runAsUser.orValue(0) != 0`, "at: securityContext.runAsUser"),
		newRule(t, "path", "match: workload", "each: {volume: spec.volumes}", `assert: '!has(volume.hostPath) || volume.hostPath.path == "/ok"'`),
		newRule(t, "label", "match: workload", `assert: '!("a" in workload.labels)'`),
		newRule(t, "kind", "match: [Pod]", `assert: object.spec.?hostPID.orValue(false) == true`),
	}
	seen := func(user, image, path, label string) map[string]string {
		m := map[string]string{}
		in := input(t, fmt.Sprintf("kind: Pod\napiVersion: v1\nmetadata: {name: a, labels: {a: %s}}\nspec: {containers: [{name: a, image: %s, securityContext: {runAsUser: %s}}], "+
			"volumes: [{name: v, hostPath: {path: %s}}]}\n", label, image, user, path), rules...)
		in.Noticed = func(n judge.Notice) { m[n.Finding.Rule] = n.Finding.Fingerprint + string(n.Seen) }
		judge.Judge(in)
		if len(m) != len(rules) {
			t.Fatalf("%d of %d rules have a finding", len(m), len(rules))
		}
		return m
	}
	base := seen("0", "x", "/a", "b")
	for name, c := range map[string]struct {
		other   map[string]string
		changed []string
	}{
		"nothing":  {seen("0", "x", "/a", "b"), nil},
		"an image": {seen("0", "y", "/a", "b"), nil},
		"a user":   {seen("", "x", "/a", "b"), []string{"user"}},
		"a path":   {seen("0", "x", "/b", "b"), []string{"path"}},
		"a label":  {seen("0", "x", "/a", "c"), []string{"label"}},
	} {
		var changed []string
		for _, r := range rules {
			if base[r.ID] != c.other[r.ID] {
				changed = append(changed, r.ID)
			}
		}
		if d := cmp.Diff(c.changed, changed); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// BenchmarkPrepared judges one workload by the rules that an admission asks.
func BenchmarkPrepared(b *testing.B) {
	text, err := os.ReadFile("../../examples/shop/base/checkout.yaml")
	if err != nil {
		b.Fatal(err)
	}
	objects := specimen.Objects(b, fact.Origin{Source: "cluster", Served: true}, string(text))
	objects = slices.DeleteFunc(objects, func(o *fact.Object) bool { return o.Kind != "Deployment" })
	for name, ask := range map[string]func(judge.Input) *verdict.Result{
		"once":     judge.Judge,
		"prepared": judge.Prepare(all(b), rule.Settings{}, 1).Judge,
	} {
		rules := all(b)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ask(judge.Input{Inventory: fact.NewInventory(objects, "1.36", true), Rules: rules, Now: now, Terse: true})
			}
		})
	}
}
