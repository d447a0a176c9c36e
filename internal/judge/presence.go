package judge

import (
	"path"
	"slices"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
	"github.com/coaming/coaming/internal/rule"
)

// The words for whether what an object refers to is there. Files are seldom the whole of a cluster:
// what they do not hold is missing only where others of its kind and namespace were read in the
// same place, from which it then has been left out.
const (
	here      = "here"
	missing   = "missing"
	elsewhere = "elsewhere" // it may be where nobody meant to look
)

// rolePresence says whether the role that a binding gives exists.
func (j *judgement) rolePresence(binding *fact.Object) (rule.Fact, error) {
	ref := binding.Root.Get("roleRef")
	name := ref.Get("name").Str()
	switch ref.Get("kind").Str() {
	case "Role":
		if j.access().Role(binding.Namespace, name) != nil {
			return rule.Text(here), nil
		}
		return j.presence(rbac.RoleKind, binding.Namespace, name, binding)
	case "ClusterRole":
		switch {
		case j.access().ClusterRole(name) != nil:
			return rule.Text(here), nil
		case j.Inventory.Live:
			return j.presence(rbac.ClusterRoleKind, "", name, binding)
		}
	}
	return rule.Text(elsewhere), nil // which cluster roles others bring, files never tell
}

// subjectPresence says whether a binding's subject exists. Of users and groups no cluster keeps a
// list; the account default is made with its namespace, and those of the cluster's own controllers
// (in kube-system) with the cluster.
func (j *judgement) subjectPresence(kind, namespace, name string, binding *fact.Object) (rule.Fact, error) {
	if kind != serviceAccount || !j.Inventory.Live && (name == "default" || namespace == "kube-system") {
		return rule.Text(elsewhere), nil
	}
	return j.presence(serviceAccount, namespace, name, binding)
}

// presence looks up an object that another one, by, refers to.
func (j *judgement) presence(kind, namespace, name string, by *fact.Object) (rule.Fact, error) {
	switch {
	case j.Inventory.Find(kind, namespace, name) != nil:
		return rule.Text(here), nil
	case !j.Inventory.Live && !j.completes(kind, namespace, name, by):
		return rule.Text(elsewhere), nil
	}
	if err := j.gaps.missed(kind, namespace); err != nil {
		return nil, err
	}
	return rule.Text(missing), nil
}

// completes says whether the files that hold an object were meant to hold all objects of the kind and
// namespace: they hold others, and none of that name whose namespace is left open.
func (j *judgement) completes(kind, namespace, name string, by *fact.Object) bool {
	if open := j.Inventory.Find(kind, "", name); open != nil && open.Namespace == "" {
		return false
	}
	return slices.ContainsFunc(j.Inventory.In(kind, namespace), func(o *fact.Object) bool { return together(o, by) })
}

// together says whether two objects were read in the same place: made by one chart or overlay, or
// written in files of one folder.
func together(a, b *fact.Object) bool {
	return a.Origin.Source == b.Origin.Source && (a.Origin.Source != "files" || path.Dir(a.Origin.File) == path.Dir(b.Origin.File))
}
