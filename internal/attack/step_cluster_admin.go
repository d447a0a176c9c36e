package attack

var clusterAdmin = Step{
	ID: "cluster-admin", Title: "Do anything, as an identity that may", Technique: "T1078",
	Needs:  "an identity that may do everything with everything everywhere",
	Gives:  "cluster-admin",
	Why:    "A rule that allows every verb on every resource of every group leaves nothing out: every secret, every node, every role.",
	Fix:    "Bind a role that holds what is needed, in the namespaces where it is.",
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		for _, r := range w.RightsTo("everything") {
			if r.Namespace == "" && len(r.Names()) == 0 {
				take(r.Taken(Node{Kind: ClusterAdmin}))
			}
		}
	},
}
