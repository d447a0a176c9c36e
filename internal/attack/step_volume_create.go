package attack

import (
	"cmp"

	"github.com/coaming/coaming/internal/rbac"
)

var volumeCreate = Step{
	ID: "volume-create", Title: "Make a volume of the node's root folder, and claim it", Technique: "T1611",
	Needs: "an identity that may create persistent volumes, and claims and pods in a namespace that does not enforce restricted",
	Gives: "root on every node",
	Why: "A PersistentVolume may be any folder of a node, and the Pod Security standards look at hostPath in pods, not behind claims. Under baseline a pod still runs as root, and what it claims is the node; " +
		"under restricted it runs as somebody else, who may not write there.",
	Fix:    "Leave persistentvolumes to storage drivers, or enforce restricted where pods are run.",
	Effort: Easy,
	Find: func(w *World, take func(Taken)) {
		for _, r := range w.RightsTo("host-volume") {
			if !r.Rule.HasVerb("create") || r.Rule.Named() {
				continue
			}
			for _, namespace := range w.runnable(r) {
				level, at, doubt := w.Level(namespace)
				if level == "restricted" {
					continue
				}
				t := r.Taken(AllMachines())
				if at.Object != nil {
					t.Evidence = append(t.Evidence, at)
				}
				c, unsure, may := w.mayRunPods(r, namespace)
				if !may || !w.needs(r, &t, rbac.Query{Verb: "create", Resource: "persistentvolumeclaims", Namespace: namespace}) {
					continue
				}
				c.joins(&t)
				t.Doubt = cmp.Or(t.Doubt, unsure, doubt, w.refuser())
				take(t)
				break // one such namespace is every node
			}
		}
	},
}
