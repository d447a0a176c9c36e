package reconcile

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// filledIn is what the API server writes where nothing is written, by the name of the field (k8s.io/kubernetes
// pkg/apis/admissionregistration/v1/defaults.go).
var filledIn = map[string]any{
	"matchPolicy": "Equivalent", "namespaceSelector": map[string]any{}, "objectSelector": map[string]any{}, "scope": "*",
	"failurePolicy": "Fail", "timeoutSeconds": int64(10), "reinvocationPolicy": "Never", "port": int64(443),
}

// differs is where an object is not as it is wanted, "" where it is: all that is written must be there, and besides nothing but
// what the API server fills in. Of metadata only wanted labels and annotations count; status does not.
func differs(want, live *unstructured.Unstructured) string {
	for _, field := range []string{"labels", "annotations"} {
		wanted, _, _ := unstructured.NestedStringMap(want.Object, "metadata", field)
		there, _, _ := unstructured.NestedStringMap(live.Object, "metadata", field)
		for _, key := range slices.Sorted(maps.Keys(wanted)) {
			if value, found := there[key]; !found || value != wanted[key] {
				return "metadata." + field + "." + key
			}
		}
	}
	return differAt("", without(want.Object), without(live.Object))
}

// without is an object's content without what tells it apart and what happened to it.
func without(object map[string]any) map[string]any {
	content := maps.Clone(object)
	for _, key := range []string{"apiVersion", "kind", "metadata", "status"} {
		delete(content, key)
	}
	return content
}

func differAt(path string, want, live any) string {
	switch want := want.(type) {
	case map[string]any:
		there, ok := live.(map[string]any)
		if !ok {
			return path
		}
		return differMaps(path, want, there)
	case []any:
		there, ok := live.([]any)
		if !ok || len(there) != len(want) {
			return path
		}
		for i := range want {
			if at := differAt(fmt.Sprintf("%s[%d]", path, i), want[i], there[i]); at != "" {
				return at
			}
		}
		return ""
	}
	if reflect.DeepEqual(want, live) || number(want) != "" && number(want) == number(live) {
		return ""
	}
	return path
}

func differMaps(path string, want, live map[string]any) string {
	below := func(key string) string {
		if path == "" {
			return key
		}
		return path + "." + key
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		there, found := live[key]
		if !found && empty(want[key]) {
			continue
		}
		if !found {
			return below(key)
		}
		if at := differAt(below(key), want[key], there); at != "" {
			return at
		}
	}
	for _, key := range slices.Sorted(maps.Keys(live)) {
		if _, wanted := want[key]; wanted || empty(live[key]) || reflect.DeepEqual(filledIn[key], live[key]) || number(live[key]) != "" && number(filledIn[key]) == number(live[key]) {
			continue
		}
		return below(key)
	}
	return ""
}

// empty says whether a value is as good as none.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

// number is a number as it is written, "" of what is none: int64 and float64 of one value are the same.
func number(v any) string {
	switch v := v.(type) {
	case int64, float64, int, json.Number:
		return fmt.Sprint(v)
	}
	return ""
}
