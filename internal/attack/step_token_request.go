package attack

import "slices"

var tokenRequest = Step{
	ID: "token-request", Title: "Have a token issued for a service account", Technique: "T1528",
	Needs: "an identity that may create serviceaccounts/token",
	Gives: "the service accounts there",
	Why:   "The API server issues a token of the account to whoever may ask for it, for as long as a year where nothing bounds it.",
	Fix:   "Limit the right by resourceNames to the accounts that are meant, in their namespace.",
	// It is one request.
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		for _, r := range w.RightsTo("token-request") {
			for _, to := range w.accountsOf(r) {
				take(r.Taken(to))
			}
		}
	},
}

// accountsOf are the nodes of the service accounts that a right is over.
func (w *World) accountsOf(r *Right) []Node {
	names := r.Names()
	if len(names) == 0 {
		return []Node{AccountsIn(r.Namespace)}
	}
	var list []Node
	if r.Namespace != "" {
		for _, name := range names {
			list = append(list, Account(r.Namespace, name))
		}
		return list
	}
	for _, namespace := range w.namespacesOf("service accounts") {
		for _, n := range w.accountsIn()[namespace] {
			if slices.Contains(names, n.Name) {
				list = append(list, n)
			}
		}
	}
	return list
}
