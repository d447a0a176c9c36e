package reach

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/coaming/coaming/internal/fact"
)

// The judge of Calico's policies, from its documentation (docs.tigera.io: "Network policy", "Global
// network policy", "Tier", "Get started with policy tiers").

// calicoSelector is a selector as a tree, which writes itself as text and says what it selects.
type calicoSelector struct {
	op          string // "==", "!=", "in", "not in", "has", "contains", "starts with", "all()", "!", "&&", "||"
	key         string
	values      []string
	left, right *calicoSelector
}

func (s *calicoSelector) text() string {
	switch s.op {
	case "all()":
		return s.op
	case "has":
		return "has(" + s.key + ")"
	case "in", "not in":
		return s.key + " " + s.op + " {'" + strings.Join(s.values, "', '") + "'}"
	case "!":
		return "!(" + s.left.text() + ")"
	case "&&", "||":
		return "(" + s.left.text() + " " + s.op + " " + s.right.text() + ")"
	}
	return s.key + " " + s.op + " '" + s.values[0] + "'"
}

func (s *calicoSelector) holds(labels map[string]string) bool {
	value, there := labels[s.key]
	switch s.op {
	case "all()":
		return true
	case "has":
		return there
	case "==":
		return there && value == s.values[0]
	case "!=": // "matches also where the label is missing"
		return !there || value != s.values[0]
	case "in":
		return there && slices.Contains(s.values, value)
	case "not in":
		return !there || !slices.Contains(s.values, value)
	case "contains":
		return there && strings.Contains(value, s.values[0])
	case "starts with":
		return there && strings.HasPrefix(value, s.values[0])
	case "ends with":
		return there && strings.HasSuffix(value, s.values[0])
	case "!":
		return !s.left.holds(labels)
	case "&&":
		return s.left.holds(labels) && s.right.holds(labels)
	}
	return s.left.holds(labels) || s.right.holds(labels)
}

func (d dice) calicoSelector(depth int, keys ...string) *calicoSelector {
	op := d.of("==", "==", "!=", "in", "not in", "has", "contains", "starts with", "ends with", "all()", "!", "&&", "||")
	s := &calicoSelector{op: op, key: d.of(keys...), values: []string{d.of("a", "b"), d.of("b", "c")}}
	switch op {
	case "!", "&&", "||":
		if depth == 0 {
			s.op = "=="
			break
		}
		s.left, s.right = d.calicoSelector(depth-1, keys...), d.calicoSelector(depth-1, keys...)
	}
	return s
}

type calicoEntity struct {
	selector, namespaces, not *calicoSelector
	accounts                  []string
	nets, notNets             []string
	ports, notPorts           []any
}

type calicoRule struct {
	action        string
	protocol, not any // name or number; nil for every one
	peer, other   calicoEntity
}

type calicoPolicy struct {
	name, namespace, tier string // namespace "" for a policy of the whole cluster
	order                 *float64
	selector, namespaces  *calicoSelector
	types                 []string
	rules                 [2][]calicoRule
}

func (e *calicoEntity) object() map[string]any {
	m := map[string]any{}
	for key, s := range map[string]*calicoSelector{"selector": e.selector, "namespaceSelector": e.namespaces, "notSelector": e.not} {
		if s != nil {
			m[key] = s.text()
		}
	}
	if e.accounts != nil {
		m["serviceAccounts"] = map[string]any{"names": e.accounts}
	}
	for key, list := range map[string][]string{"nets": e.nets, "notNets": e.notNets} {
		if len(list) > 0 {
			m[key] = list
		}
	}
	for key, list := range map[string][]any{"ports": e.ports, "notPorts": e.notPorts} {
		if len(list) > 0 {
			m[key] = list
		}
	}
	return m
}

func (p *calicoPolicy) object(t testing.TB) *fact.Object {
	t.Helper()
	spec := map[string]any{}
	if p.tier != "" {
		spec["tier"] = p.tier
	}
	if p.order != nil {
		spec["order"] = *p.order
	}
	if p.selector != nil {
		spec["selector"] = p.selector.text()
	}
	if p.namespaces != nil {
		spec["namespaceSelector"] = p.namespaces.text()
	}
	if p.types != nil {
		spec["types"] = p.types
	}
	for _, d := range []direction{ingress, egress} {
		var list []any
		for _, r := range p.rules[d] {
			m := map[string]any{"action": r.action}
			if r.protocol != nil {
				m["protocol"] = r.protocol
			}
			if r.not != nil {
				m["notProtocol"] = r.not
			}
			source, destination := r.peer.object(), r.other.object()
			if d == egress {
				destination, source = r.peer.object(), map[string]any{}
				maps.Copy(destination, r.other.object())
			}
			m["source"], m["destination"] = source, destination
			list = append(list, m)
		}
		if list != nil {
			spec[d.String()] = list
		}
	}
	kind, meta := "GlobalNetworkPolicy", map[string]any{"name": p.name}
	if p.namespace != "" {
		kind, meta["namespace"] = "NetworkPolicy", p.namespace
	}
	return asObject(t, map[string]any{"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": meta, "spec": spec})
}

