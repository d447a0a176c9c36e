package reach

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// The policies of Linkerd for whom no authorization is for (linkerd.io, "Authorization Policy").
const (
	allUnauthenticated     = "all-unauthenticated"
	allAuthenticated       = "all-authenticated"
	clusterUnauthenticated = "cluster-unauthenticated"
	clusterAuthenticated   = "cluster-authenticated"
	denyInbound            = "deny"
	auditInbound           = "audit"

	// unseenInbound is for pods whose namespace, which may name one, was not read.
	unseenInbound = "unseen"
)

// usualClusterNetworks are the addresses that Linkerd takes for the cluster's, unless it is told others.
var usualClusterNetworks = prefixes("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8")

// linkerdDefaults is what a cluster's Linkerd was installed with.
type linkerdDefaults struct {
	inbound  string
	object   *fact.Object // that says so; a made-up one where none was seen
	networks []netip.Prefix
}

const linkerdController = "linkerd-destination"

// runsLinkerd says whether Linkerd's control plane is among the workloads.
func (n *Network) runsLinkerd() bool {
	return slices.ContainsFunc(n.inventory.Workloads, func(w *fact.Workload) bool { return w.Object.Name == linkerdController })
}

// findLinkerdDefaults reads the arguments of Linkerd's policy controller. Where it is not to be seen
// the defaults are those of its installer.
func (n *Network) findLinkerdDefaults() {
	n.linkerd = linkerdDefaults{allUnauthenticated, &fact.Object{Kind: "Linkerd", Name: "default inbound policy"}, usualClusterNetworks}
	seen := false
	for _, w := range n.inventory.Workloads {
		if w.Object.Name != linkerdController {
			continue
		}
		for i := range w.Containers {
			for _, arg := range w.Containers[i].Value.Get("args").Items() {
				if value, found := strings.CutPrefix(arg.Str(), "--default-policy="); found {
					n.linkerd.inbound, n.linkerd.object, seen = value, w.Object, true
				}
				if value, found := strings.CutPrefix(arg.Str(), "--cluster-networks="); found {
					n.linkerd.networks = nil
					for word := range strings.SplitSeq(value, ",") {
						if p, ok := parseBlock(word); ok {
							n.linkerd.networks = append(n.linkerd.networks, p)
						}
					}
				}
			}
		}
	}
	if n.linkerd.inbound != allUnauthenticated {
		n.meshes[linkerd] = true
	}
	if !seen {
		n.Notes = append(n.Notes, Note{
			Reason: "what Linkerd allows where nothing says otherwise was not seen; it is taken to allow all, as it is installed (all-unauthenticated)",
			Remedy: "Read the Deployment linkerd-destination, too.",
		})
	}
}

// joinLinkerd says whether a pod is in Linkerd's mesh, as its injector decides (linkerd.io, "Automatic
// Proxy Injection"): the pod's annotation, else the namespace's.
func (n *Network) joinLinkerd(m *mesh, w *fact.Workload, ns *namespace) {
	if w.Spec.Get("hostNetwork").Bool() {
		return
	}
	around := annotationsOf(ns.object)
	get := func(key string) (document.Value, *fact.Object) {
		if v := w.Annotations().Get(key); v.Exists() {
			return v, w.Object
		}
		return around.Get(key), ns.object
	}
	inject, _ := get(linkerdInject)
	switch {
	case runs(w, "linkerd-proxy"):
		m.linkerd.in = yes
	case isMade(w) || fact.Place(w.Object.Namespace) == "kube-system" || w.Spec.Get("automountServiceAccountToken").Text() == "false":
		m.linkerd.in = no
	case inject.Exists():
		m.linkerd.in = answerOf(inject.Str() == "enabled" || inject.Str() == "ingress", true)
	case !ns.known:
		m.linkerd.in = maybe
	}
	inbound, at := get(linkerdInbound)
	switch {
	case inbound.Exists():
		m.inbound, m.inboundAt = inbound.Text(), at
	case !ns.known:
		m.inbound, m.inboundAt = unseenInbound, w.Object
	}
	skipped, _ := get(linkerdSkipInbound)
	if !skipped.Exists() && !ns.known {
		m.linkerd.in = min(m.linkerd.in, maybe) // its namespace may take ports out of the proxy
	}
	var ok bool
	if m.linkerd.bypass, ok = portList(skipped.Text()); !ok {
		m.linkerd.in = min(m.linkerd.in, maybe)
	}
}

