package attack

import "github.com/coaming/coaming/internal/rbac"

var roleBind = Step{
	ID: "role-bind", Title: "Bind a role whose rights it does not have", Technique: "T1098.006",
	Needs: "an identity that may bind roles and write bindings",
	Gives: "the rights of the roles that it may bind: cluster-admin, or everything of the namespaces where it may write bindings",
	Why: "Who writes a binding must have the rights of its role, unless they have the verb bind on it: then they give cluster-admin to themselves. bind without the right to write a " +
		"binding does nothing, and that right without bind gives no more than one has.",
	Fix:    "Limit bind by resourceNames to the roles that are handed out, or take create, update and patch on bindings away.",
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		for _, r := range w.RightsTo("bind") {
			for _, g := range w.gains[r] {
				t := r.Taken(g.to)
				g.by.joins(&t)
				if t.Doubt == "" {
					t.Doubt, t.Elsewhere = g.doubt, g.elsewhere
				}
				take(t)
			}
		}
	},
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
