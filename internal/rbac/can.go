package rbac

import (
	"iter"
	"slices"
)

// Verdict is the answer to a question of rights.
type Verdict uint8

// The verdicts. Unknown is never Denied: something that was not seen may allow it.
const (
	Denied Verdict = iota
	Allowed
	Unknown
)

// String is the verdict's word, stable for machines.
func (v Verdict) String() string { return [...]string{"denied", "allowed", "unknown"}[v] }

// Chain is one way by which a right is given: the binding names the subject and gives the role, of
// which the rule allows it.
type Chain struct {
	Binding *Binding
	Subject *Subject
	Rule    Rule
	// Doubt says why the chain may not hold; "" for nearly all.
	Doubt string
}

// Answer is what is known of one question.
type Answer struct {
	Identity Identity
	Query    Query
	Verdict  Verdict
	// Chains are the ways by which it is allowed, those that hold before those in doubt.
	Chains []Chain
	// Bypass says why RBAC is not asked at all; "" for nearly all.
	Bypass string
	// Reasons say why the answer is unknown.
	Reasons []string
	// Within are the namespaces in which it is allowed, where everywhere was asked about and it is not
	// allowed everywhere; sorted.
	Within []string
}

// Decide is the verdict alone, found as fast as may be.
func (m *Model) Decide(id *Identity, q *Query) Verdict {
	if id.IsMaster() {
		return Allowed
	}
	for c := range m.chains(id, q, q.Namespace) {
		if c.Doubt == "" {
			return Allowed
		}
	}
	if len(m.unsure(id, q)) > 0 {
		return Unknown
	}
	return Denied
}

// Can answers whether somebody may do something, with every way by which it may.
func (m *Model) Can(id *Identity, q *Query) Answer {
	a := Answer{Identity: *id, Query: *q}
	if id.IsMaster() {
		a.Bypass = "the API server lets the group " + masters + " do anything, before RBAC is asked"
		a.Verdict = Allowed
	}
	for c := range m.chains(id, q, q.Namespace) {
		a.Chains = append(a.Chains, c)
		if c.Doubt == "" {
			a.Verdict = Allowed
		}
	}
	slices.SortStableFunc(a.Chains, func(a, b Chain) int { return boolInt(a.Doubt != "") - boolInt(b.Doubt != "") })
	if a.Verdict == Allowed {
		return a
	}
	if a.Reasons = m.unsure(id, q); len(a.Reasons) > 0 {
		a.Verdict = Unknown
	}
	m.elsewhere(&a)
	return a
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// chains yields the ways by which the query is allowed, what is bound everywhere first.
func (m *Model) chains(id *Identity, q *Query, namespace string) iter.Seq[Chain] {
	return func(yield func(Chain) bool) {
		for b, s := range m.given(id, q, namespace) {
			if b.Role == nil {
				continue
			}
			rules, doubts := m.RulesOf(b.Role)
			for i := range rules {
				if !rules[i].Allows(q) {
					continue
				}
				c := Chain{Binding: b, Subject: s, Rule: rules[i], Doubt: b.Doubt}
				if c.Doubt == "" && len(doubts) > 0 {
					c.Doubt = doubts[0]
				}
				if !yield(c) {
					return
				}
			}
		}
	}
}

// given yields the bindings that count for a query: those everywhere, and those of the namespace.
func (m *Model) given(id *Identity, q *Query, namespace string) iter.Seq2[*Binding, *Subject] {
	return func(yield func(*Binding, *Subject) bool) {
		x := m.bindings()
		for p := range id.principals() {
			for _, g := range x.by[p] {
				if !yield(g.binding, &g.binding.Subjects[g.subject]) {
					return
				}
			}
			if p.namespace = namespace; namespace == "" || q.Wide || q.URL != "" {
				continue
			}
			for _, g := range x.by[p] {
				if !yield(g.binding, &g.binding.Subjects[g.subject]) {
					return
				}
			}
		}
	}
}

// unsure says why something that was not seen, or is in doubt, may allow what nothing else allows.
func (m *Model) unsure(id *Identity, q *Query) []string {
	var reasons []string
	tell := func(reason string) {
		if reason != "" && !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	tell(m.gaps.Missed(ClusterRoleBindingKind, ""))
	if !q.Wide && q.URL == "" {
		tell(m.gaps.Missed(RoleBindingKind, q.Namespace))
	}
	for b := range m.given(id, q, q.Namespace) {
		tell(m.doubtOf(b, q))
	}
	for b := range m.givenSomewhere(id, q) {
		tell(m.doubtOf(b, q))
	}
	if id.IsNode() {
		tell("the Node authorizer decides about nodes beside RBAC, by the pods that run on the node; what it allows is not known here")
	}
	return reasons
}

// givenSomewhere yields the bindings of every namespace, where everywhere was asked about: what one of
// them may allow is part of the answer.
func (m *Model) givenSomewhere(id *Identity, q *Query) iter.Seq[*Binding] {
	return func(yield func(*Binding) bool) {
		if q.Namespace != "" || q.Wide || q.URL != "" {
			return
		}
		x := m.bindings()
		for p := range id.principals() {
			for _, namespace := range x.within[p] {
				for _, g := range x.by[principal{p.group, p.name, namespace}] {
					if !yield(g.binding) {
						return
					}
				}
			}
		}
	}
}

// doubtOf says why a binding may give more than what was read says; "" when it may not.
func (m *Model) doubtOf(b *Binding, q *Query) string {
	if b.Role == nil {
		return m.lost(b)
	}
	rules, doubts := m.RulesOf(b.Role)
	if len(doubts) > 0 {
		return doubts[0]
	}
	if b.Doubt != "" && slices.ContainsFunc(rules, func(r Rule) bool { return r.Allows(q) }) {
		return name(b.Object) + ": " + b.Doubt
	}
	return ""
}

// lost says why the role of a binding, which was not read, may be there nevertheless; "" where it is
// known not to be, so that the binding gives nothing.
func (m *Model) lost(b *Binding) string {
	if b.Doubt != "" {
		return name(b.Object) + ": " + b.Doubt
	}
	kind, namespace := ClusterRoleKind, ""
	if b.RoleKind == "Role" {
		kind, namespace = RoleKind, b.Namespace
	}
	if m.inventory.Live {
		if reason := m.gaps.Missed(kind, namespace); reason != "" {
			return name(b.Object) + " gives " + b.RoleKind + " " + b.RoleName + ", which was not read: " + reason
		}
		return ""
	}
	return name(b.Object) + " gives " + b.RoleKind + " " + b.RoleName + ", which is not in what was read"
}

// elsewhere lists the namespaces in which what is not allowed everywhere is allowed.
func (m *Model) elsewhere(a *Answer) {
	q := &a.Query
	if q.Namespace != "" || q.Wide || q.URL != "" {
		return
	}
	x := m.bindings()
	for p := range a.Identity.principals() {
		for _, namespace := range x.within[p] {
			if slices.Contains(a.Within, namespace) {
				continue
			}
			within := *q
			within.Namespace = namespace
			for c := range m.chains(&a.Identity, &within, namespace) {
				if c.Doubt == "" && c.Binding.Namespace != "" {
					a.Within = append(a.Within, namespace)
					break
				}
			}
		}
	}
	slices.Sort(a.Within)
}
