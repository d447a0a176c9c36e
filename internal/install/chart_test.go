package install

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

var update = flag.Bool("update", false, "write the list of rights into docs/install.md")

const digest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// values are nested by their dotted paths.
func values(list map[string]any) map[string]any {
	all := map[string]any{"image": map[string]any{"digest": digest}}
	for path, value := range list {
		nested := value
		parts := strings.Split(path, ".")
		for _, part := range slices.Backward(parts) {
			nested = map[string]any{part: nested}
		}
		all = Merge(all, nested.(map[string]any))
	}
	return all
}

func render(t *testing.T, list map[string]any) []*Object {
	t.Helper()
	objects, err := Render(t.Context(), values(list), "1.36")
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func find(t *testing.T, objects []*Object, kind, name string) *Object {
	t.Helper()
	for _, o := range objects {
		if o.GetKind() == kind && o.GetName() == name {
			return o
		}
	}
	return nil
}

// everything are the values that bring all objects that the chart has.
var everything = map[string]any{
	"namespace.create": true, "gate.repair": true, "exceptions": "- {}", "exceptionObjects": true, "plan.spec.onError": "fail",
	"plan.spec.images": []any{map[string]any{"pin": true}},
	"rules":            map[string]any{"mine": "id: mine"}, "templates": map[string]any{"proxy": "kind: SidecarTemplate"},
	"image.pullSecrets": []any{"pull"}, "gate.env": []any{map[string]any{"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"}},
	"images.authSecret": "registry", "images.registryConfig": "registries: {}", "images.registryFiles": map[string]any{"certs/authority.pem": "PEM"}, "images.vex": map[string]any{"ours": "{}"}, "images.registries": []any{"registry.example.com/*"},
	"images.trust":      map[string]any{"policy": "signers: {}", "files": map[string]any{"release.pub": "PEM", "notation/trustpolicy.json": "{}"}},
	"images.index.from": "https://mirror.example.com:8443/coaming/", "images.index.key": "PEM", "images.index.port": 8443,
	"rights": map[string]any{"validatingadmissionpolicies": []any{"coaming-a"}, "mutatingadmissionpolicies": []any{"coaming-b"}, "limitranges": []any{"coaming"}},
}

func TestObjectsAreOursAndOrdered(t *testing.T) {
	for name, list := range map[string]map[string]any{
		"default": nil, "everything": everything, "cert-manager": {"certificates.certManager.enabled": true},
	} {
		objects := render(t, list)
		for _, o := range objects {
			k, err := kindOf(o)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if o.GetLabels()[managedBy] != "coaming" {
				t.Errorf("%s: %s does not say who keeps it", name, named(o))
			}
			if !k.cluster && o.GetNamespace() != Namespace && o.GetNamespace() != "kube-system" {
				t.Errorf("%s: %s is elsewhere", name, named(o))
			}
			if o.GetKind() == "Secret" {
				t.Errorf("%s: a key stands in a manifest: %s", name, named(o))
			}
		}
		if last := objects[len(objects)-1]; last.GetKind() != "ValidatingWebhookConfiguration" {
			t.Errorf("%s: the last that is applied is %s", name, named(last))
		}
	}
}

func TestImageIsADigest(t *testing.T) {
	for reference, want := range map[string]string{
		"r.example/coaming@" + digest:        "",
		"r.example:5000/coaming:1@" + digest: "",
		"r.example/coaming:1":                "has no digest",
		"r.example/coaming":                  "has no digest",
		"r.example/coaming@sha256:1234":      "is no name of an image",
		"":                                   "is no name of an image",
	} {
		v, err := Image(reference, false)
		if want == "" && (err != nil || !hasImage(v)) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, %v, want %q", reference, v, err, want)
		}
	}
	tagged, err := Image("r.example/coaming:1", true)
	if err != nil || !hasImage(tagged) {
		t.Errorf("an allowed tag: %v", err)
	}
	objects, err := Render(t.Context(), tagged, "1.36")
	if err != nil {
		t.Fatal(err)
	}
	containers, _, _ := unstructured.NestedSlice(find(t, objects, "Deployment", gateName).Object, "spec", "template", "spec", "containers")
	if image := containers[0].(map[string]any)["image"]; image != "r.example/coaming:1" {
		t.Errorf("the tag became %v", image)
	}
	if _, err := Render(t.Context(), map[string]any{"image": map[string]any{"digest": "latest"}}, "1.36"); err == nil || !strings.Contains(err.Error(), "value image.digest: it is the text") {
		t.Errorf("a digest that is none: %v", err)
	}
	if defaults, err := Defaults(); err != nil || hasImage(defaults) {
		t.Errorf("the chart's own values name an image: %v", err)
	}
}

