package inject

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"
)

// tokenPath is where the API server mounts a service account's token into every container.
const tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount"

// defaulted are the values that the API server writes into the parts of a pod that say nothing of a field
// (k8s.io/kubernetes pkg/apis/core/v1, defaults.go and zz_generated.defaults.go).
var defaulted = map[string][]string{
	"terminationMessagePath":   {"/dev/termination-log"},
	"terminationMessagePolicy": {"File"},
	"imagePullPolicy":          {"Always", "IfNotPresent"},
	"protocol":                 {"TCP"},
	"scheme":                   {"HTTP"},
	"timeoutSeconds":           {"1"},
	"periodSeconds":            {"10"},
	"successThreshold":         {"1"},
	"failureThreshold":         {"3"},
	"defaultMode":              {"420"},
	"apiVersion":               {"v1"},
	"divisor":                  {"0"},
	"service":                  {""},
	"path":                     {"/"},
}

// differs is where a part of a pod is not what a template says, "" where it is: fields that the template leaves out
// may have the values that the API server gives them, and no others.
func differs(want, have any, key string) string {
	switch want := want.(type) {
	case map[string]any:
		got, ok := have.(map[string]any)
		if !ok {
			return key
		}
		return mapDiffers(want, got, key)
	case []any:
		got, _ := have.([]any)
		got = withoutToken(want, got)
		if len(got) != len(want) {
			return key
		}
		for i := range want {
			if at := differs(want[i], got[i], fmt.Sprintf("%s[%d]", key, i)); at != "" {
				return at
			}
		}
		return ""
	}
	if text(want) == text(have) || sameAmount(want, have) {
		return ""
	}
	return key
}

func mapDiffers(want, have map[string]any, key string) string {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if want[name] == nil || name == "resources" && empty(want[name]) && have[name] == nil {
			continue
		}
		if at := differs(want[name], have[name], key+"."+name); at != "" {
			return at
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if _, told := want[name]; told || given(name, have[name]) {
			continue
		}
		if name == "requests" && requestedByLimits(want["limits"], have[name]) {
			continue
		}
		if name == "volumeMounts" && len(withoutToken(nil, list(have[name]))) == 0 {
			continue
		}
		return key + "." + name
	}
	return ""
}

// given says whether a value is one that the API server writes by itself.
func given(name string, v any) bool {
	return v == nil || empty(v) || slices.Contains(defaulted[name], text(v)) && isScalar(v)
}

func isScalar(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return false
	}
	return true
}

func empty(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// requestedByLimits says whether requests are the limits, which the API server makes of limits without requests.
func requestedByLimits(limits, requests any) bool {
	l, _ := limits.(map[string]any)
	r, _ := requests.(map[string]any)
	for name, v := range r {
		if l[name] == nil || text(v) != text(l[name]) && !sameAmount(v, l[name]) {
			return false
		}
	}
	return true
}

// withoutToken leaves out the mount of the service account's token, unless it is wanted.
func withoutToken(want, have []any) []any {
	isToken := func(item any) bool {
		m, _ := item.(map[string]any)
		return m["mountPath"] == tokenPath
	}
	if slices.ContainsFunc(want, isToken) || !slices.ContainsFunc(have, isToken) {
		return have
	}
	return slices.DeleteFunc(slices.Clone(have), isToken)
}

// text is a scalar as a text: what is compared.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// sameAmount says whether two texts are the same quantity: the API server writes 1000m as 1.
func sameAmount(a, b any) bool {
	x, err := resource.ParseQuantity(text(a))
	if err != nil {
		return false
	}
	y, err := resource.ParseQuantity(text(b))
	return err == nil && x.Cmp(y) == 0
}
