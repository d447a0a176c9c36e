package policy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/rule"
)

// eachBound hands over the rules whose policies refuse what is too large for them.
func eachBound(t *testing.T, do func(r *rule.Rule, e *evaluator)) {
	t.Helper()
	eachPolicy(t, func(_ string, p *compiled, spec policySpec) {
		if p.budget.guard != "" {
			do(p.rule, newEvaluator(t, spec))
		}
	})
}

// isOutOfBounds says whether a policy refuses an object for its size alone, or spends the API server's budget on it.
func (e *evaluator) isOutOfBounds(o map[string]any) bool {
	decisions, _, spent := e.judge(o, nil)
	return spent != nil || len(decisions) == 2 && decisions[1].denies
}

// TestRealObjectsAreWithinBounds holds the bounds to what is there: the roles that every API server makes, and manifests of well-known projects.
func TestRealObjectsAreWithinBounds(t *testing.T) {
	objects := realObjects(t)
	if len(objects) == 0 {
		t.Skip("the manifests of well-known projects are not beside this checkout")
	}
	kinds := map[string][]map[string]any{}
	for _, o := range append(objects, catalog.Shipped()...) {
		// What is small is far from any bound: TestBoundsAreForNobody has larger ones.
		if text := o.Root.AppendJSON(nil); o.Kind != "" && len(text) > 6_000 {
			kinds[o.GroupKind()] = append(kinds[o.GroupKind()], content(t, text))
		}
	}
	asked := 0
	eachBound(t, func(r *rule.Rule, e *evaluator) {
		for kind, list := range kinds {
			if !concerns(r.Match, kind) {
				continue
			}
			for _, o := range list {
				if asked++; e.isOutOfBounds(o) {
					t.Errorf("%s refuses for its size the %s %v", r.ID, kind, o["metadata"].(map[string]any)["name"])
				}
			}
		}
	})
	t.Logf("%d objects were read, %d questions asked", len(objects), asked)
	if asked < 100 {
		t.Error("that is too little to prove anything")
	}
}

