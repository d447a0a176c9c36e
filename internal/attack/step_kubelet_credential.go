package attack

var kubeletCredential = Step{
	ID: "kubelet-credential", Title: "Take the kubelet's key", Technique: "T1552.004",
	Needs: "root on a node",
	Gives: "what the kubelet there may do",
	Why:   "The key by which the kubelet calls the API server lies in a file of the node, and root reads it.",
	Fix:   "There is no node without a kubelet: end the ways to root on it.",
	// It is a file.
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		for _, m := range w.Machines() {
			if p := w.anyOn(m); p != nil {
				take(Taken{From: m, To: Kubelet(m), Evidence: []Evidence{{p.Object, p.Spec, "the pods of " + p.Node.Title() + " are started there by a kubelet"}}})
			}
		}
	},
}
