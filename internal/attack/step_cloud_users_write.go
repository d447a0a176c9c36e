package attack

import (
	"cmp"
	"slices"

	"github.com/coaming/coaming/internal/rbac"
)

var cloudUsersWrite = Step{
	ID: "cloud-users-write", Title: "Make a user of the cloud an administrator of the cluster", Technique: "T1098",
	Needs: "an identity that may write the ConfigMap aws-auth of kube-system, in a cluster that reads it",
	Gives: "cluster-admin",
	Why: "EKS takes from this ConfigMap which users and roles of the AWS account are in which groups of the cluster: one entry with system:masters, and whoever has that role is cluster-admin. " +
		"Elsewhere the ConfigMap means nothing.",
	Fix:    "Use access entries in place of aws-auth, or limit writing of ConfigMaps in kube-system by resourceNames.",
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		o := w.Inventory.Find("ConfigMap", rbac.SystemNamespace, awsAuth)
		for _, r := range w.RightsTo("cloud-users") {
			named := slices.Contains(r.Names(), awsAuth)
			if o == nil && (!named || w.Inventory.Live) || !r.Rule.HasVerb("update") && !r.Rule.HasVerb("patch") {
				continue
			}
			t := r.Taken(Node{Kind: ClusterAdmin})
			if o != nil {
				t.Evidence = append(t.Evidence, Evidence{o, o.Root, title(o) + " is there"})
			} else {
				t.Doubt = cmp.Or(t.Doubt, "whether the cluster reads the ConfigMap aws-auth is not known: it was not read")
			}
			take(t)
		}
	},
}

const awsAuth = "aws-auth"
