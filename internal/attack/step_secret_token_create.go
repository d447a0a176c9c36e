package attack

import (
	"cmp"
	"slices"

	"github.com/coaming/coaming/internal/rbac"
)

var secretTokenCreate = Step{
	ID: "secret-token-create", Title: "Have tokens written into a new secret", Technique: "T1528",
	Needs: "an identity that may both create secrets and read them",
	Gives: "every service account of the namespace",
	Why: "A controller fills each Secret of type kubernetes.io/service-account-token with a token of the account that it names, and asks for no right to that account: " +
		"who may create a Secret and read it back, be it under one name alone, is every account of the namespace.",
	Fix:    "Give one of the two alone. To limit reading by resourceNames does not end it where a secret of such a name is not there yet.",
	Effort: Easy,
	Find: func(w *World, take func(Taken)) {
		for _, r := range w.RightsTo("read-secrets") {
			if !w.mayBeNew(r) {
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

// mayBeNew says whether whoever may read secrets may read one that they make: any, or one of a name that is
// free, or that they may delete.
func (w *World) mayBeNew(r *Right) bool {
	names := r.Names()
	if len(names) == 0 || r.Namespace == "" {
		return true // somewhere the name is free
	}
	return slices.ContainsFunc(names, func(name string) bool {
		if w.Inventory.Find("Secret", r.Namespace, name) == nil {
			return true
		}
		_, _, may := w.mayAlso(r, rbac.Query{Verb: "delete", Resource: "secrets", Name: name, Namespace: r.Namespace})
		return may
	})
}
