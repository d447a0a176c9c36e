package judge_test

import (
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/specimen"
)

// TestPresence holds when what a binding refers to is missing: in a cluster where it is not there,
// in files only where others of its kind and namespace are.
func TestPresence(t *testing.T) {
	bind := func(namespace, role, subject string) string {
		return in("RoleBinding", namespace, "b", ", roleRef: {kind: "+role+", name: r}, subjects: ["+subject+"]")
	}
	account := func(namespace, name string) string { return in("ServiceAccount", namespace, name, "") }
	const robot, robotOfCI, user = "{kind: ServiceAccount, name: robot}", "{kind: ServiceAccount, name: robot, namespace: ci}", "{kind: User, name: robot}"
	const roleSays, subjectSays = "binding.role.presence", "binding.subjects.map(s, s.presence).join(',')"
	tests := map[string]struct{ says, text, inFiles, inCluster string }{
		"a role":                      {roleSays, bind("shop", "Role", "") + in("Role", "shop", "r", ""), "here", "here"},
		"a role and no other":         {roleSays, bind("shop", "Role", ""), "elsewhere", "missing"},
		"a role among others":         {roleSays, bind("shop", "Role", "") + in("Role", "shop", "s", ""), "missing", "missing"},
		"a role of another namespace": {roleSays, bind("shop", "Role", "") + in("Role", "park", "r", ""), "elsewhere", "missing"},
		"a role, namespace open":      {roleSays, bind("shop", "Role", "") + in("Role", "", "r", "") + in("Role", "shop", "s", ""), "elsewhere", "missing"},
		"a cluster role":              {roleSays, bind("shop", "ClusterRole", "") + in("ClusterRole", "", "s", ""), "elsewhere", "missing"},
		"a cluster role that is":      {roleSays, bind("shop", "ClusterRole", "") + in("ClusterRole", "", "r", ""), "here", "here"},
		"a role of every cluster":     {roleSays, strings.ReplaceAll(bind("shop", "ClusterRole", ""), "name: r}", "name: view}"), "here", "missing"},
		"no kind of role":             {roleSays, bind("shop", "Rolle", ""), "elsewhere", "elsewhere"},
		"an account":                  {subjectSays, bind("shop", "Role", robot) + account("shop", "robot"), "here", "here"},
		"an account elsewhere":        {subjectSays, bind("shop", "Role", robotOfCI) + account("shop", "robot"), "elsewhere", "missing"},
		"an account among others":     {subjectSays, bind("shop", "Role", robotOfCI+","+robot+","+user) + account("ci", "man") + account("shop", "robot"), "missing,here,elsewhere", "missing,here,elsewhere"},
		"an account, namespace open":  {subjectSays, bind("shop", "Role", robot) + account("", "robot") + account("shop", "man"), "elsewhere", "missing"},
		"the default account":         {subjectSays, strings.ReplaceAll(bind("shop", "Role", robot), "robot", "default") + account("shop", "man"), "elsewhere", "missing"},
		"the system's account":        {subjectSays, bind("kube-system", "Role", robot) + account("kube-system", "man"), "elsewhere", "missing"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for live, want := range map[bool]string{false: test.inFiles, true: test.inCluster} {
				if got := said(t, live, "match: RoleBinding.rbac.authorization.k8s.io", test.says, test.text); got != want {
					t.Errorf("live %t: got %q, want %q", live, got, want)
				}
			}
		})
	}
}

// TestPresenceBeside demands that files of another folder do not make an account missing, and that one
// which may stand in what was not read makes it unknown.
func TestPresenceBeside(t *testing.T) {
	objects := append(specimen.Objects(t, specimen.File("a/b.yaml"), in("RoleBinding", "shop", "b", ", roleRef: {kind: ClusterRole, name: view}, subjects: [{kind: ServiceAccount, name: robot}]")),
		specimen.Objects(t, specimen.File("c/d.yaml"), in("ServiceAccount", "shop", "man", ""))...)
	r := newRule(t, "a", "match: RoleBinding.rbac.authorization.k8s.io", "assert: binding.subjects.all(s, s.presence != 'missing')")
	for name, test := range map[string]struct {
		objects []*fact.Object
		gaps    []verdict.Gap
		want    string
	}{
		"another folder":   {objects, nil, ""},
		"the same folder":  {append(objects, specimen.Objects(t, specimen.File("a/c.yaml"), in("ServiceAccount", "shop", "maid", ""))...), nil, "fail"},
		"a gap beside":     {append(objects, specimen.Objects(t, specimen.File("a/c.yaml"), in("ServiceAccount", "shop", "maid", ""))...), []verdict.Gap{{Code: verdict.GapSyntax}}, "unknown"},
		"a gap of no kind": {append(objects, specimen.Objects(t, specimen.File("a/c.yaml"), in("ServiceAccount", "shop", "maid", ""))...), []verdict.Gap{{Code: verdict.GapSyntax, Kinds: []string{"Pod"}}}, "fail"},
	} {
		res := judge.Judge(judge.Input{Inventory: fact.NewInventory(test.objects, "1.36", false), Rules: []*rule.Compiled{r}, Now: now, Coverage: verdict.Coverage{Gaps: test.gaps}})
		var got strings.Builder
		for _, f := range res.Findings {
			got.WriteString(f.Verdict.String())
		}
		if got.String() != test.want {
			t.Errorf("%s: got %q, want %q", name, got.String(), test.want)
		}
	}
}

