package rbac

import (
	"cmp"
	"slices"

	"github.com/coaming/coaming/internal/fact"
)

// Profile is all that is known of one identity.
type Profile struct {
	Identity Identity
	// Object is the service account; nil where none was read.
	Object *fact.Object
	Grants []Grant
	// Workloads run as the service account.
	Workloads []*fact.Workload
	Links     []Link
	// Unused says why all of its grants can go; "" where something uses them, or nothing is known of it.
	Unused string
	Bypass string
	// Reasons say why there may be more.
	Reasons []string
}

// Grant is what one binding gives.
type Grant struct {
	Binding *Binding
	Subject *Subject
	Rules   []Rule
	// Dangers are what of the rules gives more than it says; each rule's by its index.
	Dangers map[int][]*Danger
	// Nothing says why it gives nothing: the role is not there, or has no rules.
	Nothing string
	// Doubt says why it may give something else.
	Doubt string
	// Within is another grant that gives all of it, as far or further; nil for none.
	Within *Binding
}

// Profile tells all that was read of an identity.
func (m *Model) Profile(id Identity) Profile {
	p := Profile{Identity: id}
	if id.IsMaster() {
		p.Bypass = "the API server lets the group " + masters + " do anything, before RBAC is asked"
	}
	bindings, subjects := m.BindingsOf(&id)
	for i, b := range bindings {
		p.Grants = append(p.Grants, m.grant(b, subjects[i]))
	}
	findWithin(p.Grants)
	for _, kind := range []string{ClusterRoleBindingKind, RoleBindingKind} {
		if reason := m.gaps.Missed(kind, ""); reason != "" {
			p.Reasons = append(p.Reasons, reason)
		}
	}
	if id.IsNode() {
		p.Reasons = append(p.Reasons, "the Node authorizer lets nodes do more than RBAC does, by the pods that run on them")
	}
	if id.Account != "" {
		p.Object = m.inventory.Find("ServiceAccount", id.Namespace, id.Account)
		p.Workloads = m.WorkloadsOf(id.Namespace, id.Account)
		p.Unused = m.unused(&p)
	}
	for _, l := range m.Links() {
		if l.Identity.String() == id.String() {
			p.Links = append(p.Links, l)
		}
	}
	return p
}

// WorkloadsOf is the workloads that run as a service account.
func (m *Model) WorkloadsOf(namespace, name string) []*fact.Workload {
	return m.running()[accountName(fact.Place(namespace), name)]
}

func (m *Model) indexRunning() map[string][]*fact.Workload {
	index := map[string][]*fact.Workload{}
	for _, w := range m.inventory.Workloads {
		key := accountName(fact.Place(w.Object.Namespace), w.ServiceAccount())
		index[key] = append(index[key], w)
	}
	return index
}

// unused says why a service account has no use; "" where it may have one.
func (m *Model) unused(p *Profile) string {
	id := &p.Identity
	if len(p.Workloads) > 0 || !slices.ContainsFunc(p.Grants, func(g Grant) bool { return g.own() }) {
		return ""
	}
	for _, kind := range fact.PodKinds() {
		if m.gaps.Missed(kind, id.Namespace) != "" {
			return ""
		}
	}
	if p.Object == nil && m.gaps.Missed("ServiceAccount", id.Namespace) == "" {
		return "there is no such service account in what was read, and nothing that runs as it"
	}
	return "nothing that was read runs as it; somebody outside may still hold a token of it"
}

// own says whether the grant names the identity itself and no group of it.
func (g *Grant) own() bool { return g.Subject.Kind != GroupKind && !g.Binding.Shipped }

func (m *Model) grant(b *Binding, s *Subject) Grant {
	g := Grant{Binding: b, Subject: s, Doubt: b.Doubt, Dangers: map[int][]*Danger{}}
	if b.Role == nil {
		g.Doubt = m.lost(b)
		if g.Doubt == "" {
			g.Nothing = b.RoleKind + " " + b.RoleName + " does not exist"
		}
		return g
	}
	rules, doubts := m.RulesOf(b.Role)
	g.Rules = rules
	if len(doubts) > 0 {
		g.Doubt = cmp.Or(g.Doubt, doubts[0])
	}
	useful := false
	for i, r := range rules {
		if found := DangersOf(r, b.Namespace); len(found) > 0 {
			g.Dangers[i] = found
		}
		useful = useful || !r.Empty() && (b.Namespace == "" || r.Value.Get("resources").Len() > 0)
	}
	if !useful && g.Doubt == "" {
		g.Nothing = b.RoleKind + " " + b.RoleName + " has no rules that give anything there"
	}
	return g
}

// mostCompared bounds the rules of an identity whose grants are compared with each other.
const mostCompared = 2000

// findWithin marks the grants that another one makes superfluous, of two that are equal the later.
func findWithin(grants []Grant) {
	total := 0
	for i := range grants {
		total += len(grants[i].Rules)
	}
	if total > mostCompared {
		return
	}
	for i := range slices.Backward(grants) {
		for k := range grants {
			if g, other := &grants[i], &grants[k]; i != k && other.Within == nil && g.gives() && other.gives() && g.coveredBy(other) {
				g.Within = other.Binding
				break
			}
		}
	}
}

func (g *Grant) gives() bool { return g.Nothing == "" && g.Doubt == "" && len(g.Rules) > 0 }

func (g *Grant) coveredBy(other *Grant) bool {
	if other.Binding.Namespace != "" && other.Binding.Namespace != g.Binding.Namespace {
		return false
	}
	for _, r := range g.Rules {
		if !slices.ContainsFunc(other.Rules, func(o Rule) bool { return o.Covers(r) }) {
			return false
		}
	}
	return true
}
