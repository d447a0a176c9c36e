package attack

var podDebugNode = Step{
	ID: "pod-debug-node", Title: "Put a privileged debug container into running pods", Technique: "T1610",
	Needs: "an identity that may update or patch pods/ephemeralcontainers in a namespace that enforces no Pod Security standard",
	Gives: "root on the nodes of the pods there",
	Why: "An ephemeral container says for itself whether it is privileged, whatever the pod's own containers are; admission judges it like any other, " +
		"and a namespace without a standard lets it in.",
	Fix:    "Label the namespace pod-security.kubernetes.io/enforce: baseline, or better restricted.",
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		for _, r := range w.RightsTo("debug") {
			if r.Namespace == "" && len(r.Names()) == 0 {
				if a, admits := w.letsInSomewhere(); admits {
					t := r.Taken(AllMachines())
					a.joins(&t)
					take(t)
				}
				continue
			}
			w.debugsNodes(r, take)
		}
	},
}

// debugsNodes takes the step to the node of each of the pods that the right is over, each once.
func (w *World) debugsNodes(r *Right, take func(Taken)) {
	names := r.Names()
	seen := map[Node]bool{}
	for _, p := range w.In(r.Namespace) {
		if seen[p.Machine] || len(names) > 0 && !p.isNamed(names) {
			continue
		}
		a, admits := w.letsIn(p.Namespace)
		if !admits || !p.HostUsers() || p.OS() != "linux" {
			continue
		}
		seen[p.Machine] = true
		t := r.Taken(p.Machine)
		a.joins(&t)
		if change, ok := a.label(); ok && r.Namespace != "" {
			t.Changes = append(t.Changes, change)
		}
		take(t)
	}
}

// HostUsers says whether root in the pods is root on the node.
func (p *Pods) HostUsers() bool {
	for _, b := range p.Containers {
		return b.HostUsers()
	}
	return true
}
