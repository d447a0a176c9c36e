package attack

import (
	"slices"

	"github.com/coaming/coaming/internal/rbac"
)

// chain is how an identity came to one right that a step takes beside another one.
type chain struct {
	query *rbac.Query
	all   []rbac.Chain
	who   Node
	// gained is the evidence of a right that the identity gives itself; all is empty then.
	gained *Evidence
}

// may says whether an identity may do something, by which chain, or why that is not known.
func (w *World) may(id *rbac.Identity, q *rbac.Query) (c *chain, doubt string, may bool) {
	a := w.Rights.Can(id, q)
	c = &chain{query: q, all: a.Chains}
	if len(a.Chains) > 0 {
		c.who = HolderOf(a.Chains[0].Subject)
	}
	switch {
	case a.Verdict == rbac.Denied:
		return nil, "", false
	case a.Verdict == rbac.Unknown && len(a.Chains) > 0:
		return c, a.Chains[0].Doubt, true
	case a.Verdict == rbac.Unknown:
		return nil, "", false // nothing was seen that would allow it
	}
	return c, "", true
}

// joins adds the right to a step that needs it, too: as evidence, and as something that ends the step
// where there is no other way to it.
func (c *chain) joins(t *Taken) {
	if c != nil && c.gained != nil {
		t.Evidence = append(t.Evidence, *c.gained)
	}
	if c == nil || len(c.all) == 0 {
		return
	}
	first := &c.all[0]
	t.Evidence = append(t.Evidence,
		Evidence{first.Binding.Object, first.Subject.Value, title(first.Binding.Object) + " gives " + c.who.Title() + " the " + first.Binding.RoleKind + " " + first.Binding.RoleName},
		Evidence{first.Rule.Object, first.Rule.Value, first.Binding.RoleKind + " " + first.Binding.RoleName + " allows " + c.query.Verb + " on " + c.query.What()},
	)
	for i := range c.all {
		if c.all[i].Binding != first.Binding {
			return
		}
	}
	for _, change := range unbinding(first.Binding, first.Subject, c.who) {
		if !slices.ContainsFunc(t.Changes, func(known Change) bool { return known.Key() == change.Key() }) {
			t.Changes = append(t.Changes, change)
		}
	}
}

// holder is who a right's binding names; nobody where there is none.
func (r *Right) holder() *rbac.Identity {
	if r.Subject == nil {
		return &rbac.Identity{}
	}
	id := r.Subject.Identity()
	return &id
}

// question is one to one whom bindings name.
type question struct {
	kind, namespace, name string
	query                 rbac.Query
}

// permission is its answer.
type permission struct {
	chain *chain
	doubt string
	may   bool
}

// mayAlso is may of whoever has a right, with what they give themselves beside it.
func (w *World) mayAlso(r *Right, q rbac.Query) (c *chain, doubt string, may bool) {
	if r.Subject != nil {
		c, doubt, may = w.mayAsked(r, q)
	}
	if r.Gained == nil || may && doubt == "" {
		return c, doubt, may
	}
	if rule, allows := r.Gained.allows(&q); allows {
		e := r.Gained.evidence(rule, q.Verb+" on "+q.What())
		return &chain{query: &q, gained: &e}, "", true
	}
	return c, doubt, may
}

// mayAsked is may of a right's holder. It is asked alike for every right that a subject has, and once.
func (w *World) mayAsked(r *Right, q rbac.Query) (c *chain, doubt string, may bool) {
	key := question{r.Subject.Kind, r.Subject.Namespace, r.Subject.Name, q}
	known, asked := w.permissions[key]
	if !asked {
		known.chain, known.doubt, known.may = w.may(r.holder(), &q)
		if w.permissions == nil {
			w.permissions = map[question]permission{}
		}
		w.permissions[key] = known
	}
	return known.chain, known.doubt, known.may
}
