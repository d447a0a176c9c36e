package fix_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/fix"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/specimen"
)

func value(t *testing.T, text string) document.Value {
	t.Helper()
	doc, err := document.ParseJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	return doc.Root()
}

func objectOf(t *testing.T, file, text string) *fact.Object {
	t.Helper()
	return fact.NewObject(specimen.Value(t, text), &fact.Origin{Source: "files", File: file})
}

// judges finds a fault for every key of a map that is true in a file's text, by a function of the test's.
type judges func(files map[string]document.Value) []verdict.Finding

func (j judges) judge(texts map[string]string) *verdict.Result {
	roots := map[string]document.Value{}
	for file, text := range texts {
		docs, _ := document.Read(document.NewText(text), 1)
		roots[file] = docs[0].Root()
	}
	return &verdict.Result{Findings: j(roots)}
}

type court struct {
	judges
	texts  map[string]string
	rounds int
}

func (c *court) Judge(_ context.Context, changed fix.Copy) (*verdict.Result, []fix.Proposal, error) {
	c.rounds++
	texts := map[string]string{}
	for file, text := range c.texts {
		texts[file] = text
		if now, found := changed.Files[file]; found {
			texts[file] = now
		}
	}
	return c.judge(texts), nil, nil
}

func found(file, id string) verdict.Finding {
	return verdict.Finding{Fingerprint: file + "/" + id, Rule: id, Verdict: verdict.Fail, Subject: verdict.Subject{Kind: "Pod", Name: file}, Location: verdict.Location{File: file}}
}

func key(name string) []document.Step { return []document.Step{{Key: name}} }

// TestProve has fixes of which one does nothing, one brings something new, two clash and the rest hold.
func TestProve(t *testing.T) {
	const text = "kind: Pod\na: bad\nb: bad\nc: bad\nd: bad # kept\ne: bad\n"
	j := judges(func(files map[string]document.Value) []verdict.Finding {
		var list []verdict.Finding
		for file, root := range files {
			for name, v := range root.Fields() {
				if v.Text() == "bad" {
					list = append(list, found(file, name))
				}
			}
			if root.Get("e").Exists() {
				list = append(list, found(file, "z"))
			}
			if root.Get("c").Text() == "worse" {
				list = append(list, found(file, "new"))
			}
		}
		return list
	})
	c := &court{judges: j, texts: map[string]string{}}
	var proposals []fix.Proposal
	for n := range 40 {
		file := fmt.Sprintf("%02d.yaml", n)
		c.texts[file] = text
		o := objectOf(t, file, text)
		for name, to := range map[string]string{"a": "good", "b": "bad", "c": "worse", "d": "good", "e": "good"} {
			change := rule.Change{Op: rule.FixSet, Steps: key(name), Values: []document.Value{value(t, `"`+to+`"`)}}
			proposals = append(proposals, fix.Proposal{Finding: found(file, name), Object: o, Changes: []rule.Change{change}})
		}
		second := rule.Change{Op: rule.FixRemove, Steps: key("e")}
		proposals = append(proposals, fix.Proposal{Finding: found(file, "z"), Object: o, Changes: []rule.Change{second}})
	}
	cases := fix.Collect(proposals, func(o *fact.Object, changes []rule.Change) ([]fix.Route, string) {
		return []fix.Route{{Edits: []fix.Edit{{Place: fix.PlaceOf(o), Changes: changes}}}}, ""
	})
	res, err := fix.Prove(t.Context(), cases, j.judge(c.texts), c, fix.Options{})
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]fix.State{}
	for _, o := range res.Outcomes {
		if before := states[o.Finding.Rule]; before != "" && before != o.State {
			t.Errorf("%s is %s and %s", o.Finding.Rule, before, o.State)
		}
		states[o.Finding.Rule] = o.State
	}
	want := map[string]fix.State{"a": fix.Proved, "b": fix.Unproved, "c": fix.Unproved, "d": fix.Proved, "e": fix.Proved, "z": fix.Clashed}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Error(diff)
	}
	for _, f := range res.Files {
		if want := "kind: Pod\na: good\nb: bad\nc: bad\nd: good # kept\ne: good\n"; f.After != want {
			t.Fatalf("%s is %q", f.Path, f.After)
		}
	}
	if c.rounds > 20 {
		t.Errorf("%d judgements for 40 objects with the same faults", c.rounds)
	}
}

