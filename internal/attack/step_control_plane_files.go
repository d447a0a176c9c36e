package attack

import (
	"slices"

	"github.com/coaming/coaming/internal/fact"
)

var controlPlaneFiles = Step{
	ID: "control-plane-files", Title: "Read the administrator's key on a control plane node", Technique: "T1552.004",
	Needs: "commands as root in a container that may run on a control plane node and sees where its keys lie",
	Gives: "cluster-admin",
	Why: "There lie an administrator's kubeconfig, the key of the cluster's certificate authority, and etcd with every secret: " +
		"each of them is the whole cluster, and reading is enough.",
	Fix:    "Keep such volumes off control plane nodes, by tolerations and selectors, or mount only the file that is read.",
	Effort: Easy,
	Find: func(w *World, take func(Taken)) {
		for _, f := range w.Folders() {
			p, found := shows(f.Path, clusterKeys)
			if !found || !f.Box.Root() {
				continue
			}
			e, doubt, may := w.onControlPlane(f.Box.Pods)
			if !may {
				continue
			}
			t := f.taken(Node{Kind: ClusterAdmin}, "reads "+p.path)
			t.Evidence = append(t.Evidence, e)
			if t.Doubt == "" {
				t.Doubt = doubt
			}
			take(t)
		}
	},
}

// clusterKeys are where control planes keep what is as good as cluster-admin.
var clusterKeys = []place{
	{"/etc/kubernetes/admin.conf", false},
	{"/etc/kubernetes/super-admin.conf", false},
	{"/etc/kubernetes/pki", true},
	{"/var/lib/etcd", true},
	{"/etc/rancher/k3s", true},
	{"/etc/rancher/rke2", true},
	{"/var/lib/rancher/k3s/server", true},
	{"/var/lib/rancher/rke2/server", true},
	{"/var/lib/k0s/pki", true},
	{"/root" + "/.kube", true},
}

// controlPlaneRoles are the labels and taints of control plane nodes.
var controlPlaneRoles = []string{"node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"}

// onControlPlane says whether pods may run on a node of the control plane, by what of their spec. Where
// they only tolerate its taint, whether there is such a node must be seen.
func (w *World) onControlPlane(p *Pods) (e Evidence, doubt string, may bool) {
	if name := p.Spec.Get("nodeName"); name.Str() != "" {
		o := w.Inventory.Find("Node", "", name.Str())
		return Evidence{p.Object, name, "its pods run on node " + name.Str()}, "", o != nil && isControlPlane(o)
	}
	selector := p.Spec.Get("nodeSelector")
	for _, role := range controlPlaneRoles {
		if v := selector.Get(role); v.Exists() {
			return Evidence{p.Object, v, "its pods run on nodes with the label " + role}, "", true
		}
	}
	for _, term := range p.Spec.At("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms").Items() {
		for _, v := range term.Get("matchExpressions").Items() {
			if op := v.Get("operator").Str(); isRole(v.Get("key").Str()) && (op == "Exists" || op == "In") {
				return Evidence{p.Object, v, "its pods may run on nodes with the label " + v.Get("key").Str()}, "", true
			}
		}
	}
	if selector.Len() > 0 {
		return Evidence{}, "", false
	}
	return w.toleratesControlPlane(p)
}

func (w *World) toleratesControlPlane(p *Pods) (e Evidence, doubt string, may bool) {
	for _, v := range p.Spec.Get("tolerations").Items() {
		key, effect := v.Get("key").Str(), v.Get("effect").Str()
		if !isRole(key) && (key != "" || v.Get("operator").Str() != "Exists") || effect != "" && effect != "NoSchedule" {
			continue
		}
		doubt := "whether pods run on nodes of the control plane is not known: no such node was read"
		for _, o := range w.Inventory.OfKind("Node") {
			if isControlPlane(o) {
				doubt = ""
			}
		}
		return Evidence{p.Object, v, "its pods tolerate the taint of the control plane's nodes"}, doubt, doubt == "" || !w.Inventory.Live
	}
	return Evidence{}, "", false
}

func isRole(key string) bool { return slices.Contains(controlPlaneRoles, key) }

func isControlPlane(node *fact.Object) bool {
	return slices.ContainsFunc(controlPlaneRoles, func(role string) bool { return node.Labels().Get(role).Exists() })
}
