package judge_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/report"
	"github.com/coaming/coaming/internal/verdict"
)

// TestMemory demands the same result, byte for byte, of a judgement that remembers outcomes and of
// one that asks every rule afresh: of the examples of all rules as they are, twice, and with one value
// after the other replaced by one of another kind.
func TestMemory(t *testing.T) {
	rules := all(t)
	var objects []*fact.Object
	for i, r := range rules {
		for _, e := range examples(r) {
			objects = append(objects, fromRoots(e, r.ID+".yaml")...)
			objects = append(objects, fromRoots(e, r.ID+"-again.yaml")...)
			for n, with := range []string{`""`, "[]", "{}", "null", "true", "1"} {
				objects = append(objects, fromRoots(spoilt(t, e, 3*i+5*n, with), fmt.Sprintf("%s-%d.yaml", r.ID, n))...)
			}
		}
	}
	gaps := []verdict.Gap{{Code: verdict.GapForbidden, Kinds: []string{"LimitRange"}, Namespace: "b"}}
	in := judge.Input{Inventory: fact.NewInventory(objects, "1.36", false), Rules: rules, Now: now, Width: 2, Coverage: verdict.Coverage{Gaps: gaps}}
	told := func(in judge.Input) string {
		var out bytes.Buffer
		if err := report.JSON(&out, judge.Judge(in), report.Meta{}); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	got := told(in)
	in.Forgetful = true
	want := told(in)
	if want != got {
		t.Errorf("a judgement that remembers differs (-forgetful +remembering):\n%s", cmp.Diff(want, got))
	}
	if len(want) < 1_000_000 {
		t.Errorf("only %d bytes: the test compares nothing", len(want))
	}
}

// spoilt is objects with one of their values replaced.
func spoilt(t *testing.T, roots []document.Value, n int, with string) []document.Value {
	t.Helper()
	var list []document.Value
	for _, v := range roots {
		at := n % max(1, v.Nodes())
		docs, errs := document.Read(document.NewText(mutated(v, &at, with)), 1)
		if len(errs) > 0 {
			t.Fatal(errs[0])
		}
		for _, d := range docs {
			if root := d.Root(); root.Get("kind").Str() != "" && root.At("metadata", "name").Str() != "" {
				list = append(list, root)
			}
		}
	}
	return list
}
