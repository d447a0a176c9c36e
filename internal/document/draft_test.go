package document

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// edit is one change as the tests write it: OP PATH JSON, the path's keys separated by slashes.
type edit struct {
	op    string // set, remove, append
	steps []Step
	value string
}

func parseEdit(line string) edit {
	op, rest, _ := strings.Cut(line, " ")
	path, value, _ := strings.Cut(rest, " ")
	e := edit{op: op, value: value}
	for key := range strings.SplitSeq(path, "/") {
		var i int
		if _, err := fmt.Sscanf(key, "#%d", &i); err == nil {
			e.steps = append(e.steps, Step{Index: i})
		} else if key != "." {
			e.steps = append(e.steps, Step{Key: key})
		}
	}
	return e
}

func (e edit) apply(w *Draft) error {
	var v Value
	if e.value != "" {
		doc, err := ParseJSON(e.value)
		if err != nil {
			return err
		}
		v = doc.Root()
	}
	switch e.op {
	case "set":
		return w.Set(e.steps, v)
	case "append":
		return w.Append(e.steps, v)
	}
	w.Remove(e.steps)
	return nil
}

// TestEdits shows how texts of every style are edited.
func TestEdits(t *testing.T) {
	for name, c := range map[string]struct {
		edits      []string
		text, want string
	}{
		"one map is made for many": {
			[]string{`set a/sc/x true`, `set a/sc/y {"drop":["ALL"]}`, `set a/sc/z 1`},
			"a:\n  b: c # why\n\n# next\nd: e\n",
			"a:\n  b: c # why\n  sc:\n    x: true\n    \"y\":\n      drop:\n      - ALL\n    z: 1\n\n# next\nd: e\n",
		},
		"four spaces and indented lists": {
			[]string{`set a/n/m [1]`},
			"a:\n    b:\n      - c\n",
			"a:\n    b:\n      - c\n    \"n\":\n        m:\n          - 1\n",
		},
		"quotes": {
			[]string{`set a "z"`, `set b "z"`, `set c true`, `set d "it's"`},
			"a: \"b\" # 1\nb: 'c'  # 2\nc: \"true\"\nd: 'x'\n",
			"a: \"z\" # 1\nb: 'z'  # 2\nc: true\nd: it's\n",
		},
		"flow": {
			[]string{`set a/b 2`, `set a/e/f [1]`, `remove a/c`, `set l/#1 "x,y"`, `append l 7`},
			"a: {b: 1, c: d, g: h}\nl: [1, 2]\n",
			"a: {b: 2, g: h, e: {f: [1]}}\nl: [1, \"x,y\", 7]\n",
		},
		"flow becomes empty and full": {
			[]string{`remove a/b`, `set c/d 1`, `remove l/#0`, `remove l/#1`},
			"a: {b: 1}\nc: {}\nl: [1,\n  2]\n",
			"a: {}\nc: {d: 1}\nl: []\n",
		},
		"items": {
			[]string{`remove l/#0`, `remove l/#2`, `append l {"name":"d","p":1}`, `remove l/#1/x`},
			"l:\n- name: a # first\n  p: 1\n# about b\n- x: 1\n  # name of b\n  name: b\n- c\nz: 1\n",
			"l:\n# about b\n- # name of b\n  name: b\n- name: d\n  p: 1\nz: 1\n",
		},
		"null and empty": {
			[]string{`set a/b 1`, `set c 2`, `set d/e/f 3`, `set g "x"`},
			"a: # why\nc:\nd: ~\ng: null # no\n",
			"a: # why\n  b: 1\nc: 2\nd:\n  e:\n    f: 3\ng: x # no\n",
		},
		"no last line end": {[]string{`set a/c 1`}, "a:\n  b: c", "a:\n  b: c\n  c: 1"},
		"CR LF":            {[]string{`set a/c {"d":1}`, `set a/b 2`}, "a:\r\n  b: c # x\r\ne: f\r\n", "a:\r\n  b: 2 # x\r\n  c:\r\n    d: 1\r\ne: f\r\n"},
		"block scalars": {
			[]string{`set a/c 1`, `remove d`, `set e "w"`},
			"a:\n  b: |\n    x\n    y\n\nd: >-\n  z\n  z\ne: |+\n  k\n\nf: g\n",
			"a:\n  b: |\n    x\n    y\n  c: 1\n\ne: w\nf: g\n",
		},
		"what ends in kept lines": {[]string{`set a/c 1`}, "a:\n  b: |+\n    x\n\nz: 1\n", "a:\n  b: |+\n    x\n\n  c: 1\nz: 1\n"},
		"an alias is written out": {
			[]string{`set b/p false`, `set c/q 1`},
			"a: &x # kept\n  p: true\n  q: 0\nb: *x\nc:\n  <<: *x\n  r: 2\n",
			"a: &x # kept\n  p: true\n  q: 0\nb:\n  p: false\n  q: 0\nc:\n  <<: *x\n  r: 2\n  q: 1\n",
		},
		"an anchor changes for itself alone": {
			[]string{`set a/p false`},
			"a: &x\n  p: true\nb: *x\nc:\n  <<: *x\n  r: 2\n",
			"a: &x\n  p: false\nb:\n  p: true\nc:\n  r: 2\n  p: true\n",
		},
		"an anchor changes for all that want it": {
			[]string{`set a/p false`, `set b/p false`},
			"a: &x\n  p: true\nb: *x\n",
			"a: &x\n  p: false\nb: *x\n",
		},
		"a merged key goes": {
			[]string{`remove c/p`},
			"a: &x {p: true, q: 1}\nc:\n  <<: *x\n  r: 2\n",
			"a: &x {p: true, q: 1}\nc:\n  r: 2\n  q: 1\n",
		},
		"a scalar's anchor": {
			[]string{`set u 1000`},
			"u: &id 0\nreplicas: *id\n",
			"u: 1000\nreplicas: 0\n",
		},
		"JSON with tabs": {
			[]string{`set a/c {"d":[1]}`, `remove e/#0`, `set s "x\ny"`},
			"{\n\t\"a\": {\n\t\t\"b\": 1\n\t},\n\t\"e\": [\n\t\t1,\n\t\t2\n\t],\n\t\"s\": \"\\u0041\"\n}\n",
			"{\n\t\"a\": {\n\t\t\"b\": 1,\n\t\t\"c\": {\n\t\t\t\"d\": [\n\t\t\t\t1\n\t\t\t]\n\t\t}\n\t},\n\t\"e\": [\n\t\t2\n\t],\n\t\"s\": \"x\\ny\"\n}\n",
		},
		"JSON with tabs, behind a bracket": {
			[]string{`set s/c/#0/x {"y":{"z":[1]}}`},
			"{\n\t\"s\": {\"c\": [\n\t\t{\"n\": 1,\n\t\t \"e\": 2}]}}\n",
			"{\n\t\"s\": {\"c\": [\n\t\t{\"n\": 1,\n\t\t \"e\": 2, \"x\": {\n\t\t\t\"y\": {\n\t\t\t\t\"z\": [\n\t\t\t\t\t1\n\t\t\t\t]\n\t\t\t}\n\t\t}}]}}\n",
		},
		"JSON on one line":     {[]string{`set a/c true`, `append e {"f":1}`}, `{"a":{"b":1},"e":[]}`, `{"a":{"b":1,"c":true},"e":[{"f":1}]}`},
		"a map becomes a word": {[]string{`set a "x"`, `set l 1`}, "a:\n  b: c\nl:\n- 1\nd: e\n", "a: x\nl: 1\nd: e\n"},
		"the last entry goes":  {[]string{`remove a/b`}, "a:\n  b: c # x\nd: e\n", "a: {} # x\nd: e\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w := draftOf(t, c.text)
			for _, line := range c.edits {
				if err := parseEdit(line).apply(w); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(c.want, edited(t, w, c.text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func draftOf(t *testing.T, text string) *Draft {
	t.Helper()
	docs, errs := Read(NewText(text), 1)
	if len(errs) > 0 || len(docs) != 1 {
		t.Fatalf("%d documents, %v", len(docs), errs)
	}
	w, err := docs[0].Edit()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func edited(t *testing.T, w *Draft, text string) string {
	t.Helper()
	splices, err := w.Splices()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Apply(text, splices)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// someEdit is a random change of a value, done to it: the model that texts are held to.
func someEdit(r *rand.Rand, root any) (edit, any) {
	values := []string{`true`, `"x"`, `5`, `{"k":{"m":["ALL"]},"n":"a: b"}`, `[1,{"a":"b","c":[]}]`, `{}`, `"100m"`, `"two\nlines\n"`}
	e := edit{op: []string{"set", "set", "remove", "append"}[r.IntN(4)], value: values[r.IntN(len(values))]}
	at := root
	for depth := 0; ; depth++ {
		switch v := at.(type) {
		case map[string]any:
			keys := make([]string, 0, len(v)+1)
			for k := range v {
				if k != "" {
					keys = append(keys, k)
				}
			}
			slices.Sort(keys)
			if e.op == "set" {
				keys = append(keys, "new")
			}
			if len(keys) == 0 || depth > 0 && r.IntN(4) == 0 {
				return e, e.model(root)
			}
			key := keys[r.IntN(len(keys))]
			e.steps = append(e.steps, Step{Key: key})
			at = v[key]
		case []any:
			if len(v) == 0 || r.IntN(5) == 0 {
				return e, e.model(root)
			}
			i := r.IntN(len(v))
			e.steps = append(e.steps, Step{Index: i})
			at = v[i]
		default:
			return e, e.model(root)
		}
	}
}

// model does the change to a value of Go.
func (e edit) model(root any) any {
	var value any
	_ = json.Unmarshal([]byte(e.value), &value)
	return e.change(root, e.steps, value)
}

func (e edit) change(at any, steps []Step, value any) any {
	if len(steps) == 0 {
		switch list, isList := at.([]any); {
		case e.op == "set":
			return value
		case e.op == "append" && isList:
			return append(slices.Clone(list), value)
		case e.op == "append" && at == nil:
			return []any{value}
		}
		return at
	}
	switch v := at.(type) {
	case nil:
		if e.op == "set" || e.op == "append" {
			return map[string]any{steps[0].Key: e.change(nil, steps[1:], value)}
		}
	case map[string]any:
		child, found := v[steps[0].Key]
		if e.op == "remove" && len(steps) == 1 {
			delete(v, steps[0].Key)
		} else if found || e.op != "remove" {
			v[steps[0].Key] = e.change(child, steps[1:], value)
		}
	case []any:
		i := steps[0].Index
		if e.op == "remove" && len(steps) == 1 {
			return slices.Delete(slices.Clone(v), i, i+1)
		}
		v[i] = e.change(v[i], steps[1:], value)
	}
	return at
}

// checkEdits makes random changes of every document of a text and holds the changed text to the
// changed value, by kubectl's reader. It counts the changes that were made and those refused.
func checkEdits(t *testing.T, text string, seed uint64) (made, refused int) {
	t.Helper()
	docs, errs := Read(NewText(text), 1)
	if len(errs) > 0 {
		return 0, 0
	}
	r := rand.New(rand.NewPCG(seed, 1))
	for _, d := range docs {
		if d.Doubt() != nil {
			continue
		}
		own := text[d.start:d.end]
		before, err := yaml.YAMLToJSON([]byte(own))
		if err != nil {
			continue
		}
		for range 2 {
			w, err := d.Edit()
			if err != nil {
				refused++
				break
			}
			var model any
			if json.Unmarshal(before, &model) != nil || model == nil {
				break
			}
			var e edit
			e, model = someEdit(r, model)
			if e.op != "set" && len(e.steps) == 0 {
				continue
			}
			if err := e.apply(w); err != nil {
				continue
			}
			splices, err := w.Splices()
			if err != nil {
				refused++
				t.Logf("refused: %v: %+v in %.300q", err, e, own)
				continue
			}
			for i := range splices {
				splices[i].Start -= int(d.start)
				splices[i].End -= int(d.start)
			}
			changed, err := Apply(own, splices)
			if err != nil {
				t.Fatal(err)
			}
			after, err := yaml.YAMLToJSON([]byte(changed))
			if err != nil {
				t.Fatalf("%v: %+v made of %q\n%q", err, e, own, changed)
			}
			want, _ := json.Marshal(model)
			if diff := cmp.Diff(meaningInFloats(t, want), meaningInFloats(t, after)); diff != "" {
				t.Fatalf("%+v made of %q\n%q\n%s", e, own, changed, diff)
			}
			checkComments(t, own, changed, splices)
			made++
		}
	}
	return made, refused
}

// checkComments demands every line of comment that stands outside of the changed lines, byte for byte.
func checkComments(t *testing.T, before, after string, splices []Splice) {
	t.Helper()
	at := 0
	for line := range strings.Lines(before) {
		start, end := at, at+len(line)
		at = end
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		if slices.ContainsFunc(splices, func(s Splice) bool { return s.Start < end && s.End > start }) {
			continue
		}
		if !strings.Contains(after, strings.TrimRight(line, "\n")) {
			t.Fatalf("comment %q is lost: %q\n%q", line, before, after)
		}
	}
}

func FuzzEdit(f *testing.F) {
	for i, s := range seeds() {
		f.Add(s, uint64(i))
	}
	for _, s := range []string{
		"a: &x {b: 1}\nc: *x\n", "d:\n  <<: *x\n", "- a: &y\n    - 1\n  b: *y\n- <<: {q: 1}\n", "{\"a\": [1, {\"b\": null}]}", "a: [ # c\n  b, # d\n  c: d\n]\n", "? a\n: b\n", "a: {b, c: }\n",
	} {
		f.Add(s, uint64(7))
	}
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		if len(text) > 1<<16 {
			return
		}
		checkEdits(t, text, seed)
	})
}

// TestEditsOfRealTexts edits the manifests beside the checkout: nearly none may be refused.
func TestEditsOfRealTexts(t *testing.T) {
	made, refused := 0, 0
	for _, text := range corpusTexts(t) {
		if len(text) > 1<<18 {
			continue
		}
		m, r := checkEdits(t, text, uint64(len(text)))
		made, refused = made+m, refused+r
	}
	t.Logf("%d changes made, %d refused", made, refused)
	if refused*1000 > made {
		t.Errorf("%d of %d changes were refused", refused, made+refused)
	}
}
