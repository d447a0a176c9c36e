package rbac

import (
	"cmp"
	"slices"
)

// Holder is one who may do what was asked, and by which ways.
type Holder struct {
	Subject Subject
	// Everywhere is set when it may in all namespaces (and of what belongs to none); else Namespaces
	// are those in which it may.
	Everywhere bool
	Namespaces []string
	Chains     []Chain
}

// Holders are all who may do something.
type Holders struct {
	Query Query
	// Holders are users, groups and service accounts as bindings name them, by kind and name. The group
	// system:masters, which may do anything without a binding, is not among them.
	Holders []Holder
	// Perhaps are those of whom it is not known.
	Perhaps []Holder
	// Reasons say why there may be more.
	Reasons []string
}

// action is what rules are found by.
type action struct{ verb, group, resource string }

// placed is a rule and the role that it is in effect in.
type placed struct {
	role *Role
	rule Rule
}

type actionIndex struct {
	by      map[action][]placed
	broad   []placed // rules of very many combinations, which are always looked at
	urls    []placed
	doubted []*Role
}

// broadRule is how many combinations of verbs, groups and resources a rule may have to be indexed by each.
const broadRule = 256

func (m *Model) indexActions() *actionIndex {
	x := &actionIndex{by: map[action][]placed{}}
	for _, role := range m.bound() {
		rules, doubts := m.RulesOf(role)
		if len(doubts) > 0 {
			x.doubted = append(x.doubted, role)
		}
		for _, r := range rules {
			x.add(placed{role, r})
		}
	}
	return x
}

// bound is the roles that a binding gives, each once.
func (m *Model) bound() []*Role {
	x := m.bindings()
	roles := make([]*Role, 0, len(x.ofRole))
	seen := make(map[*Role]bool, len(x.ofRole))
	for _, b := range x.all {
		if b.Role != nil && !seen[b.Role] {
			seen[b.Role] = true
			roles = append(roles, b.Role)
		}
	}
	return roles
}

func (x *actionIndex) add(p placed) {
	if p.rule.Value.Get("nonResourceURLs").Len() > 0 {
		x.urls = append(x.urls, p)
	}
	verbs, groups, resources := p.rule.Value.Get("verbs").Len(), p.rule.Value.Get("apiGroups").Len(), p.rule.Value.Get("resources").Len()
	if verbs*groups*resources > broadRule {
		x.broad = append(x.broad, p)
		return
	}
	for _, verb := range p.rule.Texts("verbs") {
		for _, group := range p.rule.Texts("apiGroups") {
			for _, resource := range p.rule.Texts("resources") {
				key := action{verb, group, resource}
				x.by[key] = append(x.by[key], p)
			}
		}
	}
}

// find yields the rules that allow what is asked, each once.
func (x *actionIndex) find(q *Query, found func(placed)) {
	if q.URL != "" {
		for _, p := range x.urls {
			if p.rule.Allows(q) {
				found(p)
			}
		}
		return
	}
	resources := []string{q.combined(), "*"}
	if q.Subresource != "" {
		resources = append(resources, "*/"+q.Subresource)
	}
	seen := map[placed]bool{}
	look := func(list []placed) {
		for _, p := range list {
			if p.rule.Allows(q) && !seen[p] {
				seen[p] = true
				found(p)
			}
		}
	}
	for _, verb := range []string{q.Verb, "*"} {
		for _, group := range []string{q.Group, "*"} {
			for _, resource := range resources {
				look(x.by[action{verb, group, resource}])
			}
		}
	}
	look(x.broad)
}

// WhoCan answers who may do something: everywhere, in the query's namespace, or, where it names none,
// in any.
func (m *Model) WhoCan(q *Query) Holders {
	h := gathering{query: q, holders: map[principal]*Holder{}, perhaps: map[principal]*Holder{}}
	x := m.bindings()
	m.actions().find(q, func(p placed) {
		_, doubts := m.RulesOf(p.role)
		for _, b := range x.ofRole[p.role] {
			doubt := b.Doubt
			if doubt == "" && len(doubts) > 0 {
				doubt = doubts[0]
			}
			h.add(b, p.rule, doubt)
		}
	})
	for _, role := range m.actions().doubted {
		_, doubts := m.RulesOf(role)
		for _, b := range x.ofRole[role] {
			h.add(b, Rule{}, doubts[0])
		}
	}
	for _, b := range x.lost {
		if doubt := m.lost(b); doubt != "" {
			h.add(b, Rule{}, doubt)
		}
	}
	answer := Holders{Query: *q, Holders: h.list(h.holders)}
	for key := range h.holders {
		if held := h.holders[key]; held.Everywhere || q.Namespace != "" {
			delete(h.perhaps, key)
		}
	}
	answer.Perhaps = h.list(h.perhaps)
	for _, kind := range []string{ClusterRoleBindingKind, RoleBindingKind} {
		if reason := m.gaps.Missed(kind, q.Namespace); reason != "" && (kind == ClusterRoleBindingKind || !q.Wide && q.URL == "") {
			answer.Reasons = append(answer.Reasons, reason)
		}
	}
	return answer
}

// gathering collects holders.
type gathering struct {
	query            *Query
	holders, perhaps map[principal]*Holder
}

func (h *gathering) add(b *Binding, rule Rule, doubt string) {
	q := h.query
	if b.Namespace != "" && (q.Wide || q.URL != "" || q.Namespace != "" && q.Namespace != b.Namespace) {
		return
	}
	into := h.holders
	if doubt != "" {
		into = h.perhaps
	}
	for i := range b.Subjects {
		key, ok := b.Subjects[i].principal()
		if !ok || key == (principal{group: true, name: masters}) {
			continue
		}
		held := into[key]
		if held == nil {
			held = &Holder{Subject: b.Subjects[i]}
			into[key] = held
		}
		held.Chains = append(held.Chains, Chain{Binding: b, Subject: &b.Subjects[i], Rule: rule, Doubt: doubt})
		if b.Namespace == "" {
			held.Everywhere = true
		} else if !slices.Contains(held.Namespaces, b.Namespace) {
			held.Namespaces = append(held.Namespaces, b.Namespace)
		}
	}
}

func (h *gathering) list(set map[principal]*Holder) []Holder {
	list := make([]Holder, 0, len(set))
	for _, held := range set {
		if held.Everywhere {
			held.Namespaces = nil
		}
		slices.Sort(held.Namespaces)
		list = append(list, *held)
	}
	slices.SortFunc(list, func(a, b Holder) int {
		return cmp.Or(cmp.Compare(a.Subject.Kind, b.Subject.Kind), cmp.Compare(a.Subject.Namespace, b.Subject.Namespace),
			cmp.Compare(a.Subject.Name, b.Subject.Name))
	})
	return list
}
