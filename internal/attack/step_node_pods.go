package attack

var nodePods = Step{
	ID: "node-pods", Title: "Enter every container of the node", Technique: "T1609",
	Needs: "root on a node",
	Gives: "commands in the containers of every pod that may run there",
	Why: "To root on the node a container is processes and folders: it enters each of them, and reads their tokens, secrets and volumes. Which pods run beside each other is the scheduler's choice; " +
		"all that may are taken to.",
	Fix:    "Keep what must not fall together on nodes apart, by node selectors and taints.",
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		for _, m := range w.Machines() {
			if p := w.anyOn(m); p != nil {
				take(Taken{From: m, To: PodsOn(m), Evidence: []Evidence{{p.Object, p.Spec, "the pods of " + p.Node.Title() + " may run there, as may others"}}})
			}
		}
	},
}

// anyOn is one of the workloads of a class of nodes; nil for none.
func (w *World) anyOn(machine Node) *Pods {
	if list := w.On(machine); len(list) > 0 {
		return list[0]
	}
	return nil
}
