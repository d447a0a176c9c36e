package judge

import (
	"fmt"
	"strings"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
)

// binding is a RoleBinding or ClusterRoleBinding as the variable of that name.
func (j *worker) binding(o *fact.Object) rule.Fact {
	return once(&j.joins.bindings, o, func() rule.Fact {
		return rule.Lazy(func(name string) (rule.Fact, error) {
			switch name {
			case "role":
				return j.roleOf(o), nil
			case "subjects":
				return j.subjectsOf(o), nil
			case "kind":
				return rule.Text(o.Kind), nil
			case "name":
				return rule.Text(o.Name), nil
			case "namespace":
				return rule.Text(o.Namespace), nil
			}
			return nil, nil
		})
	})
}

// roleName is what a binding calls its role; a ClusterRole has no namespace.
type roleName struct{ kind, namespace, name string }

// roleRules are the rules of a role, or why they are not known.
type roleRules struct {
	fact rule.Fact
	err  error
}

// roleOf is the bound role; its rules are computed when they are read.
func (j *worker) roleOf(o *fact.Object) rule.Fact {
	ref := o.Root.Get("roleRef")
	named := roleName{ref.Get("kind").Str(), o.Namespace, ref.Get("name").Str()}
	if named.kind != "Role" {
		named.namespace = ""
	}
	return rule.Lazy(func(name string) (rule.Fact, error) {
		switch name {
		case "kind", "name":
			return rule.Text(ref.Get(name).Str()), nil
		case "rules":
			return j.rulesOf(named)
		case "presence":
			return j.rolePresence(o)
		}
		return nil, nil
	})
}

// rulesOf is a role's rules, made once for all bindings of the role.
func (j *worker) rulesOf(named roleName) (rule.Fact, error) {
	rules := once(&j.joins.roles, named, func() (r roleRules) {
		r.fact, r.err = j.readRules(named)
		return r
	})
	return rules.fact, rules.err
}

// readRules is a role's rules, those that aggregation adds included.
func (j *judgement) readRules(named roleName) (rule.Fact, error) {
	kind, namespace, name := named.kind, named.namespace, named.name
	var root document.Value
	switch kind {
	case "Role":
		if o := j.Inventory.Find(role, namespace, name); o != nil {
			root = o.Root
		} else if root = j.systemRole(namespace, name); root.Exists() {
			break
		} else if err := j.gaps.missed(role, namespace); err != nil {
			return nil, err
		}
	case "ClusterRole":
		root = j.clusterRole(name)
		if !root.Exists() {
			if err := j.gaps.missed(clusterRole, ""); err != nil {
				return nil, err
			}
		}
	}
	if !root.Exists() {
		return nil, &rule.NotSeen{Reason: kind + " " + name + " is not in what was read"}
	}
	var list []rule.Fact
	add := func(v document.Value) {
		for _, r := range v.Get("rules").Items() {
			list = append(list, rule.Of(r))
		}
	}
	add(root)
	if root.At("aggregationRule", "clusterRoleSelectors").Len() > 0 {
		aggregates(root, j.clusterRoles(), map[string]bool{name: true}, add)
	}
	if len(list) > mostRules {
		return nil, &rule.NotSeen{Reason: fmt.Sprintf("%s %s holds more than %d rules, too many to judge together", kind, name, mostRules)}
	}
	return rule.Facts(list), nil
}

// mostRules bounds what one role may hold, and with it the time of a rule that reads it for every binding.
const mostRules = 5000

// aggregates gives add every cluster role that the role's aggregation rule selects, and what
// those aggregate in turn (k8s.io/kubernetes pkg/controller/clusterroleaggregation).
func aggregates(root document.Value, roles []document.Value, seen map[string]bool, add func(document.Value)) {
	for _, selector := range root.At("aggregationRule", "clusterRoleSelectors").Items() {
		for _, r := range roles {
			name := r.At("metadata", "name").Str()
			if !seen[name] && fact.Selects(selector, r.At("metadata", "labels")) {
				seen[name] = true
				add(r)
				aggregates(r, roles, seen, add)
			}
		}
	}
}

// clusterRole is the cluster role of that name: the inventory's own, else one that every cluster has.
func (j *judgement) clusterRole(name string) document.Value {
	if o := j.Inventory.Find(clusterRole, "", name); o != nil {
		return o.Root
	}
	if j.Inventory.Live {
		return document.Value{}
	}
	for _, r := range catalog.ClusterRoles() {
		if r.At("metadata", "name").Str() == name {
			return r
		}
	}
	return document.Value{}
}

