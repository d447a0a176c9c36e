package attack

import (
	"cmp"

	"github.com/coaming/coaming/internal/rbac"
)

var certificateApprove = Step{
	ID: "certificate-approve", Title: "Have a certificate signed for any user", Technique: "T1649",
	Needs: "an identity that may create certificate requests, approve them, and approve for the signer of API clients, or of kubelets",
	Gives: "cluster-admin, as a user or a group that administers; by the signer of kubelets, what the kubelet of any node may do",
	Why: "The cluster's own signer puts its name under every request that is approved, for any user and every group but system:masters: as system:kube-controller-manager one has tokens " +
		"issued for each controller. The signer of kubelets signs for the name of any node, one that is there too. Each of the three rights alone does not do, nor does sign, without the authority's key.",
	Fix:    "Leave approval to people, or name with resourceNames the one signer that is meant.",
	Effort: Easy,
	Find: func(w *World, take func(Taken)) {
		for _, r := range w.RightsTo("approve-certificates") {
			ends := w.signed(r)
			if len(ends) == 0 {
				continue
			}
			t := r.Taken(Node{})
			if w.needs(r, &t, rbac.Query{Verb: "create", Group: certGroup, Resource: "certificatesigningrequests", Wide: true}) &&
				w.needs(r, &t,
					rbac.Query{Verb: "update", Group: certGroup, Resource: "certificatesigningrequests", Subresource: "approval", Wide: true},
					rbac.Query{Verb: "patch", Group: certGroup, Resource: "certificatesigningrequests", Subresource: "approval", Wide: true}) {
				for _, t.To = range ends {
					take(t)
				}
			}
		}
	},
}

// signed are those in whose names whoever approves for signers has certificates.
func (w *World) signed(r *Right) []Node {
	switch {
	case r.Rule.HasName("kubernetes.io/kube-apiserver-client") || r.Rule.HasName("kubernetes.io/*"):
		return []Node{{Kind: ClusterAdmin}}
	case r.Rule.HasName("kubernetes.io/kube-apiserver-client-kubelet"):
		var kubelets []Node
		for _, m := range w.Machines() {
			kubelets = append(kubelets, Kubelet(m))
		}
		return kubelets
	}
	return nil
}

const certGroup = "certificates.k8s.io"

// needs adds to a step the first of several rights that whoever has a right has, too.
func (w *World) needs(r *Right, t *Taken, anyOf ...rbac.Query) bool {
	for _, q := range anyOf {
		if c, doubt, may := w.mayAlso(r, q); may {
			c.joins(t)
			t.Doubt = cmp.Or(t.Doubt, doubt)
			return true
		}
	}
	return false
}
