package reach

import (
	"slices"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
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
	// alike is the same by all that it depends on where from is whoever may send anywhere.
	alike map[aim]Access
	await map[int]Ports           // by pod
	read  map[document.Value]bool // by peer of a policy: whether pods that it selects were read
}

// aim is what decides who connects to a pod that may connect anywhere: the policies that the pod has, and what it is.
type aim struct {
	profiles  [gates]int // -1 of what those policies are not
	host, pod bool
}

func (n *Network) aimAt(pod int) aim {
	a := aim{host: n.hosts.has(pod), pod: n.pods.has(pod)}
	for d := range a.profiles {
		a.profiles[d] = -1
	}
	for _, d := range []direction{ingress, istio, linkerd} {
		a.profiles[d] = n.profileOf[d][pod]
	}
	return a
}

// to is what is open to a pod from whichever of the controllers; nobody knows which. Those that the same
// policies are for, and that the same rule of the pod's is about, are asked once.
func (r *router) to(pod int) Access {
	if a, known := r.access[pod]; known {
		return a
	}
	a, known := r.alike[r.aimAt(pod)]
	if r.known || !known {
		a = r.towards(pod)
		r.alike[r.aimAt(pod)] = a
	}
	r.access[pod] = a
	return a
}

func (r *router) towards(pod int) Access {
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
		w := Way{Object: b.object, Through: b.object.Kind, Doubt: b.clientele.doubt}
		if !r.known && !a.Unknown.Intersect(t.ports).Empty() {
			w.Unseen = w.Doubt == "" && t.doubt == "" && t.ports.Minus(a.Open).Minus(r.awaited(t.pod)).Empty()
			w.Doubt = strings.TrimPrefix(w.Doubt+"; the pods of its controller are not to be seen", "; ")
		}
		for i := range clients.All() {
			n.addWay(w, i, t, a)
		}
	}
}

// awaited are the ports on which a NetworkPolicy lets in pods of which none was read, by whatever namespace and
// labels it names: who wrote it knows of some.
func (r *router) awaited(pod int) Ports {
	ports, known := r.await[pod]
	if known {
		return ports
	}
	for _, p := range r.policiesFor(pod, ingress) {
		if !p.sure || p.policy.object.GroupKind() != networkPolicy {
			continue
		}
		rules := p.policy.sides[ingress].rules
		for i, v := range p.policy.object.Root.At("spec", "ingress").Items() {
			path := "spec.ingress[" + strconv.Itoa(i) + "]"
			at := slices.IndexFunc(rules, func(r rule) bool { return r.path == path })
			if at < 0 {
				continue
			}
			for _, peer := range v.Get("from").Items() {
				if peer.Get("namespaceSelector").Exists() && !r.anyOf(peer) {
					sure, _ := rules[at].ports.at(r.Endpoints[pod])
					ports = ports.Union(sure)
				}
			}
		}
	}
	r.await[pod] = ports
	return ports
}

// anyOf says whether a peer of a NetworkPolicy selects pods that were read.
func (r *router) anyOf(peer document.Value) bool {
	is, known := r.read[peer]
	if !known {
		is = r.selectsAny(peer)
		r.read[peer] = is
	}
	return is
}

func (r *router) selectsAny(peer document.Value) bool {
	for _, ns := range r.namespaces {
		if ns.pods.empty() || !fact.Selects(peer.Get("namespaceSelector"), ns.labels) {
			continue
		}
		for i := range ns.pods.All() {
			if pods := peer.Get("podSelector"); !pods.Exists() || fact.Selects(pods, r.Endpoints[i].labels()) {
				return true
			}
		}
	}
	return false
}
