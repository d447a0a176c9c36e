package judge

import (
	"fmt"

	"github.com/coaming/coaming/internal/attack"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
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

// readRules is a role's rules in effect, those in doubt included.
func (j *judgement) readRules(named roleName) (rule.Fact, error) {
	var role *rbac.Role
	switch named.kind {
	case "Role":
		if role = j.access().Role(named.namespace, named.name); role == nil {
			if err := j.gaps.missed(rbac.RoleKind, named.namespace); err != nil {
				return nil, err
			}
		}
	case "ClusterRole":
		if role = j.access().ClusterRole(named.name); role == nil {
			if err := j.gaps.missed(rbac.ClusterRoleKind, ""); err != nil {
				return nil, err
			}
		}
	}
	if role == nil {
		return nil, &rule.NotSeen{Reason: named.kind + " " + named.name + " is not in what was read"}
	}
	rules, _ := j.access().RulesOf(role)
	if len(rules) > mostRules {
		return nil, &rule.NotSeen{Reason: fmt.Sprintf("%s %s holds more than %d rules, too many to judge together", named.kind, named.name, mostRules)}
	}
	list := make([]rule.Fact, 0, len(rules))
	for _, r := range rules {
		list = append(list, rule.Of(r.Value))
	}
	return rule.Facts(list), nil
}

// mostRules bounds what one role may hold, and with it the time of a rule that reads it for every binding.
const mostRules = 5000

// subjectsOf is a binding's subjects.
func (j *judgement) subjectsOf(o *fact.Object) rule.Fact {
	list := []rule.Fact{}
	for _, s := range rbac.SubjectsOf(o) {
		list = append(list, rule.Lazy(func(name string) (rule.Fact, error) {
			switch name {
			case "kind":
				return rule.Text(s.Kind), nil
			case "name":
				return rule.Text(s.Name), nil
			case "namespace":
				return rule.Text(s.Namespace), nil
			case "presence":
				return j.subjectPresence(s.Kind, s.Namespace, s.Name, o)
			case "leadsTo":
				return j.identityLeadsTo(attack.HolderOf(&s)), nil
			}
			return nil, nil
		}))
	}
	return rule.Facts(list)
}

// bindingsOf is the bindings that were read and give a service account rights: those that name it, in
// any namespace, and those that name a group of it, in its own and in all. What Kubernetes gives every
// account of every cluster is not among them.
func (j *worker) bindingsOf(namespace, name string) (rule.Fact, error) {
	for _, kind := range []string{rbac.RoleBindingKind, rbac.ClusterRoleBindingKind} {
		if err := j.gaps.missed(kind, ""); err != nil {
			return nil, err
		}
	}
	self := rbac.Account(namespace, name)
	list := []rule.Fact{}
	bindings, subjects := j.access().BindingsOf(&self)
	for i, b := range bindings {
		if !b.Stock && (subjects[i].Kind != rbac.GroupKind || b.Namespace == "" || b.Namespace == self.Namespace) {
			list = append(list, j.binding(b.Object))
		}
	}
	if len(list) > mostJoined {
		return nil, tooMany(rbac.RoleBindingKind)
	}
	return rule.Facts(list), nil
}
