package attack

import (
	"cmp"

	"github.com/coaming/coaming/internal/rbac"
)

var secretTokenCreate = Step{
	ID: "secret-token-create", Title: "Have tokens written into a new secret", Technique: "T1528",
	Needs: "an identity that may both create secrets and read them",
	Gives: "every service account of the namespace",
	Why: "A controller fills each Secret of type kubernetes.io/service-account-token with a token of the account that it names, and asks for no right to that account: " +
		"who may create a Secret and read it back is every account of the namespace.",
	Fix:    "Give one of the two alone, or limit reading by resourceNames.",
	Effort: Easy,
	Find: func(w *World, take func(Taken)) {
		for _, r := range w.RightsTo("read-secrets") {
			if len(r.Names()) > 0 {
				continue
			}
			c, doubt, may := w.mayAlso(r, rbac.Query{Verb: "create", Resource: "secrets", Namespace: r.Namespace})
			if !may {
				continue
			}
			t := r.Taken(AccountsIn(r.Namespace))
			c.joins(&t)
			t.Doubt = cmp.Or(t.Doubt, doubt)
			take(t)
		}
	},
}
