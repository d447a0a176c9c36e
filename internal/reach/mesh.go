package reach

import (
	"slices"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// mesh is what service meshes make of the pods of a class. Their proxies stand before a pod's TCP
// ports and decide there, after the network has let a connection through.
type mesh struct {
	istio, linkerd member
	identity       identity
	ambient        bool // in Istio by its node's proxy, not one of its own
	either         bool // by one or the other, which is not known
	waypoint       bool // and perhaps behind a waypoint, which then decides in its place
	gateway        bool // itself a gateway of Istio
	// inbound is Linkerd's policy for ports without a Server, and the annotated object; nil for the cluster's.
	inbound   string
	inboundAt *fact.Object
	// plaintext are the ports on which its proxy takes no TLS; http those on which HTTP is spoken for
	// certain, opaque those on which it is not.
	plaintext, http, opaque Ports
}

// member is a pod's part in one mesh.
type member struct {
	in     answer // whether a proxy of the mesh stands before it
	known  answer // whether its own connections carry its identity
	bypass Ports  // TCP ports that do not pass through the proxy
}

// identity is whom a mesh takes a pod for.
type identity struct{ namespace, account string }

var tcpPorts = PortRange(TCP, 1, lastPort)

func (m *mesh) of(d direction) *member {
	if d == linkerd {
		return &m.linkerd
	}
	return &m.istio
}

// key is equal for pods that the meshes cannot tell apart, their identities left out.
func (m *mesh) key() string {
	b := []byte{byte(m.istio.in), byte(m.istio.known), byte(m.linkerd.in), byte(m.linkerd.known), boolByte(m.ambient), boolByte(m.either), boolByte(m.waypoint), boolByte(m.gateway)}
	b = append(append(append(b, m.istio.bypass.key()...), '|'), m.linkerd.bypass.key()...)
	b = append(append(append(b, '|'), m.opaque.key()...), '|')
	b = append(append(b, m.http.key()...), '|')
	b = append(append(b, m.inbound...), '|')
	if m.inboundAt != nil {
		b = append(b, describe(m.inboundAt)...)
	}
	return string(b)
}

const (
	istioGroup   = "security.istio.io"
	linkerdGroup = "policy.linkerd.io"

	istioAuthorization  = "AuthorizationPolicy." + istioGroup
	peerAuthentication  = "PeerAuthentication." + istioGroup
	destinationRule     = "DestinationRule.networking.istio.io"
	linkerdServer       = "Server." + linkerdGroup
	linkerdOldPolicy    = "ServerAuthorization." + linkerdGroup
	linkerdPolicy       = "AuthorizationPolicy." + linkerdGroup
	meshTLS             = "MeshTLSAuthentication." + linkerdGroup
	networkAuth         = "NetworkAuthentication." + linkerdGroup
	gatewayName         = "gateway.networking.k8s.io/gateway-name"
	linkerdInbound      = "config.linkerd.io/default-inbound-policy"
	istioDataplane      = "istio.io/dataplane-mode"
	istioWaypoint       = "istio.io/use-waypoint"
	istioRevision       = "istio.io/rev"
	istioInjection      = "istio-injection"
	istioInject         = "sidecar.istio.io/inject"
	istioExcludeInbound = "traffic.sidecar.istio.io/excludeInboundPorts"
	istioIncludeInbound = "traffic.sidecar.istio.io/includeInboundPorts"
	linkerdSkipInbound  = "config.linkerd.io/skip-inbound-ports"
	linkerdInject       = "linkerd.io/inject"
)

// meshKinds are the kinds by which a mesh decides, and those that these refer to.
var meshKinds = []string{istioAuthorization, peerAuthentication, linkerdServer, linkerdOldPolicy, linkerdPolicy, meshTLS, networkAuth}

func isMeshKind(kind string) bool {
	return slices.ContainsFunc(meshKinds, func(known string) bool {
		name, _ := fact.SplitKind(known)
		return kind == known || kind == name
	})
}

// outboundAnnotations take a pod's own connections out of its proxy, in part: those carry no identity.
var outboundAnnotations = map[direction][]string{
	istio: {
		"traffic.sidecar.istio.io/excludeOutboundPorts", "traffic.sidecar.istio.io/excludeOutboundIPRanges",
		"traffic.sidecar.istio.io/includeOutboundPorts", "traffic.sidecar.istio.io/includeOutboundIPRanges",
	},
	linkerd: {"config.linkerd.io/skip-outbound-ports", "config.linkerd.io/skip-subnets"},
}

// findMeshes says which meshes may decide in the cluster, and where their own configuration stands.
func (n *Network) findMeshes(objects []*fact.Object, gaps *verdict.GapIndex) {
	for _, o := range objects {
		n.meshes[istio] = n.meshes[istio] || o.Group() == istioGroup
		n.readsHTTP = n.readsHTTP || o.GroupKind() == istioAuthorization && readsHTTP(o)
		n.meshes[linkerd] = n.meshes[linkerd] || o.Group() == linkerdGroup
	}
	for _, g := range gaps.Hiding(isMeshKind) {
		if len(g.Kinds) > 0 {
			n.meshes[istio], n.meshes[linkerd] = true, true
		}
	}
	for _, o := range n.inventory.OfKind("Namespace") {
		n.meshes[linkerd] = n.meshes[linkerd] || o.Root.At("metadata", "annotations", linkerdInbound).Exists()
	}
	for _, w := range n.inventory.Workloads {
		n.meshes[linkerd] = n.meshes[linkerd] || w.Annotations().Get(linkerdInbound).Exists()
	}
	if n.meshes[istio] {
		n.indexServices()
		n.findIstioRoot()
		n.findTLSDoubt()
	}
	if n.meshes[linkerd] || n.runsLinkerd() {
		n.findLinkerdDefaults()
	}
}

// annotationsOf are those of an object; none of nil.
func annotationsOf(o *fact.Object) document.Value {
	if o == nil {
		return document.Value{}
	}
	return o.Root.At("metadata", "annotations")
}

// meshOf is what the meshes make of a workload's pods; of open ones others fill in the template.
func (n *Network) meshOf(w *fact.Workload, ns *namespace, open bool) mesh {
	m := mesh{identity: identity{fact.Place(w.Object.Namespace), w.ServiceAccount()}}
	if n.meshes[istio] {
		n.joinIstio(&m, w, ns)
		if n.readsHTTP {
			m.http, m.opaque = n.spokenPorts(w)
		}
		if m.either {
			m.http = Ports{}
		}
		if m.ambient && !m.waypoint {
			m.http, m.opaque = Ports{}, tcpPorts // its node's proxy reads no HTTP
		}
	}
	if n.meshes[linkerd] {
		n.joinLinkerd(&m, w, ns)
	}
	for _, d := range []direction{istio, linkerd} {
		p := m.of(d)
		if open && p.in == yes {
			p.in = maybe // the template may be filled in with what takes it out
		}
		if p.known = p.in; d == istio && n.tlsDoubt {
			p.known = min(p.known, maybe)
		}
		if d == linkerd && !ns.known {
			p.known = min(p.known, maybe) // its namespace may let it out past its proxy
		}
		for _, key := range outboundAnnotations[d] {
			if w.Annotations().Get(key).Exists() || annotationsOf(ns.object).Get(key).Exists() && d == linkerd {
				p.known = min(p.known, maybe)
			}
		}
	}
	return m
}

// runs says whether the pods have a container of that name; an exact answer needs a pod that was made.
func runs(w *fact.Workload, container string) bool {
	return slices.ContainsFunc(w.Containers, func(c fact.Container) bool {
		return c.Name == container && (c.Role == fact.App || c.Role == fact.Sidecar)
	})
}

// isMade says whether it is a pod of a cluster, in which injected containers stand, not a manifest of one.
func isMade(w *fact.Workload) bool {
	return w.Object.GroupKind() == "Pod" && w.Object.Root.At("metadata", "uid").Exists()
}

// portList reads ports as annotations have them: "80,443,8000-8010"; "*" is all.
func portList(text string) (Ports, bool) {
	var ports Ports
	for word := range strings.SplitSeq(text, ",") {
		word = strings.TrimSpace(word)
		first, last, isRange := strings.Cut(word, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		switch {
		case word == "":
		case word == "*":
			ports = tcpPorts
		case err != nil || err2 != nil:
			return ports, false
		default:
			ports = ports.Union(PortRange(TCP, from, to))
		}
	}
	return ports, true
}

// members are the pods before which a proxy of the mesh stands; clients those whose own
// connections carry their identity.
func (n *Network) findMembers() {
	for _, d := range []direction{istio, linkerd} {
		n.members[d], n.clients[d] = newSome(len(n.Endpoints)), newSome(len(n.Endpoints))
		for i := range n.pods.All() {
			m := n.Endpoints[i].mesh.of(d)
			n.members[d].put(i, m.in)
			n.clients[d].put(i, m.known)
		}
	}
	n.waypointed = newSet(len(n.Endpoints))
	n.byIdentity = map[identity][]int{}
	for i := range n.pods.All() {
		if n.Endpoints[i].mesh.waypoint {
			n.waypointed.add(i)
		}
		id := n.Endpoints[i].mesh.identity
		n.byIdentity[id] = append(n.byIdentity[id], i)
	}
}

// meshCloud makes unknown what a mesh decides for the pods.
func (n *Network) meshCloud(o *fact.Object, subjects Set, reason string, of ...direction) {
	for _, d := range of {
		in := n.members[d].within(subjects).any()
		if in.empty() {
			continue
		}
		p := &policy{object: o, subjects: sureOf(in), doubt: reason, tier: n.tierNamed(d.doubtTier())}
		p.sides[d] = &side{}
		n.take(p)
	}
}

// The tiers of the meshes, in the order in which they ask. What is in doubt stands before what
// allows, and after what denies whatever else there may be.
func (d direction) doubtTier() (string, float64) {
	if d == linkerd {
		return "linkerd doubts", 0
	}
	return "istio doubts", 4
}

// explainBypass tells what does not pass through the proxy, and which policies are for pods that have none.
func (n *Network) explainBypass(d direction, subject int) []Reason {
	var reasons []Reason
	m := n.Endpoints[subject].mesh.of(d)
	if m.in == maybe {
		reasons = append(reasons, Reason{Direction: d.String(), Action: allow.String(), Ports: tcpPorts, Text: "whether a proxy of the mesh stands before it is not known"})
	}
	if m.in != no && !m.bypass.Empty() {
		reasons = append(reasons, Reason{Direction: d.String(), Action: allow.String(), Sure: true, Ports: m.bypass, Text: "annotations take these ports out of its proxy, which then decides nothing"})
	}
	for _, p := range n.policies {
		if p.sides[d] != nil && p.outside != nil && p.outside.has(subject) {
			reasons = append(reasons, Reason{Direction: d.String(), Policy: p.object, Action: allow.String(), Sure: true, Ports: tcpPorts, Text: "selects it, and decides nothing: no proxy of the mesh stands before it"})
		}
	}
	return reasons
}