func TestWebhooks(t *testing.T) {
	type want struct {
		names     string
		condition string // of those that fail closed
		mutates   bool
	}
	entry := func(fields map[string]any) []any { return []any{fields} }
	for name, c := range map[string]struct {
		values map[string]any
		want   want
	}{
		"audited":      {nil, want{names: "ignore"}},
		"enforced":     {map[string]any{"plan.spec.mode": "enforce"}, want{names: "ignore"}},
		"closed":       {map[string]any{"plan.spec.onError": "fail"}, want{names: "ignore fail"}},
		"closed in":    {map[string]any{"plan.spec.rules": entry(map[string]any{"namespaces": []any{"shop", "team-*"}, "mode": "enforce", "onError": "fail"})}, want{"ignore fail", `request.?namespace.orValue('').matches("^(shop|team-.*)$")`, false}},
		"closed by":    {map[string]any{"plan.spec.rules": entry(map[string]any{"namespaceSelector": map[string]any{"matchLabels": map[string]any{"a": "b"}}, "onError": "fail"})}, want{names: "ignore fail"}},
		"images":       {map[string]any{"plan.spec.images": entry(map[string]any{"onError": "fail", "namespaces": []any{"shop"}})}, want{"ignore fail", `request.?namespace.orValue('').matches("^(shop)$")`, false}},
		"pinned":       {map[string]any{"plan.spec.images": entry(map[string]any{"pin": true})}, want{names: "ignore", mutates: true}},
		"never pinned": {map[string]any{"plan.spec.images": entry(map[string]any{"pin": true}), "webhooks.mutating": "never"}, want{names: "ignore"}},
		"changed":      {map[string]any{"plan.spec.mutations": map[string]any{"defaults": entry(map[string]any{"rules": []any{"a"}})}}, want{names: "ignore", mutates: true}},
		"by policies":  {map[string]any{"plan.spec.mutations": map[string]any{"defaults": entry(map[string]any{"rules": []any{"a"}})}, "webhooks.mutating": "never"}, want{names: "ignore"}},
	} {
		t.Run(name, func(t *testing.T) {
			objects := render(t, c.values)
			o := find(t, objects, "ValidatingWebhookConfiguration", gateName)
			var names []string
			for _, item := range o.Object["webhooks"].([]any) {
				w := item.(map[string]any)
				class, _, _ := strings.Cut(w["name"].(string), ".")
				names = append(names, class)
				checkWebhook(t, w, class, c.want.condition)
			}
			if got := strings.Join(names, " "); got != c.want.names {
				t.Errorf("webhooks are %q, want %q", got, c.want.names)
			}
			if mutates := find(t, objects, "MutatingWebhookConfiguration", gateName) != nil; mutates != c.want.mutates {
				t.Errorf("objects are changed: %t, want %t", mutates, c.want.mutates)
			}
		})
	}
	if _, err := Render(t.Context(), values(map[string]any{"plan.spec.timeoutSeconds": 9}), "1.36"); err == nil || !strings.Contains(err.Error(), "plan.spec.timeoutSeconds: it is 9. It is to be a whole number from 1 to 3") {
		t.Errorf("a timeout of 9 s: %v", err)
	}
}

// checkWebhook holds one webhook to what never takes a cluster down.
func checkWebhook(t *testing.T, w map[string]any, class, condition string) {
	t.Helper()
	text := fmt.Sprint(w)
	for _, name := range []string{"kube-system", "kube-public", "kube-node-lease", "coaming-system"} {
		if strings.Count(text, name) < 2 {
			t.Errorf("%s: %s is not left out by selector and by condition", class, name)
		}
	}
	failure := map[string]string{"ignore": "Ignore", "fail": "Fail"}[class]
	if w["failurePolicy"] != failure || w["timeoutSeconds"].(int64) > 3 || w["sideEffects"] != "None" {
		t.Errorf("%s: %v, %v s, side effects %v", class, w["failurePolicy"], w["timeoutSeconds"], w["sideEffects"])
	}
	if strings.Contains(text, "secrets") || strings.Contains(fmt.Sprint(w["rules"]), "*") {
		t.Errorf("%s: it is shown more than pods and templates: %v", class, w["rules"])
	}
	if class == "fail" && condition != "" && !strings.Contains(text, condition) {
		t.Errorf("%s: it is not held to %s: %v", class, condition, w["matchConditions"])
	}
	if class == "fail" && condition == "" && strings.Contains(text, "namespaces-that-fail-closed") {
		t.Errorf("%s: it is held to some namespaces: %v", class, w["matchConditions"])
	}
}

// right is one line of the list of rights.
type right struct{ scope, group, resources, names, verbs, when string }

func (r right) String() string {
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s |", r.scope, r.group, r.resources, r.names, r.verbs, r.when)
}

