package attack

import "github.com/coaming/coaming/internal/reach"

var kubeletOpen = Step{
	ID: "kubelet-open", Title: "Command a kubelet that asks for no credentials", Technique: "T1609",
	Needs: "commands in a container that may connect to port 10250 of nodes whose kubelets take anonymous requests and allow everything",
	Gives: "commands in every container of the node",
	Why: "The kubelet's own API runs commands in its containers. Anonymous requests alone are still asked for rights, and AlwaysAllow alone for credentials: " +
		"with both, whoever connects is root's guest.",
	Fix:    "Set authentication.anonymous.enabled to false and authorization.mode to Webhook in the kubelet's configuration.",
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		for _, o := range w.Inventory.OfKind("KubeletConfiguration.kubelet.config.k8s.io") {
			anonymous, mode := o.Root.At("authentication", "anonymous", "enabled"), o.Root.At("authorization", "mode")
			if !anonymous.Bool() || mode.Str() != "AlwaysAllow" {
				continue
			}
			n := w.Network()
			for _, p := range w.Pods {
				doubt, reaches := w.reachesNodes(n, p)
				if !reaches {
					continue
				}
				for _, b := range p.Containers {
					if !b.Runs() {
						continue
					}
					take(Taken{
						From: b.Node, To: PodsIn(""), Doubt: doubt,
						Evidence: []Evidence{
							{o, anonymous, title(o) + " lets anybody in"},
							{o, mode, title(o) + " allows everything"},
							{p.Object, p.networkValue(), "no policy keeps the pods of " + p.Node.Title() + " from their nodes"},
						},
						Changes: []Change{
							{Object: o, Edits: []Edit{Set(o.Root, "false", "authentication", "anonymous", "enabled")}, Title: "Let the kubelets of " + title(o) + " take no anonymous requests"},
							{Object: o, Edits: []Edit{Set(o.Root, `"Webhook"`, "authorization", "mode")}, Title: "Have the kubelets of " + title(o) + " ask the API server for rights"},
						},
					})
				}
			}
		}
	},
}

// reachesNodes says whether pods may connect to kubelets.
func (w *World) reachesNodes(n *reach.Network, p *Pods) (doubt string, reaches bool) {
	if p.Spec.Get("hostNetwork").Bool() {
		return "", true
	}
	for _, word := range []string{"node", "nodes"} {
		set, err := n.Find(word)
		if err != nil || p.Endpoint < 0 {
			continue
		}
		for i := range set.All() {
			switch n.Between(p.Endpoint, i).At(reach.TCP, 10250) {
			case reach.Open:
				return "", true
			case reach.Unknown:
				doubt, reaches = "whether policies let the pods reach the kubelets is not known", true
			case reach.Closed:
			}
		}
	}
	return doubt, reaches
}
