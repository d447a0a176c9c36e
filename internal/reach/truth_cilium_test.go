package reach

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coaming/coaming/internal/fact"
)

// The judge of Cilium's policies, from its documentation (docs.cilium.io: "Layer 3 Policies", "Layer 4
// Policies", "Deny Policies", "Endpoint default policy", "Kubernetes: Namespaces").

type ciliumPort struct {
	Port     string `json:"port,omitempty"`
	EndPort  int    `json:"endPort,omitempty"`
	Protocol string `json:"protocol,omitempty"`
}

type ciliumCIDR struct {
	CIDR   string   `json:"cidr"`
	Except []string `json:"except,omitempty"`
}

// ciliumRule is a rule of one direction; at most one of the ways to name peers is used, as Cilium demands.
type ciliumRule struct {
	endpoints *[]metav1.LabelSelector
	entities  []string
	cidr      []string
	cidrSet   []ciliumCIDR
	fqdns     bool
	ports     []ciliumPort
	http      bool
}

type ciliumSpec struct {
	name, namespace string // "" for a policy of the whole cluster
	selector        metav1.LabelSelector
	allow, deny     [2][]ciliumRule // by direction: ingress, egress
	defaultDeny     [2]*bool
}

func (r *ciliumRule) object(d direction) map[string]any {
	word := []string{"from", "to"}[d]
	m := map[string]any{}
	if r.endpoints != nil {
		m[word+"Endpoints"] = *r.endpoints
	}
	if r.entities != nil {
		m[word+"Entities"] = r.entities
	}
	if r.cidr != nil {
		m[word+"CIDR"] = r.cidr
	}
	if r.cidrSet != nil {
		m[word+"CIDRSet"] = r.cidrSet
	}
	if r.fqdns {
		m["toFQDNs"] = []any{map[string]string{"matchName": "example.com"}}
	}
	if r.ports != nil {
		ports := map[string]any{"ports": r.ports}
		if r.http {
			ports["rules"] = map[string]any{"http": []any{map[string]string{"method": "GET"}}}
		}
		m["toPorts"] = []any{ports}
	}
	return m
}

func (s *ciliumSpec) object(t testing.TB) *fact.Object {
	t.Helper()
	spec := map[string]any{"endpointSelector": s.selector}
	deny := map[string]bool{}
	for _, d := range []direction{ingress, egress} {
		for suffix, rules := range map[string][]ciliumRule{"": s.allow[d], "Deny": s.deny[d]} {
			if rules == nil {
				continue
			}
			list := []any{}
			for i := range rules {
				list = append(list, rules[i].object(d))
			}
			spec[d.String()+suffix] = list
		}
		if s.defaultDeny[d] != nil {
			deny[d.String()] = *s.defaultDeny[d]
		}
	}
	if len(deny) > 0 {
		spec["enableDefaultDeny"] = deny
	}
	kind, meta := "CiliumClusterwideNetworkPolicy", map[string]any{"name": s.name}
	if s.namespace != "" {
		kind, meta["namespace"] = "CiliumNetworkPolicy", s.namespace
	}
	return asObject(t, map[string]any{"apiVersion": "cilium.io/v2", "kind": kind, "metadata": meta, "spec": spec})
}

// ciliumEnd is a pod, an address of the world, the pod's own host or another node.
type ciliumEnd struct {
	istioPod

	what string
}

// identity is the labels that Cilium gives a pod.
func (e *ciliumEnd) identity(namespaces map[string]map[string]string) map[string]string {
	m := map[string]string{"io.kubernetes.pod.namespace": e.namespace, "io.cilium.k8s.policy.serviceaccount": e.account}
	for k, v := range namespaces[e.namespace] {
		m["io.cilium.k8s.namespace.labels."+k] = v
	}
	maps.Copy(m, e.labels)
	return m
}

func (r *ciliumRule) matches(ask func(string) bool, namespaces map[string]map[string]string, own string, peer, destination *ciliumEnd, protocol Protocol, port int) bool {
	all := r.endpoints == nil && r.entities == nil && r.cidr == nil && r.cidrSet == nil && !r.fqdns
	if all && r.ports == nil {
		return false // "the empty rule selects nothing"
	}
	peers := all
	if r.endpoints != nil && peer.what == "pod" {
		for _, s := range *r.endpoints {
			plain, asked := withoutPrefixes(s)
			peers = peers || (own == "" || asked || peer.namespace == own) && upstreamSelects(&plain, peer.identity(namespaces))
		}
	}
	for _, e := range r.entities {
		switch e {
		case "all":
			peers = true
		case "world":
			peers = peers || peer.what == "world"
		case "cluster":
			peers = peers || peer.what != "world"
		case "host":
			peers = peers || peer.what == "host"
		case "remote-node":
			peers = peers || peer.what == "remote"
		case "kube-apiserver":
			peers = peers || peer.what != "pod" && ask("the API server is there")
		}
	}
	if peer.what == "world" { // "CIDR rules do not apply to traffic where both sides are managed by Cilium"
		for _, c := range r.cidr {
			peers = peers || netip.MustParsePrefix(c).Contains(peer.ip)
		}
		for _, c := range r.cidrSet {
			peers = peers || truthBlock(&networkingv1.IPBlock{CIDR: c.CIDR, Except: c.Except}, peer.ip)
		}
		peers = peers || r.fqdns && ask("it is example.com")
	}
	if !peers || r.ports == nil {
		return peers
	}
	for _, p := range r.ports {
		if p.Protocol != "" && p.Protocol != "ANY" && p.Protocol != protocol.String() {
			continue
		}
		number, err := strconv.Atoi(p.Port)
		switch {
		case err == nil && (number == 0 || number == port || p.EndPort > 0 && number <= port && port <= p.EndPort):
			return true
		case err != nil:
			for _, c := range destination.ports {
				if c.Name == p.Port && c.Protocol == corev1.Protocol(protocol.String()) && int(c.ContainerPort) == port {
					return true
				}
			}
		}
	}
	return false
}

