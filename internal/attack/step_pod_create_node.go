package attack

import (
	"cmp"

	"github.com/coaming/coaming/internal/rbac"
)

var podCreateNode = Step{
	ID: "pod-create-node", Title: "Run a pod that takes its node", Technique: "T1610",
	Needs: "an identity that may run pods in a namespace that enforces no Pod Security standard",
	Gives: "root on every node",
	Why: "A pod may be privileged, mount the node and choose the node that it runs on, unless admission refuses it. A namespace that enforces baseline or restricted " +
		"does; one without the label, as new ones are, lets everything in.",
	Fix:    "Label the namespace pod-security.kubernetes.io/enforce: baseline, or better restricted.",
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		for _, r := range w.RightsTo("run-pods") {
			if r.Namespace != "" {
				a, admits := w.letsIn(r.Namespace)
				if !admits {
					continue
				}
				t := w.runs(r, r.Taken(AllMachines()))
				a.joins(&t)
				if change, ok := a.label(); ok {
					t.Changes = append(t.Changes, change)
				}
				take(t)
				continue
			}
			t := w.runs(r, r.Taken(AllMachines()))
			if a, admits := w.letsInSomewhere(); admits && a.doubt == "" {
				a.joins(&t)
			} else if c, doubt, may := w.mayAlso(r, rbac.Query{Verb: "create", Resource: "namespaces", Wide: true}); may {
				c.joins(&t)
				t.Doubt = cmp.Or(t.Doubt, doubt, w.refuser())
			} else if admits {
				a.joins(&t)
			} else {
				continue
			}
			take(t)
		}
	},
}
