package attack

import (
	"cmp"

	"github.com/coaming/coaming/internal/rbac"
)

var roleEscalate = Step{
	ID: "role-escalate", Title: "Write more rights into a role that one has", Technique: "T1098.006",
	Needs: "an identity that may escalate, and update or patch, a role that is bound to it, or create one that such a role draws its rules from",
	Gives: "cluster-admin, or everything of the namespace where the role is bound",
	Why: "Who writes a role must have the rights that it gives, unless they have the verb escalate on it: then they write every right into a role of their own, or into a new one with the labels by which theirs draws rules from others (aggregation). " +
		"escalate without update or patch does nothing, and so it is with a role that nobody binds.",
	Fix:    "Remove escalate; what installs roles may have their rights instead, or be run by people.",
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		for _, r := range w.RightsTo("escalate") {
			bindings, subjects := w.Rights.BindingsOf(r.holder())
			for i, b := range bindings {
				from := Evidence{b.Object, subjects[i].Value, title(b.Object) + " gives " + r.Who.Title() + " the " + b.RoleKind + " " + b.RoleName}
				if b.Role != nil {
					w.escalates(r, &bound{kind: b.RoleKind, name: b.RoleName, namespace: b.Namespace, role: b.Role, doubt: b.Doubt, evidence: &from}, take)
				}
			}
			if g := r.Gained; g != nil && g.Kind != "" {
				w.escalates(r, &bound{kind: g.Kind, name: g.Name, namespace: g.Namespace, everyNamespace: g.Namespace == "" && !g.Wide}, take)
			}
		}
	},
}

// bound is a role that whoever may escalate has, and where.
type bound struct {
	kind, name, namespace string
	role                  *rbac.Role // nil of one that they bound themselves
	doubt                 string
	evidence              *Evidence
	// everyNamespace is set where it is bound in each, and not for the whole cluster.
	everyNamespace bool
}

// widened is what a binding gives whose role allows everything.
func (b *bound) widened() Node {
	if b.namespace == "" && !b.everyNamespace {
		return Node{Kind: ClusterAdmin}
	}
	return Everything(b.namespace)
}

// escalates takes the step by one role: it is written itself, or, where it draws its rules from others by
// their labels, another one with such labels is.
func (w *World) escalates(r *Right, b *bound, take func(Taken)) {
	resource, namespace := "clusterroles", ""
	if b.kind == "Role" {
		resource, namespace = "roles", b.namespace
	}
	if !r.Rule.HasResource(resource) || r.Namespace != "" && r.Namespace != namespace {
		return
	}
	names := []string{b.name}
	verbs := []string{"update", "patch"}
	if b.role != nil && b.role.Object.Root.At("aggregationRule", "clusterRoleSelectors").Len() > 0 {
		if names = append(names, r.Names()...); len(r.Names()) == 0 {
			verbs = append(verbs, "create")
		}
	}
	for _, name := range names {
		for _, verb := range verbs {
			q := rbac.Query{Verb: verb, Group: rbacGroup, Resource: resource, Name: name, Namespace: namespace, Wide: resource == "clusterroles"}
			if verb == "create" {
				q.Name = ""
			}
			if !r.Rule.HasName(q.Name) {
				continue
			}
			c, doubt, may := w.mayAlso(r, q)
			if !may {
				continue
			}
			t := r.Taken(b.widened())
			if b.evidence != nil {
				t.Evidence = append(t.Evidence, *b.evidence)
			}
			c.joins(&t)
			t.Doubt = cmp.Or(t.Doubt, doubt, b.doubt)
			take(t)
			return
		}
	}
}
