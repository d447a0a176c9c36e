package reach

import (
	"slices"
	"strings"
)

// controllerNames are the names by which the pods of ingress and gateway controllers call
// themselves in app.kubernetes.io/name or app (their own charts and manifests).
var controllerNames = []string{
	"ingress-nginx", "nginx-ingress", "traefik", "contour", "envoy", "haproxy-ingress", "kubernetes-ingress", "kong", "ingress-controller",
	"istio-ingressgateway", "emissary-ingress", "ambassador", "apisix", "nginx-gateway-fabric", "gateway-helm", "router",
}

const gatewayLabel = "gateway.networking.k8s.io/gateway-name"

// controllers are the pods that look like those of an ingress or gateway controller.
func (n *Network) controllers() Set {
	s := newSet(len(n.Endpoints))
	for i := range n.pods.All() {
		for _, w := range n.Endpoints[i].Workloads {
			labels := w.Labels()
			if slices.Contains(controllerNames, labels.Get("app.kubernetes.io/name").Str()) || slices.Contains(controllerNames, labels.Get("app").Str()) || labels.Get(gatewayLabel).Exists() {
				s.add(i)
			}
		}
	}
	return s
}

// router finds the ways through routes. Their connections come from the pods of a controller; where
// these are not to be seen, from anywhere that no policy keeps from sending: what stops a pod that was read
// stops no controller that was not.
type router struct {
	*Network
	from   Set
	known  bool           // whether from are controllers
	access map[int]Access // what from has to a pod, as far as that was asked
}

// to is what is open to a pod from whichever of the controllers; nobody knows which. Those that the same
// policies are for, and that the same rule of the pod's is about, are asked once.
func (r *router) to(pod int) Access {
	if a, known := r.access[pod]; known {
		return a
	}
	type alike struct {
		egress int
		rows   [gates]int // of the pod's policies, by gate
		host   bool
	}
	var a Access
	seen := map[alike]bool{}
	for i := range r.from.All() {
		if !r.known && r.profileOf[egress][i] >= 0 {
			continue
		}
		key := alike{egress: r.profileOf[egress][i], host: r.sharesNode(i, pod)}
		for _, d := range []direction{ingress, istio, linkerd} {
			if at := r.profileOf[d][pod]; at >= 0 {
				rows := r.profiles[d][at].rows
				key.rows[d] = slices.IndexFunc(rows, func(row row) bool { return row.peers.has(i) })
			}
		}
		if seen[key] {
			continue
		}
		if next := r.Between(i, pod); len(seen) == 0 {
			a = next
		} else {
			a = a.orElse(next)
		}
		seen[key] = true
	}
	r.access[pod] = a
	return a
}

// ways are those through one backend of a route.
func (r *router) ways(b *backend) {
	n := r.Network
	service := n.inventory.Find("Service", b.namespace, b.service)
	if service == nil {
		return
	}
	clients := n.letIn(&b.clientele)
	for _, t := range n.targets(service, b.port) {
		a := r.to(t.pod)
		w := Way{Object: b.object, Through: b.object.Kind, Doubt: b.clientele.doubt, Unseen: !r.known}
		if !r.known && !a.Unknown.Intersect(t.ports).Empty() {
			w.Doubt = strings.TrimPrefix(w.Doubt+"; the pods of its controller are not to be seen", "; ")
		}
		for i := range clients.All() {
			n.addWay(w, i, t, a)
		}
	}
}
