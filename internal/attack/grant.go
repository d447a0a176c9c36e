package attack

import (
	"strings"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
)

// grant.go is what takes a right away: a subject leaves the binding, a rule of the role gives less, or the
// binding gives the role to nobody. A right has four such changes at most, however wide its rule is.

// endings are the changes of which each alone takes the right away, what breaks least first. They are made
// once, and shared by all steps that the right allows.
func (r *Right) endings() []Change {
	if r.ended == nil {
		list := unbinding(r.Binding, r.Subject, r.Who)
		if ourRule(r.Rule) {
			if c, found := r.lessened(); found {
				list = append(list, c)
			}
			list = append(list, Change{
				Object: r.Rule.Object, Edits: []Edit{Remove(r.Rule.Value)}, Breadth: WholeRule,
				Title: "Take the rule for " + wordsOf(r.Rule) + " out of " + title(r.Rule.Object),
			})
		}
		r.ended = &list
	}
	return *r.ended
}

// unbinding are the changes of a binding that take its role from a subject.
func unbinding(b *rbac.Binding, s *rbac.Subject, who Node) []Change {
	if !ours(b) || !s.Value.Exists() {
		return nil
	}
	list := []Change{{Object: b.Object, Edits: []Edit{Remove(s.Value)}, Title: "Take " + who.Title() + " out of " + title(b.Object)}}
	if all := b.Object.Root.Get("subjects"); len(b.Subjects) > 1 && all.Exists() {
		list = append(list, Change{Object: b.Object, Edits: []Edit{Remove(all)}, Breadth: WholeBinding, Title: "Take every subject out of " + title(b.Object)})
	}
	return list
}

// ourRule says whether taking the rule out of where it is written takes it away: Kubernetes writes its own
// roles anew whenever an API server starts, and those that aggregate others whenever these change.
func ourRule(r rbac.Rule) bool {
	o := r.Object
	return o != nil && r.Value.Exists() && !r.Elsewhere && !shippedRole(o) && !o.Root.Get("aggregationRule").Exists()
}

// shippedRole says whether a role is one that every cluster has, by its name where it has no label.
func shippedRole(o *fact.Object) bool {
	if o.Labels().Get("kubernetes.io/bootstrapping").Str() == "rbac-defaults" || strings.HasPrefix(o.Name, "system:") {
		return true
	}
	switch o.Name {
	case "cluster-admin", "admin", "edit", "view":
		return o.Kind == "ClusterRole"
	}
	return false
}

// lessened is the change that takes out of the rule the resources, or else the verbs, that the danger goes
// by, where it leaves others in it and none of the danger.
func (r *Right) lessened() (Change, bool) {
	for _, field := range []string{"resources", "verbs"} {
		out := map[string]bool{}
		var dangers []*rbac.Danger
		for i := range rbac.Dangers {
			d := &rbac.Dangers[i]
			if d.ID != r.Danger.ID {
				continue
			}
			dangers = append(dangers, d)
			for _, text := range map[string][]string{"resources": d.Resources, "verbs": d.Verbs}[field] {
				out[text] = out[text] || text != "*" && d.Of(r.Rule, r.Namespace)
			}
		}
		var taken, kept []string
		for _, text := range r.Rule.Texts(field) {
			if out[text] {
				taken = append(taken, text)
			} else {
				kept = append(kept, text)
			}
		}
		if len(taken) == 0 || len(kept) == 0 || holdsAny(with(r.Rule, field, kept), r.Namespace, dangers) {
			continue
		}
		quoted := make([]string, len(taken))
		for i := range taken {
			quoted[i] = text(taken[i])
		}
		return Change{
			Object: r.Rule.Object, Edits: []Edit{Take(r.Rule.Value, []string{field}, quoted...)}, Breadth: PartOfRule,
			Title: "Take " + strings.Join(taken, ", ") + " out of a rule of " + title(r.Rule.Object),
		}, true
	}
	return Change{}, false
}

func holdsAny(r rbac.Rule, namespace string, dangers []*rbac.Danger) bool {
	for _, d := range dangers {
		if d.Of(r, namespace) {
			return true
		}
	}
	return false
}

// with is a rule that has other texts in one of its lists.
func with(r rbac.Rule, field string, texts []string) rbac.Rule {
	var b strings.Builder
	for i, name := range []string{"apiGroups", "resources", "verbs", "resourceNames"} {
		list := r.Texts(name)
		if name == field {
			list = texts
		}
		b.WriteString([]string{"{", ","}[min(i, 1)] + text(name) + ":[")
		for k := range list {
			b.WriteString([]string{"", ","}[min(k, 1)] + text(list[k]))
		}
		b.WriteByte(']')
	}
	b.WriteByte('}')
	return rbac.Rule{Value: literal(b.String()), Object: r.Object}
}

// wordsOf is what a rule allows, in short: "get, list on secrets".
func wordsOf(r rbac.Rule) string {
	const most = 3
	short := func(field string) string {
		list := r.Texts(field)
		if len(list) > most {
			list = append(list[:most:most], "...")
		}
		return strings.Join(list, ", ")
	}
	return short("verbs") + " on " + short("resources")
}
