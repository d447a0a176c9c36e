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
		w.anyControlPlane(take)
	},
}

// anyControlPlane takes the step for whoever chooses the node: to one that was read, or, where no node was,
// to one that may be there.
func (w *World) anyControlPlane(take func(Taken)) {
	t := Taken{From: AllMachines(), To: Node{Kind: ClusterAdmin}}
	nodes := w.Inventory.OfKind("Node")
	for _, o := range nodes {
		if isControlPlane(o) {
			t.Evidence = []Evidence{{o, o.Labels(), title(o) + " is one of the control plane"}}
			take(t)
			return
		}
	}
	switch missed := w.Missed("Node", ""); {
	case missed != "":
		t.Doubt = "whether the cluster has nodes of the control plane is not known: " + missed
	case len(nodes) == 0 && !w.Inventory.Live:
		t.Doubt, t.Elsewhere = "whether the cluster has nodes of the control plane is not known: no node was read", true
	default:
		return
	}
	e := Evidence{Text: "who chooses the node that a pod runs on may choose one of the control plane"}
	if len(w.Pods) > 0 {
		p := w.Pods[0]
		e = Evidence{p.Object, p.Spec, "the pods of " + p.Node.Title() + ", as others, run on nodes that were not read: " + e.Text}
	}
	t.Evidence = []Evidence{e}
	take(t)
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
