package attack

import (
	"slices"
	"strings"

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

// mayRunPods says by which chain whoever has a right may also run pods in a namespace: by new ones, or by what
// makes pods and is there already.
func (w *World) mayRunPods(r *Right, namespace string) (c *chain, doubt string, may bool) {
	for _, q := range []rbac.Query{
		{Resource: "pods", Namespace: namespace},
		{Group: "apps", Resource: "deployments", Namespace: namespace},
		{Group: "apps", Resource: "daemonsets", Namespace: namespace},
		{Group: "apps", Resource: "statefulsets", Namespace: namespace},
		{Group: "apps", Resource: "replicasets", Namespace: namespace},
		{Group: "batch", Resource: "jobs", Namespace: namespace},
		{Group: "batch", Resource: "cronjobs", Namespace: namespace},
		{Resource: "replicationcontrollers", Namespace: namespace},
	} {
		for _, verb := range []string{"create", "update", "patch"} {
			if verb != "create" && q.Resource == "pods" {
				break // of a pod that is there nearly everything is fixed
			}
			q.Verb = verb
			if c, doubt, may := w.mayAlso(r, q); may {
				return c, doubt, true
			}
		}
	}
	for _, own := range w.held(r.Who, "run-pods") {
		if own.Rule.Named() && (own.Namespace == "" || own.Namespace == namespace) && slices.Contains(podMakers, own.Danger.Group) {
			q := &rbac.Query{Verb: "change", Group: own.Danger.Group, Resource: strings.Join(own.Rule.Texts("resources"), ", "), Namespace: namespace}
			return &chain{query: q, who: own.Who, all: []rbac.Chain{{Binding: own.Binding, Subject: own.Subject, Rule: own.Rule, Doubt: own.Doubt}}}, own.Doubt, true
		}
	}
	return nil, "", false
}
