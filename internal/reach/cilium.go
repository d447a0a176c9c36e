package reach

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

const (
	ciliumPolicy        = "CiliumNetworkPolicy.cilium.io"
	ciliumClusterPolicy = "CiliumClusterwideNetworkPolicy.cilium.io"

	ciliumNamespace = "io.kubernetes.pod.namespace"
	ciliumAccount   = "io.cilium.k8s.policy.serviceaccount"

	// ciliumDenyOrder is where deny rules stand: before everything else of their tier.
	ciliumDenyOrder = -1
)

// readCilium reads a policy of Cilium (docs.cilium.io, "Layer 3 / Layer 4 Policy", "Deny Policies").
// Its rules add up with those of NetworkPolicies; denies win over both. Pods on their node's network
// are that node, whose policies (nodeSelector) are none of pods.
func (n *Network) readCilium(o *fact.Object) {
	if spec := o.Root.Get("spec"); spec.Kind() == document.Map {
		n.readCiliumSpec(o, spec, "spec")
	}
	for i, spec := range o.Root.Get("specs").Items() {
		n.readCiliumSpec(o, spec, at("specs", i))
	}
}

func (n *Network) readCiliumSpec(o *fact.Object, spec document.Value, path string) {
	if spec.Get("nodeSelector").Kind() > document.Null {
		return
	}
	c := ciliumReader{n: n, namespace: o.Namespace}
	if o.GroupKind() == ciliumClusterPolicy {
		c.namespace = ""
	} else {
		c.namespace = fact.Place(o.Namespace)
	}
	subjects := n.selectCilium(spec.Get("endpointSelector"))
	if c.namespace != "" {
		subjects = subjects.within(n.inNamespace(c.namespace))
	}
	allows := &policy{object: o, tier: n.defaultTier(), order: namespacedOrder, subjects: subjects, doubt: o.Doubt}
	denies := &policy{object: o, tier: n.defaultTier(), order: ciliumDenyOrder, subjects: subjects, doubt: o.Doubt}
	if spec.Get("endpointSelector").Kind() != document.Map {
		allows.doubt = path + " has no endpointSelector"
	}
	for _, d := range []direction{ingress, egress} {
		rules, against := spec.Get(d.String()), spec.Get(d.String()+"Deny")
		isolates := no
		if rules.Len()+against.Len() > 0 {
			isolates = yes
		}
		if v := spec.At("enableDefaultDeny", d.String()); v.Kind() == document.Bool {
			isolates = no
			if v.Bool() {
				isolates = yes
			}
		}
		if against.Len() > 0 {
			denies.sides[d] = &side{rules: c.rules(denies, against, d, path+"."+d.String()+"Deny", deny)}
		}
		if rules.Len() > 0 || isolates == yes {
			s := &side{isolates: isolates}
			if d == ingress {
				s.rules = append(s.rules, n.ownNode())
			}
			s.rules = append(s.rules, c.rules(allows, rules, d, path+"."+d.String(), allow)...)
			allows.sides[d] = s
		}
	}
	for _, p := range []*policy{denies, allows} {
		if p.sides[ingress] != nil || p.sides[egress] != nil {
			n.take(p)
		}
	}
}

// ownNode is the rule that lets a pod's own node reach it, which no policy of namespaces takes away.
func (n *Network) ownNode() rule {
	own := newSome(len(n.Endpoints))
	own.sure.add(n.node)
	return rule{path: "the pod's own node", action: allow, peers: own, ports: everyPort()}
}

type ciliumReader struct {
	n         *Network
	namespace string // "" for policies of the whole cluster
}

func (c *ciliumReader) rules(p *policy, list document.Value, d direction, path string, act action) []rule {
	var rules []rule
	for i, item := range list.Items() {
		r := rule{path: at(path, i), action: act}
		var err error
		if r.peers, err = c.peers(item, d); err != nil {
			p.doubt = r.path + " " + err.Error()
			r.peers = newSome(len(c.n.Endpoints))
		}
		ports := item.Get("toPorts")
		switch {
		case ports.Len() == 0 && item.Get("icmps").Len() > 0:
			continue // it is about no port
		case ports.Len() == 0 && !c.hasPeers(item, d):
			continue // the empty rule matches nothing: it only isolates
		case ports.Len() == 0:
			r.ports = everyPort()
		}
		if item.At("authentication", "mode").Str() == "required" {
			r.narrows = "what is mutually authenticated"
		}
		for _, group := range ports.Items() {
			if err := r.ports.addCilium(group.Get("ports")); err != nil {
				p.doubt = r.path + ".toPorts " + err.Error()
			}
			for _, field := range []string{"rules", "serverNames", "listener"} {
				if group.Get(field).Len() > 0 || group.Get(field).Kind() == document.Map {
					r.narrows = "what its rules of layer 7 let through"
				}
			}
		}
		rules = append(rules, r)
	}
	return rules
}