// TestChoices proves each candidate by itself, and makes only what is chosen.
func TestChoices(t *testing.T) {
	const text = "kind: Pod\nsize: none\n"
	j := judges(func(files map[string]document.Value) []verdict.Finding {
		if s := files["a.yaml"].Get("size").Text(); s == "none" || s == "small" {
			return []verdict.Finding{found("a.yaml", "size")}
		}
		return nil
	})
	for chosen, want := range map[int]string{-1: "", 0: "", 1: "kind: Pod\nsize: large\n"} {
		c := &court{judges: j, texts: map[string]string{"a.yaml": text}}
		change := rule.Change{Op: rule.FixChoose, Steps: key("size"), Values: []document.Value{value(t, `"small"`), value(t, `"large"`)}}
		o := objectOf(t, "a.yaml", text)
		cases := fix.Collect([]fix.Proposal{{Finding: found("a.yaml", "size"), Object: o, Changes: []rule.Change{change}}}, func(o *fact.Object, changes []rule.Change) ([]fix.Route, string) {
			return []fix.Route{{Edits: []fix.Edit{{Place: fix.PlaceOf(o), Changes: changes}}}}, ""
		})
		res, err := fix.Prove(t.Context(), cases, j.judge(c.texts), c, fix.Options{Choose: func(*fix.Case, []fix.Candidate) int { return chosen }})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, f := range res.Files {
			got = f.After
		}
		if got != want {
			t.Errorf("choice %d gives %q, want %q", chosen, got, want)
		}
		if c := res.Outcomes[0].Candidates; c[0].Proved || !c[1].Proved {
			t.Errorf("candidates are %+v", c)
		}
	}
}

// TestProveAgain has a fix that brings a fault which what a person chooses mends, in another object: a second run
// would make it, so the first does.
func TestProveAgain(t *testing.T) {
	c := &court{texts: map[string]string{"a.yaml": "kind: Pod\na: bad\n", "b.yaml": "kind: Pod\nb: bad\n"}}
	c.judges = func(files map[string]document.Value) []verdict.Finding {
		var list []verdict.Finding
		if files["a.yaml"].Get("a").Text() == "bad" {
			list = append(list, found("a.yaml", "a"))
		} else if files["b.yaml"].Get("b").Text() == "bad" {
			list = append(list, found("a.yaml", "new"))
		}
		if files["b.yaml"].Get("b").Text() == "bad" {
			list = append(list, found("b.yaml", "b"))
		}
		return list
	}
	good := []document.Value{value(t, `"good"`)}
	cases := fix.Collect([]fix.Proposal{
		{Finding: found("a.yaml", "a"), Object: objectOf(t, "a.yaml", c.texts["a.yaml"]), Changes: []rule.Change{{Op: rule.FixSet, Steps: key("a"), Values: good}}},
		{Finding: found("b.yaml", "b"), Object: objectOf(t, "b.yaml", c.texts["b.yaml"]), Changes: []rule.Change{{Op: rule.FixChoose, Steps: key("b"), Values: good}}},
	}, func(o *fact.Object, changes []rule.Change) ([]fix.Route, string) {
		return []fix.Route{{Edits: []fix.Edit{{Place: fix.PlaceOf(o), Changes: changes}}}}, ""
	})
	res, err := fix.Prove(t.Context(), cases, c.judge(c.texts), c, fix.Options{Choose: func(*fix.Case, []fix.Candidate) int { return 0 }})
	if err != nil || len(res.Files) != 2 {
		t.Fatalf("%d files are changed, %v: %+v", len(res.Files), err, res.Outcomes)
	}
	for _, o := range res.Outcomes {
		if o.State != fix.Proved || o.Reason != "" {
			t.Errorf("%s is %s: %s", o.Finding.Rule, o.State, o.Reason)
		}
	}
}

