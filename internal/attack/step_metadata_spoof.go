package attack

var metadataSpoof = Step{
	ID: "metadata-spoof", Title: "Answer the node's questions in the place of its cloud", Technique: "T1557",
	Needs: "commands as root with NET_RAW in a container on its node's network (hostNetwork)",
	Gives: "root on the node, where it takes keys from the cloud's metadata service",
	Why: "On the node's network the container sees the node's own packets and forges answers to them. Agents of clouds ask the metadata service over plain HTTP who may log in, and take " +
		"a key from whoever answers first. Among pods NET_RAW forges nothing that the node believes.",
	Fix:    "Drop NET_RAW, which runtimes give unless it is dropped, or remove hostNetwork.",
	Effort: Hard,
	Find: func(w *World, take func(Taken)) {
		for b := range w.Boxes {
			at := b.Pods.Spec.Get("hostNetwork")
			if !at.Bool() || b.Privileged() {
				continue
			}
			h, holds := w.Holds(b, "NET_RAW")
			if !holds {
				continue
			}
			take(Taken{
				From: b.Node, To: b.Pods.Machine, Doubt: "whether the node takes keys from a metadata service over plain HTTP is not known",
				Evidence: []Evidence{h.tells(b, "NET_RAW"), value(b, at, "it is on the network of its node")},
				Changes:  []Change{h.taken(b, "NET_RAW"), without(b, at, "Take the pods of "+b.Pods.Node.Title()+" off the network of their node")},
			})
		}
	},
}