type calicoTier struct {
	name  string
	order float64
	pass  bool
}

type calicoCluster struct {
	namespaces map[string]map[string]string
	tiers      []calicoTier // in their order, the default one among them
	policies   []*calicoPolicy
	plain      []*networkingv1.NetworkPolicy
}

func (r *calicoRule) matches(namespaces map[string]map[string]string, own string, peer, destination *istioPod, protocol Protocol, port int) bool {
	is := func(want any) bool {
		return want == protocol.String() || want == map[Protocol]int{TCP: 6, UDP: 17, SCTP: 132}[protocol]
	}
	if r.protocol != nil && !is(r.protocol) || r.not != nil && is(r.not) {
		return false
	}
	e := &r.peer
	pod := peer.name != ""
	if e.selector != nil || e.namespaces != nil || e.accounts != nil {
		switch {
		case !pod, e.selector != nil && !e.selector.holds(peer.labels):
			return false
		case e.namespaces != nil && !e.namespaces.holds(namespaces[peer.namespace]):
			return false
		case e.namespaces == nil && own != "" && peer.namespace != own: // "selectors are for the policy's own namespace"
			return false
		case e.accounts != nil && !slices.Contains(e.accounts, peer.account):
			return false
		}
	}
	if e.not != nil && pod && e.not.holds(peer.labels) {
		return false
	}
	in := func(list []string) bool {
		return slices.ContainsFunc(list, func(n string) bool { return netip.MustParsePrefix(n).Contains(peer.ip) })
	}
	if len(e.nets) > 0 && !in(e.nets) || in(e.notNets) {
		return false
	}
	onPort := func(list []any) bool {
		for _, v := range list {
			text := fmt.Sprint(v)
			first, last, isRange := strings.Cut(text, ":")
			from, err := strconv.Atoi(first)
			to := from
			if isRange {
				to, _ = strconv.Atoi(last)
			}
			if err == nil && from <= port && port <= to {
				return true
			}
			for _, c := range destination.ports {
				if err != nil && c.Name == text && c.Protocol == corev1.Protocol(protocol.String()) && int(c.ContainerPort) == port {
					return true
				}
			}
		}
		return false
	}
	return (len(r.other.ports) == 0 || onPort(r.other.ports)) && !onPort(r.other.notPorts)
}

// types are those that a policy names, else those that it has rules for: the table of its documentation.
func (p *calicoPolicy) has(d direction) bool {
	if p.types != nil {
		return slices.Contains(p.types, []string{"Ingress", "Egress"}[d])
	}
	if d == ingress {
		return len(p.rules[ingress]) > 0 || len(p.rules[egress]) == 0
	}
	return len(p.rules[egress]) > 0
}

func (c *calicoCluster) side(d direction, subject, peer, destination *istioPod, protocol Protocol, port int) bool {
	if subject.name == "" {
		return true
	}
next:
	for _, tier := range c.tiers {
		applies, asked := false, false
		plain := func() bool { // policies of Kubernetes stand in the default tier, at 1000
			asked = true
			if tier.name != "default" {
				return false
			}
			of := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}[d]
			open, isolated := truthSide(world{}, c.plain, c.namespaces, of, subject.truthPod, peer.truthPod, destination.truthPod, corev1.Protocol(protocol.String()), int32(port))
			applies = applies || isolated
			return isolated && open
		}
		var list []*calicoPolicy
		for _, p := range c.policies {
			if p.tier == tier.name || p.tier == "" && tier.name == "default" {
				list = append(list, p)
			}
		}
		slices.SortFunc(list, func(a, b *calicoPolicy) int { // "the lowest first", and those without an order last
			switch {
			case a.order == nil || b.order == nil:
				return cmp.Compare(boolByte(a.order == nil), boolByte(b.order == nil))
			}
			return cmp.Compare(*a.order, *b.order)
		})
		for _, p := range list {
			if !asked && (p.order == nil || *p.order > 1000) && plain() {
				return true
			}
			if !p.has(d) || p.namespace != "" && p.namespace != subject.namespace || p.selector != nil && !p.selector.holds(subject.labels) ||
				p.namespaces != nil && !p.namespaces.holds(c.namespaces[subject.namespace]) {
				continue
			}
			applies = true
			for i := range p.rules[d] {
				r := &p.rules[d][i]
				if !r.matches(c.namespaces, p.namespace, peer, destination, protocol, port) {
					continue
				}
				switch r.action {
				case "Allow":
					return true
				case "Deny":
					return false
				case "Pass":
					continue next
				}
			}
		}
		if !asked && plain() {
			return true
		}
		if applies && !tier.pass { // "the tier's default action"
			return false
		}
	}
	return true
}