// extremes are objects larger than any that are known, by what they are. What is known, with its source:
//   - A container's argument is at most 131,071 bytes long, for Linux starts no program with a longer one (MAX_ARG_STRLEN, include/uapi/linux/binfmts.h).
//   - KubeBlocks' manager has 150 rules, three for each of its kinds (apecloud/kubeblocks config/rbac/role.yaml), KubeVirt's operator 80, some of them alike
//     (kubevirt/kubevirt manifests/generated/rbac-operator.authorization.k8s.yaml.in). The roles admin and edit are the sum of what is aggregated
//     into them: eight operators like the first are taken to be there.
//   - Rules of OpenShift's admin name up to 40 resources each.
//
// Nobody's largest pod is known: 64 containers are several times what is seen. What is compared with each other, of one object, is bounded by the
// square of it: hosts of an ingress with as many entries of TLS at 50, blocks of one rule of a network policy at 58.
func extremes(t *testing.T) map[string]map[string]any {
	t.Helper()
	list := func(n int, one func(i int) string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = one(i)
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	role := func(kind, rules string) string {
		return `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"` + kind + `","metadata":{"name":"a"},"rules":` + rules + `}`
	}
	generated := list(1200, func(i int) string {
		suffix := []string{"", "/finalizers", "/status"}[i%3]
		verbs := []string{`"create","delete","get","list","patch","update","watch"`, `"update"`, `"get","patch","update"`}[i%3]
		return fmt.Sprintf(`{"apiGroups":["operations-%d.example.com"],"resources":["componentdefinitions%d%s"],"verbs":[%s]}`, i/30, i/3, suffix, verbs)
	})
	merged := list(300, func(i int) string {
		resources := list(20, func(j int) string { return fmt.Sprintf(`"somethings%d","somethings%d/status"`, j, j) })
		return fmt.Sprintf(`{"apiGroups":["group-%d.example.com"],"resources":%s,"verbs":["create","delete","deletecollection","get","list","patch","update","watch"]}`, i, resources)
	})
	subjects := list(2000, func(i int) string {
		return fmt.Sprintf(`{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"somebody-%d@example.com"}`, i)
	})
	pod := func(containers string) string {
		return `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"a"},"spec":{"containers":` + containers + `}}`
	}
	const named = `{"name":"container-%d","image":"registry.example.com/team/project/service-%[1]d:v1.2.3"`
	argument, err := json.Marshal(strings.Repeat("echo a line of a script\n", 131_071/24))
	if err != nil {
		t.Fatal(err)
	}
	environment := list(2000, func(i int) string {
		return fmt.Sprintf(`{"name":"VARIABLE_%d","value":"https://service-%d.example.com:8443/path"}`, i, i)
	})
	blocks := list(50, func(i int) string {
		return fmt.Sprintf(`{"ipBlock":{"cidr":"203.%d.%d.0/24","except":["203.%[1]d.%[2]d.0/28"]}}`, i/250, i%250)
	})
	hosts := list(50, func(i int) string {
		return fmt.Sprintf(`{"host":"host-%d.example.com","http":{"paths":[{"path":"/","pathType":"Prefix","backend":{"service":{"name":"a","port":{"number":80}}}}]}}`, i)
	})
	tls := list(50, func(i int) string {
		return fmt.Sprintf(`{"hosts":["host-%d.example.com"],"secretName":"host-%[1]d"}`, i)
	})
	texts := map[string]string{
		"Role of 1,200 generated rules":           role("Role", generated),
		"ClusterRole of 1,200 generated rules":    role("ClusterRole", generated),
		"Role of 300 rules with 40 resources":     role("Role", merged),
		"ClusterRole of 300 rules with 40":        role("ClusterRole", merged),
		"RoleBinding of 2,000 subjects":           `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"a"},"roleRef":{"kind":"Role","name":"a"},"subjects":` + subjects + `}`,
		"ClusterRoleBinding of 2,000 subjects":    `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"a"},"roleRef":{"kind":"ClusterRole","name":"a"},"subjects":` + subjects + `}`,
		"Pod of 64 containers":                    pod(list(64, func(i int) string { return fmt.Sprintf(named+`}`, i) })),
		"Pod with the longest argument":           pod(list(1, func(i int) string { return fmt.Sprintf(named+`,"command":["sh","-c"],"args":[%s]}`, i, argument) })),
		"Pod of 2,000 variables":                  pod(list(1, func(i int) string { return fmt.Sprintf(named+`,"env":%s}`, i, environment) })),
		"NetworkPolicy of 50 blocks":              `{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"a"},"spec":{"podSelector":{},"egress":[{"to":` + blocks + `}],"ingress":[{"from":` + blocks + `}]}}`,
		"Ingress of 50 hosts":                     `{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"a"},"spec":{"tls":` + tls + `,"rules":` + hosts + `}}`,
		"ClusterServiceVersion of 1,200 rules":    `{"apiVersion":"operators.coreos.com/v1alpha1","kind":"ClusterServiceVersion","metadata":{"name":"a"},"spec":{"install":{"strategy":"deployment","spec":{"clusterPermissions":[{"serviceAccountName":"a","rules":` + generated + `}],"permissions":[{"serviceAccountName":"a","rules":` + generated + `}]}}}}`,
		"CustomResourceDefinition of 1,000 names": `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"a"},"spec":{"group":"example.com","names":{"kind":"A","categories":` + list(1000, func(i int) string { return fmt.Sprintf(`"c%d"`, i) }) + `}}}`,
		"ConfigMap of a mebibyte":                 `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"a"},"data":{"a":"` + strings.Repeat("settings of a program ", 1<<20/22) + `"}}`,
	}
	all := map[string]map[string]any{}
	for name, text := range texts {
		all[name] = fresh(t, []byte(text))
	}
	return all
}

// TestExtremesAreWithinBounds demands that nothing is refused for its size that is as large as anybody needs.
func TestExtremesAreWithinBounds(t *testing.T) {
	all := extremes(t)
	asked := map[string]int{}
	eachBound(t, func(r *rule.Rule, e *evaluator) {
		for name, o := range all {
			if !concerns(r.Match, kindOf(o)) {
				continue
			}
			if asked[name]++; e.isOutOfBounds(o) {
				t.Errorf("%s refuses a %s for its size", r.ID, name)
			}
		}
	})
	for name := range all {
		if asked[name] == 0 {
			t.Errorf("no rule is about a %s", name)
		}
	}
}

// kindOf is an object's kind, with its group.
func kindOf(o map[string]any) string {
	group, _, found := strings.Cut(o["apiVersion"].(string), "/")
	if !found {
		return o["kind"].(string)
	}
	return o["kind"].(string) + "." + group
}
