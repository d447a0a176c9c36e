package install

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/coaming/coaming/internal/enforcement"
)

// TestSchemaNamesWhatValuesHas holds values.schema.json to values.yaml, key by key and both ways; what has no key of its own there (the
// fields of the plan, of an item, of a Kubernetes object) the schema names alone.
func TestSchemaNamesWhatValuesHas(t *testing.T) {
	s, err := chartSchema()
	if err != nil {
		t.Fatal(err)
	}
	defaults, err := Defaults()
	if err != nil {
		t.Fatal(err)
	}
	// What the schema has beside values.yaml, with the reason.
	beside := map[string]bool{
		"global":            true, // charts around this one
		"plan.spec":         true, // the plan's reader names its fields: TestSchemaTakesPlans
		"rights":            true, // by resource
		"gate.resources":    true, // Kubernetes' ResourceRequirements
		"images.index.from": true,
	}
	var compare func(at []string, part any, values map[string]any)
	compare = func(at []string, part any, values map[string]any) {
		place := strings.Join(at, ".")
		written, _ := part.(map[string]any)
		known, _ := written["properties"].(map[string]any)
		if known == nil || beside[place] {
			return
		}
		if written["additionalProperties"] != false {
			t.Errorf("%q takes values of any name", place)
		}
		for name := range values {
			if known[name] == nil {
				t.Errorf("values.yaml has %s, and the schema does not", below(at, name))
			}
		}
		for name, property := range known {
			value, there := values[name]
			if !there && !beside[below(at, name)] && place != "images.index" && place != "certificates.certManager.issuerRef" {
				t.Errorf("the schema has %s, and values.yaml does not", below(at, name))
			}
			nested, _ := value.(map[string]any)
			compare(append(slices.Clone(at), name), property, nested)
		}
	}
	compare(nil, s.written, defaults)
}

// TestSchemaSaysWhatToWrite demands of each part that can be wrong that it says what a value is to be.
func TestSchemaSaysWhatToWrite(t *testing.T) {
	s, err := chartSchema()
	if err != nil {
		t.Fatal(err)
	}
	var look func(place string, part any)
	look = func(place string, part any) {
		written, isMap := part.(map[string]any)
		if !isMap {
			return
		}
		if s.remedy(written) == "" {
			t.Errorf("%s does not say what it is to be", place)
		}
		for _, word := range []string{"properties", "patternProperties", "definitions"} {
			parts, _ := written[word].(map[string]any)
			for _, name := range slices.Sorted(maps.Keys(parts)) {
				look(place+"/"+name, parts[name])
			}
		}
		look(place+"[]", written["items"])
		look(place+"/*", written["additionalProperties"])
	}
	look("", s.written)
}

func TestCheckValues(t *testing.T) {
	if err := Check(nil); err != nil {
		t.Errorf("the chart's own values: %v", err)
	}
	if err := Check(values(everything)); err != nil {
		t.Errorf("everything: %v", err)
	}
	for set, want := range map[string]string{
		`{nosuch: 1}`:                                                         "value nosuch: there is no such value. There are certificates,",
		`{global: {a: b}}`:                                                    "",
		`{gate: {repairs: true}}`:                                             "value gate.repairs: there is no such value. Did you mean gate.repair?",
		`{images: {registry: [a]}}`:                                           "enabled, index, largestGiB, memoryMiB, platforms, queue, registries,",
		`{gate: {repair: "no"}}`:                                              `value gate.repair: it is the text "no". It is to be true or false.`,
		`{gate: {repair: "false"}}`:                                           "value gate.repair",
		`{exceptionObjects: "no"}`:                                            "value exceptionObjects",
		`{image: {allowTag: 1}}`:                                              "value image.allowTag: it is 1",
		`{replicas: 0}`:                                                       "value replicas: it is 0. It is to be a whole number from 1",
		`{replicas: 1.5}`:                                                     "value replicas: it is 1.5",
		`{replicas: 1e300}`:                                                   "value replicas",
		`{replicas: 2.0}`:                                                     "",
		`{replicas: null}`:                                                    "value replicas: it is missing, or null",
		`{replicas: abc}`:                                                     `the text "abc"`,
		`{gate: {nodeSelector: null, tolerations: null}}`:                     "",
		`{gate: {nodeSelector: {a.b/c: 1}}}`:                                  `value gate.nodeSelector.a\.b/c: it is 1`,
		`{gate: {env: [{name: A, value: 1}]}}`:                                "value gate.env[0].value: it is 1",
		`{gate: {env: {A: b}}}`:                                               "value gate.env: it is a map",
		`{gate: {resources: {limits: {memory: lots}}}}`:                       "value gate.resources.limits.memory",
		`{gate: {resources: {limits: {memory: 1Gi, cpu: .5}}}}`:               "",
		`{gate: {storeSize: 0}}`:                                              "value gate.storeSize: it is 0",
		`{images: {workers: 65, queue: 0}}`:                                   "value images.queue: it is 0. It is to be a whole number from 1 to 100000.\nvalue images.workers: it is 65",
		`{images: {timeout: 2h}}`:                                             "of up to an hour",
		`{images: {platforms: [linux]}}`:                                      "value images.platforms[0]",
		`{images: {index: {every: 5s}}}`:                                      "value images.index.every",
		`{certificates: {life: 1s}}`:                                          "value certificates.life",
		`{certificates: {life: 30s}}`:                                         "",
		`{webhooks: {rules: [{apiGroups: [""], resources: [secrets]}]}}`:      "never secrets",
		`{webhooks: {rules: [{apiGroups: [""], resources: ["*"]}]}}`:          "would show the gate secrets",
		`{webhooks: {rules: [{apiGroups: [apps], resources: ["*"]}]}}`:        "",
		`{rights: {namespaces: [a]}}`:                                         "value rights.namespaces: there is no such value",
		`{templates: {"a b": c}}`:                                             "value templates.a b: its name does not fit",
		`{networkPolicy: {apiServer: {addresses: [10.0.0.1]}}}`:               "value networkPolicy.apiServer.addresses[0]",
		`{networkPolicy: {apiServer: {ports: [99999]}}}`:                      "a port, from 1 to 65535",
		`{plan: {spec: {mode: nonsense}}}`:                                    `value plan.spec.mode: it is the text "nonsense". It is to be off, audit, warn or enforce.`,
		`{plan: {spec: {mode: false}}}`:                                       "",
		`{images: {authSecret: "ghp_16C7e42F292c6912E7710c838347Ae178B4a!"}}`: "value images.authSecret: it is a text.",
	} {
		var given map[string]any
		if err := yaml.Unmarshal([]byte(set), &given); err != nil {
			t.Fatal(err)
		}
		err := Check(given)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", set, err, want)
		}
	}
}

