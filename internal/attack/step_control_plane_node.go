package attack

import (
	"slices"
	"strings"
)

var controlPlaneNode = Step{
	ID: "control-plane-node", Title: "Take the administrator's key from a control plane node", Technique: "T1552.004",
	Needs: "root on a node of the control plane",
	Gives: "cluster-admin",
	Why: "There lie an administrator's kubeconfig, the key of the cluster's certificate authority, and etcd with every secret. In a cluster whose control plane somebody else runs " +
		"there are no such nodes.",
	Fix:    "Run nothing on the control plane but what belongs there: no selector of its label, no toleration of its taint.",
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		for _, m := range w.Machines() {
			p := w.anyOn(m)
			if p == nil {
				continue
			}
			o := w.Inventory.Find("Node", "", m.Name)
			switch {
			case o != nil && isControlPlane(o):
				take(Taken{From: m, To: Node{Kind: ClusterAdmin}, Evidence: []Evidence{{o, o.Labels(), title(o) + " is one of the control plane"}}})
			case namesControlPlane(m.Name):
				take(Taken{From: m, To: Node{Kind: ClusterAdmin}, Evidence: []Evidence{{p.Object, p.Spec, "the pods of " + p.Node.Title() + " run on nodes of the control plane"}}})
			}
		}
		for _, o := range w.Inventory.OfKind("Node") {
			if isControlPlane(o) {
				take(Taken{From: AllMachines(), To: Node{Kind: ClusterAdmin}, Evidence: []Evidence{{o, o.Labels(), title(o) + " is one of the control plane"}}})
				break
			}
		}
	},
}

// namesControlPlane says whether what pods ask of their node only nodes of the control plane have.
func namesControlPlane(class string) bool {
	return slices.ContainsFunc(strings.Split(class, ","), func(wanted string) bool {
		return !slices.ContainsFunc(strings.Split(wanted, " or "), func(term string) bool {
			return !slices.ContainsFunc(strings.Split(term, "+"), func(label string) bool {
				key, _, found := strings.Cut(label, "=")
				return found && isRole(key)
			})
		})
	})
}