// TestDiffsApply gives diffs to git and to patch.
func TestDiffsApply(t *testing.T) {
	for _, program := range []string{"git", "patch"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("there is no %s here", program)
		}
	}
	lines := func(n int, end string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "k%d: v # %d%s", i, i, end)
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		text string
		sets []string
	}{
		"first and last":     {lines(30, "\n"), []string{"k0", "k29", "new"}},
		"far and near":       {lines(60, "\n"), []string{"k3", "k9", "k10", "k40", "k47"}},
		"no last line end":   {strings.TrimSuffix(lines(8, "\n"), "\n"), []string{"k7", "more"}},
		"CR LF":              {lines(12, "\r\n"), []string{"k5", "more"}},
		"one line":           {"a: 1\n", []string{"a"}},
		"a name with blanks": {lines(9, "\n"), []string{"k4"}},
	} {
		t.Run(name, func(t *testing.T) {
			docs, _ := document.Read(document.NewText(c.text), 1)
			draft, err := docs[0].Edit()
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range c.sets {
				if err := draft.Set(key(k), value(t, `{"x":[1,2]}`)); err != nil {
					t.Fatal(err)
				}
			}
			splices, err := draft.Splices()
			if err != nil {
				t.Fatal(err)
			}
			after, err := document.Apply(c.text, splices)
			if err != nil {
				t.Fatal(err)
			}
			f := fix.File{Path: strings.ReplaceAll(name, "CR LF", "crlf") + ".yaml", Before: c.text, After: after, Splices: splices}
			var diff strings.Builder
			if err := f.Diff(&diff, nil, false); err != nil {
				t.Fatal(err)
			}
			for _, command := range [][]string{{"git", "apply", "--whitespace=nowarn", "../change.patch"}, {"patch", "-s", "-p1", "--binary", "-i", "../change.patch"}} {
				dir := t.TempDir()
				tree := filepath.Join(dir, "tree")
				write(t, filepath.Join(tree, f.Path), c.text)
				write(t, filepath.Join(dir, "change.patch"), diff.String())
				cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
				cmd.Dir = tree
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v: %v\n%s\n%s", command, err, out, diff.String())
				}
				got, err := os.ReadFile(filepath.Join(tree, f.Path))
				if err != nil || string(got) != after {
					t.Errorf("%v gives %q, want %q (%v)", command, got, after, err)
				}
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestMergePatch writes changes as kustomize merges them: containers by name, null for what goes.
func TestMergePatch(t *testing.T) {
	o := objectOf(t, "a.yaml", `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"a","namespace":"n"},"spec":{"template":{"spec":{"hostPID":true,"containers":[{"name":"x"},{"name":"y","securityContext":{"privileged":true}}]}}}}`)
	spec := []document.Step{{Key: "spec"}, {Key: "template"}, {Key: "spec"}}
	at := func(steps ...document.Step) []document.Step { return append(slices.Clone(spec), steps...) }
	got, err := fix.Merge(o, "b", []rule.Change{
		{Op: rule.FixRemove, Steps: at(document.Step{Key: "hostPID"})},
		{Op: rule.FixSet, Steps: at(document.Step{Key: "containers"}, document.Step{Index: 1}, document.Step{Key: "securityContext"}, document.Step{Key: "privileged"}), Values: []document.Value{value(t, "false")}},
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: b\n  namespace: \"n\"\nspec:\n  template:\n    spec:\n      hostPID: null\n      containers:\n      - name: \"y\"\n        securityContext:\n          privileged: false\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestJSONPatch tests an item's name before it touches the item.
func TestJSONPatch(t *testing.T) {
	before := `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","annotations":{"x/y":"1"}},"spec":{"hostPID":true,"containers":[{"name":"c"}]}}`
	o := objectOf(t, "a.json", before)
	o.Origin = &fact.Origin{Source: "cluster:x", File: "/api/v1/pods", Served: true}
	place, err := fix.ServedPlace(o)
	if err != nil {
		t.Fatal(err)
	}
	steps := []document.Step{{Key: "spec"}, {Key: "containers"}, {Index: 0}, {Key: "securityContext"}, {Key: "privileged"}}
	changes := []rule.Change{
		{Op: rule.FixSet, Steps: steps, Values: []document.Value{value(t, "false")}},
		{Op: rule.FixRemove, Steps: []document.Step{{Key: "spec"}, {Key: "hostPID"}}},
		{Op: rule.FixSet, Steps: []document.Step{{Key: "metadata"}, {Key: "annotations"}, {Key: "x/y"}}, Values: []document.Value{value(t, `"2"`)}},
	}
	f := verdict.Finding{Fingerprint: "1", Verdict: verdict.Fail, Subject: verdict.Subject{Kind: "Pod", Name: "a"}}
	cases := fix.Collect([]fix.Proposal{{Finding: f, Object: o, Changes: changes}}, func(*fact.Object, []rule.Change) ([]fix.Route, string) {
		return []fix.Route{{Edits: []fix.Edit{{Place: place, Changes: changes}}}}, ""
	})
	res, err := fix.Prove(t.Context(), cases, &verdict.Result{Findings: []verdict.Finding{f}}, served{}, fix.Options{})
	if err != nil || len(res.Objects) != 1 {
		t.Fatalf("%d objects, %v, %+v", len(res.Objects), err, res.Outcomes[0])
	}
	want := `[
  {"op": "replace", "path": "/metadata/annotations/x~1y", "value": "2"},
  {"op": "remove", "path": "/spec/hostPID"},
  {"op": "test", "path": "/spec/containers/0/name", "value": "c"},
  {"op": "add", "path": "/spec/containers/0/securityContext", "value": {"privileged":false}}
]
`
	if diff := cmp.Diff(want, res.Objects[0].JSON()); diff != "" {
		t.Error(diff)
	}
}

// served finds nothing more once an object changed.
type served struct{}

func (served) Judge(_ context.Context, c fix.Copy) (*verdict.Result, []fix.Proposal, error) {
	if len(c.Objects) == 0 {
		return nil, nil, errors.New("no object changed")
	}
	return &verdict.Result{}, nil, nil
}
