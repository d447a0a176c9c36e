package judge_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/attack"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/specimen"
)

// said is what a rule's message says of the objects, which it makes of a named fact.
func said(t *testing.T, live bool, match, says, text string) string {
	t.Helper()
	in := judge.Input{Inventory: fact.NewInventory(specimen.Objects(t, specimen.File("a.yaml"), text), "1.36", live), Now: now, Rules: []*rule.Compiled{newRule(t, "a", match, "assert: size("+says+") < 0", "says: '"+strings.ReplaceAll(says, "'", "''")+"'")}}
	var list []string
	for _, f := range judge.Judge(in).Findings {
		text := f.Message
		if f.Verdict == verdict.Unknown {
			text = "unknown: " + f.Reason
		}
		list = append(list, text)
	}
	return strings.Join(list, "; ")
}

const aPod = "---\n{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web, tier: front}}, spec: {serviceAccountName: robot, containers: [{name: a}]}}\n"

func in(kind, namespace, name, rest string) string {
	version := map[string]string{"NetworkPolicy": "networking.k8s.io/v1", "PodDisruptionBudget": "policy/v1"}[kind]
	if strings.HasPrefix(kind, "Role") || strings.HasPrefix(kind, "ClusterRole") {
		version = "rbac.authorization.k8s.io/v1"
	}
	if version == "" {
		version = "v1"
	}
	if namespace != "" {
		namespace = ", namespace: " + namespace
	}
	return fmt.Sprintf("---\n{apiVersion: %s, kind: %s, metadata: {name: %s%s}%s}\n", version, kind, name, namespace, rest)
}