// peerFields are the fields that name peers, less "from" or "to".
var peerFields = []string{"Endpoints", "CIDR", "CIDRSet", "Entities", "Nodes", "Groups", "Services", "FQDNs", "Requires"}

func word(d direction) string { return [...]string{"from", "to"}[d] }

func (c *ciliumReader) hasPeers(item document.Value, d direction) bool {
	for _, field := range peerFields {
		if item.Get(word(d)+field).Kind() > document.Null {
			return true
		}
	}
	return false
}

// peers is what a rule matches; everybody when it names nobody.
func (c *ciliumReader) peers(item document.Value, d direction) (some, error) {
	n := c.n
	if !c.hasPeers(item, d) {
		return sureOf(n.everything()), nil
	}
	all := newSome(len(n.Endpoints))
	for _, field := range peerFields {
		list := item.Get(word(d) + field)
		for _, v := range list.Items() {
			switch field {
			case "Endpoints":
				all.merge(c.endpoints(v))
			case "CIDR":
				cidr, ok := parseBlock(v.Str())
				if !ok {
					return all, errPlain(word(d) + field + " holds what is no CIDR")
				}
				all.merge(n.blockPeers(block{cidr: cidr}).within(n.outside))
			case "CIDRSet":
				peers, err := c.cidrSet(v)
				if err != nil {
					return all, err
				}
				all.merge(peers)
			case "Entities":
				peers, known := n.entity(v.Str())
				if !known {
					return all, errPlain("names the entity " + strconv.Quote(v.Str()) + ", which is not known")
				}
				all.merge(peers)
			case "Nodes":
				all.merge(n.remoteNodes().doubted())
			case "Groups", "FQDNs":
				all.merge(sureOf(n.outside).doubted())
			case "Services":
				all.merge(sureOf(n.pods.with(n.outside)).doubted())
			default:
				return all, errPlain(word(d) + field + " is not understood")
			}
		}
	}
	return all, nil
}

func (c *ciliumReader) cidrSet(v document.Value) (some, error) {
	if !v.Get("cidr").Exists() {
		return sureOf(c.n.outside).doubted(), nil // a CIDR group, which stands elsewhere
	}
	cidr, ok := parseBlock(v.Get("cidr").Str())
	if !ok {
		return some{}, errPlain("cidr is none")
	}
	b := block{cidr: cidr}
	for _, item := range v.Get("except").Items() {
		e, err := netip.ParsePrefix(item.Str())
		if err != nil {
			return some{}, errPlain("except is no CIDR")
		}
		b.except = append(b.except, e.Masked())
	}
	return c.n.blockPeers(b).within(c.n.outside), nil
}

// endpoints is the pods that a selector selects: those of the policy's namespace, unless it asks for others.
func (c *ciliumReader) endpoints(selector document.Value) some {
	peers := c.n.selectCilium(selector)
	for key := range selector.Get("matchLabels").Fields() {
		if strings.HasPrefix(key, "reserved:") || strings.HasPrefix(key, "reserved.") {
			peers, known := c.n.entity(key[len("reserved:"):])
			if !known {
				return sureOf(c.n.everything()).doubted()
			}
			return peers
		}
	}
	if c.namespace != "" && !asksNamespace(selector) {
		peers = peers.within(c.n.inNamespace(c.namespace))
	}
	return peers
}

func asksNamespace(selector document.Value) bool {
	asks := func(key string) bool {
		key = withoutSource(key)
		return key == ciliumNamespace || strings.HasPrefix(key, namespaceLabels)
	}
	for key := range selector.Get("matchLabels").Fields() {
		if asks(key) {
			return true
		}
	}
	for _, e := range selector.Get("matchExpressions").Items() {
		if asks(e.Get("key").Str()) {
			return true
		}
	}
	return false
}

// entity is what one of Cilium's reserved names stands for.
func (n *Network) entity(name string) (some, bool) {
	s := newSome(len(n.Endpoints))
	switch name {
	case "all":
		return sureOf(n.everything()), true
	case "world":
		return sureOf(n.outside), true
	case "world-ipv4", "world-ipv6":
		for i := range n.outside.All() {
			if n.Endpoints[i].Blocks[0].Addr().Is4() == (name == "world-ipv4") {
				s.sure.add(i)
			}
		}
	case "cluster":
		s.sure = n.pods.with(n.hosts)
		s.sure.add(n.node)
		s.sure.add(n.nodes)
	case "host":
		s.sure.add(n.node)
		s.maybe.merge(n.hosts)
	case "remote-node":
		return n.remoteNodes(), true
	case "kube-apiserver":
		s.maybe.merge(n.outside.with(n.hosts))
		s.maybe.add(n.node)
		s.maybe.add(n.nodes)
	case "health", "init", "unmanaged", "none", "ingress":
	default:
		return s, false
	}
	return s, true
}

