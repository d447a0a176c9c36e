package install

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Difference is one field in which what is there is not what was installed.
type Difference struct {
	Path        string
	Want, Found string // shortened; "" is nothing
}

// filled are the values that the API server gives to fields that nobody wrote (k8s.io/api admissionregistration/v1, rbac/v1 and
// networking/v1, by their defaults). Where something else stands in such a field somebody wrote it.
var filled = map[string]any{
	"matchPolicy": "Equivalent", "scope": "*", "failurePolicy": "Fail", "reinvocationPolicy": "Never",
	"timeoutSeconds": int64(10), "port": int64(443), "protocol": "TCP", "parameterNotFoundAction": "Allow",
}

// differences are the fields in which an object is not as it was installed. Of kinds that are compared strictly a
// field that was added counts, too, unless it says nothing (an empty selector); elsewhere the API server and controllers fill in much.
func differences(k *kind, want, found *Object) []Difference {
	c := &comparison{strict: k.strict}
	for _, part := range slices.Sorted(maps.Keys(want.Object)) {
		switch part {
		case "apiVersion", "kind", "metadata", "status":
		default:
			c.compare(part, want.Object[part], found.Object[part])
		}
	}
	if k.strict {
		for _, part := range slices.Sorted(maps.Keys(found.Object)) {
			if _, there := want.Object[part]; !there && !slices.Contains([]string{"apiVersion", "kind", "metadata", "status"}, part) {
				c.added(part, part, found.Object[part])
			}
		}
	}
	for name, value := range want.GetLabels() {
		if got, there := found.GetLabels()[name]; !there || got != value {
			c.note("metadata.labels["+name+"]", value, got)
		}
	}
	return c.list
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
		if !ok && len(w) > 0 {
			c.note(path, want, found)
			return
		}
		for _, name := range slices.Sorted(maps.Keys(w)) {
			c.compare(path+"."+name, w[name], f[name])
		}
		if c.strict {
			for _, name := range slices.Sorted(maps.Keys(f)) {
				if _, there := w[name]; !there {
					c.added(path+"."+name, name, f[name])
				}
			}
		}
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

// added looks at a field that was not installed.
func (c *comparison) added(path, name string, found any) {
	if name == "caBundle" || empty(found) || reflect.DeepEqual(filled[name], found) {
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

// editor is who wrote to an object last, beside those that may: by the names that clients give themselves.
func editor(o *Object, may ...string) string {
	who, when := "", ""
	for _, f := range o.GetManagedFields() {
		if slices.Contains(may, f.Manager) || f.Subresource != "" || f.Time == nil {
			continue
		}
		if at := f.Time.UTC().Format("2006-01-02T15:04:05Z"); at >= when {
			who, when = f.Manager, at
		}
	}
	if who == "" {
		return ""
	}
	return who + ", " + when
}
