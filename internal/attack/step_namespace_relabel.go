package attack

import (
	"cmp"
	"slices"
)

var namespaceRelabel = Step{
	ID: "namespace-relabel", Title: "Take the Pod Security standard off a namespace, and run what it forbade", Technique: "T1685",
	Needs: "an identity that may update or patch a namespace which enforces a standard, and run pods in it",
	Gives: "root on every node",
	Why: "The standard is a label of the namespace, and who may change the namespace removes it; a Role is enough, for the API server judges a request for a namespace by the rights held in it. " +
		"What may run pods there then runs privileged ones.",
	Fix:    "Remove update and patch on namespaces; who runs the cluster sets their labels.",
	Effort: Easy,
	Find: func(w *World, take func(Taken)) {
		for _, r := range w.RightsTo("change-namespace") {
			spaces := []string{r.Namespace}
			if r.Namespace == "" {
				spaces = w.runnable(r)
			}
			for _, namespace := range spaces {
				if level, _, doubt := w.Level(namespace); level == "privileged" || doubt != "" || !r.Rule.HasName(namespace) {
					continue
				}
				if t, may := w.relabels(r, namespace); may {
					take(t)
					break // one such namespace is every node
				}
			}
		}
	},
}

// runnable are the namespaces in which whoever has a right may run pods.
func (w *World) runnable(r *Right) []string {
	var list []string
	for _, other := range w.RightsTo("run-pods") {
		switch {
		case other.Who != r.Who:
		case other.Namespace == "":
			return w.spaces()
		case !slices.Contains(list, other.Namespace):
			list = append(list, other.Namespace)
		}
	}
	slices.Sort(list)
	return list
}

func (w *World) relabels(r *Right, namespace string) (t Taken, may bool) {
	c, doubt, may := w.mayRunPods(r, namespace)
	if !may {
		return t, false
	}
	t = r.Taken(AllMachines())
	_, at, _ := w.Level(namespace)
	t.Evidence = append(t.Evidence, at)
	c.joins(&t)
	t.Doubt = cmp.Or(t.Doubt, doubt, w.refuser())
	return t, true
}
