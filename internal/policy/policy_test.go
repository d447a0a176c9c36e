package policy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/rule"
)

var everywhere = Options{Version: catalog.Newest, Actions: []string{"Deny"}}

func catalogue(t testing.TB) []*rule.Rule {
	t.Helper()
	rules, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// TestExportSays demands of every rule a policy, or a reason of one line.
func TestExportSays(t *testing.T) {
	versions := map[string]int{}
	for _, version := range []string{"1.30", "1.32", "1.34", catalog.Newest} {
		for _, r := range catalogue(t) {
			text, err := Validating(r, Options{Version: version, Actions: []string{"Warn"}})
			if (text == "") == (err == nil) || err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %q and %v", r.ID, text, err)
			}
			if err == nil {
				versions[version]++
			}
		}
	}
	if versions["1.30"] < 80 || versions[catalog.Newest] < versions["1.30"] {
		t.Errorf("policies by version: %v", versions)
	}
}

// TestOwnPoliciesComeBack imports what is exported: one rule for each.
func TestOwnPoliciesComeBack(t *testing.T) {
	var files []File
	for _, r := range catalogue(t) {
		if text, err := Validating(r, everywhere); err == nil {
			files = append(files, File{r.ID + ".yaml", text})
		}
	}
	rules, refused, err := Import(files, ImportOptions{Practice: "admit"})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range refused {
		if !strings.Contains(r.Error(), "CustomResourceDefinition") {
			t.Error(r)
		}
	}
	if len(rules)+len(refused) != len(files) {
		t.Errorf("%d policies came back as %d rules", len(files), len(rules))
	}
}

// TestVersionsBringFunctions demands that a rule is refused for versions that lack its functions.
func TestVersionsBringFunctions(t *testing.T) {
	parse := func(assert string) *rule.Rule {
		r, err := rule.Parse("a.yaml", "id: a\ntitle: a\npractice: pod\nseverity: low\nwhy: a\nremedy: a\nmatch: container\nsays: '\"a\"'\nassert: '"+assert+"'\n")
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for assert, since := range map[string]string{
		`container.name == "a"`: "1.30",
		`!format.dns1123Label().validate(container.name).hasValue()`: "1.31",
		`container.env.all(i, e, e.name != "a")`:                     "1.32",
		`isSemver(container.name)`:                                   "1.33",
		`container.env.map(e, [e]).flatten().size() == 0`:            "1.34",
	} {
		for _, version := range []string{"1.30", "1.31", "1.32", "1.33", "1.34", "1.36"} {
			_, err := Validating(parse(assert), Options{Version: version})
			if (err == nil) != catalog.Reached(version, since) {
				t.Errorf("%s at %s: %v", assert, version, err)
			}
		}
	}
	for version, want := range map[string]string{"1.31": "", "1.32": "/v1alpha1", "1.34": "/v1beta1", "1.36": "/v1"} {
		if got, _ := mutatingVersion(version); !strings.HasSuffix(got, want) || (got == "") != (want == "") {
			t.Errorf("mutating policies of %s are %q, want %s", version, got, want)
		}
	}
}

// TestResources compares the plurals with those of the API server, which test/e2e sees; these are the odd ones.
func TestResources(t *testing.T) {
	for kind, want := range map[string]string{
		"Endpoints": "endpoints", "Ingress.networking.k8s.io": "ingresses", "NetworkPolicy.networking.k8s.io": "networkpolicies",
		"CSIStorageCapacity.storage.k8s.io": "csistoragecapacities", "StorageClass.storage.k8s.io": "storageclasses", "Gateway.gateway.networking.k8s.io": "*",
	} {
		name, group, _ := strings.Cut(kind, ".")
		if got := resourceOf(group, name); got != want {
			t.Errorf("resource of %s is %s, want %s", kind, got, want)
		}
	}
}

func policyFiles(t testing.TB) []File {
	t.Helper()
	paths, err := filepath.Glob("testdata/import/*.yaml")
	if err != nil || len(paths) < 15 {
		t.Fatalf("%d policies to import: %v", len(paths), err)
	}
	var files []File
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, File{filepath.Base(path), string(text)})
	}
	return files
}

func TestImport(t *testing.T) {
	rules, refused, err := Import(policyFiles(t), ImportOptions{Practice: "admit"})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range rules {
		ids = append(ids, r.ID)
	}
	for _, id := range []string{
		"demo-replicas-example-com", "registry-allowlist", "baseline-pods-1", "baseline-pods-4", "owner-label", "no-node-port", "names", "memory-limits",
		"image-digests-2", "widget-sizes", "host-users-3", "immutable-2", "immutable-3", "autoscalers", "no-wildcards", "ingress-hosts-2", "namespace-team", "not-in-default",
	} {
		if !slices.Contains(ids, id) {
			t.Errorf("%s is not imported", id)
		}
	}
	var told []string
	for _, r := range refused {
		told = append(told, r.Error())
	}
	for _, want := range []string{
		"refused.yaml:10:6: ValidatingAdmissionPolicy senders, validation 1: it asks who sends", "validation 2: it asks what the user may do",
		"validation 3: it reads the namespace", "exec: it judges only requests to CONNECT", "selects namespaces by the label env", "hand over its CustomResourceDefinition",
		"Syntax error", `there is no variable "missing"`, "immutable, validation 1: it holds for every object at rest",
	} {
		if !slices.ContainsFunc(told, func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("nothing tells %q in\n%s", want, strings.Join(told, "\n"))
		}
	}
	if len(refused) != 9 {
		t.Errorf("%d are refused, want 9", len(refused))
	}
}