// withoutPrefixes takes the sources from a selector's keys and says whether it asks for namespaces.
func withoutPrefixes(s metav1.LabelSelector) (plain metav1.LabelSelector, asked bool) {
	strip := func(key string) string {
		key = strings.TrimPrefix(strings.TrimPrefix(key, "k8s:"), "any:")
		asked = asked || key == "io.kubernetes.pod.namespace" || strings.HasPrefix(key, "io.cilium.k8s.namespace.labels.")
		return key
	}
	for k, v := range s.MatchLabels {
		if plain.MatchLabels == nil {
			plain.MatchLabels = map[string]string{}
		}
		plain.MatchLabels[strip(k)] = v
	}
	for _, e := range s.MatchExpressions {
		e.Key = strip(e.Key)
		plain.MatchExpressions = append(plain.MatchExpressions, e)
	}
	return plain, asked
}

type ciliumCluster struct {
	namespaces map[string]map[string]string
	specs      []*ciliumSpec
	policies   []*networkingv1.NetworkPolicy
}

// side says what one end's policies let through: denies win, allows of every kind add up, and only who
// has default deny needs one.
func (c *ciliumCluster) side(ask func(string) bool, d direction, subject, peer, destination *ciliumEnd, protocol Protocol, port int) bool {
	if subject.what != "pod" {
		return true
	}
	isolated, allowed := false, d == ingress && peer.what == "host" // "traffic from the local host is always allowed"
	for _, s := range c.specs {
		selector, _ := withoutPrefixes(s.selector)
		if s.namespace != "" && s.namespace != subject.namespace || !upstreamSelects(&selector, subject.identity(c.namespaces)) {
			continue
		}
		for i := range s.deny[d] {
			if s.deny[d][i].matches(ask, c.namespaces, s.namespace, peer, destination, protocol, port) {
				return false
			}
		}
		for i := range s.allow[d] {
			allowed = allowed || s.allow[d][i].matches(ask, c.namespaces, s.namespace, peer, destination, protocol, port)
		}
		if s.defaultDeny[d] != nil {
			isolated = isolated || *s.defaultDeny[d]
		} else {
			isolated = isolated || len(s.allow[d])+len(s.deny[d]) > 0
		}
	}
	other := peer.truthPod
	if peer.what == "pod" {
		other.ip = netip.Addr{} // Cilium: blocks are not for pods
	}
	of := networkingv1.PolicyTypeIngress
	if d == egress {
		of = networkingv1.PolicyTypeEgress
	}
	if peer.what == "remote" {
		other.ip = netip.MustParseAddr("198.18.0.9")
	}
	open, isolates := truthSide(world{}, c.policies, c.namespaces, of, subject.truthPod, other, destination.truthPod, corev1.Protocol(protocol.String()), int32(port))
	if isolates {
		isolated = true
		allowed = allowed || open || peer.what == "host"
	}
	return allowed || !isolated
}

func (d dice) ciliumSelector(forPeers bool) metav1.LabelSelector {
	s := metav1.LabelSelector{}
	prefix := d.of("", "k8s:", "any:")
	if !d.one(4) {
		s.MatchLabels = map[string]string{prefix + d.of("app", "tier"): d.of("a", "b")}
	}
	if d.one(4) {
		e := metav1.LabelSelectorRequirement{Key: prefix + d.of("app", "tier"), Operator: metav1.LabelSelectorOperator(d.of("In", "NotIn", "Exists", "DoesNotExist"))}
		if e.Operator == "In" || e.Operator == "NotIn" {
			e.Values = []string{d.of("a", "b"), d.of("b", "c")}
		}
		s.MatchExpressions = append(s.MatchExpressions, e)
	}
	if forPeers && d.one(3) {
		s.MatchLabels = map[string]string{
			d.of("k8s:io.kubernetes.pod.namespace", "io.kubernetes.pod.namespace"): d.of("one", "two"),
		}
	}
	if forPeers && d.one(5) {
		s.MatchLabels = map[string]string{"k8s:io.cilium.k8s.namespace.labels.team": d.of("a", "b")}
	}
	if d.one(6) {
		s.MatchLabels = map[string]string{"io.cilium.k8s.policy.serviceaccount": d.of("a", "b")}
	}
	return s
}

