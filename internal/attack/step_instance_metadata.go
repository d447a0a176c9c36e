package attack

import (
	"cmp"
	"strings"

	"github.com/coaming/coaming/internal/reach"
)

var instanceMetadata = Step{
	ID: "instance-metadata", Title: "Ask the cloud's metadata service for the node's credentials", Technique: "T1552.005",
	Needs: "commands in a container that reaches 169.254.169.254 from a machine of a cloud",
	Gives: "the identity that the node has in the cloud",
	Why: "The service hands the credentials of the machine's own role to whoever asks from it. A pod on the network of its node asks as the node does; whether it answers other pods is up to the cloud's " +
		"settings: the hop limit of AWS, the metadata server of GKE.",
	Fix:     "Forbid egress to 169.254.169.254 by network policy, set the hop limit to 1, or link accounts to roles of their own in place of the node's.",
	Effort:  Easy,
	Network: true,
	Find: func(w *World, take func(Taken)) {
		provider, at := w.provider()
		if provider == "" {
			return
		}
		n := w.Network()
		service, err := n.Find("169.254.169.254")
		if err != nil {
			return
		}
		for _, p := range w.Pods {
			doubt, reaches := w.reachesMetadata(n, p, service)
			if !reaches {
				continue
			}
			if at.Object.Kind != "Node" {
				doubt = cmp.Or(doubt, "whether the nodes are machines of "+provider+" is not known: none was read")
			}
			for _, b := range p.Containers {
				if b.Runs() {
					take(Taken{
						From: b.Node, To: Node{Kind: CloudIdentity, Name: "role of node " + p.Machine.Name + " in " + provider}, Doubt: doubt,
						Evidence: []Evidence{{p.Object, p.networkValue(), "nothing that was read keeps the pods of " + p.Node.Title() + " from the metadata service"}, at},
					})
				}
			}
		}
	},
}

// providers are the clouds, by the beginning of their nodes' providerID.
var providers = map[string]string{"aws": "aws", "gce": "gcp", "azure": "azure"}

// provider is the cloud that the nodes are machines of, by what says so; "" where nothing does.
func (w *World) provider() (name string, at Evidence) {
	for _, o := range w.Inventory.OfKind("Node") {
		v := o.Root.At("spec", "providerID")
		if scheme, _, found := strings.Cut(v.Str(), "://"); found && providers[scheme] != "" {
			return providers[scheme], Evidence{o, v, title(o) + " is a machine of " + providers[scheme]}
		}
	}
	for _, l := range w.Rights.Links() {
		if l.Object != nil && (l.Provider == "aws" || l.Provider == "gcp" || l.Provider == "azure") {
			return l.Provider, Evidence{l.Object, l.At, title(l.Object) + " is linked to " + l.Provider}
		}
	}
	return "", Evidence{}
}

// reachesMetadata says whether pods reach the service; pods on their node's network do.
func (w *World) reachesMetadata(n *reach.Network, p *Pods, service reach.Set) (doubt string, reaches bool) {
	if p.Spec.Get("hostNetwork").Bool() {
		return "", true
	}
	if p.Endpoint < 0 {
		return "", false
	}
	for i := range service.All() {
		switch n.Between(p.Endpoint, i).At(reach.TCP, 80) {
		case reach.Open:
			return "whether the metadata service answers pods that are not on the network of their node is not known", true
		case reach.Unknown:
			return "whether policies let the pods reach the metadata service is not known", true
		case reach.Closed:
		}
	}
	return "", false
}
