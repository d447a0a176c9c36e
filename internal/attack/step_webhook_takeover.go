package attack

var webhookTakeover = Step{
	ID: "webhook-takeover", Title: "Have the API server send its writes to a webhook", Technique: "T1546",
	Needs: "an identity that may write admission webhooks, or mutating admission policies and their bindings",
	Gives: "every secret that is written; and with a mutating one every pod that is started",
	Why: "A webhook is shown every object that is written, secrets included, and a mutating one changes it: a container of the attacker's goes into each pod that starts, " +
		"those of the control plane's controllers too. One named webhook is enough, for its rules and its address are changed.",
	Fix:    "Keep the right to what installs webhooks; what renews their certificates may write them through an injector.",
	Effort: Moderate,
	Find: func(w *World, take func(Taken)) {
		for _, r := range w.RightsTo("admission") {
			if r.Rule.HasResource("mutatingwebhookconfigurations") || w.bindsPolicies(r) {
				take(r.Taken(PodsIn("")))
				take(r.Taken(SecretsIn("")))
			} else if r.Rule.HasResource("validatingwebhookconfigurations") {
				take(r.Taken(SecretsIn("")))
			}
		}
	},
}

// bindsPolicies says whether a right is over both mutating policies and what puts them into force.
func (w *World) bindsPolicies(r *Right) bool {
	return r.Rule.HasResource("mutatingadmissionpolicies") && r.Rule.HasResource("mutatingadmissionpolicybindings")
}
