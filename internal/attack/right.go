package attack

import (
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/rbac"
)

// Right is a dangerous right that a binding gives a subject: one entry of rbac.Dangers.
type Right struct {
	// Who has it.
	Who Node
	// Namespace is where; "" is everywhere.
	Namespace string
	Danger    *rbac.Danger
	Binding   *rbac.Binding
	Subject   *rbac.Subject
	Rule      rbac.Rule
	// Doubt says why it may not be given; "" for nearly all.
	Doubt string
	// Gained is set of one that nobody gave: its holder gives it themselves. Role is the role that it is
	// of; "" of a right that the holder had before.
	Gained *Gained
	Role   string

	ended *[]Change // see endings; nil before they are asked for
}

// Names are the only objects that it is for; nil for all.
func (r *Right) Names() []string { return r.Rule.Texts("resourceNames") }

// HolderOf is the node of a binding's subject: of a user who is named as service accounts are, the account.
func HolderOf(s *rbac.Subject) Node {
	switch id := s.Identity(); {
	case id.Account != "":
		return Account(id.Namespace, id.Account)
	case id.User == "" && len(id.Groups) > 0:
		return Group(id.Groups[0])
	}
	return User(s.Name)
}

// RightsTo is every right of that danger's ID ("exec"), one for each subject, binding and rule. Who may
// do everything everywhere is cluster-admin, and is listed under "everything" alone.
func (w *World) RightsTo(danger string) []*Right {
	if w.rights == nil {
		w.indexRights()
	}
	return w.rights[danger]
}

// ruleDangers is what the rules of a role hold, where they are given.
type ruleDangers struct {
	rule    rbac.Rule
	dangers []*rbac.Danger
}

func (w *World) indexRights() {
	w.rights = map[string][]*Right{}
	type place struct {
		role      *rbac.Role
		namespace string
	}
	known := map[place][]ruleDangers{}
	for _, b := range w.Rights.Bindings() {
		if b.Role == nil {
			continue
		}
		rules, doubts := w.Rights.RulesOf(b.Role)
		at := place{b.Role, b.Namespace}
		found, seen := known[at]
		if !seen {
			found = dangersOf(rules, b.Namespace)
			known[at] = found
		}
		doubt := b.Doubt
		if doubt == "" && len(doubts) > 0 {
			doubt = doubts[0]
		}
		for i := range found {
			for _, d := range found[i].dangers {
				for s := range b.Subjects {
					w.rights[d.ID] = append(w.rights[d.ID], &Right{
						Who: HolderOf(&b.Subjects[s]), Namespace: b.Namespace, Danger: d, Binding: b, Subject: &b.Subjects[s], Rule: found[i].rule, Doubt: doubt,
					})
				}
			}
		}
	}
	w.indexGains()
}

// dangersOf lists every danger of each rule, each ID once.
func dangersOf(rules []rbac.Rule, namespace string) []ruleDangers {
	var list []ruleDangers
	for _, r := range rules {
		if r.Value.Get("verbs").Len() == 0 || r.Value.Get("resources").Len() == 0 {
			continue
		}
		found := ruleDangers{rule: r}
		ids := map[string]bool{}
		for i := range rbac.Dangers {
			d := &rbac.Dangers[i]
			if ids[d.ID] || !d.Of(r, namespace) {
				continue
			}
			ids[d.ID] = true
			found.dangers = append(found.dangers, d)
			if d.ID == "everything" && namespace == "" && !r.Named() {
				break // it says it all
			}
		}
		if len(found.dangers) > 0 {
			list = append(list, found)
		}
	}
	return list
}

// Taken is a step that the right allows, with the binding and the rule as evidence and what takes the
// right away as changes.
func (r *Right) Taken(to Node) Taken {
	t := Taken{From: r.Who, To: to, Doubt: r.Doubt}
	if r.Role != "" {
		t.Evidence = []Evidence{r.Gained.evidence(r.Rule, ruleText(r.Rule, r.Danger))}
		return t
	}
	b := r.Binding
	role := b.RoleKind + " " + b.RoleName
	t.Evidence = []Evidence{
		{b.Object, r.Subject.Value, title(b.Object) + " gives " + r.Who.Title() + " the " + role},
		{r.Rule.Object, r.Rule.Value, role + " allows " + ruleText(r.Rule, r.Danger)},
	}
	t.Changes = slices.Clip(r.endings())
	return t
}

// ours says whether a person changes the binding: Kubernetes makes its own anew whenever an API server starts.
func ours(b *rbac.Binding) bool {
	return !b.Stock
}

// ruleText is what of a rule a danger goes by: "create on pods/exec".
func ruleText(r rbac.Rule, d *rbac.Danger) string {
	var verbs, resources []string
	for _, v := range d.Verbs {
		if r.HasVerb(v) {
			verbs = append(verbs, v)
		}
	}
	for _, v := range d.Resources {
		if r.HasResource(v) {
			resources = append(resources, v)
		}
	}
	text := strings.Join(verbs, ", ") + " on " + strings.Join(resources, ", ")
	if d.Group != "" && d.Group != "*" {
		text += " of " + d.Group
	}
	if names := r.Texts("resourceNames"); len(names) > 0 {
		const most = 3
		if len(names) > most {
			names = append(names[:most:most], "...")
		}
		text += ", those named " + strings.Join(names, ", ")
	}
	return text
}

// value is the evidence of a value in an object.
func value(b *Box, at document.Value, text string) Evidence {
	if !at.Exists() {
		at = b.Value
	}
	return Evidence{b.Pods.Object, at, text}
}
