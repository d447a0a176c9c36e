package catalog_test

import (
	"maps"
	"slices"
	"strconv"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/workbench"
)

// TestWrongTypesNeverPass writes one switch or number of a bad example after the other as text
// (privileged: "true"): the API server refuses such a pod, and what was a fault must not look well.
func TestWrongTypesNeverPass(t *testing.T) {
	changed := 0
	for _, r := range compiled(t) {
		if r.Practice != "pod" {
			continue
		}
		t.Run(r.ID, func(t *testing.T) {
			for i, e := range r.Bad {
				for n := 0; ; n++ {
					mistyped, done := mistype(t, e, n)
					if done {
						break
					}
					changed++
					if res, _ := workbench.Judge(r, mistyped, bench, nil); len(res.Findings) == 0 {
						t.Errorf("bad example %d passes with its switch or number %d as text:\n%s", i, n, document.YAML(mistyped[0]))
					}
				}
			}
		})
	}
	if changed < 100 {
		t.Errorf("%d values were changed: the examples hold more", changed)
	}
}

// mistype is an example with its nth switch or number as text; done when it has no such.
func mistype(t *testing.T, e rule.Example, n int) (mistyped rule.Example, done bool) {
	t.Helper()
	left := n
	for _, v := range e {
		var object any
		if err := yaml.Unmarshal([]byte(document.YAML(v)), &object); err != nil {
			t.Fatal(err)
		}
		text, err := yaml.Marshal(asText(object, &left))
		if err != nil {
			t.Fatal(err)
		}
		docs, errs := document.Read(document.NewText(string(text)), 1)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		mistyped = append(mistyped, docs[0].Root())
	}
	return mistyped, left >= 0
}

// asText counts left down over switches and numbers, and makes a text of the one that meets 0.
func asText(v any, left *int) any {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			v[key] = asText(v[key], left)
		}
	case []any:
		for i := range v {
			v[i] = asText(v[i], left)
		}
	case bool:
		if *left--; *left == -1 {
			return strconv.FormatBool(v)
		}
	case float64:
		if *left--; *left == -1 {
			return strconv.FormatFloat(v, 'f', -1, 64)
		}
	}
	return v
}
