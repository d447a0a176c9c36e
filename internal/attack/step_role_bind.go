package attack

import (
	"cmp"
	"slices"

	"github.com/coaming/coaming/internal/rbac"
)

var roleBind = Step{
	ID: "role-bind", Title: "Bind a role whose rights it does not have", Technique: "T1098.006",
	Needs: "an identity that may bind roles and write bindings",
	Gives: "cluster-admin, or everything of the namespaces where it may write bindings",
	Why: "Who writes a binding must have the rights of its role, unless they have the verb bind on it: then they give cluster-admin to themselves. bind without the right to write a " +
		"binding does nothing, and that right without bind gives no more than one has.",
	Fix:    "Limit bind by resourceNames to the roles that are handed out, or take create, update and patch on bindings away.",
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		for _, r := range w.RightsTo("bind") {
			if r.Namespace == "" {
				w.bindsEverywhere(r, take)
			}
			w.bindsWithin(r, take)
		}
	},
}

// bindsEverywhere takes the step where cluster roles may be bound for the whole cluster.
func (w *World) bindsEverywhere(r *Right, take func(Taken)) {
	if !r.Rule.HasResource("clusterroles") {
		return
	}
	c, doubt, may := w.writesBindings(r, "clusterrolebindings", "")
	if !may {
		return
	}
	for _, to := range w.given(r, "") {
		t := r.Taken(to)
		c.joins(&t)
		t.Doubt = cmp.Or(t.Doubt, doubt)
		take(t)
	}
}

// bindsWithin takes the step in each namespace where the holder may write role bindings.
func (w *World) bindsWithin(r *Right, take func(Taken)) {
	spaces := []string{r.Namespace}
	if r.Namespace == "" {
		a := w.Rights.Can(r.holder(), &rbac.Query{Verb: "create", Group: rbacGroup, Resource: "rolebindings"})
		if a.Verdict != rbac.Allowed {
			spaces = a.Within
		}
	}
	for _, namespace := range spaces {
		c, doubt, may := w.writesBindings(r, "rolebindings", namespace)
		if !may {
			continue
		}
		for _, to := range w.given(r, namespace) {
			if to.Kind == ClusterAdmin {
				continue // which a binding in a namespace does not give
			}
			t := r.Taken(to)
			c.joins(&t)
			t.Doubt = cmp.Or(t.Doubt, doubt)
			take(t)
		}
	}
}

const rbacGroup = "rbac.authorization.k8s.io"

// writesBindings says by which chain the holder of a right may write a binding that names itself.
func (w *World) writesBindings(r *Right, resource, namespace string) (c *chain, doubt string, may bool) {
	for _, verb := range []string{"create", "update", "patch"} {
		q := rbac.Query{Verb: verb, Group: rbacGroup, Resource: resource, Namespace: namespace, Wide: resource == "clusterrolebindings"}
		if c, doubt, may := w.mayAlso(r, q); may {
			return c, doubt, true
		}
	}
	return nil, "", false
}

// given are the nodes that binding any of the roles of a right gives, in a namespace or everywhere.
func (w *World) given(r *Right, namespace string) []Node {
	names := r.Names()
	if len(names) == 0 {
		return append([]Node{{Kind: ClusterAdmin}}, everythingIn(namespace)...)
	}
	var list []Node
	for _, name := range names {
		for _, role := range []*rbac.Role{w.Rights.ClusterRole(name), w.Rights.Role(namespace, name)} {
			if role == nil {
				continue
			}
			rules, _ := w.Rights.RulesOf(role)
			for _, n := range opens(rules, namespace) {
				if !slices.Contains(list, n) {
					list = append(list, n)
				}
			}
		}
	}
	return list
}

// everythingIn is all that rights in a namespace, or everywhere, can lead to.
func everythingIn(namespace string) []Node {
	return []Node{PodsIn(namespace), SecretsIn(namespace), AccountsIn(namespace)}
}

// opens are the nodes that rules lead to where they are given, by the dangers that they hold.
func opens(rules []rbac.Rule, namespace string) []Node {
	var list []Node
	add := func(nodes ...Node) {
		for _, n := range nodes {
			if !slices.Contains(list, n) {
				list = append(list, n)
			}
		}
	}
	for _, found := range dangersOf(rules, namespace) {
		if found.rule.Named() {
			continue
		}
		for _, d := range found.dangers {
			switch d.ID {
			case "everything":
				if namespace == "" {
					add(Node{Kind: ClusterAdmin})
				}
				add(everythingIn(namespace)...)
			case "run-pods":
				add(SecretsIn(namespace), AccountsIn(namespace))
			case "exec", "debug", "change-pods", "kubelet":
				add(PodsIn(namespace))
			case "read-secrets":
				add(SecretsIn(namespace))
			case "token-request":
				add(AccountsIn(namespace))
			}
		}
	}
	return list
}
