package reach

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// tlsMode is what a PeerAuthentication says; "" where it leaves it to a wider one.
type tlsMode string

const (
	strictTLS  tlsMode = "STRICT"
	permissive tlsMode = "PERMISSIVE"
	noTLS      tlsMode = "DISABLE"
)

// peerPolicies are the PeerAuthentications of a mesh: of all of it, of a namespace, of some pods of one.
type peerPolicies struct {
	mesh      []*fact.Object
	namespace map[string][]*fact.Object
	pods      map[string][]*fact.Object
	selected  map[*fact.Object]some
}

// readPeerAuthentications says on which ports the proxies of Istio take plaintext and TLS (istio.io,
// API reference): the narrowest policy that says so decides, and of several of one width the oldest.
// In the mesh's root namespace selectors select nothing.
func (n *Network) readPeerAuthentications() {
	all := peerPolicies{nil, map[string][]*fact.Object{}, map[string][]*fact.Object{}, map[*fact.Object]some{}}
	for _, o := range n.inventory.OfKind(peerAuthentication) {
		namespace := fact.Place(o.Namespace)
		selector := o.Root.At("spec", "selector")
		switch {
		case selector.Get("matchLabels").Len() > 0 && namespace == n.istioRoot:
		case selector.Get("matchLabels").Len() > 0:
			all.pods[namespace] = append(all.pods[namespace], o)
			all.selected[o] = n.selectPods(selector)
		case namespace == n.istioRoot:
			all.mesh = append(all.mesh, o)
		default:
			all.namespace[namespace] = append(all.namespace[namespace], o)
		}
	}
	index := map[string]*policy{}
	for i := range n.members[istio].any().All() {
		e := n.Endpoints[i]
		if e.mesh.gateway {
			continue // its listeners are its Gateways' matter
		}
		c := all.compose(e, i)
		key := c.key()
		p := index[key]
		if p == nil {
			p = n.peerPolicy(c)
			index[key] = p
		}
		if p.doubt == "" {
			e.mesh.plaintext = c.ports(noTLS)
			n.plaintext = n.plaintext || !e.mesh.plaintext.Empty()
		}
		p.subjects.put(i, yes)
	}
	for _, key := range slices.Sorted(maps.Keys(index)) {
		if p := index[key]; p.sides[istio] != nil {
			n.take(p)
		}
	}
}

// composed is what the PeerAuthentications of one pod come to.
type composed struct {
	mode    tlsMode
	by      *fact.Object // says so; nil for the default
	ported  map[int]tlsMode
	portsBy *fact.Object
	doubt   string
}

func (a *peerPolicies) compose(e *Endpoint, i int) composed {
	namespace := fact.Place(e.Workloads[0].Object.Namespace)
	c := composed{mode: permissive}
	var own []*fact.Object
	for _, o := range a.pods[namespace] {
		if a.selected[o].maybe.has(i) {
			c.doubt = "whether " + describe(o) + " selects it is not known"
		}
		if a.selected[o].sure.has(i) {
			own = append(own, o)
		}
	}
	for width, list := range [][]*fact.Object{a.mesh, a.namespace[namespace], own} {
		o, sure := oldest(list)
		if !sure {
			c.doubt = "the oldest of several PeerAuthentications decides, and their age is not known"
		}
		if o == nil {
			continue
		}
		if o.Doubt != "" {
			c.doubt = o.Doubt
		}
		if mode := c.read(o.Root.At("spec", "mtls", "mode")); mode != "" {
			c.mode, c.by = mode, o
		}
		if width == 2 {
			c.portsBy, c.ported = o, map[int]tlsMode{}
			for port, v := range o.Root.At("spec", "portLevelMtls").Fields() {
				number, err := strconv.Atoi(port)
				if mode := c.read(v.Get("mode")); err == nil && mode != "" {
					c.ported[number] = mode
				}
			}
		}
	}
	if e.mesh.ambient && c.mode == noTLS {
		c.mode = permissive // its node's proxy always takes TLS
	}
	for port, mode := range c.ported {
		if e.mesh.ambient && mode == noTLS {
			c.ported[port] = permissive
		}
	}
	return c
}

