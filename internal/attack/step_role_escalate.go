package attack

import (
	"cmp"

	"github.com/coaming/coaming/internal/rbac"
)

var roleEscalate = Step{
	ID: "role-escalate", Title: "Write more rights into a role that one has", Technique: "T1098.006",
	Needs: "an identity that may escalate, and update or patch, a role that is bound to it",
	Gives: "cluster-admin, or everything of the namespace where the role is bound",
	Why: "Who writes a role must have the rights that it gives, unless they have the verb escalate on it: then they write every right into a role of their own. " +
		"escalate without update or patch does nothing, and so it is with a role that nobody binds.",
	Fix:    "Remove escalate; what installs roles may have their rights instead, or be run by people.",
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		for _, r := range w.RightsTo("escalate") {
			bindings, subjects := w.Rights.BindingsOf(r.holder())
			for i, b := range bindings {
				if t, may := w.escalates(r, b, subjects[i]); may {
					for _, to := range widened(b) {
						each := t
						each.To = to
						take(each)
					}
				}
			}
		}
	},
}

// widened is what a binding gives whose role allows everything.
func widened(b *rbac.Binding) []Node {
	if b.Namespace == "" {
		return []Node{{Kind: ClusterAdmin}}
	}
	return everythingIn(b.Namespace)
}

// escalates is the step by the role of a binding, without its end.
func (w *World) escalates(r *Right, b *rbac.Binding, s *rbac.Subject) (t Taken, may bool) {
	resource, namespace := "clusterroles", ""
	if b.RoleKind == "Role" {
		resource, namespace = "roles", b.Namespace
	}
	covers := r.Rule.HasResource(resource) && r.Rule.HasName(b.RoleName) && (r.Namespace == "" || r.Namespace == namespace)
	if !covers || b.Role == nil {
		return t, false
	}
	for _, verb := range []string{"update", "patch"} {
		q := rbac.Query{Verb: verb, Group: rbacGroup, Resource: resource, Name: b.RoleName, Namespace: namespace, Wide: resource == "clusterroles"}
		c, doubt, may := w.mayAlso(r, q)
		if !may {
			continue
		}
		t = r.Taken(Node{})
		t.Evidence = append(t.Evidence, Evidence{b.Object, s.Value, title(b.Object) + " gives " + r.Who.Title() + " the " + b.RoleKind + " " + b.RoleName})
		c.joins(&t)
		t.Doubt = cmp.Or(t.Doubt, doubt, b.Doubt)
		return t, true
	}
	return t, false
}
