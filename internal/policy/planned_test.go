package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/rule"
)

func ruleOf(t *testing.T, id string) *rule.Rule {
	t.Helper()
	for _, r := range catalogue(t) {
		if r.ID == id {
			return r
		}
	}
	t.Fatalf("no rule %s", id)
	return nil
}

func planOf(t testing.TB, spec string) *enforcement.Plan {
	t.Helper()
	plan, err := enforcement.Read("plan.yaml", "apiVersion: coaming.dev/v1alpha1\nkind: Enforcement\nmetadata: {name: default}\nspec:\n"+spec)
	if err != nil {
		t.Fatalf("%v in\n%s", err, spec)
	}
	return plan
}

// request is what the API server knows of where an object is.
type request struct {
	namespace string
	labels    map[string]string // of the namespace
	kind      string            // "Pod", "Namespace" or "ClusterRole"
}

func (r request) place() enforcement.Place {
	if r.kind == "ClusterRole" {
		return enforcement.Place{LabelsKnown: true}
	}
	return enforcement.Place{Namespace: r.namespace, Labels: r.labels, LabelsKnown: true}
}

// bindingsAt is how the manifests judge a request: the actions of all bindings that hold (k8s.io/apiserver
// pkg/admission/plugin/policy/matching). Patterns are read as the regular expressions that they are.
func bindingsAt(t *testing.T, list []Manifest, r request) (found []string) {
	t.Helper()
	policies := map[string]policySpec{}
	for _, m := range list {
		if spec, ok := m.Spec.(policySpec); ok {
			policies[m.Metadata.Name] = spec
		}
	}
	for _, m := range list {
		spec, ok := m.Spec.(bindingSpec)
		if !ok || !bindingSelects(t, spec.MatchResources, r) {
			continue
		}
		p, there := policies[spec.PolicyName]
		if !there {
			t.Fatalf("%s binds %s, which is not there", m.Metadata.Name, spec.PolicyName)
		}
		if slices.ContainsFunc(p.MatchConditions, func(c Condition) bool {
			return strings.HasPrefix(c.Name, "namespace-") && !globHolds(t, c.Expression, r.namespace)
		}) {
			continue
		}
		found = append(found, fmt.Sprint(spec.ValidationActions, p.FailurePolicy))
	}
	return found
}

var globExpression = regexp.MustCompile(`\.matches\("([^"]*)"\)`)

func globHolds(t *testing.T, expression, name string) bool {
	t.Helper()
	matched := false
	for _, m := range globExpression.FindAllStringSubmatch(expression, -1) {
		matched = matched || regexp.MustCompile(m[1]).MatchString(name)
	}
	return matched != strings.HasPrefix(expression, "!")
}

func bindingSelects(t *testing.T, m *matchResources, r request) bool {
	t.Helper()
	if m == nil {
		return true
	}
	if len(m.NamespaceSelector) > 0 && r.kind != "ClusterRole" {
		var s metav1.LabelSelector
		if err := json.Unmarshal(m.NamespaceSelector, &s); err != nil {
			t.Fatal(err)
		}
		selector, err := metav1.LabelSelectorAsSelector(&s)
		if err != nil {
			t.Fatal(err)
		}
		set := labels.Set{nameLabel: r.namespace}
		maps.Copy(set, r.labels)
		if !selector.Matches(set) {
			return false
		}
	}
	fits := func(rules []resourceRule) bool {
		return slices.ContainsFunc(rules, func(rr resourceRule) bool {
			if (rr.Scope == "Namespaced") != (r.kind == "Pod") && rr.Scope != "" {
				return false
			}
			return rr.Resources[0] == "*/*" || rr.Resources[0] == "namespaces" && r.kind == "Namespace"
		})
	}
	return (len(m.ResourceRules) == 0 || fits(m.ResourceRules)) && !fits(m.ExcludeResourceRules)
}

// randomPlan is a plan whose entries overlap in names, globs and labels.
func randomPlan(random *rand.Rand) string {
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	var b strings.Builder
	fmt.Fprintf(&b, "  mode: %s\n  onError: %s\n", pick("off", "audit", "warn", "enforce"), pick("ignore", "fail"))
	if random.IntN(2) == 0 {
		b.WriteString("  excludeNamespaces: [ops, \"x-*\"]\n")
	}
	b.WriteString("  rules:\n")
	for range 1 + random.IntN(5) {
		switch random.IntN(3) {
		case 0:
			fmt.Fprintf(&b, "  - mode: %s\n", pick("off", "audit", "warn", "enforce"))
		case 1:
			fmt.Fprintf(&b, "  - onError: %s\n", pick("ignore", "fail"))
		default:
			fmt.Fprintf(&b, "  - mode: %s\n    onError: %s\n", pick("off", "audit", "warn", "enforce"), pick("ignore", "fail"))
		}
		if random.IntN(3) == 0 {
			b.WriteString("    practices: [" + pick("pod", "rbac") + "]\n")
		}
		if random.IntN(3) > 0 {
			b.WriteString("    namespaces: [" + pick(`shop`, `shop, ops`, `"team-*"`, `"*-a", shop`, `team-a, team-b`, `"*"`) + "]\n")
		}
		if random.IntN(3) == 0 {
			b.WriteString("    namespaceSelector: " + pick(`{matchLabels: {env: prod}}`, `{matchLabels: {env: prod, tier: one}}`, `{matchExpressions: [{key: env, operator: NotIn, values: [prod, dev]}]}`,
				`{matchExpressions: [{key: tier, operator: Exists}]}`, `{matchExpressions: [{key: tier, operator: DoesNotExist}, {key: env, operator: In, values: [prod, dev]}]}`,
				`{matchExpressions: [{key: kubernetes.io/metadata.name, operator: NotIn, values: [shop, team-a]}]}`, `{matchLabels: {kubernetes.io/metadata.name: team-b}}`) + "\n")
		}
	}
	return b.String()
}

