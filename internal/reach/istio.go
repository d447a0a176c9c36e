package reach

import (
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// usualIstioRoot is the namespace whose policies are for the whole mesh, unless its configuration says another.
const usualIstioRoot = "istio-system"

// findIstioRoot reads the mesh's own configuration, if it is there.
func (n *Network) findIstioRoot() {
	n.istioRoot = usualIstioRoot
	for _, o := range n.inventory.OfKind("ConfigMap") {
		if o.Name != "istio" {
			continue
		}
		docs, _ := document.Read(document.NewText(o.Root.At("data", "mesh").Str()), 1)
		for _, d := range docs {
			if root := d.Root().Get("rootNamespace").Str(); root != "" {
				n.istioRoot = root
			}
		}
	}
}

// findTLSDoubt says whether a DestinationRule may let clients of the mesh send plaintext to it.
func (n *Network) findTLSDoubt() {
	for _, o := range n.inventory.OfKind(destinationRule) {
		host := o.Root.At("spec", "host").Str()
		if strings.Contains(host, ".") && !strings.HasSuffix(host, ".local") && !strings.HasSuffix(host, ".svc") {
			continue // not of the cluster
		}
		for _, tls := range o.Root.Get("spec").Find("tls", document.Map) {
			if mode := tls.Get("mode").Str(); mode != "ISTIO_MUTUAL" && mode != "" {
				n.tlsDoubt = true
			}
		}
	}
}

// neverInjected are the namespaces that the injector leaves alone (istio.io, pkg/kube/inject).
var neverInjected = map[string]bool{"kube-system": true, "kube-public": true, "kube-node-lease": true, "local-path-storage": true}

// joinIstio says whether a pod is in Istio's mesh: by a sidecar of its own, as the injector's webhooks
// and then the injector decide (istio.io, "Installing the Sidecar"), or by its node's proxy (ambient).
func (n *Network) joinIstio(m *mesh, w *fact.Workload, ns *namespace) {
	if w.Spec.Get("hostNetwork").Bool() {
		return
	}
	name := fact.Place(w.Object.Namespace)
	m.gateway = strings.Contains(w.Annotations().Get("inject.istio.io/templates").Str(), "gateway") || w.Labels().Get(gatewayName).Exists()
	sidecar := yes
	switch {
	case runs(w, "istio-proxy"):
	case isMade(w) || neverInjected[name]:
		sidecar = no
	default:
		sidecar = n.injected(w, ns)
	}
	m.istio.in = sidecar
	if ambient := isAmbient(w, ns); sidecar != yes && ambient != no && !neverInjected[name] {
		m.istio.in = max(sidecar, ambient)
		m.waypoint = n.mayHaveWaypoint(w, ns)
		if m.ambient = sidecar == no; !m.ambient {
			m.either = true
		}
		return
	}
	n.istioPorts(m, w)
}

// injected is what the webhooks' selectors and the injector make of labels and the annotation.
func (n *Network) injected(w *fact.Workload, ns *namespace) answer {
	label := w.Labels().Get(istioInject)
	if label.Exists() && !isOn(label.Text()) || !label.Exists() && isOff(w.Annotations().Get(istioInject).Text()) {
		return no
	}
	if !ns.known {
		return maybe
	}
	injection, revision := ns.labels.Get(istioInjection), ns.labels.Get(istioRevision)
	switch {
	case injection.Exists():
		return answerOf(injection.Str() == "enabled", true)
	case revision.Exists():
		return yes
	case w.Labels().Get(istioRevision).Exists():
		return yes
	}
	return answerOf(label.Text() == "true", true)
}

func isOn(text string) bool {
	switch strings.ToLower(text) {
	case "y", "yes", "true", "on":
		return true
	}
	return false
}

func isOff(text string) bool { return text != "" && !isOn(text) }

// isAmbient says whether a pod is enrolled by its own label or its namespace's.
func isAmbient(w *fact.Workload, ns *namespace) answer {
	if own := w.Labels().Get(istioDataplane); own.Exists() {
		return answerOf(own.Str() == "ambient", true)
	}
	if !ns.known {
		return maybe
	}
	return answerOf(ns.labels.Get(istioDataplane).Str() == "ambient", true)
}

// mayHaveWaypoint says whether connections to the pods may come through a waypoint, by a label of
// theirs, their namespace's or a service's there.
func (n *Network) mayHaveWaypoint(w *fact.Workload, ns *namespace) bool {
	uses := func(labels document.Value) (uses, says bool) {
		v := labels.Get(istioWaypoint)
		return v.Exists() && v.Str() != "none", v.Exists()
	}
	if is, says := uses(w.Labels()); says {
		return is
	}
	if n.waypoints[fact.Place(w.Object.Namespace)] {
		return true
	}
	is, says := uses(ns.labels)
	return is || !says && !ns.known
}

// istioPorts notes the ports that annotations take out of the sidecar. What it does not read as a
// list of ports leaves open whether the sidecar is asked.
func (n *Network) istioPorts(m *mesh, w *fact.Workload) {
	if v := w.Annotations().Get(istioIncludeInbound); v.Exists() {
		included, ok := portList(v.Text())
		m.istio.bypass = tcpPorts.Minus(included)
		if !ok {
			m.istio.in = min(m.istio.in, maybe)
		}
	}
	excluded, ok := portList(w.Annotations().Get(istioExcludeInbound).Text())
	m.istio.bypass = m.istio.bypass.Union(excluded)
	if !ok {
		m.istio.in = min(m.istio.in, maybe)
	}
}

// indexServices lists the services by their namespace and one of the labels that they select.
func (n *Network) indexServices() {
	n.services, n.waypoints = map[string][]*fact.Object{}, map[string]bool{}
	for _, o := range n.inventory.OfKind("Service") {
		namespace := fact.Place(o.Namespace)
		if v := o.Labels().Get(istioWaypoint); v.Exists() && v.Str() != "none" {
			n.waypoints[namespace] = true
		}
		for key, v := range o.Root.At("spec", "selector").Fields() {
			at := namespace + "/" + key + "=" + v.Str()
			n.services[at] = append(n.services[at], o)
			break
		}
	}
}

// servicesOf are the services that may select a workload's pods.
func (n *Network) servicesOf(w *fact.Workload) []*fact.Object {
	var list []*fact.Object
	for key, v := range w.Labels().Fields() {
		list = append(list, n.services[fact.Place(w.Object.Namespace)+"/"+key+"="+v.Str()]...)
	}
	return list
}

// The protocols of services on which Istio reads HTTP, and on which it does not (istio.io, "Protocol
// Selection"). Of others it finds out itself.
var (
	isHTTP  = map[string]bool{"http": true, "http2": true, "grpc": true, "grpc-web": true}
	notHTTP = map[string]bool{"tcp": true, "tls": true, "https": true, "mongo": true, "mysql": true, "redis": true}
)

// spokenPorts are the ports of a pod on which services declare HTTP, and those on which they declare
// none. Where services disagree neither is certain.
func (n *Network) spokenPorts(w *fact.Workload) (http, opaque Ports) {
	var other Ports
	var e *Endpoint
	for _, o := range n.servicesOf(w) {
		spec := o.Root.Get("spec")
		if !fact.HasLabels(w.Labels(), spec.Get("selector")) {
			continue
		}
		if e == nil {
			e = &Endpoint{named: namedPorts(w, nil)}
		}
		for _, v := range spec.Get("ports").Items() {
			ports := e.targetPort(v).Intersect(tcpPorts)
			switch protocol := declared(v); {
			case notHTTP[protocol]:
				opaque = opaque.Union(ports)
			case isHTTP[protocol]:
				http = http.Union(ports)
			default:
				other = other.Union(ports)
			}
		}
	}
	unsure := other.Union(http.Intersect(opaque))
	return http.Minus(unsure), opaque.Minus(unsure)
}

// declared is the protocol that a service's port names: in appProtocol, or before its name's first dash.
func declared(port document.Value) string {
	if protocol := port.Get("appProtocol").Str(); protocol != "" {
		return strings.ToLower(strings.TrimPrefix(protocol, "kubernetes.io/"))
	}
	name := strings.ToLower(port.Get("name").Str())
	if name == "grpc-web" || strings.HasPrefix(name, "grpc-web-") {
		return "grpc-web"
	}
	protocol, _, _ := strings.Cut(name, "-")
	return protocol
}

// readIstio reads an AuthorizationPolicy of Istio (istio.io, API reference): what CUSTOM policies
// hand on may be denied, then DENY, then ALLOW policies decide, which deny what none of them matches.
// AUDIT and dry runs decide nothing.
func (n *Network) readIstio(o *fact.Object) {
	spec := o.Root.Get("spec")
	if dry, err := strconv.ParseBool(o.Root.At("metadata", "annotations", "istio.io/dry-run").Text()); err == nil && dry {
		return
	}
	p := &policy{object: o, doubt: o.Doubt}
	s := &side{}
	act := deny
	switch action := spec.Get("action").Text(); action {
	case "", "ALLOW", "0":
		act, s.isolates = allow, yes
		p.tier = n.tierNamed("istio allow", 5)
	case "DENY", "1":
		p.tier = n.tierNamed("istio deny", 3)
	case "CUSTOM", "3":
		p.tier = n.tierNamed("istio custom", 2)
	case "AUDIT", "2":
		return
	default:
		p.doubt = "spec.action is none of ALLOW, DENY, CUSTOM and AUDIT"
	}
	p.subjects = n.istioSubjects(p, spec)
	r := istioReader{n: n, policy: p, action: act}
	for i, item := range spec.Get("rules").Items() {
		s.rules = append(s.rules, r.rules(item, at("spec.rules", i))...)
	}
	if p.tier != nil && p.tier.order == 2 {
		for i := range s.rules {
			s.rules[i].peers, s.rules[i].narrows = s.rules[i].peers.doubted(), "what provider "+spec.At("provider", "name").Str()+" refuses"
		}
	}
	p.sides[istio] = s
	if p.doubt != "" {
		p.tier = n.tierNamed(istio.doubtTier())
	}
	n.take(p)
}

// istioSubjects are the pods whose proxies ask the policy.
func (n *Network) istioSubjects(p *policy, spec document.Value) some {
	o := p.object
	targets := spec.Get("targetRefs")
	if one := spec.Get("targetRef"); one.Kind() == document.Map || targets.Len() > 0 {
		all := newSome(len(n.Endpoints))
		if one.Kind() == document.Map {
			all.merge(n.istioTarget(o, one))
		}
		for _, ref := range targets.Items() {
			all.merge(n.istioTarget(o, ref))
		}
		return all
	}
	scope := n.pods
	if fact.Place(o.Namespace) != n.istioRoot {
		scope = n.inNamespace(o.Namespace)
	}
	selected := sureOf(scope)
	if selector := spec.Get("selector"); selector.Kind() > document.Null {
		selected = n.selectPods(selector).within(scope)
	}
	p.outside = selected.sure.minus(n.members[istio].any())
	subjects := selected.within(n.members[istio].any())
	n.meshCloud(o, subjects.any().and(n.waypointed), "a waypoint may stand before it, and decide in its place", istio)
	return subjects.without(n.waypointed)
}

// istioTarget is the pods of which a target's proxy decides: a gateway's own, and for a waypoint, or
// a service behind one, those that it may stand before.
func (n *Network) istioTarget(o *fact.Object, ref document.Value) some {
	s := newSome(len(n.Endpoints))
	scope := n.inNamespace(o.Namespace)
	if ref.Get("kind").Str() == "GatewayClass" {
		scope = n.pods
	}
	for i := range scope.All() {
		m := &n.Endpoints[i].mesh
		own := n.Endpoints[i].labels().Get(gatewayName)
		if ref.Get("kind").Str() == "Gateway" && own.Exists() && own.Str() == ref.Get("name").Str() {
			s.put(i, answerOf(m.istio.in != no, true))
		}
	}
	if ref.Get("kind").Str() != "ServiceEntry" {
		n.meshCloud(o, scope.and(n.waypointed), "a waypoint may stand before it, and asks the policy", istio)
	}
	return s
}

// sourceFields are the fields of a source, and of what it must not be.
var sourceFields = [][2]string{
	{"principals", "notPrincipals"},
	{"namespaces", "notNamespaces"},
	{"serviceAccounts", "notServiceAccounts"},
	{"ipBlocks", "notIpBlocks"},
	{"remoteIpBlocks", "notRemoteIpBlocks"},
	{"requestPrincipals", "notRequestPrincipals"},
}
