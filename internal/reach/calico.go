package reach

import (
	"math"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// calicoGroups are the API groups of Calico: that of its own API server, and that of its definitions.
var calicoGroups = []string{"projectcalico.org", "crd.projectcalico.org"}

var calicoActions = map[string]action{"Allow": allow, "Deny": deny, "Pass": pass}

// readCalico reads a NetworkPolicy or GlobalNetworkPolicy of Calico (docs.tigera.io, API reference):
// tiers by order, policies by order within, then by name; the first rule that matches decides. Pods
// on their node's network are no endpoints of its workloads.
func (n *Network) readCalico(o *fact.Object) {
	spec := o.Root.Get("spec")
	if spec.Get("doNotTrack").Bool() || spec.Get("preDNAT").Bool() {
		return // for nodes' own interfaces alone
	}
	p := &policy{object: o, order: math.Inf(1), doubt: o.Doubt}
	if v := spec.Get("order"); v.Kind() > document.Null {
		f, ok := v.Float()
		if whole, isInt := v.Int(); isInt {
			f, ok = float64(whole), true
		}
		p.order = f
		if !ok {
			p.doubt = "spec.order is no number"
		}
	}
	n.calicoTier(p, spec.Get("tier").Str())
	c := calicoReader{n: n}
	subjects := n.pods
	if o.Kind == "NetworkPolicy" {
		c.namespace = fact.Place(o.Namespace)
		subjects = n.inNamespace(o.Namespace)
	}
	p.subjects = sureOf(subjects.minus(n.hosts))
	for field, labelsOf := range map[string]func(*Endpoint) lookup{"selector": podLookup, "namespaceSelector": namespaceLookup, "serviceAccountSelector": accountLookup} {
		s, err := n.selectCalico(spec.Get(field).Str(), labelsOf)
		if err != nil {
			p.doubt = "spec." + field + ": " + err.Error()
			continue
		}
		p.subjects = p.subjects.and(s)
	}
	isIngress, isEgress := calicoTypes(spec)
	for d, is := range []bool{isIngress, isEgress} {
		if is {
			p.sides[d] = c.side(p, spec.Get(direction(d).String()), direction(d))
		}
	}
	n.take(p)
}

// calicoTypes are the directions that a policy names; else those that it has rules for, and ingress
// when it has none.
func calicoTypes(spec document.Value) (isIngress, isEgress bool) {
	types := spec.Get("types")
	for _, t := range types.Items() {
		isIngress = isIngress || t.Str() == "Ingress"
		isEgress = isEgress || t.Str() == "Egress"
	}
	if types.Len() == 0 {
		isEgress = spec.Get("egress").Len() > 0
		isIngress = spec.Get("ingress").Len() > 0 || !isEgress
	}
	return isIngress, isEgress
}

// calicoTier puts a policy into its tier. What a tier does with what no rule matches is its default
// action: to deny, unless it says otherwise.
func (n *Network) calicoTier(p *policy, name string) {
	if name == "" || name == "default" {
		p.tier = n.defaultTier()
		return
	}
	p.tier = n.tierNamed("calico "+name, defaultOrder-1)
	for _, group := range calicoGroups {
		if o := n.inventory.Find("Tier."+group, "", name); o != nil {
			if f, ok := o.Root.At("spec", "order").Float(); ok {
				p.tier.order = f
			} else if i, ok := o.Root.At("spec", "order").Int(); ok {
				p.tier.order = float64(i)
			} else {
				p.tier.order = math.Inf(1)
			}
			p.tier.passes = o.Root.At("spec", "defaultAction").Str() == "Pass"
			return
		}
	}
	p.doubt = "its tier " + name + " was not seen"
}

type calicoReader struct {
	n         *Network
	namespace string // "" for policies of the whole cluster
}

func (c *calicoReader) side(p *policy, list document.Value, d direction) *side {
	s := &side{isolates: yes}
	if p.tier.passes {
		s.isolates = no
	}
	if d == ingress {
		s.rules = append(s.rules, c.n.ownNode())
	}
	for i, item := range list.Items() {
		path := at("spec."+d.String(), i)
		if item.Get("action").Str() == "Log" {
			continue
		}
		r := rule{path: path}
		var known bool
		if r.action, known = calicoActions[item.Get("action").Str()]; !known {
			p.doubt = path + ".action is not understood"
		}
		peer, own := item.Get("source"), item.Get("destination")
		if d == egress {
			peer, own = own, peer
		}
		var err error
		if r.peers, err = c.peers(peer); err != nil {
			p.doubt = path + ": " + err.Error()
			r.peers = newSome(len(c.n.Endpoints))
		}
		if err := r.ports.setCalico(item); err != nil {
			p.doubt = path + ": " + err.Error()
		}
		if c.narrowed(item, own) {
			r.peers = r.peers.doubted()
		}
		if item.Get("http").Kind() == document.Map {
			r.narrows = "the HTTP requests that it names"
			if r.action != allow {
				r.peers = r.peers.doubted()
			}
		}
		s.rules = append(s.rules, r)
	}
	return s
}

// narrowed says whether a rule asks for what is not followed here: ports of the source, properties
// of its own end, a version of IP.
func (c *calicoReader) narrowed(item, own document.Value) bool {
	for _, field := range []string{"ipVersion", "icmp", "notICMP"} {
		if item.Get(field).Kind() > document.Null && !isICMP(item) {
			return true
		}
	}
	if item.At("source", "ports").Len() > 0 || item.At("source", "notPorts").Len() > 0 {
		return true
	}
	for key, v := range own.Fields() {
		if key != "ports" && key != "notPorts" && v.Kind() > document.Null {
			return true
		}
	}
	return false
}

func isICMP(item document.Value) bool {
	name := strings.ToUpper(item.Get("protocol").Text())
	return strings.HasPrefix(name, "ICMP") || name == "1" || name == "58"
}

// peers is what one end of a rule matches: all that it names must hold.
func (c *calicoReader) peers(v document.Value) (some, error) {
	n := c.n
	all := sureOf(n.everything())
	if list := v.Get("nets"); list.Len() > 0 {
		nets, err := n.networks(list)
		if err != nil {
			return all, err
		}
		all = all.and(nets)
	}
	if list := v.Get("notNets"); list.Len() > 0 {
		nets, err := n.networks(list)
		if err != nil {
			return all, err
		}
		all = all.and(nets.not(n.everything()))
	}
	selector, namespaces := v.Get("selector").Str(), v.Get("namespaceSelector").Str()
	accounts := v.Get("serviceAccounts")
	switch {
	case selector != "" || namespaces != "" || accounts.Kind() > document.Null:
		pods, err := c.pods(selector, namespaces, accounts)
		if err != nil {
			return all, err
		}
		all = all.and(pods)
	}
	if text := v.Get("notSelector").Str(); text != "" {
		pods, err := n.selectCalico(text, podLookup)
		if err != nil {
			return all, err
		}
		all = all.and(pods.not(n.everything()))
	}
	if v.Get("services").Kind() > document.Null || len(v.Get("domains").Str())+v.Get("domains").Len() > 0 {
		all = all.doubted()
	}
	return all, nil
}

// pods is the pods that selectors select: of the policy's own namespace, unless one asks for others.
// Of selectors that name no namespaces in a policy of the whole cluster, sets of networks may be meant, too.
func (c *calicoReader) pods(selector, namespaces string, accounts document.Value) (some, error) {
	n := c.n
	pods, err := n.selectCalico(selector, podLookup)
	if err != nil {
		return pods, err
	}
	switch {
	case namespaces != "":
		in, err := n.selectCalico(namespaces, namespaceLookup)
		if err != nil {
			return pods, err
		}
		pods = pods.and(in)
	case c.namespace != "":
		pods = pods.within(n.inNamespace(c.namespace))
	}
	if names := accounts.Get("names"); names.Len() > 0 {
		named := newSet(len(n.Endpoints))
		for i := range n.pods.All() {
			for _, name := range names.Items() {
				if name.Str() == n.Endpoints[i].account {
					named.add(i)
				}
			}
		}
		pods = pods.within(named)
	}
	if text := accounts.Get("selector").Str(); text != "" {
		with, err := n.selectCalico(text, accountLookup)
		if err != nil {
			return pods, err
		}
		pods = pods.and(with)
	}
	if selector != "" && n.hasNetworkSets() {
		pods.maybe = pods.maybe.with(n.outside)
	}
	return pods, nil
}

func (n *Network) hasNetworkSets() bool {
	for _, group := range calicoGroups {
		if len(n.inventory.OfKind("NetworkSet."+group))+len(n.inventory.OfKind("GlobalNetworkSet."+group)) > 0 {
			return true
		}
	}
	return false
}

// not is the rest of a universe.
func (s some) not(universe Set) some { return some{universe.minus(s.any()), s.maybe} }

// selectCalico is the pods of which an expression holds; pods on their node's network are none of Calico's.
func (n *Network) selectCalico(text string, labelsOf func(*Endpoint) lookup) (some, error) {
	e, err := parseExpression(text)
	s := newSome(len(n.Endpoints))
	if err != nil {
		return s, err
	}
	for i := range n.pods.minus(n.hosts).All() {
		s.put(i, e(labelsOf(n.Endpoints[i])))
	}
	return s, nil
}

// podLookup reads a pod's labels, and those that Calico adds.
func podLookup(e *Endpoint) lookup {
	return func(key string) (string, answer) {
		if v := e.labels().Get(key); v.Exists() {
			return v.Str(), yes
		}
		switch {
		case key == "projectcalico.org/namespace":
			return e.namespace.labels.Get(nameLabel).Str(), yes
		case key == "projectcalico.org/orchestrator":
			return "k8s", yes
		case key == "projectcalico.org/serviceaccount":
			return e.account, yes
		case strings.HasPrefix(key, "pcns."):
			return namespaceLookup(e)(strings.TrimPrefix(key, "pcns."))
		case e.openLabel(key) || strings.HasPrefix(key, "pcsa."):
			return "", maybe
		}
		return "", no
	}
}

// namespaceLookup reads the labels of a pod's namespace.
func namespaceLookup(e *Endpoint) lookup {
	return func(key string) (string, answer) {
		if key == "projectcalico.org/name" {
			key = nameLabel
		}
		if v := e.namespace.labels.Get(key); v.Exists() {
			return v.Str(), yes
		}
		if !e.namespace.known {
			return "", maybe
		}
		return "", no
	}
}

// accountLookup reads the labels of service accounts, which are not looked up: each may be there.
func accountLookup(e *Endpoint) lookup {
	return func(key string) (string, answer) {
		if key == "projectcalico.org/name" {
			return e.account, yes
		}
		return "", maybe
	}
}

// setCalico reads the protocol and the destination's ports of a rule.
func (c *portChoice) setCalico(item document.Value) error {
	var within Ports
	protocol := item.Get("protocol")
	p, known := calicoProtocol(protocol)
	switch _, isInt := protocol.Int(); {
	case protocol.Kind() <= document.Null:
		within = AllPorts()
	case known:
		within = PortRange(p, 1, lastPort)
	case isICMP(item) || isInt || strings.EqualFold(protocol.Str(), "UDPLite"): // of no ports
	default:
		return errPlain("protocol is not understood")
	}
	if not := item.Get("notProtocol"); not.Kind() > document.Null {
		p, known := calicoProtocol(not)
		if !known {
			return errPlain("notProtocol is not understood")
		}
		within[p] = nil
	}
	c.fixed = within
	if list := item.At("destination", "ports"); list.Len() > 0 {
		c.fixed = Ports{}
		if err := c.addCalico(list, within); err != nil {
			return err
		}
	}
	if list := item.At("destination", "notPorts"); list.Len() > 0 {
		var against portChoice
		if err := against.addCalico(list, within); err != nil || len(against.named)+len(c.named) > 0 {
			return errPlain("destination.notPorts is not understood")
		}
		c.fixed = c.fixed.Minus(against.fixed)
	}
	return nil
}

// calicoProtocol reads a protocol, by name or number.
func calicoProtocol(v document.Value) (Protocol, bool) {
	if number, isInt := v.Int(); isInt {
		p, known := map[int64]Protocol{6: TCP, 17: UDP, 132: SCTP}[number]
		return p, known
	}
	if v.Str() == "" {
		return 0, false
	}
	return ParseProtocol(v.Str())
}

// addCalico reads ports: numbers, "first:last", and names.
func (c *portChoice) addCalico(list document.Value, within Ports) error {
	for _, v := range list.Items() {
		first, last, isRange := strings.Cut(v.Text(), ":")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		switch {
		case err == nil && err2 == nil && from <= to && to <= lastPort:
			for p := range within {
				if len(within[p]) > 0 {
					c.fixed = c.fixed.Union(PortRange(Protocol(p), from, to))
				}
			}
		case isRange || err == nil:
			return errPlain("a port is none")
		default:
			for p := range within {
				if len(within[p]) > 0 {
					c.named = append(c.named, namedPort{first, Protocol(p)})
				}
			}
		}
	}
	return nil
}
