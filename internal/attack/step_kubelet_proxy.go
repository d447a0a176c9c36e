package attack

var kubeletProxy = Step{
	ID: "kubelet-proxy", Title: "Run commands in pods through the kubelet", Technique: "T1609",
	Needs: "an identity that may get or create nodes/proxy",
	Gives: "commands in every container of the node",
	Why: "The kubelet's own API runs commands in each of its containers. nodes/proxy, even to get alone, reaches it through the API server or past it; no admission policy " +
		"and no audit of exec sees it.",
	Fix:    "Ask for nodes/metrics, nodes/stats, nodes/log or nodes/healthz, which monitoring reads, instead of nodes/proxy.",
	Effort: Easy,
	Find: func(w *World, take func(Taken)) {
		for _, r := range w.RightsTo("kubelet") {
			names := r.Names()
			if len(names) == 0 {
				take(r.Taken(PodsIn("")))
			}
			for _, name := range names {
				take(r.Taken(PodsOn(Node{Kind: Machine, Name: name})))
			}
		}
	},
}