func (d dice) ciliumRule(dir direction) ciliumRule {
	var r ciliumRule
	switch d.IntN(8) {
	case 0, 1, 2:
		list := []metav1.LabelSelector{}
		for range d.IntN(3) {
			list = append(list, d.ciliumSelector(true))
		}
		r.endpoints = &list
	case 3:
		r.entities = d.some(3, "all", "world", "cluster", "host", "remote-node", "kube-apiserver")
	case 4:
		r.cidr = d.some(3, truthBlocks...)
	case 5:
		c := ciliumCIDR{CIDR: d.of("0.0.0.0/0", "192.0.2.0/24")}
		if d.one(2) {
			c.Except = []string{"192.0.2.128/25"}
		}
		r.cidrSet = []ciliumCIDR{c}
	case 6:
		r.fqdns = dir == egress && d.one(2)
	}
	for range d.IntN(3) {
		p := ciliumPort{Port: d.of("79", "80", "81", "0", "web", "dns"), Protocol: d.of("", "ANY", "TCP", "UDP", "SCTP")}
		if p.Port == "80" && d.one(2) {
			p.EndPort = 80 + d.IntN(4)
		}
		r.ports = append(r.ports, p)
	}
	return r
}

func (d dice) ciliumSpec(i int) *ciliumSpec {
	s := &ciliumSpec{name: fmt.Sprint("policy-", i), namespace: d.of("one", "two", "three", ""), selector: d.ciliumSelector(false)}
	for _, dir := range []direction{ingress, egress} {
		for range d.IntN(3) {
			s.allow[dir] = append(s.allow[dir], d.ciliumRule(dir))
		}
		for range d.IntN(4) - 2 {
			r := d.ciliumRule(dir)
			r.fqdns = false // deny rules have none
			s.deny[dir] = append(s.deny[dir], r)
		}
		if d.one(5) {
			v := d.one(2)
			s.defaultDeny[dir] = &v
		}
	}
	return s
}

// TestCiliumTruth compares with the judge on random policies of Cilium and Kubernetes.
func TestCiliumTruth(t *testing.T) {
	wanted := truthCases(t)
	d := dice{rand.New(rand.NewPCG(7, 7))}
	var count tally
	for count.cases() < wanted {
		c := &ciliumCluster{namespaces: map[string]map[string]string{}}
		var objects []*fact.Object
		for _, name := range []string{"one", "two", "three"} {
			c.namespaces[name] = map[string]string{"kubernetes.io/metadata.name": name, "team": d.of("a", "b")}
			objects = append(objects, asObject(t, map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name, "labels": c.namespaces[name]}}))
		}
		var ends []ciliumEnd
		for i := range 5 {
			p := ciliumEnd{istioPod{d.pod(i), d.of("a", "b", "default"), nil}, "pod"}
			p.host = false
			ends = append(ends, p)
			objects = append(objects, accountPod(t, p.istioPod))
		}
		for i := range 1 + d.IntN(5) {
			c.specs = append(c.specs, d.ciliumSpec(i))
			objects = append(objects, c.specs[i].object(t))
		}
		for i := range d.IntN(3) {
			c.policies = append(c.policies, d.policy(fmt.Sprint("plain-", i)))
			objects = append(objects, asObject(t, c.policies[i]))
		}
		n := New(Input{Inventory: fact.NewInventory(objects, "1.36", false)})
		for _, p := range d.istioOutside(2, truthOutside) {
			ends = append(ends, ciliumEnd{p, "world"})
		}
		if len(c.policies) == 0 { // whether a block holds a node's address is not known
			ends = append(ends, ciliumEnd{what: "remote"})
		}
		ends = append(ends, ciliumEnd{what: "host"})
		compared := comparison[ciliumEnd]{
			network: n, from: ends, to: ends, times: 4, ask: d.anyPort,
			judge: func(from, to ciliumEnd, protocol Protocol, port int) Verdict {
				return inAllWorlds(func(ask func(string) bool) bool {
					return c.side(ask, egress, &from, &to, &to, protocol, port) && c.side(ask, ingress, &to, &from, &to, protocol, port)
				})
			},
			at: func(e ciliumEnd) int {
				switch e.what {
				case "host":
					return n.node
				case "remote":
					return n.nodes
				}
				return n.endpointOf(t, e.truthPod)
			},
			same: func(from, to ciliumEnd) bool {
				return from.what != "pod" && to.what != "pod" || from.name == to.name && from.what == to.what
			},
			world: func() any { return texts(objects) },
		}
		compared.run(t, &count)
	}
	count.enough(t, wanted/10, Closed, Open)
	count.enough(t, wanted/1000, Unknown)
}
