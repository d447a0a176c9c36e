package rbac

import (
	"slices"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// Binding gives a role to subjects.
type Binding struct {
	// Object is the RoleBinding or ClusterRoleBinding, or what else gives: an access entry of a cloud.
	Object *fact.Object
	// Namespace is where the role is given; "" is everywhere.
	Namespace string
	// RoleKind and RoleName are the role's; Role is nil where it was not read, and is no more than a name.
	RoleKind, RoleName string
	Role               *Role
	Subjects           []Subject
	// Shipped is set of those that come with Kubernetes and are not in what was read.
	Shipped bool
	// Stock is set of those that come with Kubernetes and give no more than it ships, read or not.
	Stock bool
	// Doubt says why it may give nothing, or something else; "" for nearly all.
	Doubt string
}

// Subject is one that a binding names.
type Subject struct {
	Kind, Namespace, Name string // the namespace of a service account filled in
	Value                 document.Value
}

// The kinds of subjects.
const (
	UserKind    = "User"
	GroupKind   = "Group"
	AccountKind = "ServiceAccount"
)

// principal is what bindings are found by: a user's or a group's name, and the namespace where the
// binding gives. A service account is found by its user name.
type principal struct {
	group           bool
	name, namespace string
}

// given is a binding with the subject that it was found by.
type given struct {
	binding *Binding
	subject int
}

type bindingIndex struct {
	all    []*Binding
	by     map[principal][]given
	within map[principal][]string    // by principal without a namespace: the namespaces with bindings
	ofRole map[*Role][]*Binding      // those that give a role
	object map[*fact.Object]*Binding // by what they were made of
	lost   []*Binding                // their role was not read
}

func (m *Model) indexBindings() *bindingIndex {
	x := &bindingIndex{by: map[principal][]given{}, within: map[principal][]string{}, ofRole: map[*Role][]*Binding{}, object: map[*fact.Object]*Binding{}}
	for _, kind := range []string{ClusterRoleBindingKind, RoleBindingKind} {
		for _, o := range m.inventory.OfKind(kind) {
			x.add(m.binding(o, false))
		}
	}
	for _, o := range m.shipped {
		if (o.Kind == "ClusterRoleBinding" || o.Kind == "RoleBinding") && m.inventory.Find(o.GroupKind(), o.Namespace, o.Name) == nil {
			x.add(m.binding(o, true))
		}
	}
	for i := range m.cloud.entries {
		for _, b := range m.cloud.entries[i].bindings() {
			b.Role = m.ClusterRole(b.RoleName)
			x.add(b)
		}
	}
	return x
}

func (x *bindingIndex) add(b *Binding) {
	x.all = append(x.all, b)
	x.object[b.Object] = b
	if b.Role != nil {
		x.ofRole[b.Role] = append(x.ofRole[b.Role], b)
	} else {
		x.lost = append(x.lost, b)
	}
	for i := range b.Subjects {
		key, ok := b.Subjects[i].principal()
		if !ok {
			continue
		}
		key.namespace = b.Namespace
		list := x.by[key]
		if len(list) > 0 && list[len(list)-1].binding == b {
			continue // it names the subject twice
		}
		if len(list) == 0 && b.Namespace != "" {
			anywhere := principal{group: key.group, name: key.name}
			x.within[anywhere] = append(x.within[anywhere], b.Namespace)
		}
		x.by[key] = append(list, given{b, i})
	}
}

// principal is what a subject is found by; ok is false for one that is nobody.
func (s *Subject) principal() (key principal, ok bool) {
	switch s.Kind {
	case UserKind:
		return principal{name: s.Name}, true
	case GroupKind:
		return principal{group: true, name: s.Name}, true
	case AccountKind:
		return principal{name: accountName(s.Namespace, s.Name)}, s.Namespace != ""
	}
	return principal{}, false
}

// Identity is who the subject is by itself.
func (s *Subject) Identity() Identity {
	switch s.Kind {
	case GroupKind:
		return Group(s.Name)
	case AccountKind:
		return Account(s.Namespace, s.Name)
	}
	return User(s.Name)
}

// binding reads one object.
func (m *Model) binding(o *fact.Object, shipped bool) *Binding {
	b := &Binding{Object: o, Shipped: shipped, Doubt: o.Doubt}
	if o.Kind == "RoleBinding" {
		b.Namespace = fact.Place(o.Namespace)
	}
	ref := o.Root.Get("roleRef")
	b.RoleKind, b.RoleName = ref.Get("kind").Str(), ref.Get("name").Str()
	switch b.RoleKind {
	case "ClusterRole":
		b.Role = m.ClusterRole(b.RoleName)
	case "Role":
		if b.Namespace != "" {
			b.Role = m.Role(b.Namespace, b.RoleName)
		}
	}
	b.Subjects = SubjectsOf(o)
	for i := range b.Subjects {
		if s := &b.Subjects[i]; s.Kind == AccountKind && s.Namespace == "" {
			s.Namespace = b.Namespace
		}
	}
	if flaw := b.flaw(); flaw != "" && b.Doubt == "" {
		b.Doubt = flaw
	}
	b.Stock = shipped || m.isStock(b)
	return b
}

// SubjectsOf is a binding's subjects. The namespace of a service account is the binding's where it names
// none (k8s.io/kubernetes pkg/registry/rbac/validation).
func SubjectsOf(binding *fact.Object) []Subject {
	list := binding.Root.Get("subjects")
	subjects := make([]Subject, 0, list.Len())
	for _, v := range list.Items() {
		s := Subject{Kind: v.Get("kind").Str(), Namespace: v.Get("namespace").Str(), Name: v.Get("name").Str(), Value: v}
		if s.Kind == AccountKind && s.Namespace == "" {
			s.Namespace = binding.Namespace
		}
		subjects = append(subjects, s)
	}
	return subjects
}

// flaw says why the API server would refuse the binding (k8s.io/kubernetes pkg/apis/rbac/validation),
// so that nobody can say what is meant; "" for nearly all.
func (b *Binding) flaw() string {
	ref := b.Object.Root.Get("roleRef")
	switch group := ref.Get("apiGroup"); {
	case b.RoleKind != "Role" && b.RoleKind != "ClusterRole":
		return "its roleRef is of kind " + quoted(b.RoleKind) + ", which the API server refuses"
	case b.RoleKind == "Role" && b.Namespace == "":
		return "it refers to a Role, which only a RoleBinding can; the API server refuses it"
	case group.Text() != "" && group.Text() != "rbac.authorization.k8s.io":
		return "its roleRef is of the API group " + quoted(group.Text()) + ", which the API server refuses"
	}
	list := b.Object.Root.Get("subjects")
	if k := list.Kind(); k > document.Null && k != document.List {
		return "its subjects are a " + k.String() + " and no list"
	}
	for i := range b.Subjects {
		s := &b.Subjects[i]
		switch {
		case s.Kind != UserKind && s.Kind != GroupKind && s.Kind != AccountKind:
			return "a subject is of kind " + quoted(s.Kind) + ", which the API server refuses"
		case s.Name == "":
			return "a subject has no name, which the API server refuses"
		case s.Kind == AccountKind && s.Namespace == "":
			return "ServiceAccount " + s.Name + " is named without its namespace, which the API server refuses"
		}
	}
	return ""
}

func quoted(s string) string { return `"` + s + `"` }

// BindingOf is what an object of the inventory gives; nil for one that is no binding.
func (m *Model) BindingOf(o *fact.Object) *Binding { return m.bindings().object[o] }

// BindingsOf is every binding that gives the identity something, each with the subject that names it:
// those for the identity's name first, then those of its groups; those everywhere before those of a
// namespace.
func (m *Model) BindingsOf(id *Identity) (bindings []*Binding, subjects []*Subject) {
	x := m.bindings()
	seen := map[*Binding]bool{}
	for p := range id.principals() {
		places := slices.Concat([]string{""}, x.within[p])
		for _, p.namespace = range places {
			for _, g := range x.by[p] {
				if !seen[g.binding] {
					seen[g.binding] = true
					bindings, subjects = append(bindings, g.binding), append(subjects, &g.binding.Subjects[g.subject])
				}
			}
		}
	}
	return bindings, subjects
}

// principals yields what the identity is found by: its name, then its groups.
func (id *Identity) principals() func(func(principal) bool) {
	return func(yield func(principal) bool) {
		if id.User != "" && !yield(principal{name: id.User}) {
			return
		}
		for _, g := range id.Groups {
			if !yield(principal{group: true, name: g}) {
				return
			}
		}
	}
}

// Bindings is every binding, in the order in which it was read, then those that come with Kubernetes.
func (m *Model) Bindings() []*Binding { return m.bindings().all }

// Unread says of which bindings nobody knows what they give, each in one sentence: their role was not
// read, or is in doubt.
func (m *Model) Unread() []string {
	var reasons []string
	for _, b := range m.bindings().all {
		if len(b.Subjects) == 0 {
			continue
		}
		if b.Role == nil {
			if reason := m.lost(b); reason != "" {
				reasons = append(reasons, reason)
			}
			continue
		}
		if _, doubts := m.RulesOf(b.Role); len(doubts) > 0 && !b.Shipped {
			reasons = append(reasons, doubts[0])
		}
	}
	slices.Sort(reasons)
	return slices.Compact(reasons)
}