// systemRole is a role that every cluster has in a system namespace.
func (j *judgement) systemRole(namespace, name string) document.Value {
	if j.Inventory.Live {
		return document.Value{}
	}
	for _, r := range catalog.Roles() {
		if m := r.Get("metadata"); m.Get("name").Str() == name && m.Get("namespace").Str() == namespace {
			return r
		}
	}
	return document.Value{}
}

// listClusterRoles is every cluster role: the inventory's, and those that every cluster has.
func (j *judgement) listClusterRoles() []document.Value {
	var roles []document.Value
	for _, o := range j.Inventory.OfKind(clusterRole) {
		roles = append(roles, o.Root)
	}
	if j.Inventory.Live {
		return roles
	}
	for _, r := range catalog.ClusterRoles() {
		if j.Inventory.Find(clusterRole, "", r.At("metadata", "name").Str()) == nil {
			roles = append(roles, r)
		}
	}
	return roles
}

// subjectsOf is a binding's subjects; a service account without a namespace is of the binding's
// (k8s.io/kubernetes plugin/pkg/auth/authorizer/rbac).
func (j *judgement) subjectsOf(o *fact.Object) rule.Fact {
	list := []rule.Fact{}
	for _, s := range o.Root.Get("subjects").Items() {
		list = append(list, rule.Lazy(func(name string) (rule.Fact, error) {
			switch name {
			case "kind", "name":
				return rule.Text(s.Get(name).Str()), nil
			case "namespace":
				return rule.Text(subjectNamespace(s, o)), nil
			case "presence":
				return j.subjectPresence(s.Get("kind").Str(), subjectNamespace(s, o), s.Get("name").Str(), o)
			}
			return nil, nil
		}))
	}
	return rule.Facts(list)
}

func subjectNamespace(s document.Value, o *fact.Object) string {
	namespace := s.Get("namespace").Str()
	if namespace == "" && s.Get("kind").Str() == serviceAccount {
		return o.Namespace
	}
	return namespace
}

// account is what a binding names: kind is that of the subject, and the name of a service account
// is "namespace/name".
type account struct{ kind, name string }

// serviceAccountName is the account of that name.
func serviceAccountName(namespace, name string) account {
	return account{serviceAccount, fact.Place(namespace) + "/" + name}
}

// indexAccounts lists the bindings that name an account.
func (j *judgement) indexAccounts() map[account][]*fact.Object {
	index := map[account][]*fact.Object{}
	for _, kind := range []string{clusterRoleBinding, roleBinding} {
		for _, o := range j.Inventory.OfKind(kind) {
			for _, s := range o.Root.Get("subjects").Items() {
				named := account{s.Get("kind").Str(), s.Get("name").Str()}
				if named.kind == serviceAccount {
					named = serviceAccountName(subjectNamespace(s, o), named.name)
				}
				if list := index[named]; len(list) == 0 || list[len(list)-1] != o {
					index[named] = append(list, o)
				}
			}
		}
	}
	return index
}

// bindingsOf is the bindings that give a service account rights: those that name it, in any
// namespace, and those that name a group of it, in its own and in all.
func (j *worker) bindingsOf(namespace, name string) (rule.Fact, error) {
	for _, kind := range []string{roleBinding, clusterRoleBinding} {
		if err := j.gaps.missed(kind, ""); err != nil {
			return nil, err
		}
	}
	index := j.accounts()
	self := serviceAccountName(namespace, name)
	home, _, _ := strings.Cut(self.name, "/")
	list := []rule.Fact{}
	seen := map[*fact.Object]bool{}
	for _, a := range []account{
		self,
		{user, "system:serviceaccount:" + home + ":" + name},
		{group, "system:serviceaccounts:" + home},
		{group, "system:serviceaccounts"},
		{group, "system:authenticated"},
	} {
		for _, b := range index[a] {
			if !seen[b] && (a.kind != group || b.Kind == "ClusterRoleBinding" || fact.Place(b.Namespace) == fact.Place(namespace)) {
				seen[b] = true
				list = append(list, j.binding(b))
			}
		}
	}
	if len(list) > mostJoined {
		return nil, tooMany(roleBinding)
	}
	return rule.Facts(list), nil
}

// The other kinds of subjects (k8s.io/api rbac/v1).
const (
	user  = "User"
	group = "Group"
)