func (d dice) calicoRule() calicoRule {
	r := calicoRule{action: d.of("Allow", "Allow", "Deny", "Pass", "Log")}
	if d.one(2) {
		r.peer.selector = d.calicoSelector(2, "app", "tier")
	}
	if d.one(4) {
		r.peer.namespaces = d.calicoSelector(1, "team", "tier")
	}
	if d.one(6) {
		r.peer.not = d.calicoSelector(1, "app", "tier")
	}
	if d.one(8) {
		r.peer.accounts = []string{d.of("a", "b")}
	}
	if d.one(4) {
		r.peer.nets = []string{d.of(truthBlocks...)}
	}
	if d.one(6) {
		r.peer.notNets = []string{d.of(truthBlocks[1:]...)}
	}
	switch d.IntN(4) {
	case 0:
		r.protocol = []any{"TCP", "UDP", "SCTP", 6, 17}[d.IntN(5)]
	case 1:
		r.not = []any{"TCP", "UDP", 132}[d.IntN(3)]
	case 2:
		r.protocol = d.of("TCP", "UDP")
		for range d.IntN(3) {
			r.other.ports = append(r.other.ports, []any{79, 80, 81, "80:82", "web", "dns"}[d.IntN(6)])
		}
		if len(r.other.ports) == 0 && d.one(2) {
			r.other.notPorts = []any{80, "82:83"}
		}
	}
	return r
}

func (d dice) calicoCluster() *calicoCluster {
	c := &calicoCluster{namespaces: map[string]map[string]string{}}
	for _, name := range []string{"one", "two", "three"} {
		c.namespaces[name] = map[string]string{"kubernetes.io/metadata.name": name, "team": d.of("a", "b"), "tier": d.of("a", "b")}
	}
	c.tiers = []calicoTier{{"before", 100, d.one(3)}, {"default", 1_000_000, false}, {"after", 2_000_000, d.one(3)}}
	for i := range 1 + d.IntN(5) {
		p := &calicoPolicy{name: fmt.Sprint("policy-", i), namespace: d.of("one", "two", "three", "", ""), tier: d.of("before", "default", "", "after")}
		if i > 0 {
			order := float64(d.IntN(200)*10) + float64(i) + 0.5
			p.order = &order
		}
		if !d.one(4) {
			p.selector = d.calicoSelector(2, "app", "tier")
		}
		if p.namespace == "" && d.one(4) {
			p.namespaces = d.calicoSelector(1, "team", "tier")
		}
		p.types = [][]string{nil, {"Ingress"}, {"Egress"}, {"Ingress", "Egress"}}[d.IntN(4)]
		for _, dir := range []direction{ingress, egress} {
			for range d.IntN(4) {
				p.rules[dir] = append(p.rules[dir], d.calicoRule())
			}
		}
		c.policies = append(c.policies, p)
	}
	for i := range d.IntN(3) {
		c.plain = append(c.plain, d.policy(fmt.Sprint("plain-", i)))
	}
	return c
}

// TestCalicoTruth compares with the judge on random policies of Calico and Kubernetes.
func TestCalicoTruth(t *testing.T) {
	wanted := truthCases(t)
	d := dice{rand.New(rand.NewPCG(3, 1))}
	var count tally
	for count.cases() < wanted {
		c := d.calicoCluster()
		var objects []*fact.Object
		for _, name := range []string{"one", "two", "three"} {
			objects = append(objects, asObject(t, map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name, "labels": c.namespaces[name]}}))
		}
		for _, tier := range c.tiers {
			if tier.name == "default" {
				continue
			}
			spec := map[string]any{"order": tier.order}
			if tier.pass {
				spec["defaultAction"] = "Pass"
			}
			objects = append(objects, asObject(t, map[string]any{"apiVersion": "projectcalico.org/v3", "kind": "Tier", "metadata": map[string]any{"name": tier.name}, "spec": spec}))
		}
		var ends []istioPod
		for i := range 5 {
			p := istioPod{d.pod(i), d.of("a", "b", "default"), nil}
			p.host = false
			ends = append(ends, p)
			objects = append(objects, accountPod(t, p))
		}
		for _, p := range c.policies {
			objects = append(objects, p.object(t))
		}
		for _, p := range c.plain {
			objects = append(objects, asObject(t, p))
		}
		ends = append(ends, d.istioOutside(3, truthOutside)...)
		compared := comparison[istioPod]{
			network: New(Input{Inventory: fact.NewInventory(objects, "1.36", false)}), from: ends, to: ends, times: 4, ask: d.anyPort,
			judge: func(from, to istioPod, protocol Protocol, port int) Verdict {
				return verdictOf(c.side(egress, &from, &to, &to, protocol, port) && c.side(ingress, &to, &from, &to, protocol, port))
			},
			world: func() any { return texts(objects) },
		}
		compared.run(t, &count)
	}
	count.enough(t, wanted/20, Closed, Open)
}
