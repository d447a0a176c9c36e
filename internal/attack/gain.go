package attack

import (
	"slices"

	"github.com/coaming/coaming/internal/rbac"
)

// gain.go knows the rights that identities can give themselves, by writing a binding of a role whose rights
// they do not have: they are nodes of their own, from which every step of rights is taken.

// Gained is rights that somebody can give themselves.
type Gained struct {
	Node Node
	// Kind and Name are the role's; "" where it is everything.
	Kind, Name string
	// Namespace is where, "" everywhere; Wide is set where that is by a binding for the whole cluster.
	Namespace string
	Wide      bool
	rules     []rbac.Rule
}

// grant is what a right to bind comes to, and by what other right.
type grant struct {
	to        Node
	by        *chain
	doubt     string
	elsewhere bool
}

// rightsOf begins the Name of the scope of a role's rights that somebody can give themselves; its Part is
// who.
const rightsOf = "rights of "

// Everything is all that a namespace holds, or that all hold: what a role that allows everything gives
// where it is bound by a RoleBinding.
func Everything(namespace string) Node {
	return Node{Kind: Scope, Namespace: namespace, Name: "everything"}
}

// mostGained bounds the nodes of such rights. Real clusters have dozens.
const mostGained = 20_000

// indexGains adds the rights that can be had by binding roles, and those by which more can, until there are
// no more.
func (w *World) indexGains() {
	w.gained, w.gains = map[Node]*Gained{}, map[*Right][]grant{}
	for i := 0; i < len(w.rights["bind"]); i++ { //nolint:intrange // the list grows meanwhile
		r := w.rights["bind"][i]
		w.gains[r] = w.gainsOf(r)
	}
	for i := 0; i < len(w.rights["escalate"]); i++ { //nolint:intrange // the list grows meanwhile
		r := w.rights["escalate"][i]
		bindings, _ := w.Rights.BindingsOf(r.holder())
		for _, b := range bindings {
			if b.Namespace != "" {
				w.gainEverything(b.Namespace)
			}
		}
		if g := r.Gained; g != nil && !g.Wide {
			w.gainEverything(g.Namespace)
		}
	}
}

// gainsOf is what whoever has a right to bind can give themselves.
func (w *World) gainsOf(r *Right) []grant {
	var list []grant
	if r.wide() && r.Rule.HasResource("clusterroles") {
		if c, doubt, may := w.writesBindings(r, "clusterrolebindings", ""); may {
			list = w.bindable(list, r, &Gained{Wide: true}, grant{by: c, doubt: doubt})
		}
	}
	if len(list) == 1 && list[0].to.Kind == ClusterAdmin && list[0].doubt == "" {
		return list // there is no more
	}
	spaces := []string{r.Namespace}
	if r.Namespace == "" && r.Gained == nil {
		a := w.Rights.Can(r.holder(), &rbac.Query{Verb: "create", Group: rbacGroup, Resource: "rolebindings"})
		if a.Verdict != rbac.Allowed {
			spaces = append(a.Within, "")
		}
	}
	for _, namespace := range spaces {
		if c, doubt, may := w.writesBindings(r, "rolebindings", namespace); may {
			list = w.bindable(list, r, &Gained{Namespace: namespace}, grant{by: c, doubt: doubt})
		}
	}
	return list
}

// wide says whether a right is given for the whole cluster.
func (r *Right) wide() bool {
	return r.Namespace == "" && (r.Gained == nil || r.Role == "" || r.Gained.Wide)
}

// bindable adds what the roles give that a right to bind is over, bound at the place.
func (w *World) bindable(list []grant, r *Right, at *Gained, by grant) []grant {
	add := func(kind, name string, role *rbac.Role) {
		g := by
		if role == nil {
			if w.Inventory.Live && w.Missed(kind+"."+rbacGroup, at.Namespace) == "" {
				return // there is none
			}
			g.to = w.allAt(at)
			if g.doubt == "" {
				g.doubt, g.elsewhere = "what "+kind+" "+name+" gives is not known: it was not read", true
			}
			list = append(list, g)
			return
		}
		to, doubt, gains := w.gain(r, at, kind, name, role)
		if !gains || slices.ContainsFunc(list, func(known grant) bool { return known.to == to && known.doubt == "" }) {
			return
		}
		if g.to = to; g.doubt == "" {
			g.doubt = doubt
		}
		list = append(list, g)
	}
	names := r.Names()
	clusterRoles, roles := r.Rule.HasResource("clusterroles"), r.Rule.HasResource("roles") && !at.Wide
	switch {
	case len(names) == 0 && clusterRoles:
		by.to = w.allAt(at)
		return append(list, by)
	case len(names) == 0 && roles && at.Namespace != "":
		for _, o := range w.Inventory.In(rbac.RoleKind, at.Namespace) {
			add("Role", o.Name, w.Rights.Role(at.Namespace, o.Name))
		}
	}
	for _, name := range names {
		if clusterRoles {
			add("ClusterRole", name, w.Rights.ClusterRole(name))
		}
		if role := w.Rights.Role(at.Namespace, name); roles && role != nil {
			add("Role", name, role)
		}
	}
	return list
}

