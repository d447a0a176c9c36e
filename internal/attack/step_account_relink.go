package attack

var accountRelink = Step{
	ID: "account-relink", Title: "Link a service account to another identity of the cloud", Technique: "T1098",
	Needs: "an identity that may update or patch service accounts, in a cluster whose accounts are linked to a cloud",
	Gives: "the identities of the cloud that take the account's word",
	Why: "Which identity of the cloud an account is linked to stands in an annotation. The cloud has the last word: it gives a role to the accounts that the role's own policy names, and to all of the cluster " +
		"where that says *.",
	Fix:    "Leave service accounts to what deploys them; have the roles name the one account that each is for.",
	Effort: Moderate,
	Find: func(w *World, take func(Taken)) {
		rights, links := w.RightsTo("change-account"), w.Rights.Links()
		if len(rights) == 0 {
			return
		}
		tied := map[Node]bool{}
		for i := range links {
			l := &links[i]
			if to := Cloud(l); !l.Into && l.Object != nil && l.Object.Kind == "ServiceAccount" && !tied[to] {
				tied[to] = true
				take(Taken{From: allClouds, To: to, Joint: true})
			}
		}
		for _, r := range rights {
			if len(tied) == 0 {
				return
			}
			t := r.Taken(allClouds)
			if t.Doubt == "" {
				t.Doubt = "whether a role of the cloud takes the word of these accounts is not known"
			}
			take(t)
		}
	},
}

// allClouds is the scope of every identity of the cloud that accounts are linked to.
var allClouds = Node{Kind: Scope, Name: "cloud identities"}
