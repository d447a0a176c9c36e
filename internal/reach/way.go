package reach

import (
	"sync"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// Way is a way in from outside of the cluster: which addresses reach which pods, on which of the
// pods' own ports, through what. What stands under Unknown may be a way.
type Way struct {
	Object *fact.Object
	// Through is "LoadBalancer", "NodePort", "externalIPs", "hostPort", "hostNetwork", or the kind of a route.
	Through  string
	From, To Set
	Access
	// Doubt is why it is not known; "" when it is.
	Doubt string
	// Unseen is set where it is unknown for one reason alone: the pods of the controller that the route asks
	// for are not among what was read, and the target's policies let in somebody who was not read either.
	Unseen bool
}

type jsonWay struct {
	Object  string      `json:"object"`
	Through string      `json:"through"`
	From    []int       `json:"from"`
	To      []int       `json:"to"`
	Open    []portRange `json:"open,omitempty"`
	Unknown []portRange `json:"unknown,omitempty"`
	Doubt   string      `json:"doubt,omitempty"`
}

func (w *Way) json() jsonWay {
	return jsonWay{describe(w.Object), w.Through, w.From.list(), w.To.list(), w.Open.ranges(), w.Unknown.ranges(), w.Doubt}
}

func (w *Way) text(n *Network) string {
	text := n.Title(w.From, mostNames) + " -> " + n.Title(w.To, mostNames) + " through " + describe(w.Object) + " (" + w.Through + ")"
	if !w.Open.Empty() {
		text += ": open " + w.Open.String()
	}
	if !w.Unknown.Empty() {
		text += ": unknown " + w.Unknown.String()
	}
	if w.Doubt != "" {
		text += ": " + w.Doubt
	}
	return text
}

// wayKinds are the kinds that ways in are read from, beside services.
var wayKinds = []string{
	ingressKind, gatewayKind, "HTTPRoute." + gatewayGroup, "GRPCRoute." + gatewayGroup, "TCPRoute." + gatewayGroup,
	"TLSRoute." + gatewayGroup, "UDPRoute." + gatewayGroup, "ReferenceGrant." + gatewayGroup, openShiftRoute, istioGateway, virtualService,
	ingressClass, classParams, eksClassParams, gatewayClass, awsBalancer, endpointSlice,
}

// exposed says whether a service itself lets connections in from outside.
func exposed(o *fact.Object) bool {
	spec := o.Root.Get("spec")
	kind := spec.Get("type").Str()
	return kind == "LoadBalancer" || kind == "NodePort" || spec.Get("externalIPs").Len() > 0
}

// behindRoute says whether a route leads to a service.
func (n *Network) behindRoute(o *fact.Object) bool {
	return n.routed[fact.Place(o.Namespace)+"/"+o.Name]
}

// findWays finds the ways through services and routes.
func (n *Network) findWays() {
	for _, o := range n.inventory.OfKind("Service") {
		if exposed(o) {
			n.serviceWays(o)
		}
	}
	n.hostWays()
	if len(n.backends) == 0 {
		return
	}
	r := router{Network: n, from: n.controllers(), known: true, access: map[int]Access{}, alike: map[aim]Access{}, await: map[int]Ports{}, read: map[document.Value]bool{}}
	if r.from.empty() {
		r.from, r.known = n.everything(), false
	}
	r.senders = sync.OnceValue(r.sendersBy)
	for i := range n.backends {
		r.ways(&n.backends[i])
	}
}

// waysBetween are the ways in from one set to another, on some ports.
func (n *Network) waysBetween(from, to Set, ports Ports) []Way {
	var list []Way
	for _, w := range n.Ways {
		w.From, w.To, w.Access = w.From.and(from), w.To.and(to), w.on(ports)
		if !w.From.empty() && !w.To.empty() && !w.Nothing() {
			list = append(list, w)
		}
	}
	return list
}

// serviceWays are the ways through one service. Unless its traffic stays on the node
// (externalTrafficPolicy Local), a policy may see the node's address in place of the client's.
func (n *Network) serviceWays(o *fact.Object) {
	spec := o.Root.Get("spec")
	through, doubt := spec.Get("type").Str(), ""
	switch through {
	case "LoadBalancer":
	case "NodePort":
		doubt = "whether the nodes have addresses that are reached from outside is not known"
	default:
		through, doubt = "externalIPs", "whether those addresses are reached from outside is not known"
	}
	who := serviceClientele(o)
	who.because(doubt)
	clients := n.letIn(&who)
	var seen []int
	if spec.Get("externalTrafficPolicy").Str() != "Local" {
		seen = []int{n.node, n.nodes}
	}
	for _, target := range n.targets(o, document.Value{}) {
		n.addWays(Way{Object: o, Through: through, Doubt: who.doubt}, clients, seen, target)
	}
}

// target is pods behind a service, with the ports on which it leads to them.
type target struct {
	pod   int
	ports Ports
	doubt string // why it is not known where the service leads; "" when it is
}

// targets are the pods that a service selects, with the ports that lead to them: all of the
// service's, or the one that a route names by number or name.
func (n *Network) targets(service *fact.Object, port document.Value) []target {
	spec := service.Root.Get("spec")
	selector := spec.Get("selector")
	var list []target
	if selector.Len() == 0 {
		return n.listed(service, port)
	}
	for i := range n.inNamespace(service.Namespace).All() {
		e := n.Endpoints[i]
		if !fact.HasLabels(e.labels(), selector) {
			continue
		}
		var ports Ports
		doubt := ""
		for _, v := range spec.Get("ports").Items() {
			if port.Kind() > document.Null && v.Get("port").Text() != port.Text() && v.Get("name").Text() != port.Text() {
				continue
			}
			if _, isInt := v.Get("port").Int(); !isInt {
				ports, doubt = AllPorts(), "a port of its Service is no number, which the API server refuses"
				break
			}
			ports = ports.Union(e.targetPort(v))
		}
		list = append(list, target{i, ports, doubt})
	}
	return list
}

// targetPort is where a service's port leads on the pods of a class.
func (e *Endpoint) targetPort(v document.Value) Ports {
	p, ok := ParseProtocol(v.Get("protocol").Str())
	if !ok {
		return Ports{}
	}
	to := v.Get("targetPort")
	if to.Kind() <= document.Null {
		to = v.Get("port")
	}
	if number, isInt := to.Int(); isInt {
		return PortRange(p, int(number), int(number))
	}
	return e.named[namedPort{to.Str(), p}]
}

// addWays adds the ways of some clients to one target, grouped by what is open to them. The
// connection may reach the pod from any of the endpoints in seen in the client's place.
func (n *Network) addWays(w Way, clients Set, seen []int, t target) {
	for i := range clients.All() {
		a := n.Between(i, t.pod)
		for _, j := range seen {
			a = a.orElse(n.Between(j, t.pod))
		}
		n.addWay(w, i, t, a)
	}
}

// addWay adds one client, to a way that is alike where there is one.
func (n *Network) addWay(w Way, client int, t target, a Access) {
	a = a.on(t.ports)
	if w.Doubt == "" {
		w.Doubt = t.doubt
	}
	if w.Doubt != "" {
		a = Access{Unknown: a.Open.Union(a.Unknown)}
	}
	if a.Nothing() {
		return
	}
	for i := len(n.Ways) - 1; i >= 0 && n.Ways[i].Object == w.Object && n.Ways[i].Through == w.Through; i-- {
		if o := &n.Ways[i]; o.To.has(t.pod) && o.Open.Equal(a.Open) && o.Unknown.Equal(a.Unknown) {
			o.From.add(client)
			return
		}
	}
	w.From, w.To, w.Access = n.one(client), n.one(t.pod), a
	n.Ways = append(n.Ways, w)
}

// orElse is the access when one of two holds, and nobody knows which.
func (a Access) orElse(b Access) Access {
	open := a.Open.Intersect(b.Open)
	return Access{open, a.Open.Union(a.Unknown).Union(b.Open).Union(b.Unknown).Minus(open)}
}
