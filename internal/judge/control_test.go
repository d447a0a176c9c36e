package judge_test

import (
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// controlled is a framework with a control of every kind, over the rules of controlRules.
const controlled = `
id: own
title: Own
version: "1"
source: here
controls:
- {id: pods, title: Pods, rules: [pod-rule]}
- {id: roles, title: Roles, rules: [role-rule]}
- {id: both, title: Both, rules: [pod-rule, role-rule]}
- {id: beside, title: Beside, rules: [role-rule], manual: Ask.}
- {id: person, title: Person, manual: Ask.}
- {id: nobody, title: Nobody, unjudged: Not yet.}
- {id: bare, title: Bare}
- {id: mapped, title: Mapped}
- {id: whole, title: Whole}
- {id: whole/a, part-of: whole, title: Part, rules: [role-rule]}
- {id: open, title: Open}
- {id: open/rules, part-of: open, title: Part, rules: [role-rule]}
- {id: open/person, part-of: open, title: Part, manual: Ask.}
- {id: shell, title: Shell}
- {id: shell/person, part-of: shell, title: Part, manual: Ask.}
- {id: like, title: Like, like: {own: [pods]}}
`

func controlRules(t *testing.T) []*rule.Compiled {
	t.Helper()
	return []*rule.Compiled{
		newRule(t, "pod-rule", "match: container", "assert: 'container.name != \"bad\"'", "maps: {own: [mapped]}"),
		newRule(t, "role-rule", "match: Role.rbac.authorization.k8s.io", "assert: 'object.metadata.name != \"bad\"'"),
	}
}

const (
	goodPod  = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: good}]}}\n"
	badPod   = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: bad}, {name: good}]}}\n"
	goodRole = "---\n{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: r}, rules: []}\n"
)

func TestControls(t *testing.T) {
	tests := map[string]struct {
		text  string
		gaps  []verdict.Gap
		rules int // only so many are asked
		want  string
	}{
		"all is well": {text: goodPod + goodRole, want: "pods=pass roles=pass both=pass beside=manual mapped=pass whole=pass whole/a=pass like=pass"},
		"one fails":   {text: badPod + goodRole, want: "pods=fail roles=pass both=fail beside=manual mapped=fail whole=pass whole/a=pass like=fail"},
		"nothing to judge": {
			text: goodPod, want: "pods=pass roles=not-applicable both=pass beside=manual mapped=pass whole=not-applicable whole/a=not-applicable like=pass",
		},
		"beside what it is about": {
			text: goodRole, want: "pods=not-applicable roles=pass both=not-applicable beside=manual mapped=not-applicable whole=pass whole/a=pass like=not-applicable",
		},
		"nothing at all": {text: "", want: "pods=unknown roles=unknown both=unknown beside=unknown mapped=unknown whole=unknown whole/a=unknown like=unknown"},
		"a gap that may hold anything": {
			text: goodPod + goodRole, gaps: []verdict.Gap{{Code: verdict.GapSyntax}},
			want: "pods=unknown roles=unknown both=unknown beside=unknown mapped=unknown whole=unknown whole/a=unknown like=unknown",
		},
		"a gap of one kind": {
			text: goodPod + goodRole, gaps: []verdict.Gap{{Code: verdict.GapForbidden, Kinds: []string{"Deployment.apps"}}},
			want: "pods=unknown roles=pass both=unknown beside=manual mapped=unknown whole=pass whole/a=pass like=unknown",
		},
		"a gap of a kind without its group": {
			text: goodPod + goodRole, gaps: []verdict.Gap{{Code: verdict.GapSyntax, Kinds: []string{"Role"}}},
			want: "pods=pass roles=unknown both=unknown beside=unknown mapped=pass whole=unknown whole/a=unknown like=pass",
		},
		"a fail outranks a gap": {
			text: badPod + goodRole, gaps: []verdict.Gap{{Code: verdict.GapSyntax}},
			want: "pods=fail roles=unknown both=fail beside=unknown mapped=fail whole=unknown whole/a=unknown like=fail",
		},
		"a gap that matters to neither": {
			text: goodPod + goodRole, gaps: []verdict.Gap{{Code: verdict.GapForbidden, Kinds: []string{"Secret"}}},
			want: "pods=pass roles=pass both=pass beside=manual mapped=pass whole=pass whole/a=pass like=pass",
		},
		"a rule was not asked": {
			text: goodPod + goodRole, rules: 1,
			want: "pods=pass roles=unknown both=unknown beside=unknown mapped=pass whole=unknown whole/a=unknown like=pass",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			rules := controlRules(t)
			var plain []*rule.Rule
			for _, r := range rules {
				plain = append(plain, r.Rule)
			}
			if test.rules > 0 {
				rules = rules[:test.rules]
			}
			in := input(t, test.text, rules...)
			in.Coverage.Gaps = test.gaps
			got := controls(t, judge.Judge(in), plain)
			want := test.want + " person=manual nobody=not-judged bare=not-judged open/person=manual shell=manual shell/person=manual"
			role := got["roles"].Status
			want += " open/rules=" + string(role) + " open=" + string(role)
			if role == verdict.ControlPass || role == verdict.ControlNotApplicable {
				want = strings.TrimSuffix(want, string(role)) + "manual" // for its other part
			}
			for part := range strings.FieldsSeq(want) {
				id, status, _ := strings.Cut(part, "=")
				if got[id].Status != verdict.ControlStatus(status) {
					t.Errorf("%s is %s (%s), want %s", id, got[id].Status, got[id].Reason, status)
				}
			}
			if len(got) != len(strings.Fields(want)) {
				t.Errorf("%d controls, want %d", len(got), len(strings.Fields(want)))
			}
		})
	}
}

