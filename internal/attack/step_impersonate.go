package attack

import (
	"cmp"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/rbac"
)

var impersonate = Step{
	ID: "impersonate", Title: "Act as somebody else", Technique: "T1078",
	Needs: "an identity that may impersonate users, groups or service accounts",
	Gives: "whoever it may impersonate; with groups and any user, cluster-admin",
	Why: "A header on the request says who is meant, and the API server decides by the rights of that one. The group system:masters may do anything; a group is taken only " +
		"beside a user or a service account that may be impersonated, too.",
	Fix:    "Limit impersonation by resourceNames to the names that are meant, and never to groups that administer.",
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		users := false
		for _, r := range w.RightsTo("impersonate") {
			if r.Danger.Group != "" {
				continue // uids and extra fields give nobody's rights
			}
			if r.impersonates("serviceaccounts") {
				for _, to := range w.accountsOf(r) {
					take(r.Taken(to))
				}
			}
			if r.Namespace != "" {
				continue
			}
			if r.impersonates("users") {
				users = w.asUsers(r, users, take)
			}
			if r.impersonates("groups") {
				w.asGroups(r, take)
			}
		}
	},
}

func (r *Right) impersonates(what string) bool { return r.Rule.HasResource(what) }

// allUsers is the scope of all users that bindings name.
var allUsers = Node{Kind: Scope, Name: "users"}

// asUsers takes the step to the users that the right names, or to the scope of all, whose members are
// tied to it once.
func (w *World) asUsers(r *Right, tied bool, take func(Taken)) bool {
	if names := r.Names(); len(names) > 0 {
		for _, name := range names {
			// The API server asks for the right over the service account where the name is one's.
			if !strings.HasPrefix(name, "system:serviceaccount:") {
				take(r.Taken(User(name)))
			}
		}
		return tied
	}
	take(r.Taken(allUsers))
	if tied {
		return true
	}
	seen := map[Node]bool{}
	for _, b := range w.Rights.Bindings() {
		for i := range b.Subjects {
			// The right over users is none over service accounts, however a binding names them.
			if n := HolderOf(&b.Subjects[i]); b.Subjects[i].Kind == rbac.UserKind && n.Namespace == "" && !seen[n] {
				seen[n] = true
				take(Taken{From: allUsers, To: n, Joint: true})
			}
		}
	}
	return true
}

// asGroups takes the step to the groups of the right, where it, or another one of its holder, gives a
// user to be beside.
func (w *World) asGroups(r *Right, take func(Taken)) {
	c, doubt, may := w.somebody(r)
	if !may {
		return
	}
	step := func(to Node) {
		t := r.Taken(to)
		c.joins(&t)
		t.Doubt = cmp.Or(t.Doubt, doubt)
		take(t)
	}
	names := r.Names()
	if len(names) == 0 || slices.Contains(names, "system:masters") {
		step(Node{Kind: ClusterAdmin})
	}
	for _, name := range names {
		if name != "system:masters" {
			step(Group(name))
		}
	}
}

// somebody says by which chain the holder of a right may impersonate some user or service account.
func (w *World) somebody(r *Right) (c *chain, doubt string, may bool) {
	if r.impersonates("users") || r.impersonates("serviceaccounts") {
		return nil, "", true
	}
	for _, other := range w.RightsTo("impersonate") {
		if other.Who == r.Who && other.Danger.Group == "" && (other.impersonates("users") && other.Namespace == "" || other.impersonates("serviceaccounts")) {
			if other.Role != "" {
				e := other.Gained.evidence(other.Rule, ruleText(other.Rule, other.Danger))
				return &chain{gained: &e}, other.Doubt, true
			}
			return &chain{
				query: &rbac.Query{Verb: "impersonate", Resource: "users"}, who: r.Who,
				all: []rbac.Chain{{Binding: other.Binding, Subject: other.Subject, Rule: other.Rule, Doubt: other.Doubt}},
			}, other.Doubt, true
		}
	}
	return nil, "", false
}
