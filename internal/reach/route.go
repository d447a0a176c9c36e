package reach

import (
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

const (
	ingressKind    = "Ingress.networking.k8s.io"
	gatewayGroup   = "gateway.networking.k8s.io"
	gatewayKind    = "Gateway." + gatewayGroup
	openShiftRoute = "Route.route.openshift.io"
	istioGateway   = "Gateway.networking.istio.io"
	virtualService = "VirtualService.networking.istio.io"
)

// backend is a service that a route leads to.
type backend struct {
	object             *fact.Object
	namespace, service string
	port               document.Value // by number or name; missing for all
	clientele          clientele
}

// findBackends reads the routes.
func (n *Network) findBackends() {
	for _, o := range n.inventory.Objects {
		switch group := o.Group(); {
		case o.Kind == "Ingress" && (group == "networking.k8s.io" || group == "extensions"):
			n.ingressBackends(o)
		case group == gatewayGroup && strings.HasSuffix(o.Kind, "Route"):
			n.gatewayBackends(o)
		case o.GroupKind() == openShiftRoute:
			n.addBackend(backend{object: o, namespace: o.Namespace, service: o.Root.At("spec", "to", "name").Str(), port: document.Value{}, clientele: n.routeClientele(o)})
		case o.GroupKind() == virtualService:
			n.istioBackends(o)
		}
	}
}

func (n *Network) addBackend(b backend) {
	if b.service == "" {
		return
	}
	b.namespace = fact.Place(b.namespace)
	n.routed[b.namespace+"/"+b.service] = true
	n.backends = append(n.backends, b)
}

// ingressBackends reads an Ingress, of networking/v1 and of the versions before it.
func (n *Network) ingressBackends(o *fact.Object) {
	who := n.routeClientele(o)
	add := func(v document.Value) {
		service := v.Get("service")
		port := service.At("port", "number")
		if !port.Exists() {
			port = service.At("port", "name")
		}
		name := service.Get("name").Str()
		if name == "" {
			name, port = v.Get("serviceName").Str(), v.Get("servicePort")
		}
		n.addBackend(backend{object: o, namespace: o.Namespace, service: name, port: port, clientele: who})
	}
	spec := o.Root.Get("spec")
	add(spec.Get("defaultBackend"))
	add(spec.Get("backend"))
	for _, r := range spec.Get("rules").Items() {
		for _, p := range r.At("http", "paths").Items() {
			add(p.Get("backend"))
		}
	}
}

// gatewayBackends reads a route of the Gateway API. One into another namespace needs that namespace's
// ReferenceGrant.
func (n *Network) gatewayBackends(o *fact.Object) {
	who, found := n.parentClientele(o)
	if !found {
		return
	}
	for _, r := range o.Root.At("spec", "rules").Items() {
		for _, ref := range r.Get("backendRefs").Items() {
			if kind := ref.Get("kind").Str(); kind != "" && kind != "Service" {
				continue
			}
			namespace := ref.Get("namespace").Str()
			if namespace == "" {
				namespace = o.Namespace
			}
			if fact.Place(namespace) != fact.Place(o.Namespace) && !n.granted(o, namespace, ref.Get("name").Str()) {
				continue
			}
			n.addBackend(backend{object: o, namespace: namespace, service: ref.Get("name").Str(), port: ref.Get("port"), clientele: who})
		}
	}
}

// parentClientele is whom the gateways of a route let in: the one that lets in most, and of which most is known.
// A gateway that was not seen may be none, or any.
func (n *Network) parentClientele(o *fact.Object) (who clientele, found bool) {
	for _, ref := range o.Root.At("spec", "parentRefs").Items() {
		if kind := ref.Get("kind").Str(); kind != "" && kind != "Gateway" {
			continue
		}
		namespace := ref.Get("namespace").Str()
		if namespace == "" {
			namespace = o.Namespace
		}
		next := clientele{doubt: "its gateway was not seen"}
		if g := n.inventory.Find(gatewayKind, namespace, ref.Get("name").Str()); g != nil {
			next = n.gatewayClientele(g)
		}
		if !found || next.rank() > who.rank() {
			who, found = next, true
		}
	}
	return who, found
}

// rank is higher the more a clientele lets in for certain.
func (c *clientele) rank() int {
	switch {
	case c.private:
		return 0
	case c.limited:
		return 1
	case c.doubt != "":
		return 2
	}
	return 3
}

// granted says whether a ReferenceGrant lets a route name a service of another namespace.
func (n *Network) granted(route *fact.Object, namespace, service string) bool {
	for _, g := range n.inventory.In("ReferenceGrant."+gatewayGroup, namespace) {
		from, to := false, false
		for _, f := range g.Root.At("spec", "from").Items() {
			from = from || f.Get("kind").Str() == route.Kind && f.Get("group").Str() == gatewayGroup && fact.Place(f.Get("namespace").Str()) == fact.Place(route.Namespace)
		}
		for _, t := range g.Root.At("spec", "to").Items() {
			name := t.Get("name").Str()
			to = to || t.Get("kind").Str() == "Service" && t.Get("group").Str() == "" && (name == "" || name == service)
		}
		if from && to {
			return true
		}
	}
	return false
}

// istioBackends reads a VirtualService that is bound to a gateway.
func (n *Network) istioBackends(o *fact.Object) {
	bound := false
	for _, g := range o.Root.At("spec", "gateways").Items() {
		bound = bound || g.Str() != "mesh"
	}
	if !bound {
		return
	}
	for _, protocol := range []string{"http", "tcp", "tls"} {
		for _, r := range o.Root.At("spec", protocol).Items() {
			for _, to := range r.Get("route").Items() {
				parts := strings.SplitN(to.At("destination", "host").Str(), ".", 3)
				namespace := o.Namespace
				if len(parts) > 1 {
					namespace = parts[1]
				}
				n.addBackend(backend{object: o, namespace: namespace, service: parts[0], port: to.At("destination", "port", "number")})
			}
		}
	}
}
