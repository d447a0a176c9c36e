package reach

import (
	"net/netip"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

const networkPolicy = "NetworkPolicy.networking.k8s.io"

// defaultTier is where policies of namespaces live.
func (n *Network) defaultTier() *tier { return n.tierNamed("default", defaultOrder) }

// readNetworkPolicy reads a NetworkPolicy (k8s.io/api networking/v1 NetworkPolicySpec).
func (n *Network) readNetworkPolicy(o *fact.Object) {
	spec := o.Root.Get("spec")
	p := &policy{object: o, tier: n.defaultTier(), order: namespacedOrder, doubt: o.Doubt, byLabels: true}
	subjects := n.inNamespace(o.Namespace)
	p.subjects = sureOf(subjects)
	if selector := spec.Get("podSelector"); selector.Kind() > document.Null {
		p.subjects = n.selectPods(selector).within(subjects)
	}
	isIngress, isEgress, err := policyTypes(spec)
	if isIngress {
		p.sides[ingress] = n.readSide(p, spec, ingress, "from")
	}
	if isEgress {
		p.sides[egress] = n.readSide(p, spec, egress, "to")
	}
	if err != nil {
		p.doubt = err.Error()
	}
	n.take(p)
}

// take takes a policy in; one of which it is not known what it does may do anything.
func (n *Network) take(p *policy) {
	if p.doubt != "" {
		p.subjects = p.subjects.doubted()
		for d, s := range p.sides {
			if s != nil {
				p.sides[d] = &side{rules: n.anything(), isolates: no}
			}
		}
		n.Notes = append(n.Notes, Note{Reason: describe(p.object) + " is not understood: " + p.doubt, Namespace: p.object.Namespace})
	}
	n.policies = append(n.policies, p)
}

// anything is what somebody may do of whom nothing is known.
func (n *Network) anything() []rule {
	all := sureOf(n.everything()).doubted()
	return []rule{{action: allow, peers: all, ports: everyPort()}, {action: deny, peers: all, ports: everyPort()}}
}

// policyTypes says which directions a policy is about: those it names; when it names none, ingress,
// and egress when it has egress rules.
func policyTypes(spec document.Value) (isIngress, isEgress bool, err error) {
	types := spec.Get("policyTypes")
	if types.Len() == 0 {
		return true, spec.Get("egress").Len() > 0, nil
	}
	for _, t := range types.Items() {
		switch t.Str() {
		case "Ingress":
			isIngress = true
		case "Egress":
			isEgress = true
		default:
			return true, true, malformed("spec.policyTypes", "holds what is neither Ingress nor Egress")
		}
	}
	return isIngress, isEgress, nil
}

// readSide reads the rules of one direction. The node that a pod runs on always reaches it, and is
// reached by it, whatever policies say.
func (n *Network) readSide(p *policy, spec document.Value, d direction, field string) *side {
	s := &side{isolates: yes, rules: []rule{n.ownNode()}}
	list := spec.Get(d.String())
	if k := list.Kind(); k > document.Null && k != document.List {
		p.doubt = "spec." + d.String() + " is no list"
	}
	for i, item := range list.Items() {
		path := at("spec."+d.String(), i)
		ports, err := readPorts(item.Get("ports"))
		if err != nil {
			p.doubt = path + "." + err.Error()
		}
		peers, err := n.readPeers(item.Get(field), p.object.Namespace)
		if err != nil {
			p.doubt = path + "." + field + err.Error()
		}
		s.rules = append(s.rules, rule{path: path, action: allow, peers: peers.some, hosts: peers.hosts, ports: ports})
	}
	return s
}

// readPeers reads a list of NetworkPolicyPeers: missing or empty is everybody.
func (n *Network) readPeers(list document.Value, namespace string) (group, error) {
	if list.Len() == 0 {
		if k := list.Kind(); k > document.Null && k != document.List {
			return group{}, errPlain(" is no list")
		}
		return group{sureOf(n.everything()), newSet(len(n.Endpoints))}, nil
	}
	all := n.newGroup()
	for i, item := range list.Items() {
		peers, err := n.readPeer(item, namespace)
		if err != nil {
			return n.newGroup(), malformed(at("", i), err.Error())
		}
		all.merge(peers)
	}
	return all, nil
}

func (n *Network) readPeer(item document.Value, namespace string) (group, error) {
	pods, namespaces, ip := item.Get("podSelector"), item.Get("namespaceSelector"), item.Get("ipBlock")
	hasPods, hasNamespaces := pods.Kind() > document.Null, namespaces.Kind() > document.Null
	if ip.Kind() > document.Null {
		if hasPods || hasNamespaces {
			return group{}, errPlain("ipBlock beside a selector")
		}
		b, err := readBlock(ip)
		if err != nil {
			return group{}, err
		}
		return group{n.blockPeers(b), newSet(len(n.Endpoints))}, nil
	}
	if !hasPods && !hasNamespaces {
		return group{}, errPlain("names neither a selector nor an ipBlock")
	}
	peers := sureOf(n.pods)
	if hasPods {
		peers = n.selectPods(pods)
	}
	if hasNamespaces {
		peers = peers.and(n.selectNamespaces(namespaces))
	} else {
		peers = peers.within(n.inNamespace(namespace))
	}
	return n.byLabels(peers), nil
}

// readBlock reads an IPBlock: except lies strictly within the CIDR, or the API server refuses it.
func readBlock(v document.Value) (block, error) {
	cidr, err := netip.ParsePrefix(v.Get("cidr").Str())
	if err != nil {
		return block{}, errPlain("cidr is none")
	}
	b := block{cidr: cidr.Masked()}
	for _, item := range v.Get("except").Items() {
		e, err := netip.ParsePrefix(item.Str())
		if err != nil || e.Bits() <= cidr.Bits() || !cidr.Contains(e.Addr()) {
			return block{}, errPlain("except is not strictly within cidr")
		}
		b.except = append(b.except, e.Masked())
	}
	return b, nil
}

func describe(o *fact.Object) string {
	if o.Namespace == "" {
		return o.Kind + " " + o.Name
	}
	return o.Kind + " " + o.Namespace + "/" + o.Name
}