// rightsIn are the rules of the roles among objects.
func rightsIn(objects []*Object) []right {
	var list []right
	for _, o := range objects {
		if o.GetKind() != "ClusterRole" && o.GetKind() != "Role" {
			continue
		}
		scope := o.GetNamespace()
		if scope == "" {
			scope = "everywhere"
		}
		rules, _, _ := unstructured.NestedSlice(o.Object, "rules")
		for _, item := range rules {
			words := func(name string) string {
				words, _, _ := unstructured.NestedStringSlice(item.(map[string]any), name)
				return strings.Join(words, ", ")
			}
			names := words("resourceNames")
			if names != "" && !strings.Contains(names, gateName) && words("resources") != "configmaps" {
				names = "by name"
			}
			list = append(list, right{scope: scope, group: groups(words("apiGroups")), resources: words("resources"), names: names, verbs: words("verbs")})
		}
	}
	return list
}

// groups names API groups as people do.
func groups(text string) string {
	if text == "" || strings.HasPrefix(text, ", ") {
		return "core" + text
	}
	return text
}

// TestRights holds docs/install.md to the rights of the chart, and these to what none of ours may have.
func TestRights(t *testing.T) {
	named := map[string]any{}
	for _, resource := range []string{"limitranges", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings", "resourcequotas", "validatingadmissionpolicies", "validatingadmissionpolicybindings"} {
		named[resource] = []any{"coaming-a"}
	}
	var all []right
	for _, c := range []struct {
		when   string
		values map[string]any
	}{
		{"", map[string]any{"rights": named}},
		{"with images", map[string]any{"rights": named, "images.enabled": "always"}},
		{"with exceptions", map[string]any{"rights": named, "exceptions": "- {}"}},
		{"with exceptions as objects", map[string]any{"rights": named, "exceptionObjects": true}},
		{"with --repair", map[string]any{"rights": named, "gate.repair": true}},
		{"with --repair and pinned images", map[string]any{"rights": named, "gate.repair": true, "webhooks.mutating": "always"}},
	} {
		for _, r := range rightsIn(render(t, c.values)) {
			if !slices.ContainsFunc(all, func(o right) bool { r.when = o.when; return r == o }) {
				r.when = c.when
				all = append(all, r)
			}
			forbidden(t, r, c.when)
		}
	}
	lines := []string{"| where | API group | resources | names | verbs | only |", "|---|---|---|---|---|---|"}
	for _, r := range all {
		lines = append(lines, r.String())
	}
	const begin, end = "<!-- rights -->\n", "<!-- /rights -->"
	const file = "../../docs/install.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(text), begin)
	body, tail, found := strings.Cut(rest, end)
	if !found {
		t.Fatalf("%s has no place for the list of rights", file)
	}
	want := strings.Join(lines, "\n") + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(head+begin+want+end+tail), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if body != want {
		t.Errorf("%s does not list the rights of the chart (go test ./internal/install -run TestRights -update):\n%s", file, want)
	}
}

// forbidden refuses what no account of ours may have.
func forbidden(t *testing.T, r right, when string) {
	t.Helper()
	text := r.String()
	writes := strings.Contains(r.verbs, "create") || strings.Contains(r.verbs, "update") || strings.Contains(r.verbs, "patch") || strings.Contains(r.verbs, "delete")
	switch {
	case strings.Contains(text, "*"), strings.Contains(r.resources, "secrets"), strings.Contains(r.resources, "proxy"),
		strings.Contains(r.resources, "pods") && (r.resources != "pods" || r.verbs != "list" || when != "with images"),
		strings.Contains(r.verbs, "escalate"), strings.Contains(r.verbs, "bind"), strings.Contains(r.verbs, "impersonate"):
		t.Errorf("the gate may: %s", text)
	case writes && r.scope == "everywhere" && r.names == "":
		t.Errorf("the gate may write any: %s", text)
	case writes && r.scope == "kube-system":
		t.Errorf("the gate may write in kube-system: %s", text)
	case writes && !strings.Contains(when, "--repair") && (strings.Contains(r.resources, "webhook") || strings.Contains(r.resources, "mutating")):
		t.Errorf("without repair the gate may: %s", text)
	}
}

// TestConfigMapsFit refuses what no cluster takes before anything is applied, and tells what is largest.
func TestConfigMapsFit(t *testing.T) {
	large := map[string]any{"mine": strings.Repeat("a", mostData), "small": "b"}
	err := fits(find(t, render(t, map[string]any{"rules": large}), "ConfigMap", "coaming-rules"))
	if err == nil || !strings.Contains(err.Error(), "coaming-rules would hold 1025 KiB, and a cluster takes 1024: mine.yaml 1024 KiB") {
		t.Errorf("rules of a mebibyte and a byte: %v", err)
	}
	if err := fits(find(t, render(t, nil), "ConfigMap", "coaming-enforcement")); err != nil {
		t.Error(err)
	}
}
