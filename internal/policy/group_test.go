package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apiservercel "k8s.io/apiserver/pkg/apis/cel"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// grouped are the policies of a plan that enforces rules everywhere, by name.
func grouped(t testing.TB, rules []*rule.Rule, spec string, exempted *Exempted) map[string]policySpec {
	t.Helper()
	list, refused := Planned(rules, planOf(t, spec), Options{Version: catalog.Newest, Exempted: exempted})
	for id, err := range refused {
		if errors.Is(err, ErrParts) {
			t.Fatalf("%s: %v", id, err)
		}
	}
	policies := map[string]policySpec{}
	for _, held := range list {
		for _, m := range held.Manifests {
			if spec, ok := m.Spec.(policySpec); ok {
				if _, twice := policies[m.Metadata.Name]; twice {
					t.Errorf("%s is there twice", m.Metadata.Name)
				}
				policies[m.Metadata.Name] = spec
			}
		}
	}
	return policies
}

// content is an object as expressions read it.
func content(t testing.TB, text []byte) map[string]any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal(text, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// sample is an object of an example, with what its rule judges.
type sample struct {
	rule    *rule.Rule
	kind    string
	content map[string]any
}

func samples(t testing.TB, rules []*rule.Rule) (list []sample) {
	t.Helper()
	for _, r := range rules {
		for _, e := range slices.Concat(r.Bad, r.Good) {
			for _, v := range e {
				o := fact.NewObject(v, &fact.Origin{})
				c := content(t, v.AppendJSON(nil))
				if kind, group, _ := strings.Cut(o.GroupKind(), "."); catalog.IsOwnKind(group, kind) {
					dropNulls(c)
				}
				list = append(list, sample{r, o.GroupKind(), c})
			}
		}
	}
	return list
}

// dropNulls leaves out what is null, as the API server does of the kinds whose types it knows.
func dropNulls(v any) {
	switch v := v.(type) {
	case map[string]any:
		maps.DeleteFunc(v, func(_ string, entry any) bool { return entry == nil })
		for _, entry := range v {
			dropNulls(entry)
		}
	case []any:
		for _, entry := range v {
			dropNulls(entry)
		}
	}
}

// TestGroupsSayWhatRulesSay judges every object of every example of the catalogue by the rules' groups, and by the policies that the example's rule and
// some others, each time others, would have alone; as it is made and, of some, as it is changed. It demands the same of both, errors among it.
func TestGroupsSayWhatRulesSay(t *testing.T) {
	rules := catalogue(t)
	o := Options{Version: catalog.Newest}
	alone, matches := map[string]*evaluator{}, map[string]rule.Match{}
	for _, r := range rules {
		p, err := compileFor(r, o, purpose{open: true})
		if err != nil {
			continue
		}
		spec, err := p.spec()
		if err != nil {
			t.Fatal(err)
		}
		spec.FailurePolicy = "Fail"
		alone[r.ID], matches[r.ID] = newEvaluator(t, spec), r.Match
	}
	groups := map[string]*evaluator{}
	for name, spec := range grouped(t, rules, "  mode: enforce\n  onError: fail\n", nil) {
		groups[name] = newEvaluator(t, spec)
	}
	counts := map[string]int{}
	before := map[string]map[string]any{}
	for n, s := range samples(t, rules) {
		olds := []any{nil}
		if old := before[s.kind]; old != nil && n%4 == 0 {
			olds = append(olds, s.content, old)
		}
		before[s.kind] = s.content
		for _, group := range groups {
			asked := slices.DeleteFunc(slices.Clone(group.validations), func(v named) bool { return !concerns(matches[v.name], s.kind) })
			if len(asked) == 0 {
				continue
			}
			for _, old := range olds {
				got, _, spent := group.judge(s.content, old)
				if spent != nil {
					t.Fatal(spent)
				}
				for i, v := range group.validations {
					if alone[v.name] == nil || v.name != s.rule.ID && (i+n)%16 != 0 {
						continue // what is too large; and what another example asks
					}
					want, _, _ := alone[v.name].judge(s.content, old)
					var a, b decision // nothing is said of what does not concern the rule
					if len(want) > 0 {
						a = want[0]
					}
					if len(got) > 0 {
						b = got[i]
					}
					counts["decisions"]++
					if a.denies {
						counts["refusals"]++
					}
					if a.err != nil {
						counts["errors"]++
						if b.err == nil || !strings.Contains(group.expressions[i], v.name) {
							t.Errorf("%s about %s: %v, in its group %v", v.name, s.rule.ID, a.err, b.err)
						}
						continue
					}
					if a.denies != b.denies || a.message != b.message || b.err != nil {
						t.Errorf("%s about an example of %s: %+v, in its group %+v, %v", v.name, s.rule.ID, a, b, b.err)
					}
				}
			}
		}
	}
	t.Logf("%d policies of %d rules: %v", len(groups), len(alone), counts)
	if counts["refusals"] < 500 || counts["errors"] == 0 || len(groups) > len(alone)/3 {
		t.Error("that is too little to prove anything")
	}
}

// concerns says whether the API server asks a rule's policy about a kind.
func concerns(m rule.Match, kind string) bool {
	switch m.Fact {
	case "container", "workload":
		return slices.Contains([]string{"Pod", "Deployment.apps", "DaemonSet.apps", "StatefulSet.apps", "ReplicaSet.apps", "Job.batch", "CronJob.batch", "ReplicationController", "PodTemplate"}, kind)
	case "namespace":
		return kind == "Namespace"
	case "object":
		return true
	}
	return slices.Contains(m.Kinds, kind)
}

// TestAnErrorStaysWithItsRule puts a rule that errs of some objects among others: it changes nothing of theirs.
func TestAnErrorStaysWithItsRule(t *testing.T) {
	read := func(id, match, assert string) *rule.Rule {
		r, err := rule.Parse(id+".yaml", fmt.Sprintf("id: %s\ntitle: %[1]s\npractice: pod\nseverity: low\nwhy: a\nremedy: a\nmatch: %s\nsays: '\"a\"'\nassert: |-\n  %s\n", id, match, assert))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	rules := []*rule.Rule{
		read("errs", "workload", `workload.spec.nodeName == ""`), read("errs-of-containers", "container", `container.workingDir == ""`),
		ruleOf(t, "host-pid"), ruleOf(t, "privileged-container"),
	}
	for _, onError := range []string{"fail", "ignore"} {
		policies := grouped(t, rules, "  mode: enforce\n  onError: "+onError+"\n", nil)
		if len(policies) != 1 {
			t.Fatalf("%d policies", len(policies))
		}
		for name, spec := range policies {
			e := newEvaluator(t, spec)
			for text, want := range map[string][]string{
				`{"hostPID":true,"nodeName":"","containers":[{"name":"a","workingDir":""}]}`:                         {"host-pid"},
				`{"hostPID":true,"containers":[{"name":"a","securityContext":{"privileged":true}}]}`:                 {"errs", "errs-of-containers", "host-pid", "privileged-container"},
				`{"containers":[{"name":"a","workingDir":""},{"name":"b"}]}`:                                         {"errs", "errs-of-containers"},
				`{"nodeName":"a","containers":[{"name":"a","workingDir":"","securityContext":{"privileged":true}}]}`: {"errs", "privileged-container"},
			} {
				got, _, spent := e.judge(content(t, []byte(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":`+text+`}`)), nil)
				if spent != nil {
					t.Fatal(spent)
				}
				var denied []string
				for i, d := range got {
					if d.denies {
						denied = append(denied, e.validations[i].name)
					}
					if d.err != nil && !strings.Contains(e.expressions[i], `"`+e.validations[i].name+`"`) {
						t.Errorf("%s: the expression that the error of %s tells does not name it", name, e.validations[i].name)
					}
				}
				if slices.Sort(denied); !slices.Equal(denied, want) { // what errs is refused, whatever onError says
					t.Errorf("onError %s: %s is refused by %v, want %v", onError, text, denied, want)
				}
			}
		}
	}
}

// TestNamesStay demands that a rule that goes changes no policies but its group's, and that one of which something is excused leaves its place there.
func TestNamesStay(t *testing.T) {
	rules := slices.DeleteFunc(catalogue(t), func(r *rule.Rule) bool { return r.Practice != "rbac" && r.Practice != "quota" })
	const plan = "  mode: audit\n  rules: [{namespaces: [shop], mode: enforce}]\n"
	text := func(policies map[string]policySpec) map[string]string {
		written := map[string]string{}
		for name, spec := range policies {
			raw, err := json.Marshal(spec)
			if err != nil {
				t.Fatal(err)
			}
			written[name] = string(raw)
		}
		return written
	}
	all := text(grouped(t, rules, plan, nil))
	for _, id := range []string{"cluster-role-wildcard", "memory-limit-absurd"} {
		fewer := text(grouped(t, slices.DeleteFunc(slices.Clone(rules), func(r *rule.Rule) bool { return r.ID == id }), plan, nil))
		var changed []string // the groups of which policies are others
		for name := range all {
			if fewer[name] != all[name] {
				changed = append(changed, strings.Join(strings.SplitN(name, ".", 3)[:2], "."))
			}
		}
		if len(slices.Compact(changed)) != 1 || len(fewer) < len(all)-2 {
			t.Errorf("without %s the policies of %v are others", id, changed)
		}
		exception := granted(func(e *verdict.Exception) {
			e.Rules, e.Selector, e.Namespace = []string{id}, verdict.Selector{Kind: "Pod", Name: "a"}, "shop"
		})
		excused := text(grouped(t, rules, plan, Exempt([]verdict.Exception{exception}, moment, 1<<62)))
		if excused["coaming-"+id] == "" || excused["coaming-"+id+".changed"] == "" {
			t.Errorf("with an exception %s has no policy of its own", id)
		}
		changed = nil
		for name := range all {
			if excused[name] == all[name] {
				continue
			}
			changed = append(changed, strings.Join(strings.SplitN(name, ".", 3)[:2], "."))
			if strings.Contains(excused[name], `"message":"`+id) {
				t.Errorf("with an exception of %s the policy %s still judges by it", id, name)
			}
		}
		if len(slices.Compact(changed)) != 1 {
			t.Errorf("with an exception of %s the policies of %v are others", id, changed)
		}
	}
}

// TestGroupsAreBounded demands of groups that etcd and kubectl take them.
func TestGroupsAreBounded(t *testing.T) {
	var rules []*rule.Rule
	for i := range 200 {
		r, err := rule.Parse("a.yaml", fmt.Sprintf("id: rule-%d\ntitle: a\npractice: pod\nseverity: low\nwhy: a\nremedy: a\nmatch: container\nsays: '\"a\"'\nassert: '!(container.name in [%s])'\n", i, strings.Repeat(`"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", `, 40+i)+`"b"`))
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, r)
	}
	total := 0
	for name, spec := range grouped(t, rules, "  mode: audit\n", nil) {
		raw, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		total += len(spec.Validations) - 1
		if len(raw) > 256<<10 {
			t.Errorf("%s takes %d bytes", name, len(raw))
		}
	}
	if total != len(rules) {
		t.Errorf("%d of %d rules are in policies", total, len(rules))
	}
}

// TestHostileObjects blows up each part of the pods of all examples in turn, texts, lists and maps, and demands that it is too large to be judged, or that a
// group's budget would be enough for eight times as much, which is all that etcd takes: the budget's end hits all rules of a group, so that with
// onError: ignore they would let the pod in. Groups about other objects are so small that what one expression may cost bounds them.
func TestHostileObjects(t *testing.T) {
	const blown, times = 128 << 10, 8 // bytes; costs grow as lengths do
	rules := slices.DeleteFunc(catalogue(t), func(r *rule.Rule) bool { return !isWorkload(r.Match) })
	var groups []*evaluator
	for _, spec := range grouped(t, rules, "  mode: enforce\n  onError: ignore\n", nil) {
		groups = append(groups, newEvaluator(t, spec))
	}
	asked := map[string]bool{}
	refused, dearest := 0, int64(0)
	for _, s := range samples(t, rules) {
		if s.kind != "Pod" {
			continue
		}
		inflate(s.content, "", blown, func(path string) bool { return !asked[path] }, func(path string) {
			asked[path] = true
			for _, e := range groups {
				got, took, spent := e.judge(s.content, nil)
				if len(got) > 0 && got[0].denies {
					refused++
				}
				dearest = max(dearest, took.validations+took.messages)
				if spent != nil || took.validations+took.messages > apiservercel.RuntimeCELCostBudget/times || len(got) > 0 && got[0].err != nil {
					t.Errorf("a large %s costs the group of %s %+v: %v", path, e.validations[len(e.validations)-1].name, took, spent)
				}
			}
		})
	}
	t.Logf("%d parts of pods blown up to %d bytes; %d times too large; otherwise the dearest cost a group %d of %d", len(asked), blown, refused, dearest, int64(apiservercel.RuntimeCELCostBudget))
	if len(asked) < 100 || refused == 0 {
		t.Error("that is too little to prove anything")
	}
}

// inflate calls f when each wanted part in turn of what stands at a path is blown up to a size.
func inflate(at any, path string, size int, wanted func(string) bool, f func(path string)) {
	long := func(s string) string { return strings.Repeat(s+"a", size/(len(s)+1)) }
	switch v := at.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			value, below := v[key], path+"."+key
			switch value := value.(type) {
			case string:
				if below != ".kind" && below != ".apiVersion" && wanted(below) {
					v[key] = long(value)
					f(below)
				}
			case []any:
				if raw, _ := json.Marshal(value); len(value) > 0 && wanted(below+"[]") {
					v[key] = slices.Repeat(value, size/len(raw)+1)
					f(below + "[]")
				}
			}
			v[key] = value
			inflate(value, below, size, wanted, f)
		}
		if own := maps.Clone(v); wanted(path + "{}") {
			for i := range size / 40 {
				v[fmt.Sprintf("example.com/key-%06d", i)] = "value"
			}
			f(path + "{}")
			clear(v)
			maps.Copy(v, own)
		}
	case []any:
		for i, item := range v {
			if s, ok := item.(string); ok && wanted(path+"[text]") {
				v[i] = long(s)
				f(path + "[text]")
				v[i] = s
			}
			inflate(item, path+"[]", size, wanted, f)
		}
	}
}

// TestRealPods demands that no real pod template costs a group a tenth of its budget, nor is too large to be judged.
func TestRealPods(t *testing.T) {
	var groups []*evaluator
	rules := slices.DeleteFunc(catalogue(t), func(r *rule.Rule) bool { return !isWorkload(r.Match) })
	for _, spec := range grouped(t, rules, "  mode: enforce\n  onError: ignore\n", nil) {
		groups = append(groups, newEvaluator(t, spec))
	}
	asked, containers := 0, 0
	var dearest int64
	for _, o := range realWorkloads(t) {
		asked++
		for _, e := range groups {
			got, took, spent := e.judge(o, nil)
			if cost := took.validations + took.messages; cost > dearest {
				dearest = cost
			}
			if spent != nil || took.validations+took.messages > apiservercel.RuntimeCELCostBudget/10 {
				t.Errorf("%v costs %+v: %v", o["metadata"], took, spent)
			}
			if len(got) > 0 && got[0].denies {
				t.Errorf("%v is too large to be judged", o["metadata"])
			}
		}
		spec, _ := json.Marshal(o)
		containers = max(containers, strings.Count(string(spec), `"image":`))
	}
	t.Logf("%d real workloads, of up to %d containers; the dearest cost a group %d of %d", asked, containers, dearest, int64(apiservercel.RuntimeCELCostBudget))
}

// realWorkloads are the objects with pod templates among the real manifests beside the checkout.
func realWorkloads(t *testing.T) (list []map[string]any) {
	t.Helper()
	for _, o := range realObjects(t) {
		if concerns(rule.Match{Fact: "workload"}, o.GroupKind()) && o.Root.At("spec").Exists() {
			list = append(list, content(t, o.Root.AppendJSON(nil)))
		}
	}
	if len(list) == 0 {
		t.Skip("no ../shared/corpus beside this checkout")
	}
	return list
}

// realObjects are the objects among the real manifests beside the checkout; none where there are none.
func realObjects(t *testing.T) (list []*fact.Object) {
	t.Helper()
	const corpus = "../../../shared/corpus"
	if _, err := os.Stat(corpus); err != nil {
		return nil
	}
	err := filepath.WalkDir(corpus, func(path string, e os.DirEntry, err error) error {
		if err != nil || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)) {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		docs, _ := document.Read(document.NewText(string(raw)), 100) // templates are no objects
		for _, doc := range docs {
			list = append(list, fact.NewObject(doc.Root(), &fact.Origin{}))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
