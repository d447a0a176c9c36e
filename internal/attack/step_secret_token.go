package attack

var secretToken = Step{
	ID: "secret-token", Title: "Use the service account token in a secret", Technique: "T1528",
	Needs: "the content of a Secret of type kubernetes.io/service-account-token",
	Gives: "the identity of the service account",
	Why:   "Such a Secret holds a token of its account that never ends, and the API server takes it from wherever it comes.",
	Fix:   "Delete the Secret; have tokens issued that are bound to a pod and end by themselves.",
	// It is text.
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		for _, o := range w.Inventory.OfKind("Secret") {
			at := o.Root.Get("type")
			if at.Str() != accountTokenType {
				continue
			}
			name := o.Root.At("metadata", "annotations", accountAnnotation)
			if name.Str() == "" {
				continue
			}
			account := Account(o.Namespace, name.Str())
			take(Taken{
				From: SecretNode(o.Namespace, o.Name), To: account,
				Evidence: []Evidence{{o, name, title(o) + " holds a token of " + account.Title()}},
				Changes: []Change{{
					Object: o, Edits: []Edit{Remove(at)},
					Title: "Have no token written into " + title(o),
				}},
			})
		}
	},
}

const (
	accountTokenType  = "kubernetes.io/service-account-token"
	accountAnnotation = "kubernetes.io/service-account.name"
)
