package attack

import (
	"slices"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
)

var podCreate = Step{
	ID: "pod-create", Title: "Run a pod with the accounts and secrets of its namespace", Technique: "T1610",
	Needs: "an identity that may create pods, or write what makes pods (deployments, jobs and the like)",
	Gives: "every service account and every secret of the namespace",
	Why: "Whoever writes a pod says which service account it runs as and which secrets it mounts, and the API server asks for no right to either: " +
		"to create pods is to be all accounts of the namespace, whatever Pod Security standard it enforces.",
	Fix:    "Give the right in namespaces alone in which nothing more powerful runs, and to deployers rather than to programs.",
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		for _, r := range w.RightsTo("run-pods") {
			for _, to := range []Node{AccountsIn(r.Namespace), SecretsIn(r.Namespace)} {
				take(w.runs(r, r.Taken(to)))
			}
		}
	},
}

// podMakers are the groups of Kubernetes' own resources that make pods.
var podMakers = []string{"", "apps", "batch"}

// runs is a step with the doubt whether what makes pods of another group's resources is there at all.
func (w *World) runs(r *Right, t Taken) Taken {
	if group := r.Danger.Group; t.Doubt == "" && !slices.Contains(podMakers, group) && !w.Serves(group) {
		t.Doubt = "whether a controller for the resources of " + group + " is there is not known"
	}
	return t
}

// Serves says whether a definition of resources of the API group was read.
func (w *World) Serves(group string) bool {
	return slices.ContainsFunc(w.Inventory.OfKind("CustomResourceDefinition.apiextensions.k8s.io"), func(o *fact.Object) bool {
		return o.Root.At("spec", "group").Str() == group
	})
}

// mayRunPods says by which chain whoever has a right may also run pods in a namespace.
func (w *World) mayRunPods(r *Right, namespace string) (c *chain, doubt string, may bool) {
	for _, q := range []rbac.Query{
		{Verb: "create", Resource: "pods", Namespace: namespace},
		{Verb: "create", Group: "apps", Resource: "deployments", Namespace: namespace},
		{Verb: "create", Group: "apps", Resource: "daemonsets", Namespace: namespace},
		{Verb: "create", Group: "apps", Resource: "statefulsets", Namespace: namespace},
		{Verb: "create", Group: "apps", Resource: "replicasets", Namespace: namespace},
		{Verb: "create", Group: "batch", Resource: "jobs", Namespace: namespace},
		{Verb: "create", Group: "batch", Resource: "cronjobs", Namespace: namespace},
		{Verb: "create", Resource: "replicationcontrollers", Namespace: namespace},
	} {
		if c, doubt, may := w.mayAlso(r, q); may {
			return c, doubt, true
		}
	}
	return nil, "", false
}