// TestJoins holds which objects belong to a workload.
func TestJoins(t *testing.T) {
	policy := func(namespace, name, selector string) string {
		return in("NetworkPolicy", namespace, name, ", spec: "+selector)
	}
	tests := map[string]struct{ fact, text, want string }{
		"policies":              {"networkPolicies", policy("shop", "all", "{podSelector: {}}") + policy("shop", "absent", "{policyTypes: [Ingress]}") + policy("shop", "nul", "{podSelector: null}") + policy("shop", "web", "{podSelector: {matchLabels: {app: web}}}") + policy("shop", "both", "{podSelector: {matchLabels: {app: web, tier: back}}}") + policy("shop", "db", "{podSelector: {matchLabels: {app: db}}}") + policy("park", "park", "{podSelector: {}}"), "all,absent,nul,web"},
		"policies by words":     {"networkPolicies", policy("shop", "z", "{podSelector: {matchExpressions: [{key: app, operator: In, values: [web]}]}}") + policy("shop", "a", "{podSelector: {matchExpressions: [{key: app, operator: DoesNotExist}]}}") + policy("shop", "b", "{podSelector: {matchLabels: {tier: front}}}"), "z,b"},
		"in the input's order":  {"networkPolicies", policy("shop", "c", "{podSelector: {matchLabels: {app: web}}}") + policy("shop", "a", "{podSelector: {}}") + policy("shop", "b", "{podSelector: {matchLabels: {tier: front}}}"), "c,a,b"},
		"a malformed policy":    {"networkPolicies", policy("shop", "a", "{podSelector: []}"), ""},
		"services":              {"services", in("Service", "shop", "web", ", spec: {selector: {app: web}}") + in("Service", "shop", "none", ", spec: {}") + in("Service", "shop", "empty", ", spec: {selector: {}}") + in("Service", "shop", "db", ", spec: {selector: {app: db}}") + in("Service", "park", "park", ", spec: {selector: {app: web}}"), "web"},
		"budgets":               {"disruptionBudgets", in("PodDisruptionBudget", "shop", "web", ", spec: {selector: {matchLabels: {app: web}}}") + in("PodDisruptionBudget", "shop", "all", ", spec: {selector: {}}") + in("PodDisruptionBudget", "shop", "none", ", spec: {}"), "web,all"},
		"limit ranges":          {"limitRanges", in("LimitRange", "shop", "a", "") + in("LimitRange", "park", "b", "") + in("LimitRange", "shop", "c", ""), "a,c"},
		"open is default":       {"networkPolicies", policy("default", "a", "{podSelector: {}}") + policy("", "b", "{podSelector: {}}") + policy("shop", "c", "{podSelector: {}}"), "a,b"},
		"no objects of another": {"networkPolicies", strings.ReplaceAll(policy("shop", "a", "{podSelector: {}}"), "networking.k8s.io", "crd.projectcalico.org"), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			pod := aPod
			if name == "open is default" {
				pod = strings.ReplaceAll(pod, ", namespace: shop", "")
			}
			if got := said(t, false, "match: workload", "workload."+test.fact+".map(x, x.metadata.name).join(',')", test.text+pod); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestServiceAccount holds the account a workload runs as.
func TestServiceAccount(t *testing.T) {
	const says = "workload.serviceAccount.metadata.name + '/' + workload.serviceAccount.?automountServiceAccountToken.orValue('open')"
	robot := in("ServiceAccount", "shop", "robot", ", automountServiceAccountToken: 'shut'")
	for name, test := range map[string]struct{ text, want string }{
		"in the input":         {robot + aPod, "robot/shut"},
		"both open":            {strings.ReplaceAll(robot+aPod, ", namespace: shop", ""), "robot/shut"},
		"open and default":     {strings.ReplaceAll(robot, "shop", "default") + strings.ReplaceAll(aPod, ", namespace: shop", ""), "robot/shut"},
		"of another namespace": {strings.ReplaceAll(robot, "shop", "park") + aPod, "robot/open"},
		"not in the input":     {aPod, "robot/open"},
		"the default one":      {robot + strings.ReplaceAll(aPod, "serviceAccountName: robot, ", ""), "default/open"},
	} {
		if got := said(t, false, "match: workload", says, test.text); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

// TestBindings holds who a binding gives what (k8s.io/kubernetes plugin/pkg/auth/authorizer/rbac).
func TestBindings(t *testing.T) {
	bind := func(kind, namespace, name, subject string) string {
		return in(kind, namespace, name, ", roleRef: {kind: ClusterRole, name: view}, subjects: ["+subject+"]")
	}
	robot := "{kind: ServiceAccount, name: robot}"
	robotOfShop := "{kind: ServiceAccount, name: robot, namespace: shop}"
	group := func(name string) string { return "{kind: Group, name: '" + name + "'}" }
	tests := map[string]struct{ text, want string }{
		"its namespace left open":    {bind("RoleBinding", "shop", "a", robot) + bind("RoleBinding", "park", "b", robot), "a"},
		"from another namespace":     {bind("RoleBinding", "park", "a", robotOfShop), "a"},
		"everywhere":                 {bind("ClusterRoleBinding", "", "a", robotOfShop), "a"},
		"of all accounts":            {bind("ClusterRoleBinding", "", "a", group("system:serviceaccounts")) + bind("RoleBinding", "shop", "b", group("system:serviceaccounts")) + bind("RoleBinding", "park", "c", group("system:serviceaccounts")), "a,b"},
		"of the namespace's":         {bind("ClusterRoleBinding", "", "a", group("system:serviceaccounts:shop")) + bind("ClusterRoleBinding", "", "b", group("system:serviceaccounts:park")), "a"},
		"of everybody":               {bind("ClusterRoleBinding", "", "a", group("system:authenticated")) + bind("ClusterRoleBinding", "", "b", group("system:unauthenticated")), "a"},
		"as a user":                  {bind("ClusterRoleBinding", "", "a", "{kind: User, name: 'system:serviceaccount:shop:robot'}"), "a"},
		"a user of a group's name":   {bind("ClusterRoleBinding", "", "a", "{kind: User, name: 'system:authenticated'}") + bind("ClusterRoleBinding", "", "b", "{kind: User, name: shop/robot}") + bind("ClusterRoleBinding", "", "c", group("shop/robot")), ""},
		"twice in one":               {bind("ClusterRoleBinding", "", "a", robotOfShop+", "+group("system:authenticated")+", "+robotOfShop), "a"},
		"nobody":                     {in("ClusterRoleBinding", "", "a", ", roleRef: {kind: ClusterRole, name: view}"), ""},
		"open namespaces, in a file": {strings.ReplaceAll(bind("ClusterRoleBinding", "", "a", robotOfShop), "namespace: shop", "namespace: default"), "a*"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			pod, want := aPod, test.want
			if before, ok := strings.CutSuffix(want, "*"); ok {
				pod, want = strings.ReplaceAll(pod, ", namespace: shop", ""), before
			}
			if got := said(t, false, "match: workload", "workload.bindings.map(x, x.name).join(',')", test.text+pod); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// TestRoles holds the rules of a bound role.
func TestRoles(t *testing.T) {
	binding := func(kind, namespace, role string) string {
		return in(kind, namespace, "a", ", roleRef: {kind: "+role+", name: r}, subjects: [{kind: ServiceAccount, name: s}, {kind: User, name: u}]")
	}
	rules := func(verb string) string { return ", rules: [{verbs: [" + verb + "]}]" }
	labelled := func(name, label, rest string) string {
		return strings.Replace(in("ClusterRole", "", name, rest), "{name:", "{labels: {"+label+": ok}, name:", 1)
	}
	aggregate := func(label string) string {
		return ", aggregationRule: {clusterRoleSelectors: [{matchLabels: {" + label + ": ok}}]}"
	}
	const both = "match: [RoleBinding.rbac.authorization.k8s.io, ClusterRoleBinding.rbac.authorization.k8s.io]"
	tests := map[string]struct {
		text, want string
		live       bool
	}{
		"a role":                    {in("Role", "shop", "r", rules("get")) + in("Role", "park", "r", rules("put")) + binding("RoleBinding", "shop", "Role"), "get", false},
		"a cluster role":            {in("ClusterRole", "", "r", rules("get")) + in("Role", "shop", "r", rules("put")) + binding("RoleBinding", "shop", "ClusterRole"), "get", false},
		"no role":                   {in("Role", "park", "r", rules("get")) + binding("RoleBinding", "shop", "Role"), "unknown: Role r is not in what was read", false},
		"no cluster role":           {binding("ClusterRoleBinding", "", "ClusterRole"), "unknown: ClusterRole r is not in what was read", false},
		"a role of no kind":         {binding("ClusterRoleBinding", "", "Roll"), "unknown: Roll r is not in what was read", false},
		"what every cluster has":    {strings.ReplaceAll(binding("ClusterRoleBinding", "", "ClusterRole"), "name: r}", "name: cluster-admin}"), "*,*", false},
		"unless the cluster has it": {strings.ReplaceAll(binding("ClusterRoleBinding", "", "ClusterRole"), "name: r}", "name: cluster-admin}"), "unknown: ClusterRole cluster-admin is not in what was read", true},
		"the input's own":           {in("ClusterRole", "", "cluster-admin", rules("get")) + strings.ReplaceAll(binding("ClusterRoleBinding", "", "ClusterRole"), "name: r}", "name: cluster-admin}"), "get", false},
		"aggregated":                {in("ClusterRole", "", "r", rules("get")+aggregate("x")) + labelled("s", "x", rules("put")) + labelled("t", "z", rules("cut")) + binding("ClusterRoleBinding", "", "ClusterRole"), "put", false}, // its own are overwritten
		"aggregated in turn":        {in("ClusterRole", "", "r", aggregate("x")) + labelled("s", "x", rules("put")+aggregate("z")) + labelled("t", "z", rules("cut")) + binding("ClusterRoleBinding", "", "ClusterRole"), "cut", false},
		"aggregated in a circle":    {labelled("r", "z", rules("get")+aggregate("x")) + labelled("s", "x", rules("put")+aggregate("z")) + binding("ClusterRoleBinding", "", "ClusterRole"), "get,put", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := said(t, test.live, both, "binding.role.rules.map(x, x.verbs.join('+')).join(',')", test.text); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	const says = "binding.subjects.map(s, s.kind + ':' + s.namespace + '/' + s.name).join(',')"
	if got, want := said(t, false, both, says, binding("RoleBinding", "shop", "Role")), "ServiceAccount:shop/s,User:/u"; got != want {
		t.Errorf("subjects %q, want %q", got, want)
	}
}

// TestNamespaceFacts holds the facts of a namespace and of a cluster.
func TestNamespaceFacts(t *testing.T) {
	text := in("Namespace", "", "shop", "") + in("ResourceQuota", "shop", "q", "") + in("ResourceQuota", "park", "r", "") + in("NetworkPolicy", "shop", "p", "") + in("LimitRange", "shop", "l", "") + aPod
	const says = "ns.name + ns.quotas.map(x, x.metadata.name).join(',') + ns.networkPolicies.map(x, x.metadata.name).join(',') + ns.limitRanges.map(x, x.metadata.name).join(',') + string(ns.workloads) + string(ns.labels.size())"
	if got := said(t, false, "match: namespace", says, text); got != "shopqpl10" {
		t.Errorf("namespace %q", got)
	}
	if got := said(t, true, "match: cluster", "cluster.version + string(cluster.minor) + string(cluster.live) + cluster.endOfLife", ""); !strings.HasPrefix(got, "1.3636true20") {
		t.Errorf("cluster %q", got)
	}
	if got := said(t, false, "match: cluster", "cluster.version", ""); got != "" {
		t.Errorf("a cluster that was not read is judged: %q", got)
	}
}

// TestGaps demands that what may have been missed makes unknown what needed it, and nothing else.
func TestGaps(t *testing.T) {
	const nothing = "has(workload.spec)"
	needs := map[string]*rule.Compiled{
		"policies":  newRule(t, "policies", "match: workload", "assert: workload.networkPolicies.size() >= 0"),
		"services":  newRule(t, "services", "match: workload", "assert: workload.services.size() >= 0"),
		"budgets":   newRule(t, "budgets", "match: workload", "assert: workload.disruptionBudgets.size() >= 0"),
		"limits":    newRule(t, "limits", "match: workload", "assert: workload.limitRanges.size() >= 0"),
		"account":   newRule(t, "account", "match: workload", "assert: workload.serviceAccount.metadata.name != ''"),
		"bindings":  newRule(t, "bindings", "match: workload", "assert: workload.bindings.all(b, b.role.rules.size() >= 0)"),
		"quotas":    newRule(t, "quotas", "match: namespace", "assert: ns.quotas.size() >= 0"),
		"workloads": newRule(t, "workloads", "match: namespace", "assert: ns.workloads >= 0"),
		"role":      newRule(t, "role", "match: RoleBinding.rbac.authorization.k8s.io", "assert: binding.role.rules.size() >= 0"),
		"nothing":   newRule(t, "nothing", "match: workload", "assert: "+nothing),
	}
	text := aPod + in("Namespace", "", "shop", "") + in("RoleBinding", "shop", "b", ", roleRef: {kind: Role, name: r}, subjects: [{kind: ServiceAccount, name: robot}]")
	tests := map[string]struct {
		gap  verdict.Gap
		want []string
	}{
		"no gap":                  {verdict.Gap{Code: verdict.GapDuplicate}, []string{"bindings", "role"}}, // Role r is not there
		"a wrong type":            {verdict.Gap{Code: verdict.GapWrongType, Kinds: []string{"Service"}}, []string{"bindings", "role"}},
		"text of an unknown kind": {verdict.Gap{Code: verdict.GapSyntax}, []string{"account", "bindings", "budgets", "limits", "policies", "quotas", "role", "services", "workloads"}},
		"a forbidden kind":        {verdict.Gap{Code: verdict.GapForbidden, Kinds: []string{"NetworkPolicy.networking.k8s.io"}}, []string{"bindings", "policies", "role"}},
		"a kind without a group":  {verdict.Gap{Code: verdict.GapNotObject, Kinds: []string{"NetworkPolicy"}}, []string{"bindings", "policies", "role"}},
		"another group's kind":    {verdict.Gap{Code: verdict.GapForbidden, Kinds: []string{"NetworkPolicy.crd.projectcalico.org"}}, []string{"bindings", "role"}},
		"another namespace":       {verdict.Gap{Code: verdict.GapForbidden, Kinds: []string{"Service", "LimitRange", "Pod"}, Namespace: "park"}, []string{"bindings", "role"}},
		"the same namespace":      {verdict.Gap{Code: verdict.GapForbidden, Kinds: []string{"Service", "LimitRange", "Pod"}, Namespace: "shop"}, []string{"bindings", "limits", "role", "services", "workloads"}},
		"bindings":                {verdict.Gap{Code: verdict.GapForbidden, Kinds: []string{"RoleBinding.rbac.authorization.k8s.io"}, Namespace: "park"}, []string{"bindings", "role"}},
		"deployments":             {verdict.Gap{Code: verdict.GapSyntax, Kinds: []string{"Deployment.apps"}}, []string{"bindings", "role", "workloads"}},
	}
	var rules []*rule.Compiled
	for _, name := range slices.Sorted(mapKeys(needs)) {
		rules = append(rules, needs[name])
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			in := input(t, text, rules...)
			test.gap.Location = verdict.Location{File: "broken.yaml", Line: 3}
			in.Coverage.Gaps = []verdict.Gap{test.gap}
			res := judge.Judge(in)
			var got []string
			for _, f := range res.Findings {
				if f.Verdict != verdict.Unknown || f.Reason == "" {
					t.Errorf("%s of %s: %q", f.Verdict, f.Rule, f.Reason)
				}
				if !strings.Contains(f.Reason, "broken.yaml:3") && !strings.Contains(f.Reason, "Role r is not in") {
					t.Errorf("the reason does not name the gap: %s", f.Reason)
				}
				got = append(got, f.Rule)
			}
			slices.Sort(got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("unknown (-want +got):\n%s", diff)
			}
			if res.Tally[0].Pass != len(rules)-len(got) || res.Tally[0].Unknown != len(got) {
				t.Errorf("tally %+v", res.Tally)
			}
		})
	}
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// TestNeeds holds what a live cluster must be asked for.
func TestNeeds(t *testing.T) {
	kinds := judge.Needs([]*rule.Compiled{
		newRule(t, "a", "match: [Secret, Ingress.networking.k8s.io]", "assert: 'true'"),
		newRule(t, "b", "match: namespace", "assert: ns.quotas.size() == 0"),
		newRule(t, "c", "match: RoleBinding.rbac.authorization.k8s.io", "assert: binding.role.rules.size() == 0"),
	})
	want := []string{"ClusterRole.rbac.authorization.k8s.io", "Ingress.networking.k8s.io", "Namespace", "ResourceQuota", "Role.rbac.authorization.k8s.io", "RoleBinding.rbac.authorization.k8s.io", "Secret"}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
	paths := judge.Needs([]*rule.Compiled{
		newRule(t, "d", "match: RoleBinding.rbac.authorization.k8s.io", "assert: binding.subjects.filter(s, s.kind == 'User').all(u, !u.leadsTo.admin)"),
	})
	for _, kind := range attack.Kinds() {
		if !slices.Contains(paths, kind) {
			t.Errorf("%s is not asked for by a rule on where subjects get to", kind)
		}
	}
}

// TestExceptions holds what an exception excuses.
func TestExceptions(t *testing.T) {
	in := input(t, aPod+in("Pod", "shop", "other", ", spec: {containers: [{name: a}]}"), newRule(t, "bad", "match: container", "assert: 'false'"), newRule(t, "odd", "match: container", "assert: container.nothing"))
	plain := judge.Judge(in).Findings
	fail := plain[slices.IndexFunc(plain, func(f verdict.Finding) bool { return f.Rule == "bad" && f.Subject.Name == "web" })]
	odd := plain[slices.IndexFunc(plain, func(f verdict.Finding) bool { return f.Rule == "odd" && f.Subject.Name == "web" })]
	whole := verdict.Exception{Rules: []string{"x", "bad"}, Fingerprints: []string{"0000000000000000", fail.Fingerprint}, Owner: "ann", Reason: "known", Expires: now.Add(time.Hour)}
	tests := map[string]struct {
		change func(*verdict.Exception)
		exempt bool
	}{
		"whole":                 {func(*verdict.Exception) {}, true},
		"no owner":              {func(e *verdict.Exception) { e.Owner = "" }, false},
		"no reason":             {func(e *verdict.Exception) { e.Reason = "" }, false},
		"no expiry":             {func(e *verdict.Exception) { e.Expires = time.Time{} }, false},
		"expired":               {func(e *verdict.Exception) { e.Expires = now }, false},
		"another rule":          {func(e *verdict.Exception) { e.Rules = []string{"odd"} }, false},
		"any rule":              {func(e *verdict.Exception) { e.Rules = nil }, false},
		"another fault":         {func(e *verdict.Exception) { e.Fingerprints = []string{"0000000000000000"} }, false},
		"any fault":             {func(e *verdict.Exception) { e.Fingerprints = nil }, false},
		"an unknown is no fail": {func(e *verdict.Exception) { e.Rules, e.Fingerprints = []string{"odd"}, []string{odd.Fingerprint} }, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := whole
			test.change(&e)
			in.Exceptions = []verdict.Exception{{Owner: "bob"}, e, whole}[:2]
			res := judge.Judge(in)
			exempt := 0
			for _, f := range res.Findings {
				if f.Verdict == verdict.Exempt {
					exempt++
					if f.Fingerprint != fail.Fingerprint || f.Reason != "ann until 2026-11-21: known" {
						t.Errorf("exempt: %+v", f)
					}
				}
			}
			if (exempt == 1) != test.exempt || exempt > 1 || res.Tally[0].Exempt != exempt || res.Tally[0].Fail != 2-exempt || res.Tally[0].Unknown != 2 {
				t.Errorf("%d exempt, tally %+v", exempt, res.Tally)
			}
		})
	}
}

// TestDoubt demands that what passes on a doubtful object is counted as unknown.
func TestDoubt(t *testing.T) {
	objects := specimen.Objects(t, specimen.File("a.yaml"), aPod)
	objects[0].Doubt = "a key stands twice"
	rules := []*rule.Compiled{newRule(t, "good", "match: container", "assert: 'true'"), newRule(t, "bad", "match: container", "assert: 'false'")}
	res := judge.Judge(judge.Input{Inventory: fact.NewInventory(objects, "1.36", false), Rules: rules, Now: now})
	want := []verdict.Tally{{Practice: "pod", Rules: 2, Fail: 1, Unknown: 1}}
	if diff := cmp.Diff(want, res.Tally); diff != "" {
		t.Errorf("tally (-want +got):\n%s", diff)
	}
}

// TestNamespaces holds what is judged where some namespaces were chosen: what is known stays whole.
func TestNamespaces(t *testing.T) {
	text := aPod + strings.ReplaceAll(aPod, "shop", "park") + strings.ReplaceAll(aPod, ", namespace: shop", "") +
		in("Namespace", "", "shop", "") + in("Namespace", "", "park", "") + in("ClusterRole", "", "r", "") + in("NetworkPolicy", "park", "p", ", spec: {podSelector: {}}")
	policies := newRule(t, "policies", "match: workload", "assert: 'false'", "says: workload.namespace + string(workload.networkPolicies.size())")
	objects := newRule(t, "objects", "match: object", "assert: 'false'", "says: object.kind")
	for _, test := range []struct {
		live       bool
		namespaces []string
		want       string
		outside    int
	}{
		{false, nil, "ClusterRole Namespace Namespace NetworkPolicy Pod Pod Pod 0 park1 shop0", 0},
		{false, []string{"shop"}, "Namespace Pod shop0", 5},
		{false, []string{"park", "shop"}, "Namespace Namespace NetworkPolicy Pod Pod park1 shop0", 2},
		{false, []string{"default"}, "ClusterRole Pod 0", 5},
		{true, []string{"default"}, "", 7},
		{false, []string{"nowhere"}, "", 7},
	} {
		in := judge.Input{Inventory: fact.NewInventory(specimen.Objects(t, specimen.File("a.yaml"), text), "1.36", test.live), Rules: []*rule.Compiled{policies, objects}, Now: now, Namespaces: test.namespaces}
		res := judge.Judge(in)
		var got []string
		for _, f := range res.Findings {
			got = append(got, f.Message)
		}
		slices.Sort(got)
		want := strings.Fields(test.want)
		slices.Sort(want)
		if diff := cmp.Diff(want, append([]string{}, got...)); diff != "" {
			t.Errorf("%v, live %v (-want +got):\n%s", test.namespaces, test.live, diff)
		}
		outside := 0
		for _, e := range res.Coverage.Exclusions {
			outside += e.Count
		}
		if outside != test.outside {
			t.Errorf("%v, live %v: %d objects outside, want %d", test.namespaces, test.live, outside, test.outside)
		}
	}
}

// TestProgress demands that every subject is told once, and the sum at the end.
func TestProgress(t *testing.T) {
	in := input(t, strings.Repeat(aPod, 1)+crowd(100, func(int) string { return "{}" }), newRule(t, "a", "match: workload", "assert: 'true'"))
	most := 0
	in.Progress = func(done, total int) {
		if done > total {
			t.Errorf("%d of %d", done, total)
		}
		most = max(most, done)
	}
	if judge.Judge(in); most != 101 {
		t.Errorf("%d subjects", most)
	}
}

// TestIndexedSelectors demands of the index what looking at every selector gives.
func TestIndexedSelectors(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	word := func() string { return []string{"a", "b", "c", "''"}[random.IntN(4)] }
	labels := func() string {
		var pairs []string
		for _, key := range []string{"k", "l", "m"} {
			if random.IntN(2) == 0 {
				pairs = append(pairs, key+": "+word())
			}
		}
		return "{" + strings.Join(pairs, ", ") + "}"
	}
	for range 300 {
		var text strings.Builder
		for i := range random.IntN(8) {
			expressions := []string{}
			for range random.IntN(3) {
				expressions = append(expressions, fmt.Sprintf("{key: %s, operator: %s, values: [%s, %s]}", []string{"k", "l"}[random.IntN(2)], []string{"In", "In", "NotIn", "Exists"}[random.IntN(4)], word(), word()))
			}
			selector := fmt.Sprintf("{matchLabels: %s, matchExpressions: [%s]}", labels(), strings.Join(expressions, ", "))
			text.WriteString(in("NetworkPolicy", "shop", fmt.Sprintf("p%d", i), ", spec: {podSelector: "+selector+"}"))
		}
		pod := fmt.Sprintf("---\n{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: %s}, spec: {containers: [{name: a}]}}\n", labels())
		var want []string
		objects := specimen.Objects(t, specimen.File("a.yaml"), text.String()+pod)
		for _, o := range objects[:len(objects)-1] {
			if fact.Selects(o.Root.At("spec", "podSelector"), objects[len(objects)-1].Labels()) {
				want = append(want, o.Name)
			}
		}
		if got := said(t, false, "match: workload", "workload.networkPolicies.map(x, x.metadata.name).join(',')", text.String()+pod); got != strings.Join(want, ",") {
			t.Fatalf("got %s, want %s of\n%s%s", got, want, text.String(), pod)
		}
	}
}
