package attack

var podPatch = Step{
	ID: "pod-patch", Title: "Put another image into running pods", Technique: "T1610",
	Needs: "an identity that may update or patch pods",
	Gives: "commands in the containers of the pods there",
	Why: "Of a running pod nearly everything is fixed, but not the images of its containers: the kubelet starts the container again from an image of the attacker's, " +
		"with the same token, secrets, volumes and rights over the node.",
	Fix:    "Remove update and patch on pods; controllers change pods through their templates.",
	Effort: Easy,
	Find:   podStep("change-pods"),
}

// podStep takes a step for every right over pods, to those that it names or to all of its namespace.
func podStep(danger string) func(*World, func(Taken)) {
	return func(w *World, take func(Taken)) {
		for _, r := range w.RightsTo(danger) {
			for _, to := range w.podsOf(r) {
				take(r.Taken(to))
			}
		}
	}
}

// podsOf are the nodes of the pods that a right is over.
func (w *World) podsOf(r *Right) []Node {
	names := r.Names()
	if len(names) == 0 {
		return []Node{PodsIn(r.Namespace)}
	}
	var list []Node
	for _, p := range w.In(r.Namespace) {
		if p.isNamed(names) {
			list = append(list, p.Node)
		}
	}
	return list
}
