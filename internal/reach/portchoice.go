package reach

import (
	"github.com/coaming/coaming/internal/document"
)

// namedPort is a port that a rule names, and every pod numbers for itself.
type namedPort struct {
	name     string
	protocol Protocol
}

// portChoice is the ports that a rule is about.
type portChoice struct {
	fixed Ports
	named []namedPort
	// doubtful are ports of which it is not known whether they are meant.
	doubtful Ports
	// speaks and tls narrow the ports on the destination by what the proxy of a mesh sees there.
	speaks speech
	tls    tlsUse
}

// speech is how a rule that reads HTTP meets ports of other protocols.
type speech uint8

const (
	anySpeech speech = iota
	// allHTTP is of rules that match nothing but HTTP, and of that all; onlyHTTP of those that match a part of it.
	allHTTP
	onlyHTTP
	// allButHTTP is of rules that lose what they say of HTTP where it is not spoken, and match all.
	allButHTTP
)

// tlsUse tells ports on which the destination's proxy takes TLS, and so knows its peers, from others.
type tlsUse uint8

const (
	anyTLS tlsUse = iota
	withTLS
	withoutTLS
)

// perDestination says whether the ports may be others on each destination.
func (c *portChoice) perDestination() bool {
	return len(c.named) > 0 || c.speaks != anySpeech || c.tls != anyTLS
}

func everyPort() portChoice { return portChoice{fixed: AllPorts()} }

// at is the ports on one destination: those meant for certain, and those that may be.
func (c *portChoice) at(e *Endpoint) (sure, maybe Ports) {
	sure, maybe = c.fixed, c.doubtful
	for _, named := range c.named {
		if e.Kind != Pods {
			continue // only pods name ports
		}
		sure = sure.Union(e.named[named])
		if e.open {
			maybe = maybe.Union(PortRange(named.protocol, 1, lastPort))
		}
	}
	return c.narrow(e, sure, maybe.Minus(sure))
}

// narrow is the ports when the destination's proxy has its say.
func (c *portChoice) narrow(e *Endpoint, sure, maybe Ports) (Ports, Ports) {
	switch c.tls {
	case anyTLS:
	case withTLS:
		if e.mesh.either { // its node's proxy, if it is that, takes TLS everywhere
			maybe = maybe.Union(sure.Intersect(e.mesh.plaintext))
		} else {
			maybe = maybe.Minus(e.mesh.plaintext)
		}
		sure = sure.Minus(e.mesh.plaintext)
	case withoutTLS:
		sure, maybe = sure.Intersect(e.mesh.plaintext), maybe.Intersect(e.mesh.plaintext)
		if e.mesh.either {
			sure, maybe = Ports{}, sure.Union(maybe)
		}
	}
	switch c.speaks {
	case anySpeech:
	case allHTTP:
		sure, maybe = sure.Intersect(e.mesh.http), maybe.Union(sure.Minus(e.mesh.http)).Minus(e.mesh.opaque)
	case onlyHTTP:
		sure, maybe = Ports{}, sure.Union(maybe).Minus(e.mesh.opaque)
	case allButHTTP:
		sure, maybe = sure.Intersect(e.mesh.opaque), maybe.Union(sure.Minus(e.mesh.opaque))
	}
	return sure, maybe
}

// resolution is a rule whose names of ports were looked up on its peers.
type resolution struct {
	rule      *rule
	hostsSeen bool
}

// matchings is a rule as it meets its peers: where these are the destinations, the ports that it
// names may be others on each.
func (n *Network) matchings(r *rule, d direction, own *Endpoint) []matching {
	peers := r.peers
	if r.hosts != nil && n.hostsSeen {
		peers = some{peers.sure.with(r.hosts), peers.maybe.minus(r.hosts)}
	}
	if d != egress {
		sure, maybe := r.ports.at(own)
		return []matching{{peers, sure, maybe}}
	}
	if len(r.ports.named) == 0 {
		return []matching{{peers, r.ports.fixed, r.ports.doubtful.Minus(r.ports.fixed)}}
	}
	seen := resolution{r, n.hostsSeen}
	if list := n.resolved[seen]; list != nil {
		return list
	}
	index := map[string]int{}
	var list []matching
	for i := range peers.any().All() {
		sure, maybe := r.ports.at(n.Endpoints[i])
		key := sure.key() + "|" + maybe.key()
		at, known := index[key]
		if !known {
			at = len(list)
			index[key] = at
			list = append(list, matching{newSome(len(n.Endpoints)), sure, maybe})
		}
		if peers.sure.has(i) {
			list[at].peers.sure.add(i)
		} else {
			list[at].peers.maybe.add(i)
		}
	}
	if list == nil {
		list = []matching{}
	}
	n.resolved[seen] = list
	return list
}

// readPorts reads a list of NetworkPolicyPorts (networking/v1): missing or empty is every port. What
// the API server refuses is an error.
func readPorts(list document.Value) (portChoice, error) {
	if list.Len() == 0 {
		if k := list.Kind(); k > document.Null && k != document.List {
			return portChoice{}, malformed("ports", "is no list")
		}
		return everyPort(), nil
	}
	var c portChoice
	for i, item := range list.Items() {
		if err := c.add(item, item.Get("port"), item.Get("endPort")); err != nil {
			return portChoice{}, malformed(at("ports", i), err.Error())
		}
	}
	return c, nil
}

func (c *portChoice) add(item, port, end document.Value) error {
	p, ok := ParseProtocol(item.Get("protocol").Str())
	if k := item.Get("protocol").Kind(); !ok || k > document.Null && k != document.String {
		return errPlain("protocol is none of TCP, UDP and SCTP")
	}
	switch port.Kind() {
	case document.Missing, document.Null:
		if end.Kind() > document.Null {
			return errPlain("endPort without a port")
		}
		c.fixed = c.fixed.Union(PortRange(p, 1, lastPort))
	case document.Int:
		first, _ := port.Int()
		last := first
		if end.Kind() > document.Null {
			n, ok := end.Int()
			if !ok || n < first {
				return errPlain("endPort is not a number from port on")
			}
			last = n
		}
		if first < 1 || last > lastPort {
			return errPlain("a port is not in 1-65535")
		}
		c.fixed = c.fixed.Union(PortRange(p, int(first), int(last)))
	case document.String:
		if end.Kind() > document.Null {
			return errPlain("endPort beside a port's name")
		}
		c.named = append(c.named, namedPort{port.Str(), p})
	default:
		return errPlain("port is neither a number nor a name")
	}
	return nil
}
