package attack

import (
	"fmt"
	"strings"
	"testing"
)

// exposed is a few workloads on the internet, each with an account of its name.
func exposed(names ...string) string {
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, namespace: shop}
spec:
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec: {serviceAccountName: %[1]s, containers: [{name: app, image: app, ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: %[1]s, namespace: shop}
spec: {type: LoadBalancer, selector: {app: %[1]s}, ports: [{port: 80, targetPort: 8080}]}
`, name)
	}
	return b.String()
}

// boundTo binds a cluster role to accounts.
func boundTo(name, role string, accounts ...string) string {
	var text strings.Builder
	text.WriteString("---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: " + name +
		"}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: " + role + "}\nsubjects:\n")
	for _, a := range accounts {
		text.WriteString("  - {kind: ServiceAccount, namespace: shop, name: " + a + "}\n")
	}
	return text.String()
}

func clusterRole(name, rest string) string {
	return "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: " + name + "}\n" + rest + "\n"
}

const impersonates = `{apiGroups: [""], resources: [users, groups], verbs: [impersonate]}`

// TestCutsOfRights are the fewest changes of rights, and of as few those that break least.
func TestCutsOfRights(t *testing.T) {
	three := boundTo("a", "tok", "a") + boundTo("b", "tok", "b") + boundTo("c", "tok", "c")
	for name, test := range map[string]struct{ text, want string }{
		"one subject": {
			exposed("a") + boundTo("a", "tok", "a", "z") + clusterRole("tok", "rules: ["+impersonates+"]"),
			"Take ServiceAccount shop/a out of ClusterRoleBinding a",
		},
		"the rule of three bindings": {
			exposed("a", "b", "c") + three + clusterRole("tok", "rules: ["+impersonates+"]"),
			"Take the rule for impersonate on users, groups out of ClusterRole tok",
		},
		"a part of the rule of three bindings": {
			exposed("a", "b", "c") + three + clusterRole("tok", `rules: [{apiGroups: [""], resources: [pods, users, groups], verbs: [impersonate, get]}]`),
			"Take users, groups out of a rule of ClusterRole tok",
		},
		"verbs of the rule of three bindings": {
			exposed("a", "b", "c") + three + clusterRole("tok", `rules: [{apiGroups: [""], resources: [users, groups], verbs: [impersonate, get]}]`),
			"Take impersonate out of a rule of ClusterRole tok",
		},
		"a role of Kubernetes, three subjects": {
			exposed("a", "b", "c") + boundTo("adm", "cluster-admin", "a", "b", "c") + clusterRole("cluster-admin", `rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]`),
			"Take every subject out of ClusterRoleBinding adm",
		},
		"a role of Kubernetes, three bindings": {
			exposed("a", "b") + boundTo("a", "cluster-admin", "a") + boundTo("b", "cluster-admin", "b") + clusterRole("cluster-admin", `rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]`),
			"Take ServiceAccount shop/a out of ClusterRoleBinding a; Take ServiceAccount shop/b out of ClusterRoleBinding b",
		},
		"an aggregated role, its rule where it is written": {
			exposed("a", "b", "c") + three + clusterRole("tok", "aggregationRule: {clusterRoleSelectors: [{matchLabels: {tok: 'yes'}}]}") +
				strings.Replace(clusterRole("part", "rules: ["+impersonates+"]"), "{name: part}", "{name: part, labels: {tok: 'yes'}}", 1),
			"Take the rule for impersonate on users, groups out of ClusterRole part",
		},
		"an aggregated role that has its rule twice": {
			exposed("a", "b") + boundTo("a", "tok", "a") + boundTo("b", "tok", "b") + clusterRole("tok", "aggregationRule: {clusterRoleSelectors: [{matchLabels: {tok: 'yes'}}]}") +
				strings.Replace(clusterRole("part", "rules: ["+impersonates+"]"), "{name: part}", "{name: part, labels: {tok: 'yes'}}", 1) +
				strings.Replace(clusterRole("peer", "rules: ["+impersonates+"]"), "{name: peer}", "{name: peer, labels: {tok: 'yes'}}", 1),
			"Take ServiceAccount shop/a out of ClusterRoleBinding a; Take ServiceAccount shop/b out of ClusterRoleBinding b",
		},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"all.yaml": test.text}
			proveCut(t, files, []Kind{Internet}, []Kind{ClusterAdmin})
			g := New(worldIn(t, t.TempDir(), files), Steps())
			cut := g.Cut(g.OfKind(Internet), g.OfKind(ClusterAdmin), nil)
			if got := titles(cut); got != test.want || !cut.Proved() {
				t.Errorf("the cut is %q (proved: %v), want %q", got, cut.Proved(), test.want)
			}
			for i := range g.Edges {
				if n := len(g.Edges[i].Changes); n > 6 {
					t.Errorf("a step has %d changes", n)
				}
			}
		})
	}
}