// TestCheckIsBounded: a thousand mistakes are not a thousand lines.
func TestCheckIsBounded(t *testing.T) {
	given := map[string]any{strings.Repeat("x", 10_000): 1}
	for i := range 1000 {
		given[fmt.Sprintf("v%d", i)] = strings.Repeat("y", 1000)
	}
	err := Check(given)
	if err == nil || len(err.Error()) > 10_000 || !strings.Contains(err.Error(), "values: 981 more are wrong") {
		t.Errorf("%.200v", err)
	}
}

func TestCheckKept(t *testing.T) {
	err := CheckKept(map[string]any{"replicas": "abc", "images": map[string]any{"registry": "a"}})
	for _, want := range []string{
		"value images.registry, which an earlier installation left in ConfigMap coaming-system/coaming-installation: there is no such value. Have it forgotten: --set images.registry=null.",
		"value replicas, which an earlier installation left", "Give it anew: --set replicas=VALUE.",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	left, err := Forget(map[string]any{"replicas": nil, "images": map[string]any{"registry": nil, "workers": 2}, "templates": map[string]any{"a": nil, "b": "c"}})
	if got, want := fmt.Sprint(left), "map[images:map[workers:2] replicas:<nil> templates:map[b:c]]"; err != nil || got != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
}

// TestSchemaTakesPlans: helm refuses no plan that the gate reads. A plan with everything is changed at each place into what might stand
// there; whatever the plan's reader takes the schema is to take, and of what it refuses most.
func TestSchemaTakesPlans(t *testing.T) {
	text, err := os.ReadFile("../enforcement/testdata/whole.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var whole any
	if err := yaml.Unmarshal(text, &whole); err != nil {
		t.Fatal(err)
	}
	refused, missed := 0, []string{}
	try := func(place string, plan any) {
		text, err := json.Marshal(plan)
		if err != nil {
			t.Fatal(err)
		}
		_, unread := enforcement.Read("p", string(text))
		misfit := Check(map[string]any{"plan": plan})
		switch {
		case unread == nil && misfit != nil && strings.HasPrefix(place, "metadata = "): // the API server's, which the reader leaves alone
		case unread == nil && misfit != nil:
			t.Errorf("%s: the reader takes it, and the schema does not: %v", place, misfit)
		case unread != nil && misfit == nil:
			missed = append(missed, place)
		case unread != nil:
			refused++
		}
	}
	try("whole", whole)
	for _, spec := range []string{
		`{images: {pin: true}}`, `{rules: null}`, `{mode: off}`, `{quotas: [{limitRange: {limits: [{type: Pod, max: {cpu: +1}}, {max: {memory: .5e3}}]}}]}`,
		`{rules: [{namespaceSelector: {matchExpressions: [{key: a, operator: Exists}]}, mode: off}]}`,
	} {
		var fields any
		if err := yaml.Unmarshal([]byte(spec), &fields); err != nil {
			t.Fatal(err)
		}
		try(spec, map[string]any{"apiVersion": "coaming.dev/v1alpha1", "kind": "Enforcement", "spec": fields})
	}
	var change func(place string, v any, set func(any))
	change = func(place string, v any, set func(any)) {
		for _, other := range []any{nil, true, false, -1, 3, 1.5, "", "x", "High", "X y", []any{}, []any{"x"}, []any{nil}, map[string]any{}, map[string]any{"x": "y"}} {
			set(other)
			try(fmt.Sprintf("%s = %#v", place, other), whole)
		}
		set(v)
		switch x := v.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(x)) {
				change(place+"."+name, x[name], func(other any) { x[name] = other })
				was := x[name]
				delete(x, name)
				try(place+"."+name+" deleted", whole)
				x[name] = was
			}
			x["colour"] = "red"
			try(place+".colour", whole)
			delete(x, "colour")
		case []any:
			for i := range x {
				change(fmt.Sprintf("%s[%d]", place, i), x[i], func(other any) { x[i] = other })
			}
		}
	}
	plan := whole.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(plan)) {
		change(name, plan[name], func(other any) { plan[name] = other })
	}
	t.Logf("the schema refuses %d of what the reader refuses, and takes %d: %q", refused, len(missed), missed)
	if refused < 9*len(missed) {
		t.Errorf("the schema takes %d of what the reader refuses, and refuses %d", len(missed), refused)
	}
}