// TestBindingsPartitionNamespaces demands of plans of many shapes that exactly one binding judges each request, in the mode that the plan says,
// and none where the rule is off.
func TestBindingsPartitionNamespaces(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 5))
	rules := []*rule.Rule{ruleOf(t, "host-pid"), ruleOf(t, "binding-everyone")}
	o := Options{Version: catalog.Newest}
	var requests []request
	for _, name := range []string{"shop", "ops", "team-a", "team-b", "x-a", "a", "default", "kube-system", "coaming-system"} {
		for _, set := range []map[string]string{nil, {"env": "prod"}, {"env": "dev", "tier": "one"}, {"env": "prod", "tier": "one"}, {"tier": "two"}} {
			requests = append(requests, request{name, set, "Pod"}, request{name, set, "Namespace"})
		}
	}
	requests = append(requests, request{kind: "ClusterRole"})
	asked, several := 0, 0
	for range 150 {
		spec := randomPlan(random)
		plan := planOf(t, spec)
		for _, r := range rules {
			held, refused := Planned([]*rule.Rule{r}, plan, o)
			if len(refused) > 0 {
				t.Fatalf("%s: %v\n%s", r.ID, refused, spec)
			}
			var list []Manifest
			for _, h := range held {
				list = append(list, h.Manifests...)
			}
			for _, q := range requests {
				if r.ID == "host-pid" && q.kind != "Pod" {
					continue // it is asked about nothing else
				}
				var want []string
				if s := plan.Of(r, q.place()); s.Mode != enforcement.Off {
					want = []string{fmt.Sprint(actionsOf[s.Mode], map[bool]string{true: "Fail", false: "Ignore"}[s.Fail || s.Mode == enforcement.Enforce])}
				}
				if got := bindingsAt(t, list, q); !slices.Equal(got, want) {
					text, _ := YAML(list...)
					t.Fatalf("%s at %+v: %v, want %v by\n%s\n%s", r.ID, q, got, want, spec, text)
				}
				asked++
			}
			if len(list) > 2 {
				several++
			}
		}
	}
	t.Logf("%d requests; %d of 300 rules need more than one binding", asked, several)
	if several < 100 {
		t.Error("the plans are too simple to prove anything")
	}
}

// TestPlanOfManyParts demands that a plan which cuts namespaces into too many parts is refused.
func TestPlanOfManyParts(t *testing.T) {
	var b strings.Builder
	b.WriteString("  mode: audit\n  rules:\n")
	for i := range 9 {
		fmt.Fprintf(&b, "  - {onError: fail, namespaces: [\"*-%d\"]}\n  - {mode: %s, namespaces: [\"%d-*\"]}\n", i, []string{"warn", "enforce"}[i%2], i)
	}
	list, refused := Planned([]*rule.Rule{ruleOf(t, "host-pid")}, planOf(t, b.String()), Options{Version: catalog.Newest})
	if len(list) > 0 || !errors.Is(refused["host-pid"], ErrParts) {
		t.Errorf("%v %v", list, refused)
	}
}

// TestQuotas demands that the last entry that fits decides, of quotas and limits by themselves, and that what the API server would fill in is there.
func TestQuotas(t *testing.T) {
	plan := planOf(t, `  mode: audit
  quotas:
  - {namespaces: ["team-*"], hard: {pods: 20, memory: 4096Mi}, limitRange: {max: {cpu: 1, memory: 1Gi}, min: {cpu: 10m}, default: {memory: 512Mi}}}
  - {namespaces: [team-b], hard: {pods: 5}}
  - {namespaceSelector: {matchLabels: {env: prod}}, limitRange: {default: {cpu: 100m}}}
  podSecurity:
  - {namespaces: ["team-*"], enforce: baseline, warn: restricted, version: v1.34}
  - {namespaces: [team-b], enforce: restricted}
`)
	text := func(at enforcement.Place) string {
		list, known := Quotas(plan, at)
		if m, ok, sure := PodSecurity(plan, at); ok && sure {
			list = append(list, m)
		}
		if !known {
			return "unknown"
		}
		var out strings.Builder
		for _, m := range list {
			raw, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			out.Write(raw)
		}
		return out.String()
	}
	for name, test := range map[string]struct {
		at   enforcement.Place
		want []string
	}{
		"first": {enforcement.Place{Namespace: "team-a", LabelsKnown: true}, []string{
			`"pods":"20"`, `"memory":"4Gi"`, `"default":{"cpu":"1","memory":"512Mi"}`, `"defaultRequest":{"cpu":"1","memory":"512Mi"}`, `enforce":"baseline"`, `enforce-version":"v1.34"`,
		}},
		"second": {enforcement.Place{Namespace: "team-b", Labels: map[string]string{"env": "prod"}, LabelsKnown: true}, []string{
			`"hard":{"pods":"5"}`, `"default":{"cpu":"100m"}`, `enforce":"restricted"`, `warn":"restricted"`,
		}},
		"nobody knows": {enforcement.Place{Namespace: "team-a"}, []string{"unknown"}},
		"none":         {enforcement.Place{Namespace: "other", LabelsKnown: true}, nil},
		"the system":   {enforcement.Place{Namespace: "kube-system", Labels: map[string]string{"env": "prod"}, LabelsKnown: true}, nil},
	} {
		got := text(test.at)
		for _, want := range test.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %s in %s", name, want, got)
			}
		}
		if test.want == nil && got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
}
