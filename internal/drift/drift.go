// Package drift tells where an object that a server has is not as it was written: a pure comparison, in which what the API server
// fills in by itself is no difference. It knows neither servers nor who wrote what; whoever keeps objects asks it.
package drift

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Difference is one field in which what is there is not what was installed.
type Difference struct {
	Path        string
	Want, Found string // shortened; "" is nothing
}

// filled are the values that the API server gives to fields that nobody wrote (k8s.io/api admissionregistration/v1, rbac/v1 and
// networking/v1, by their defaults; k8s.io/kubernetes pkg/apis/admissionregistration/v1/defaults.go). Where something else stands in
// such a field somebody wrote it.
var filled = map[string]any{
	"matchPolicy": "Equivalent", "scope": "*", "failurePolicy": "Fail", "reinvocationPolicy": "Never",
	"timeoutSeconds": int64(10), "port": int64(443), "protocol": "TCP", "parameterNotFoundAction": "Allow",
}

// Of are the fields in which what is found is not what is wanted; of metadata only the wanted labels and annotations count, and
// status does not. Compared strictly a field that was added counts, too, unless it says nothing (an empty selector):
// in policies, webhooks and roles what is added changes what they hold. Elsewhere the API server and controllers fill in much.
func Of(want, found *unstructured.Unstructured, strict bool) []Difference {
	c := &comparison{strict: strict}
	for _, set := range []struct {
		name        string
		want, found map[string]string
	}{{"labels", want.GetLabels(), found.GetLabels()}, {"annotations", want.GetAnnotations(), found.GetAnnotations()}} {
		for _, name := range slices.Sorted(maps.Keys(set.want)) {
			if got, there := set.found[name]; !there || got != set.want[name] {
				c.note("metadata."+set.name+"["+name+"]", set.want[name], got)
			}
		}
	}
	c.compareMaps("", content(want.Object), content(found.Object))
	return c.list
}

// First is the path of the first field in which they differ, compared strictly; "" where there is none.
func First(want, found *unstructured.Unstructured) string {
	if list := Of(want, found, true); len(list) > 0 {
		return list[0].Path
	}
	return ""
}

// content is an object without what tells it apart and what happened to it.
func content(object map[string]any) map[string]any {
	own := maps.Clone(object)
	for _, key := range []string{"apiVersion", "kind", "metadata", "status"} {
		delete(own, key)
	}
	return own
}

type comparison struct {
	strict bool
	list   []Difference
}

func (c *comparison) note(path string, want, found any) {
	c.list = append(c.list, Difference{path, short(want), short(found)})
}

func (c *comparison) compare(path string, want, found any) {
	switch w := want.(type) {
	case map[string]any:
		f, ok := found.(map[string]any)
		if !ok && !empty(w) {
			c.note(path, want, found)
			return
		}
		c.compareMaps(path, w, f)
	case []any:
		f, _ := found.([]any)
		if len(w) != len(f) {
			c.note(path, want, found)
			return
		}
		for i := range w {
			c.compare(fmt.Sprintf("%s[%d]", path, i), w[i], f[i])
		}
	default:
		if !same(want, found) {
			c.note(path, want, found)
		}
	}
}

func (c *comparison) compareMaps(path string, want, found map[string]any) {
	below := func(name string) string { return strings.TrimPrefix(path+"."+name, ".") }
	for _, name := range slices.Sorted(maps.Keys(want)) {
		c.compare(below(name), want[name], found[name])
	}
	if !c.strict {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if _, there := want[name]; !there {
			c.added(below(name), name, found[name])
		}
	}
}

// added looks at a field that was not installed.
func (c *comparison) added(path, name string, found any) {
	if name == "caBundle" || empty(found) || filled[name] != nil && same(filled[name], found) {
		return // the bundle is written by cert-manager where it was not installed
	}
	c.note(path, nil, found)
}

// empty says whether a value says nothing.
func empty(v any) bool {
	switch x := v.(type) {
	case nil:
		return true
	case map[string]any:
		return !slices.ContainsFunc(slices.Collect(maps.Values(x)), func(item any) bool { return !empty(item) })
	case []any:
		return len(x) == 0
	case string:
		return x == ""
	}
	return false
}

// same says whether two scalars are the same: a quantity may be written in several ways ("1", "1000m").
func same(want, found any) bool {
	if reflect.DeepEqual(want, found) || empty(want) && empty(found) {
		return true
	}
	a, b := fmt.Sprint(want), fmt.Sprint(found)
	if want == nil || found == nil || a == "" || strings.Trim(a[:1], "0123456789.") != "" {
		return false
	}
	p, err := resource.ParseQuantity(a)
	q, wrong := resource.ParseQuantity(b)
	return err == nil && wrong == nil && p.Cmp(q) == 0
}

func short(v any) string {
	const longest = 120
	if v == nil {
		return ""
	}
	text := strings.Join(strings.Fields(fmt.Sprint(v)), " ")
	if len(text) > longest {
		text = text[:longest] + "…"
	}
	return text
}
