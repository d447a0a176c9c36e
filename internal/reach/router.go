package reach

import (
	"maps"
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
	// senders is sendersBy, made when it is first asked for.
	senders func() []Set
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
	var a Access
	for n, i := range r.callers(pod) {
		if next := r.Between(i, pod); n == 0 {
			a = next
		} else {
			a = a.orElse(next)
		}
	}
	return a
}

// callers is one of each group of senders that have the same access to a pod, in order: senders are told apart by the
// node they may share with it and by the first row of its policies that they are in.
func (r *router) callers(pod int) []int {
	groups := r.senders()
	if r.pods.has(pod) {
		groups = parted(groups, r.hosts)
	}
	if r.hosts.has(pod) {
		groups = parted(groups, r.pods)
	}
	for _, d := range []direction{ingress, istio, linkerd} {
		if at := r.profileOf[d][pod]; at >= 0 {
			rows := r.profiles[d][at].rows
			peers := make([]Set, len(rows))
			for n := range rows {
				peers[n] = rows[n].peers
			}
			groups = parted(groups, peers...)
		}
	}
	list := make([]int, 0, len(groups))
	for _, g := range groups {
		list = append(list, g.first())
	}
	slices.Sort(list)
	return list
}

// sendersBy are those that a connection may come from, in groups that the same policies keep from sending; whoever is no
// controller is kept by none.
func (r *router) sendersBy() []Set {
	groups := map[int]Set{}
	for i := range r.from.All() {
		at := r.profileOf[egress][i]
		if !r.known && at >= 0 {
			continue
		}
		if groups[at] == nil {
			groups[at] = newSet(len(r.Endpoints))
		}
		groups[at].add(i)
	}
	return slices.Collect(maps.Values(groups))
}

// parted tells the members of each group apart by the first of some sets that they are in.
func parted(groups []Set, by ...Set) []Set {
	var list []Set
	for _, g := range groups {
		for _, set := range by {
			if g.meets(set) {
				list, g = append(list, g.and(set)), g.minus(set)
			}
		}
		if !g.empty() {
			list = append(list, g)
		}
	}
	return list
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