// TestOthers holds which objects stand beside another, and everywhere.
func TestOthers(t *testing.T) {
	text := in("Service", "shop", "a", "") + in("ConfigMap", "shop", "b", "") + in("ConfigMap", "park", "c", "") + in("ConfigMap", "", "d", "")
	for says, want := range map[string]string{
		`beside["ConfigMap"].map(x, x.metadata.name).join(",")`:     "b",
		`everywhere["ConfigMap"].map(x, x.metadata.name).join(",")`: "b,c,d",
		`string(size(beside["Thing.example.com"]))`:                 "0",
	} {
		if got := said(t, false, "match: Service", says, text); got != want {
			t.Errorf("%s: got %q, want %q", says, got, want)
		}
	}
	r := newRule(t, "a", "match: Service", `assert: size(beside["ConfigMap"]) + size(everywhere["Thing.example.com"]) > 0`)
	if got := strings.Join(judge.Needs([]*rule.Compiled{r}), " "); got != "ConfigMap Service Thing.example.com" {
		t.Errorf("needs %s", got)
	}
	for gap, want := range map[string]string{"ConfigMap": "unknown", "Secret": ""} {
		in := judge.Input{Inventory: fact.NewInventory(specimen.Objects(t, specimen.File("a.yaml"), text), "1.36", false), Rules: []*rule.Compiled{r}, Now: now, Coverage: verdict.Coverage{Gaps: []verdict.Gap{{Code: verdict.GapForbidden, Kinds: []string{gap}}}}}
		var got strings.Builder
		for _, f := range judge.Judge(in).Findings {
			got.WriteString(f.Verdict.String())
		}
		if got.String() != want {
			t.Errorf("with %s not seen: %q, want %q", gap, got.String(), want)
		}
	}
}

// TestSelected holds what an object that selects pods selects.
func TestSelected(t *testing.T) {
	const says = `string(selected.any) + " of " + string(selected.among)`
	policy := func(selector string) string {
		return in("NetworkPolicy", "shop", "p", ", spec: {podSelector: "+selector+"}")
	}
	custom := "---\n{apiVersion: postgresql.cnpg.io/v1, kind: Cluster, metadata: {name: db, namespace: shop}}\n"
	monitor := "---\n{apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, metadata: {name: db, namespace: shop}}\n"
	tests := map[string]struct{ text, inFiles, inCluster string }{
		"all":                  {policy("{}") + aPod, "true of 1", "true of 1"},
		"by label":             {policy("{matchLabels: {app: web}}") + aPod, "true of 1", "true of 1"},
		"none":                 {policy("{matchLabels: {app: wep}}") + aPod, "false of 1", "false of 1"},
		"one label of two":     {policy("{matchLabels: {app: web, tier: back}}") + aPod, "false of 1", "false of 1"},
		"by any of its values": {policy("{matchExpressions: [{key: app, operator: In, values: [a, web]}]}") + aPod, "true of 1", "true of 1"},
		"by absence":           {policy("{matchExpressions: [{key: app, operator: DoesNotExist}]}") + aPod, "false of 1", "false of 1"},
		"no workload":          {policy("{}"), "false of 0", "false of 0"},
		"another namespace":    {policy("{}") + strings.ReplaceAll(aPod, "namespace: shop", "namespace: park"), "false of 0", "false of 0"},
		"what operators make":  {policy("{matchLabels: {app: db}}") + custom + aPod, "false of 0", "false of 1"},
		"what makes no pods":   {policy("{matchLabels: {app: db}}") + monitor + aPod, "false of 1", "false of 1"},
		"a budget of none":     {in("PodDisruptionBudget", "shop", "p", ", spec: {}") + aPod, "false of 1", "false of 1"},
		"a service of none":    {in("Service", "shop", "p", ", spec: {}") + aPod, "false of 1", "false of 1"},
		"a service":            {in("Service", "shop", "p", ", spec: {selector: {tier: front}}") + aPod, "true of 1", "true of 1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			kind := "NetworkPolicy.networking.k8s.io"
			switch {
			case strings.Contains(name, "budget"):
				kind = "PodDisruptionBudget.policy"
			case strings.Contains(name, "service"):
				kind = "Service"
			}
			for live, want := range map[bool]string{false: test.inFiles, true: test.inCluster} {
				if got := said(t, live, "match: "+kind, says, test.text); got != want {
					t.Errorf("live %t: got %q, want %q", live, got, want)
				}
			}
		})
	}
}
