package attack

import (
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

var podProxy = Step{
	ID: "pod-proxy", Title: "Send requests to pods through the API server", Technique: "T1572",
	Needs: "an identity that may get, create, update, patch or delete pods/proxy or services/proxy",
	Gives: "commands in the pods there, where what they serve has a flaw",
	Why: "The API server passes the request on and sends it from its own address, which network policies seldom keep out, for the kubelet's probes and webhooks come from nodes, too. Of services those pods are reached " +
		"to which they lead. The step assumes a flaw in what is served.",
	Fix:    "Give the proxy subresources to nobody for good; people who debug can forward a port.",
	Effort: Hard,
	Find: func(w *World, take func(Taken)) {
		for _, r := range w.RightsTo("proxy") {
			for _, to := range w.proxied(r) {
				take(r.Taken(to))
			}
		}
	},
}

// servedPods is the scope of the pods that services of a namespace lead to, or of all of them.
func servedPods(namespace string) Node {
	return Node{Kind: Scope, Namespace: namespace, Name: "pods behind services"}
}

// proxied are the nodes of the pods that a right to send requests through the API server is over.
func (w *World) proxied(r *Right) []Node {
	names := r.Names()
	for i := range names {
		names[i] = proxiedName(names[i])
	}
	switch pods, services := r.Rule.HasResource("pods/proxy"), r.Rule.HasResource("services/proxy"); {
	case len(names) == 0 && pods:
		return []Node{PodsIn(r.Namespace)}
	case len(names) == 0:
		return []Node{servedPods(r.Namespace)}
	default:
		var list []Node
		for _, p := range w.In(r.Namespace) {
			if pods && p.isNamed(names) || services && w.isServed(p, names) {
				list = append(list, p.Node)
			}
		}
		return list
	}
}

// proxiedName is the object's name in one as requests to the proxy have it: "https:NAME:PORT".
func proxiedName(text string) string {
	parts := strings.Split(text, ":")
	if len(parts) == 3 {
		return parts[1]
	}
	return parts[0]
}

// isServed says whether a service leads to the pods, one of the names where there are some.
func (w *World) isServed(p *Pods, names []string) bool {
	return slices.ContainsFunc(w.Inventory.In("Service", p.Namespace), func(o *fact.Object) bool {
		selector := o.Root.At("spec", "selector")
		return selector.Len() > 0 && fact.HasLabels(p.Labels(), selector) && (len(names) == 0 || slices.Contains(names, o.Name))
	})
}
