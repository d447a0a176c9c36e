package attack

var podExec = Step{
	ID: "pod-exec", Title: "Run commands in pods", Technique: "T1609",
	Needs:  "an identity that may create, or get, pods/exec or pods/attach",
	Gives:  "commands in the containers of the pods there",
	Why:    "exec is a shell in a running container: its token, its secrets and its volumes are whoever's who has it.",
	Fix:    "Give pods/exec to nobody for good; for the hour of need there are ephemeral grants.",
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		for _, r := range w.RightsTo("exec") {
			if names := r.Names(); len(names) > 0 {
				for _, p := range w.In(r.Namespace) {
					if p.isNamed(names) {
						take(r.Taken(p.Node))
					}
				}
				continue
			}
			take(r.Taken(PodsIn(r.Namespace)))
		}
	},
}

// isNamed says whether a pod of the workload may have one of the names: a lone pod its own, a
// controller's one that begins with its.
func (p *Pods) isNamed(names []string) bool {
	for _, name := range names {
		if p.Object.GroupKind() == "Pod" && name == p.Object.Name {
			return true
		}
		if p.Object.GroupKind() != "Pod" && len(name) > len(p.Object.Name) && name[:len(p.Object.Name)+1] == p.Object.Name+"-" {
			return true
		}
	}
	return false
}