func (n *Network) remoteNodes() some {
	s := newSome(len(n.Endpoints))
	s.sure.add(n.nodes)
	s.maybe.merge(n.hosts)
	return s
}

// withoutSource is a label's key without the source that Cilium writes before it.
func withoutSource(key string) string {
	for _, source := range []string{"k8s:", "any:", "k8s.", "any."} {
		if rest, found := strings.CutPrefix(key, source); found {
			return rest
		}
	}
	return key
}

// selectCilium is the pods that one of Cilium's selectors selects, in whatever namespace: it reads
// labels of pods and, under names of their own, their namespace's and their account.
func (n *Network) selectCilium(selector document.Value) some {
	key := "cilium" + string(selector.AppendSorted(nil))
	if s, known := n.selected[key]; known {
		return s
	}
	plain := plainSelector(selector)
	s := newSome(len(n.Endpoints))
	for i := range n.pods.All() {
		e := n.Endpoints[i]
		if e.HostNetwork {
			continue
		}
		open := func(key string) bool {
			return e.openLabel(key) || strings.HasPrefix(key, namespaceLabels) && !e.namespace.known || key == "io.cilium.k8s.policy.cluster"
		}
		s.put(i, answerOf(fact.MaySelect(plain, e.ciliumLabels(), open)))
	}
	n.selected[key] = s
	return s
}

// plainSelector is the selector with the sources taken from its keys.
func plainSelector(selector document.Value) document.Value {
	if selector.Kind() != document.Map {
		return selector
	}
	raw := []byte(`{"matchLabels":{`)
	first := true
	for key, v := range selector.Get("matchLabels").Fields() {
		if !first {
			raw = append(raw, ',')
		}
		first = false
		raw = v.AppendJSON(append(appendJSONString(raw, withoutSource(key)), ':'))
	}
	raw = append(raw, `},"matchExpressions":[`...)
	for i, e := range selector.Get("matchExpressions").Items() {
		if i > 0 {
			raw = append(raw, ',')
		}
		raw = appendJSONString(append(raw, `{"key":`...), withoutSource(e.Get("key").Str()))
		for _, field := range []string{"operator", "values"} {
			if v := e.Get(field); v.Exists() {
				raw = v.AppendJSON(append(append(append(raw, `,"`...), field...), `":`...))
			}
		}
		raw = append(raw, '}')
	}
	doc, err := document.ParseJSON(string(append(raw, "]}"...)))
	if err != nil {
		return document.Value{}
	}
	return doc.Root()
}

// ciliumLabels are the labels that Cilium gives the pods of a class.
func (e *Endpoint) ciliumLabels() document.Value {
	if e.cilium.Exists() {
		return e.cilium
	}
	raw := appendJSONString([]byte(`{"`+ciliumNamespace+`":`), e.namespace.labels.Get(nameLabel).Str())
	raw = appendJSONString(append(raw, `,"`+ciliumAccount+`":`...), e.account)
	for key, v := range e.namespace.labels.Fields() {
		raw = v.AppendJSON(append(appendJSONString(append(raw, ','), namespaceLabels+key), ':'))
	}
	for key, v := range e.labels().Fields() {
		raw = v.AppendJSON(append(appendJSONString(append(raw, ','), key), ':'))
	}
	if doc, err := document.ParseJSON(string(append(raw, '}'))); err == nil {
		e.cilium = doc.Root()
	}
	return e.cilium
}

// addCilium reads ports: numbers as text, names, ranges; the protocol ANY, or none, is all of them.
func (c *portChoice) addCilium(list document.Value) error {
	if list.Len() == 0 {
		c.fixed = AllPorts()
	}
	for _, v := range list.Items() {
		var of []Protocol
		switch name := v.Get("protocol").Str(); name {
		case "", "ANY":
			of = []Protocol{TCP, UDP, SCTP}
		case "ICMP", "ICMPV6", "ICMPv6", "VRRP", "IGMP":
		default:
			p, ok := ParseProtocol(name)
			if !ok {
				return errPlain("names a protocol that is not known")
			}
			of = []Protocol{p}
		}
		text := v.Get("port").Text()
		number, err := strconv.Atoi(text)
		last := number
		if end, ok := v.Get("endPort").Int(); ok && end > 0 {
			last = int(end)
		}
		if err == nil && (number < 0 || number > last || last > lastPort) {
			return errPlain("holds what is no port")
		}
		for _, p := range of {
			switch {
			case text == "" || number == 0 && err == nil:
				c.fixed = c.fixed.Union(PortRange(p, 1, lastPort))
			case err == nil:
				c.fixed = c.fixed.Union(PortRange(p, number, last))
			default:
				c.named = append(c.named, namedPort{text, p})
			}
		}
	}
	return nil
}
