package attack

var apiTakeover = Step{
	ID: "api-takeover", Title: "Serve a part of the API in the place of its server", Technique: "T1557",
	Needs: "an identity that may update or patch the API service of the core group",
	Gives: "what passes through that part: secrets that are written, pods that kubelets are told to run",
	Why:   "An APIService says which server answers for a group and version. Whoever may change the one of the core group, v1., sends the requests of all users and kubelets to a server of their own.",
	Fix:   "Keep the right to what installs the metrics server and the like, by resourceNames.",
	// A server must be written that stands in for the API.
	Effort: Hard,
	Find: func(w *World, take func(Taken)) {
		for _, r := range w.RightsTo("api-service") {
			if !r.Rule.HasName("v1.") || !r.Rule.HasVerb("update") && !r.Rule.HasVerb("patch") {
				continue // the core group has its server already
			}
			take(r.Taken(PodsIn("")))
			take(r.Taken(SecretsIn("")))
		}
	},
}