func controls(t *testing.T, res *verdict.Result, rules []*rule.Rule) map[string]verdict.ControlResult {
	t.Helper()
	f, err := catalog.ParseFramework("own.yaml", controlled)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]verdict.ControlResult{}
	for _, c := range judge.Controls(res, f, []*catalog.Framework{f}, rules).Controls {
		got[c.ID] = c
	}
	return got
}

// TestControlEvidence: what a control names and counts is what its rules found.
func TestControlEvidence(t *testing.T) {
	rules := controlRules(t)
	res := judge.Judge(input(t, badPod+strings.ReplaceAll("---\n"+badPod, "name: p", "name: q")+goodRole, rules...))
	c := controls(t, res, []*rule.Rule{rules[0].Rule, rules[1].Rule})["both"]
	if c.Fail != 2 || c.Pass != 3 || c.Subjects != 2 || len(c.Findings) != 2 {
		t.Errorf("%+v: want 2 fails, 3 passes, 2 subjects and 2 findings", c)
	}
	for i := range res.Findings {
		if c.Findings[i] != res.Findings[i].Fingerprint {
			t.Errorf("finding %s is not %s", c.Findings[i], res.Findings[i].Fingerprint)
		}
	}
	for i := range res.Findings {
		res.Findings[i].Verdict = verdict.Exempt
	}
	res.ByRule[0].Exempt, res.ByRule[0].Fail = res.ByRule[0].Fail, 0
	if c := controls(t, res, []*rule.Rule{rules[0].Rule, rules[1].Rule})["both"]; c.Status != verdict.ControlExempt {
		t.Errorf("what fails and is excused is %s, want exempt", c.Status)
	}
}

// TestBuiltInControls judges every built-in framework by every built-in rule: none passes of itself.
func TestBuiltInControls(t *testing.T) {
	rules, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	frameworks, err := catalog.Frameworks()
	if err != nil {
		t.Fatal(err)
	}
	empty := &verdict.Result{}
	for _, f := range frameworks {
		for _, c := range judge.Controls(empty, f, frameworks, rules).Controls {
			if c.Status == verdict.ControlPass || c.Status == verdict.ControlNotApplicable {
				t.Errorf("%s %s: %s of nothing", f.ID, c.ID, c.Status)
			}
		}
	}
}

// TestHarmlessObjectPassesLittle judges one ConfigMap by every built-in rule: what a few rules say of
// any object, or of this kind beside others, is no pass of a control that is about something else.
func TestHarmlessObjectPassesLittle(t *testing.T) {
	rules, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	frameworks, err := catalog.Frameworks()
	if err != nil {
		t.Fatal(err)
	}
	const harmless = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: b}, data: {a: b}}\n"
	statuses := func(text string) map[string]verdict.ControlStatus {
		res := judge.Judge(input(t, text, all(t)...))
		if res.Coverage.Evaluations == 0 {
			t.Fatal("nothing was judged")
		}
		found := map[string]verdict.ControlStatus{}
		for _, f := range frameworks {
			for _, c := range judge.Controls(res, f, frameworks, rules).Controls {
				found[f.ID+" "+c.ID] = c.Status
			}
		}
		return found
	}
	for id, status := range statuses(harmless) {
		if status == verdict.ControlPass {
			t.Errorf("%s passes for one ConfigMap", id)
		}
	}
	role := "---\n{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: a}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: team}]}\n"
	pod := "---\n{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: b}, spec: {containers: [{name: a, image: a}]}}\n"
	with := statuses(harmless + role + pod)
	for _, id := range []string{"cis 5.1.1", "cis 5.2.2", "cis 5.4.1", "pss baseline/host-namespaces"} {
		if s := with[id]; s != verdict.ControlPass {
			t.Errorf("%s is %q though what it is about was read and is fine", id, s)
		}
	}
}
