package policy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestLimitsHere(t *testing.T) {
	role := func(kind string, n int) map[string]any {
		var rules []string
		for i := range n {
			suffix, verbs := "", `"create","delete","get","list","patch","update","watch"`
			switch i % 3 {
			case 1:
				suffix, verbs = "/finalizers", `"update"`
			case 2:
				suffix, verbs = "/status", `"get","patch","update"`
			}
			rules = append(rules, fmt.Sprintf(`{"apiGroups":["operations-%d.kubeblocks.io"],"resources":["componentdefinitions%d%s"],"verbs":[%s]}`, i/30, i/3, suffix, verbs))
		}
		return fresh(t, []byte(`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"`+kind+`","metadata":{"name":"a","namespace":"a"},"rules":[`+strings.Join(rules, ",")+`]}`))
	}
	merged := func(kind string, n int) map[string]any {
		var rules []string
		for i := range n {
			var res []string
			for j := range 20 {
				res = append(res, fmt.Sprintf(`"somethings%d", "somethings%d/status"`, j, j))
			}
			rules = append(rules, fmt.Sprintf(`{"apiGroups":["operations-%d.kubeblocks.io"],"resources":[%s],"verbs":["create","delete","get","list","patch","update","watch","deletecollection"]}`, i, strings.Join(res, ",")))
		}
		return fresh(t, []byte(`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"`+kind+`","metadata":{"name":"a","namespace":"a"},"rules":[`+strings.Join(rules, ",")+`]}`))
	}
	pod := func(n, env, chars int) map[string]any {
		var cs []any
		for i := range n {
			var list []any
			for j := range env {
				list = append(list, map[string]any{"name": fmt.Sprintf("VARIABLE_%d", j), "value": strings.Repeat("v", 40)})
			}
			cs = append(cs, map[string]any{"name": fmt.Sprintf("c%d", i), "image": "registry.example.com/team/project/service:v1.2.3", "env": list, "command": []any{"sh", "-c", strings.Repeat("echo a line; ", chars/13)}})
		}
		raw, _ := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "a", "namespace": "a"}, "spec": map[string]any{"containers": cs}})
		return fresh(t, raw)
	}
	binding := func(kind string, n int) map[string]any {
		var s []string
		for i := range n {
			s = append(s, fmt.Sprintf(`{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"somebody-%d@example.com"}`, i))
		}
		return fresh(t, []byte(`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"`+kind+`","metadata":{"name":"a"},"roleRef":{"kind":"ClusterRole","name":"a"},"subjects":[`+strings.Join(s, ",")+`]}`))
	}
	limits := map[string]int{}
	eachPolicy(t, func(id string, p *compiled, spec policySpec) {
		if p.budget.guard == "" {
			return
		}
		e := newEvaluator(t, spec)
		try := func(name string, most int, make func(n int) map[string]any) {
			ok := func(n int) bool {
				decisions, _, spent := e.judge(make(n), nil)
				return spent == nil && (len(decisions) != 2 || !decisions[1].denies)
			}
			if ok(most) {
				return
			}
			lo, hi := 0, most
			for hi-lo > most/100+1 {
				if m := (lo + hi) / 2; ok(m) {
					lo = m
				} else {
					hi = m
				}
			}
			limits[name+" "+id] = lo
			t.Logf("%-22s %-50s %d", name, id, lo)
		}
		for _, kind := range p.rule.Match.Kinds {
			switch kind, _, _ := strings.Cut(kind, "."); kind {
			case "Role", "ClusterRole":
				try(kind+" rules", 2000, func(n int) map[string]any { return role(kind, n) })
				try(kind+" merged rules", 1000, func(n int) map[string]any { return merged(kind, n) })
			case "RoleBinding", "ClusterRoleBinding":
				try(kind+" subjects", 5000, func(n int) map[string]any { return binding(kind, n) })
			default:
				t.Logf("KIND %s %s", kind, id)
			}
		}
		if isWorkload(p.rule.Match) {
			try("containers", 500, func(n int) map[string]any { return pod(n, 5, 0) })
			try("env of one", 3000, func(n int) map[string]any { return pod(1, n, 0) })
			try("chars of command", 600_000, func(n int) map[string]any { return pod(1, 1, n) })
		}
	})
}