// readInbound gives the pods of Linkerd's mesh the policy that is for ports without a Server.
func (n *Network) readInbound() {
	type key struct {
		inbound string
		object  *fact.Object
	}
	index := map[key]*policy{}
	for i := range n.members[linkerd].any().All() {
		m := &n.Endpoints[i].mesh
		k := key{m.inbound, m.inboundAt}
		path := "metadata.annotations[" + linkerdInbound + "]"
		if k.object == nil {
			k, path = key{n.linkerd.inbound, n.linkerd.object}, ""
		}
		p := index[k]
		if p == nil {
			p = &policy{object: k.object, subjects: newSome(len(n.Endpoints)), tier: n.tierNamed("linkerd default", 2)}
			rules, known := n.inboundRules(k.inbound, path, everyPort())
			p.sides[linkerd] = &side{rules: rules, isolates: yes}
			if !known {
				p.doubt, p.tier = "its default inbound policy is none that is known", n.tierNamed(linkerd.doubtTier())
			}
			index[k] = p
		}
		p.subjects.put(i, yes)
	}
	// The order of these does not count: no pod has two.
	for _, p := range index {
		n.take(p)
	}
}

// inboundRules are what one of the default policies allows.
func (n *Network) inboundRules(inbound, path string, ports portChoice) (rules []rule, known bool) {
	var peers some
	switch inbound {
	case allUnauthenticated, auditInbound:
		peers = sureOf(n.everything())
	case allAuthenticated:
		peers = n.clients[linkerd]
	case clusterUnauthenticated:
		peers = n.clusterPeers()
	case clusterAuthenticated:
		peers = n.clusterPeers().and(n.clients[linkerd])
	case denyInbound, "":
		peers = newSome(len(n.Endpoints))
	case unseenInbound:
		peers = sureOf(n.everything()).doubted()
	default:
		return nil, false
	}
	return []rule{{path: path, action: allow, peers: peers, ports: ports}, n.probes(ports)}, true
}

// clusterPeers is who has an address of the cluster's networks: the pods, and whose addresses lie there.
func (n *Network) clusterPeers() some {
	all := newSome(len(n.Endpoints))
	all.sure.merge(n.pods.minus(n.hosts))
	for _, p := range n.linkerd.networks {
		all.merge(n.addressPeers(block{cidr: p}))
	}
	return all
}

// probes is what Linkerd lets through of itself: the kubelet's probes over HTTP.
func (n *Network) probes(ports portChoice) rule {
	own := newSome(len(n.Endpoints))
	own.maybe.add(n.node)
	return rule{path: "the pod's own node", action: allow, peers: own, ports: ports, narrows: "the kubelet's probes"}
}

// readServer reads a Server: who may connect to one port of some pods is said by the authorizations
// that point at it, and for all others by its accessPolicy, which denies unless it says otherwise.
func (n *Network) readServer(o *fact.Object) {
	spec := o.Root.Get("spec")
	if spec.Get("podSelector").Kind() != document.Map && spec.Get("externalWorkloadSelector").Kind() == document.Map {
		return
	}
	p := &policy{object: o, doubt: o.Doubt, tier: n.tierNamed("linkerd servers", 1)}
	p.tier.unordered = true
	selected := n.selectPods(spec.Get("podSelector")).within(n.inNamespace(o.Namespace))
	p.subjects = selected.within(n.members[linkerd].any())
	p.outside = selected.sure.minus(n.members[linkerd].any())
	var ports portChoice
	switch port := spec.Get("port"); port.Kind() {
	case document.Int:
		number, _ := port.Int()
		ports.fixed = PortRange(TCP, int(number), int(number))
	case document.String:
		ports.named = []namedPort{{port.Str(), TCP}}
	default:
		p.doubt = "spec.port is neither a number nor a name"
	}
	a := authorizer{n: n, server: o, ports: ports}
	s := &side{rules: a.rules()}
	if a.doubt != "" {
		p.doubt = a.doubt
	}
	access := spec.Get("accessPolicy").Text()
	rest, known := n.inboundRules(access, "spec.accessPolicy", ports)
	if !known {
		p.doubt = "spec.accessPolicy is none that is known"
	}
	s.rules = append(append(s.rules, rest...), rule{path: "spec.port", action: deny, peers: sureOf(n.everything()), ports: ports})
	p.sides[linkerd] = s
	if p.doubt != "" {
		p.tier = n.tierNamed(linkerd.doubtTier())
	}
	n.take(p)
}