// allAt is what a role that allows everything gives at a place.
func (w *World) allAt(at *Gained) Node {
	if at.Wide {
		return Node{Kind: ClusterAdmin}
	}
	return w.gainEverything(at.Namespace)
}

// gain is the node of a role's rights, bound at a place by whoever has a right; gains is false for a role
// that gives nothing of danger.
func (w *World) gain(r *Right, at *Gained, kind, name string, role *rbac.Role) (to Node, doubt string, gains bool) {
	rules, doubts := w.Rights.RulesOf(role)
	found := dangersOf(rules, at.place())
	if len(doubts) > 0 {
		doubt = doubts[0]
	}
	for i := range found {
		if found[i].dangers[0].ID == "everything" && !found[i].rule.Named() {
			return w.allAt(at), doubt, true
		}
	}
	if len(found) == 0 {
		return to, doubt, false
	}
	who := r.Who.String()
	if r.Gained != nil {
		who = r.Who.Part
	} else if at.Namespace == "" && !at.Wide {
		who += " in every namespace"
	}
	g := &Gained{Node: Node{Scope, at.Namespace, rightsOf + kind + " " + name, who}, Kind: kind, Name: name, Namespace: at.Namespace, Wide: at.Wide, rules: rules}
	if w.gained[g.Node] != nil {
		return g.Node, doubt, true
	}
	if len(w.gained) >= mostGained {
		return w.allAt(at), "so many roles may be bound that not all were looked at", true
	}
	w.gained[g.Node] = g
	for i := range found {
		for _, d := range found[i].dangers {
			w.rights[d.ID] = append(w.rights[d.ID], &Right{
				Who: g.Node, Namespace: at.Namespace, Danger: d, Binding: r.Binding, Subject: r.Subject, Rule: found[i].rule, Role: kind + " " + name, Gained: g,
			})
		}
	}
	w.keepsOwn(r, g)
	return g.Node, doubt, true
}

// place is the namespace by which dangers are told: what is bound in each namespace gives nothing of what
// belongs to none.
func (g *Gained) place() string {
	if g.Namespace == "" && !g.Wide {
		return "*"
	}
	return g.Namespace
}

// combining are the dangers that steps take beside another right.
var combining = []string{"run-pods", "change-namespace", "host-volume", "read-secrets", "impersonate", "approve-certificates"}

// keepsOwn gives rights that somebody gives themselves those beside them that they had: some steps take two.
func (w *World) keepsOwn(r *Right, g *Gained) {
	if r.Gained != nil {
		return
	}
	for _, danger := range combining {
		for _, own := range w.held(r.Who, danger) {
			both := *own
			both.Who, both.Gained = g.Node, g
			w.rights[danger] = append(w.rights[danger], &both)
		}
	}
}

// held is what a subject of bindings is given itself of a danger.
func (w *World) held(who Node, danger string) []*Right {
	if w.holding == nil {
		w.holding = map[Node]map[string][]*Right{}
		for id, list := range w.rights {
			for _, r := range list {
				if w.holding[r.Who] == nil {
					w.holding[r.Who] = map[string][]*Right{}
				}
				w.holding[r.Who][id] = append(w.holding[r.Who][id], r)
			}
		}
	}
	return w.holding[who][danger]
}

// outward are the dangers of everything in a namespace that lead out of it.
var outward = []string{"run-pods", "change-namespace", "change-account", "debug"}

// gainEverything is the node of everything of a namespace, with the rights that lead out of it.
func (w *World) gainEverything(namespace string) Node {
	all := Everything(namespace)
	if w.gained[all] != nil {
		return all
	}
	rule := rbac.Rule{Value: literal(`{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}`), Object: w.Inventory.Find("Namespace", "", namespace)}
	g := &Gained{Node: all, Namespace: namespace, rules: []rbac.Rule{rule}}
	w.gained[all] = g
	for _, d := range dangersOf(g.rules, g.place())[0].dangers {
		if slices.Contains(outward, d.ID) {
			w.rights[d.ID] = append(w.rights[d.ID], &Right{Who: all, Namespace: namespace, Danger: d, Rule: g.rules[0], Role: "everything", Gained: g})
		}
	}
	return all
}

// allows says whether the rights allow what is asked, and by which rule.
func (g *Gained) allows(q *rbac.Query) (rbac.Rule, bool) {
	if q.Wide && !g.Wide || !q.Wide && g.Namespace != "" && g.Namespace != q.Namespace {
		return rbac.Rule{}, false
	}
	for i := range g.rules {
		if g.rules[i].Allows(q) {
			return g.rules[i], true
		}
	}
	return rbac.Rule{}, false
}

// evidence is what shows that the rights allow something: a rule of the role.
func (g *Gained) evidence(r rbac.Rule, allows string) Evidence {
	if g.Kind != "" {
		return Evidence{r.Object, r.Value, g.Kind + " " + g.Name + " allows " + allows}
	}
	e := Evidence{Object: r.Object, Text: "a role of everything allows " + allows}
	if e.Object != nil {
		e.At = e.Object.Root
	}
	return e
}