// TestVariablesAreBounded writes out variables that double with each.
func TestVariablesAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {name: a}, spec: {" +
		"matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}, variables: [{name: a0, expression: '1'}")
	for i := range 60 {
		name := func(n int) string { return "a" + strings.Repeat("x", n) + "0" }
		last := name(i)
		if i == 0 {
			last = "a0"
		}
		b.WriteString(", {name: " + name(i+1) + ", expression: 'variables." + last + " + variables." + last + "'}")
	}
	b.WriteString("], validations: [{expression: 'variables.a" + strings.Repeat("x", 60) + "0 > 0'}, {expression: 'variables.self > 0'}]}}")
	text := strings.Replace(b.String(), "variables: [", "variables: [{name: self, expression: variables.self}, ", 1)
	_, refused, err := Import([]File{{"a.yaml", text}}, ImportOptions{Practice: "admit"})
	if err != nil || len(refused) != 2 || !strings.Contains(refused[0].Error(), "parts") || !strings.Contains(refused[1].Error(), "reads itself") {
		t.Errorf("%v %v", refused, err)
	}
}

// FuzzImport demands of any text that it becomes rules that compile, or errors.
func FuzzImport(f *testing.F) {
	for _, file := range policyFiles(f) {
		f.Add(file.Text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rules, refused, err := Import([]File{{"a.yaml", text}}, ImportOptions{Practice: "admit"})
		if err != nil && len(rules)+len(refused) > 0 {
			t.Error("both rules and an error")
		}
		for _, r := range refused {
			if r.Why == nil || r.Line < 1 {
				t.Errorf("refused without reason or place: %+v", r)
			}
		}
		for _, r := range rules {
			if _, err := rule.Parse(r.ID+".yaml", r.Text); err != nil {
				t.Errorf("%v\n%s", err, r.Text)
			}
		}
	})
}

// FuzzPrint demands that an expression that is written out reads as itself.
func FuzzPrint(f *testing.F) {
	rules, err := catalog.Rules()
	if err != nil {
		f.Fatal(err)
	}
	for _, r := range rules {
		f.Add(r.Assert)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		e, err := parse(expression)
		if err != nil {
			return
		}
		once, err := printed(e)
		if err != nil {
			return
		}
		again, err := parse(once)
		if err != nil {
			t.Fatalf("%q: %v", once, err)
		}
		if twice, err := printed(again); err != nil || twice != once {
			t.Errorf("%q is written %q, then %q: %v", expression, once, twice, err)
		}
	})
}

// TestPoliciesReadBack demands well-formed YAML with the parts that the API server asks for.
func TestPoliciesReadBack(t *testing.T) {
	selector, err := json.Marshal(map[string]any{"matchLabels": map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Version: catalog.Newest, Actions: []string{"Audit", "Warn"}, NamespaceSelector: selector}
	o.Exempted = &Exempted{byRule: map[string][]exemption{catalogue(t)[0].ID: {{name: "excepted", scope: "true", until: moment}}}}
	o.NoLeases = true
	text, err := Validating(catalogue(t)[0], o)
	if err != nil {
		t.Fatal(err)
	}
	docs, errs := document.Read(document.NewText(text), 1)
	if len(errs) > 0 || len(docs) != 2 {
		t.Fatalf("%v\n%s", errs, text)
	}
	policy, binding := docs[0].Root(), docs[1].Root()
	if n := policy.At("spec", "matchConditions").Len(); n != 2 || policy.At("spec", "failurePolicy").Str() != "Fail" {
		t.Errorf("%d conditions\n%s", n, text)
	}
	if binding.At("spec", "matchResources", "namespaceSelector", "matchLabels", "a").Str() != "b" || binding.At("spec", "validationActions").Len() != 2 {
		t.Errorf("binding:\n%s", text)
	}
}

func TestActions(t *testing.T) {
	for modes, want := range map[string]string{"deny": "Deny", "warn,audit,warn": "Warn,Audit", "deny,audit": "Deny,Audit", "deny,warn": "", "block": ""} {
		got, err := Actions(strings.Split(modes, ","))
		if strings.Join(got, ",") != want && err == nil || (err != nil) != (want == "") {
			t.Errorf("%s gives %v, %v", modes, got, err)
		}
	}
}
