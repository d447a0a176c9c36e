package reach

import (
	"net/netip"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// The kinds of sigs.k8s.io/network-policy-api: cluster-wide policies that stand before those of
// namespaces (admin) or behind them (baseline).
const (
	adminPolicy    = "AdminNetworkPolicy." + adminGroup
	baselinePolicy = "BaselineAdminNetworkPolicy." + adminGroup
	clusterPolicy  = "ClusterNetworkPolicy." + adminGroup
)

// adminActions are the words of both versions: v1alpha1 says Allow, v1alpha2 Accept.
var adminActions = map[string]action{"Allow": allow, "Accept": allow, "Deny": deny, "Pass": pass}

func (n *Network) adminTier() *tier {
	t := n.tierNamed("admin", adminOrder)
	t.unordered = true
	return t
}

func (n *Network) baselineTier() *tier {
	t := n.tierNamed("baseline", baselineOrder)
	t.unordered = true
	return t
}

// readAdminPolicy reads any of the three. Pods on their node's network are never subjects or peers
// of their selectors. Policies of equal priority may be asked in any order.
func (n *Network) readAdminPolicy(o *fact.Object) {
	spec := o.Root.Get("spec")
	p := &policy{object: o, tier: n.adminTier(), doubt: o.Doubt}
	priority, isInt := spec.Get("priority").Int()
	p.order = float64(priority)
	switch o.GroupKind() {
	case baselinePolicy:
		p.tier, p.order, isInt = n.baselineTier(), 0, true
	case clusterPolicy:
		switch spec.Get("tier").Str() {
		case "Admin":
		case "Baseline":
			p.tier = n.baselineTier()
		default:
			p.doubt = "spec.tier is neither Admin nor Baseline"
		}
	}
	if !isInt {
		p.doubt = "spec.priority is no number"
	}
	var err error
	if p.subjects, err = n.adminPods(spec.Get("subject")); err != nil {
		p.doubt, p.subjects = "spec.subject "+err.Error(), sureOf(n.pods)
	}
	for d, field := range []string{"from", "to"} {
		p.sides[d] = n.readAdminSide(p, spec.Get(direction(d).String()), direction(d), field)
	}
	n.take(p)
}

func (n *Network) readAdminSide(p *policy, list document.Value, d direction, field string) *side {
	if list.Len() == 0 {
		return nil
	}
	s := &side{}
	for i, item := range list.Items() {
		path := at("spec."+d.String(), i)
		act, known := adminActions[item.Get("action").Str()]
		if !known {
			p.doubt = path + ".action is not understood"
		}
		peers, err := n.readAdminPeers(item.Get(field), d)
		if err != nil {
			p.doubt = path + "." + field + " " + err.Error()
			peers = newSome(len(n.Endpoints))
		}
		ports, err := readAdminPorts(item)
		if err != nil {
			p.doubt = path + "." + err.Error()
		}
		s.rules = append(s.rules, rule{path: path, action: act, peers: peers, ports: ports})
	}
	return s
}

// adminPods is what a subject, or a peer of labels, selects.
func (n *Network) adminPods(v document.Value) (some, error) {
	namespaces, pods := v.Get("namespaces"), v.Get("pods")
	switch {
	case namespaces.Kind() == document.Map && pods.Kind() <= document.Null && !isOldPeer(namespaces):
		return n.selectNamespaces(namespaces).within(n.pods).without(n.hosts), nil
	case pods.Kind() == document.Map && namespaces.Kind() <= document.Null && pods.Get("podSelector").Kind() == document.Map && pods.Get("namespaceSelector").Kind() == document.Map:
		return n.selectNamespaces(pods.Get("namespaceSelector")).and(n.selectPods(pods.Get("podSelector"))).without(n.hosts), nil
	}
	return some{}, errPlain("names neither namespaces nor pods with both their selectors")
}

// isOldPeer says whether namespaces are written as early drafts of the API had it.
func isOldPeer(namespaces document.Value) bool {
	for _, field := range []string{"namespaceSelector", "sameLabels", "notSameLabels"} {
		if namespaces.Get(field).Exists() {
			return true
		}
	}
	return false
}

func (n *Network) readAdminPeers(list document.Value, d direction) (some, error) {
	all := newSome(len(n.Endpoints))
	if list.Len() == 0 {
		return all, errPlain("names nobody")
	}
	for i, item := range list.Items() {
		peers, err := n.readAdminPeer(item, d)
		if err != nil {
			return all, malformed(at("", i), err.Error())
		}
		all.merge(peers)
	}
	return all, nil
}

func (n *Network) readAdminPeer(item document.Value, d direction) (some, error) {
	if item.Len() != 1 {
		return some{}, errPlain("is not one peer")
	}
	if d == egress {
		switch {
		case item.Get("nodes").Kind() == document.Map:
			return n.selectNodes(item.Get("nodes")), nil
		case item.Get("networks").Len() > 0:
			return n.networks(item.Get("networks"))
		case item.Get("domainNames").Len() > 0:
			return sureOf(n.outside).doubted(), nil // which addresses a name has, nobody can tell
		}
	}
	return n.adminPods(item)
}

func (n *Network) networks(list document.Value) (some, error) {
	all := newSome(len(n.Endpoints))
	for _, item := range list.Items() {
		cidr, err := netip.ParsePrefix(item.Str())
		if err != nil {
			return all, errPlain("holds a network that is no CIDR")
		}
		all.merge(n.blockPeers(block{cidr: cidr.Masked()}))
	}
	return all, nil
}

// selectNodes is the nodes that a LabelSelector selects, and the pods on their network.
func (n *Network) selectNodes(selector document.Value) some {
	s := newSome(len(n.Endpoints))
	answers := map[answer]bool{}
	for _, o := range n.inventory.OfKind("Node") {
		answers[answerOf(fact.MaySelect(selector, o.Labels(), func(string) bool { return false }))] = true
	}
	a := maybe
	switch {
	case selector.Len() == 0:
		a = yes
	case len(answers) == 1 && n.inventory.Live:
		for only := range answers {
			a = only
		}
	}
	for i := range n.hosts.All() {
		s.put(i, a)
	}
	s.put(n.node, a)
	s.put(n.nodes, a)
	return s
}

// readAdminPorts reads ports (v1alpha1) or protocols (v1alpha2); missing or empty is every port.
func readAdminPorts(item document.Value) (portChoice, error) {
	ports, list := item.Get("ports"), item.Get("protocols")
	if ports.Len()+list.Len() == 0 {
		return everyPort(), nil
	}
	var c portChoice
	for i, v := range ports.Items() {
		if err := c.addAdmin(v); err != nil {
			return c, malformed(at("ports", i), err.Error())
		}
	}
	for i, v := range list.Items() {
		if err := c.addProtocol(v); err != nil {
			return c, malformed(at("protocols", i), err.Error())
		}
	}
	return c, nil
}

func (c *portChoice) addAdmin(v document.Value) error {
	number, span := v.Get("portNumber"), v.Get("portRange")
	switch {
	case v.Len() != 1:
		return errPlain("is not one kind of port")
	case number.Exists():
		return c.addRange(number.Get("protocol").Str(), number.Get("port"), number.Get("port"))
	case span.Exists():
		return c.addRange(span.Get("protocol").Str(), span.Get("start"), span.Get("end"))
	case v.Get("namedPort").Str() != "":
		c.addName(v.Get("namedPort").Str())
		return nil
	}
	return errPlain("is not understood")
}

func (c *portChoice) addProtocol(v document.Value) error {
	if v.Len() != 1 {
		return errPlain("is not one protocol")
	}
	if name := v.Get("destinationNamedPort").Str(); name != "" {
		c.addName(name)
		return nil
	}
	for key, entry := range v.Fields() {
		p, ok := ParseProtocol(key)
		if !ok || key == "" {
			return errPlain("is not understood")
		}
		port := entry.Get("destinationPort")
		switch span := port.Get("range"); {
		case port.Len() == 0:
			c.fixed = c.fixed.Union(PortRange(p, 1, lastPort))
		case span.Exists():
			return c.addRange(key, span.Get("start"), span.Get("end"))
		default:
			return c.addRange(key, port.Get("number"), port.Get("number"))
		}
	}
	return nil
}

func (c *portChoice) addRange(protocol string, first, last document.Value) error {
	p, ok := ParseProtocol(protocol)
	from, ok1 := first.Int()
	to, ok2 := last.Int()
	if !ok || !ok1 || !ok2 || from < 1 || to > lastPort || from > to {
		return errPlain("is no port")
	}
	c.fixed = c.fixed.Union(PortRange(p, int(from), int(to)))
	return nil
}

// addName takes a port's name, of whatever protocol.
func (c *portChoice) addName(name string) {
	for p := range protocols {
		c.named = append(c.named, namedPort{name, Protocol(p)})
	}
}