// read reads a mode; "" for one that leaves it open.
func (c *composed) read(v document.Value) tlsMode {
	switch mode := tlsMode(v.Text()); mode {
	case strictTLS, permissive, noTLS:
		return mode
	case "", "UNSET":
		return ""
	default:
		c.doubt = "mtls.mode is none of STRICT, PERMISSIVE, DISABLE and UNSET"
		return ""
	}
}

// oldest is the policy that was made first; where that is not known, not for sure.
func oldest(list []*fact.Object) (o *fact.Object, sure bool) {
	if len(list) < 2 {
		return firstOf(list), true
	}
	made := func(o *fact.Object) string { return o.Root.At("metadata", "creationTimestamp").Text() }
	sorted := slices.SortedStableFunc(slices.Values(list), func(a, b *fact.Object) int { return strings.Compare(made(a), made(b)) })
	return sorted[0], made(sorted[0]) != "" && made(sorted[0]) != made(sorted[1])
}

func firstOf(list []*fact.Object) *fact.Object {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// ports are those in a mode.
func (c *composed) ports(mode tlsMode) Ports {
	ports := c.general(mode)
	for port, own := range c.ported {
		if own == mode {
			ports = ports.Union(PortRange(TCP, port, port))
		}
	}
	return ports
}

// general are the ports that the mode without a port puts in a mode.
func (c *composed) general(mode tlsMode) Ports {
	if c.mode != mode {
		return Ports{}
	}
	ports := tcpPorts
	for port := range c.ported {
		ports = ports.Minus(PortRange(TCP, port, port))
	}
	return ports
}

func (c *composed) key() string {
	name := func(o *fact.Object) string {
		if o == nil {
			return ""
		}
		return describe(o)
	}
	return string(c.mode) + "|" + name(c.by) + "|" + name(c.portsBy) + "|" + c.ports(strictTLS).key() + "|" + c.ports(noTLS).key() + "|" + c.doubt
}

// peerPolicy refuses plaintext where TLS is demanded. Who is in no mesh sends nothing else.
func (n *Network) peerPolicy(c composed) *policy {
	p := &policy{object: cmp.Or(c.portsBy, c.by), subjects: newSome(len(n.Endpoints)), doubt: c.doubt, tier: n.tierNamed("istio peers", 1)}
	if c.doubt != "" {
		p.tier = n.tierNamed(istio.doubtTier())
		p.object = cmp.Or(p.object, &fact.Object{Kind: "PeerAuthentication"})
		p.sides[istio] = &side{}
		return p
	}
	plain := n.clients[istio].not(n.everything())
	var rules []rule
	if ports := c.general(strictTLS); !ports.Empty() {
		rules = append(rules, rule{path: "spec.mtls.mode", object: c.by, action: deny, peers: plain, ports: portChoice{fixed: ports}, narrows: "plaintext"})
	}
	if ports := c.ports(strictTLS).Minus(c.general(strictTLS)); !ports.Empty() {
		rules = append(rules, rule{path: "spec.portLevelMtls", object: c.portsBy, action: deny, peers: plain, ports: portChoice{fixed: ports}, narrows: "plaintext"})
	}
	if len(rules) > 0 {
		p.sides[istio] = &side{rules: rules}
	}
	return p
}

// admitNodes lets nodes reach the ambient pods on them: what comes from there passes their proxy by, so
// that the kubelet's probes do.
func (n *Network) admitNodes() {
	p := &policy{object: &fact.Object{Kind: "mesh", Name: "ambient"}, subjects: newSome(len(n.Endpoints)), tier: n.tierNamed("istio nodes", 0)}
	for i := range n.pods.All() {
		if m := &n.Endpoints[i].mesh; m.ambient {
			p.subjects.put(i, answerOf(m.istio.in != no, true))
		}
	}
	if p.subjects.any().empty() {
		return
	}
	peers := newSome(len(n.Endpoints))
	peers.sure.add(n.node)
	peers.maybe.merge(n.hosts)
	p.sides[istio] = &side{rules: []rule{{path: "the pod's own node", action: allow, peers: peers, ports: everyPort()}}}
	n.take(p)
}
