package reach

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	corev1 "k8s.io/api/core/v1"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// The judge: an evaluator that asks one connection at a time, in the words of the API's
// documentation (k8s.io/api/networking/v1, and the concept page "Network Policies"), over the typed
// objects and with Kubernetes' own selectors. It shares no code with the package.

// truthPod is a pod, or an address outside when it has no name.
type truthPod struct {
	namespace, name string
	labels          map[string]string
	host            bool
	ip              netip.Addr
	ports           []corev1.ContainerPort
}

// world is one of the ways in which a cluster may treat what the API leaves open.
type world struct {
	hostsAreNodes bool       // pods on their node's network are taken for the node
	sameNode      bool       // and the pod at the other end runs there
	nodeIP        netip.Addr // whose address is this
}

func upstreamSelects(s *metav1.LabelSelector, set map[string]string) bool {
	compiled, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		panic(err)
	}
	return compiled.Matches(labels.Set(set))
}

// truth says whether a connection is allowed: "a connection is allowed if both the egress policy on
// the source pod and the ingress policy on the destination pod allow it".
func truth(w world, policies []*networkingv1.NetworkPolicy, namespaces map[string]map[string]string, from, to truthPod, protocol corev1.Protocol, port int32) bool {
	// "Traffic to and from the node where a Pod is running is always allowed."
	if (from.host || to.host) && w.hostsAreNodes && w.sameNode {
		return true
	}
	out, _ := truthSide(w, policies, namespaces, networkingv1.PolicyTypeEgress, from, to, to, protocol, port)
	in, _ := truthSide(w, policies, namespaces, networkingv1.PolicyTypeIngress, to, from, to, protocol, port)
	return out && in
}

func truthSide(w world, policies []*networkingv1.NetworkPolicy, namespaces map[string]map[string]string, direction networkingv1.PolicyType,
	subject, peer, destination truthPod, protocol corev1.Protocol, port int32,
) (allowed, isolated bool) {
	for _, p := range policies {
		if subject.name == "" || subject.host && w.hostsAreNodes || p.Namespace != subject.namespace || !upstreamSelects(&p.Spec.PodSelector, subject.labels) {
			continue
		}
		types := p.Spec.PolicyTypes
		if len(types) == 0 { // "Ingress will always be set by default and Egress will be set if the policy has any egress rules"
			types = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
			if len(p.Spec.Egress) > 0 {
				types = append(types, networkingv1.PolicyTypeEgress)
			}
		}
		if !slices.Contains(types, direction) {
			continue
		}
		isolated = true
		if direction == networkingv1.PolicyTypeIngress {
			for _, r := range p.Spec.Ingress {
				if truthPeers(w, r.From, p.Namespace, namespaces, peer) && truthPorts(r.Ports, destination, protocol, port) {
					return true, true
				}
			}
		} else {
			for _, r := range p.Spec.Egress {
				if truthPeers(w, r.To, p.Namespace, namespaces, peer) && truthPorts(r.Ports, destination, protocol, port) {
					return true, true
				}
			}
		}
	}
	return !isolated, isolated
}

func truthPeers(w world, peers []networkingv1.NetworkPolicyPeer, own string, namespaces map[string]map[string]string, peer truthPod) bool {
	if len(peers) == 0 { // "empty or missing matches all"
		return true
	}
	for _, p := range peers {
		if p.IPBlock != nil {
			ip := peer.ip
			if peer.host {
				ip = w.nodeIP
			}
			if truthBlock(p.IPBlock, ip) {
				return true
			}
			continue
		}
		if peer.name == "" || peer.host && w.hostsAreNodes {
			continue
		}
		if p.NamespaceSelector == nil && peer.namespace != own {
			continue
		}
		if p.NamespaceSelector != nil && !upstreamSelects(p.NamespaceSelector, namespaces[peer.namespace]) {
			continue
		}
		if p.PodSelector == nil || upstreamSelects(p.PodSelector, peer.labels) {
			return true
		}
	}
	return false
}

func truthBlock(b *networkingv1.IPBlock, ip netip.Addr) bool {
	if !netip.MustParsePrefix(b.CIDR).Contains(ip) {
		return false
	}
	for _, e := range b.Except {
		if netip.MustParsePrefix(e).Contains(ip) {
			return false
		}
	}
	return true
}

func truthPorts(ports []networkingv1.NetworkPolicyPort, destination truthPod, protocol corev1.Protocol, port int32) bool {
	if len(ports) == 0 {
		return true
	}
	for _, p := range ports {
		want := corev1.ProtocolTCP
		if p.Protocol != nil {
			want = *p.Protocol
		}
		switch {
		case want != protocol:
		case p.Port == nil:
			return true
		case p.Port.Type == intstr.Int && p.EndPort == nil && p.Port.IntVal == port:
			return true
		case p.Port.Type == intstr.Int && p.EndPort != nil && p.Port.IntVal <= port && port <= *p.EndPort:
			return true
		case p.Port.Type == intstr.String:
			for _, c := range destination.ports {
				if c.Name == p.Port.StrVal && c.Protocol == protocol && c.ContainerPort == port {
					return true
				}
			}
		}
	}
	return false
}

// dice makes random clusters of few words, so that much matches.
type dice struct{ *rand.Rand }

func (d dice) of(words ...string) string { return words[d.IntN(len(words))] }
func (d dice) one(n int) bool            { return d.IntN(n) == 0 }

func (d dice) labels() map[string]string {
	m := map[string]string{}
	for _, key := range []string{"app", "tier"} {
		if !d.one(3) {
			m[key] = d.of("a", "b", "c")
		}
	}
	return m
}

func (d dice) selector(key string) *metav1.LabelSelector {
	s := &metav1.LabelSelector{}
	if d.one(2) {
		s.MatchLabels = map[string]string{key: d.of("a", "b")}
	}
	if d.one(3) {
		e := metav1.LabelSelectorRequirement{Key: d.of(key, "tier"), Operator: metav1.LabelSelectorOperator(d.of("In", "NotIn", "Exists", "DoesNotExist"))}
		if e.Operator == "In" || e.Operator == "NotIn" {
			e.Values = []string{d.of("a", "b"), d.of("b", "c")}
		}
		s.MatchExpressions = []metav1.LabelSelectorRequirement{e}
	}
	return s
}

var truthBlocks = []string{"0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "192.0.2.0/24", "192.0.2.128/25", "203.0.113.7/32", "::/0", "2001:db8::/32", "2001:db8:1::/48"}

func (d dice) peers() []networkingv1.NetworkPolicyPeer {
	var list []networkingv1.NetworkPolicyPeer
	for range d.IntN(3) {
		var p networkingv1.NetworkPolicyPeer
		switch d.IntN(4) {
		case 0:
			p.PodSelector = d.selector("app")
		case 1:
			p.NamespaceSelector = d.selector("team")
		case 2:
			p.PodSelector, p.NamespaceSelector = d.selector("app"), d.selector("team")
		default:
			p.IPBlock = &networkingv1.IPBlock{CIDR: d.of(truthBlocks...)}
			outer := netip.MustParsePrefix(p.IPBlock.CIDR)
			for _, text := range truthBlocks {
				if inner := netip.MustParsePrefix(text); inner.Bits() > outer.Bits() && outer.Contains(inner.Addr()) && d.one(3) {
					p.IPBlock.Except = append(p.IPBlock.Except, text)
				}
			}
		}
		list = append(list, p)
	}
	return list
}

func (d dice) ports() []networkingv1.NetworkPolicyPort {
	var list []networkingv1.NetworkPolicyPort
	for range d.IntN(3) {
		var p networkingv1.NetworkPolicyPort
		if !d.one(3) {
			protocol := corev1.Protocol(d.of("TCP", "UDP", "SCTP"))
			p.Protocol = &protocol
		}
		switch d.IntN(4) {
		case 0:
			port := intstr.FromString(d.of("web", "dns"))
			p.Port = &port
		case 1:
			port, end := intstr.FromInt32(int32(79+d.IntN(3))), int32(82+d.IntN(3))
			p.Port, p.EndPort = &port, &end
		case 2:
			port := intstr.FromInt32(int32(79 + d.IntN(6)))
			p.Port = &port
		}
		list = append(list, p)
	}
	return list
}

func (d dice) policy(name string) *networkingv1.NetworkPolicy {
	p := &networkingv1.NetworkPolicy{TypeMeta: metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"}}
	p.Name, p.Namespace = name, d.of("one", "two", "three")
	p.Spec.PodSelector = *d.selector("app")
	switch d.IntN(4) {
	case 0:
		p.Spec.PolicyTypes = []networkingv1.PolicyType{"Ingress"}
	case 1:
		p.Spec.PolicyTypes = []networkingv1.PolicyType{"Egress"}
	case 2:
		p.Spec.PolicyTypes = []networkingv1.PolicyType{"Ingress", "Egress"}
	}
	for range d.IntN(3) {
		p.Spec.Ingress = append(p.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: d.peers(), Ports: d.ports()})
	}
	for range d.IntN(3) {
		p.Spec.Egress = append(p.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: d.peers(), Ports: d.ports()})
	}
	return p
}

func (d dice) pod(i int) truthPod {
	p := truthPod{namespace: d.of("one", "two", "three"), name: fmt.Sprintf("pod-%d", i), labels: d.labels(), host: d.one(8)}
	p.ip = netip.MustParseAddr(fmt.Sprintf("10.%d.%d.%d", d.IntN(3), d.IntN(4), i+1))
	for _, name := range []string{"web", "dns"} {
		if !d.one(3) {
			p.ports = append(p.ports, corev1.ContainerPort{Name: name, ContainerPort: int32(79 + d.IntN(6)), Protocol: corev1.Protocol(d.of("TCP", "UDP"))})
		}
	}
	return p
}

func asObject(t testing.TB, v any) *fact.Object {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, bad := document.ParseJSON(string(raw))
	if bad != nil {
		t.Fatal(bad)
	}
	return fact.NewObject(doc.Root(), &fact.Origin{Source: "files", File: "random.json"})
}

func podObject(t testing.TB, p truthPod) *fact.Object {
	t.Helper()
	pod := corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}}
	pod.Name, pod.Namespace, pod.Labels = p.name, p.namespace, p.labels
	pod.Spec.HostNetwork = p.host
	pod.Spec.Containers = []corev1.Container{{Name: "app", Image: "app", Ports: p.ports}}
	if !p.host {
		pod.Status.PodIP = p.ip.String()
	}
	return asObject(t, pod)
}

var truthOutside = []string{"192.0.2.5", "192.0.2.200", "203.0.113.7", "203.0.113.8", "8.8.8.8", "10.1.2.250", "10.1.9.250", "2001:db8::1", "2001:db8:1::1", "2a00::1"}

// expected is the verdict that holds in all worlds, unknown where they differ.
func expected(worlds []world, ask func(world) bool) Verdict {
	first := ask(worlds[0])
	for _, w := range worlds[1:] {
		if ask(w) != first {
			return Unknown
		}
	}
	return verdictOf(first)
}

// verdictOf is the verdict of what is known.
func verdictOf(open bool) Verdict {
	if open {
		return Open
	}
	return Closed
}

// truthWorlds are the worlds that a connection with a pod on its node's network may be in; of others
// there is one.
func truthWorlds(host bool) []world {
	if !host {
		return []world{{}}
	}
	var list []world
	for _, text := range append([]string{"198.18.0.1", "10.200.0.1"}, truthOutside[:7]...) {
		ip := netip.MustParseAddr(text)
		list = append(list, world{nodeIP: ip}, world{true, false, ip}, world{true, true, ip})
	}
	return list
}

// TestTruth compares with the judge on random policies, pods and ports.
func TestTruth(t *testing.T) {
	const clusters, wanted = 600, 50_000
	d := dice{rand.New(rand.NewPCG(4, 2))}
	var count tally
	for range clusters {
		namespaces, objects := d.namespaces(t)
		var pods []truthPod
		for i := range 5 {
			pods = append(pods, d.pod(i))
			objects = append(objects, podObject(t, pods[i]))
		}
		var policies []*networkingv1.NetworkPolicy
		for i := range d.IntN(6) {
			policies = append(policies, d.policy(fmt.Sprint("policy-", i)))
			objects = append(objects, asObject(t, policies[i]))
		}
		ends := append(slices.Clone(pods), d.outside(3, truthOutside)...)
		compared := comparison[truthPod]{
			network: New(Input{Inventory: fact.NewInventory(objects, "1.36", false)}), from: ends, to: ends, times: 4, ask: d.anyPort,
			judge: func(from, to truthPod, protocol Protocol, port int) Verdict {
				return expected(truthWorlds(from.host || to.host), func(w world) bool {
					return truth(w, policies, namespaces, from, to, corev1.Protocol(protocol.String()), int32(port))
				})
			},
			world: func() any { return texts(objects) },
		}
		compared.run(t, &count)
	}
	if count.cases() < wanted {
		t.Errorf("%d cases: the test compares too little", count.cases())
	}
	count.enough(t, wanted/50, Closed, Unknown, Open)
}

// namespaces are three, with random labels.
func (d dice) namespaces(t testing.TB) (map[string]map[string]string, []*fact.Object) {
	t.Helper()
	labels := map[string]map[string]string{}
	var objects []*fact.Object
	for _, name := range []string{"one", "two", "three"} {
		labels[name] = map[string]string{"kubernetes.io/metadata.name": name, "team": d.of("a", "b"), "tier": d.of("a", "b")}
		objects = append(objects, asObject(t, map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name, "labels": labels[name]}}))
	}
	return labels, objects
}

// endpointOf finds the class of a pod or of an address.
func (n *Network) endpointOf(t testing.TB, p truthPod) int {
	t.Helper()
	for i, e := range n.Endpoints {
		for _, w := range e.Workloads {
			if w.Object.Namespace == p.namespace && w.Object.Name == p.name {
				return i
			}
		}
		if p.name == "" && slices.ContainsFunc(e.Blocks, func(b netip.Prefix) bool { return b.Contains(p.ip) }) {
			return i
		}
	}
	t.Fatalf("no endpoint for %+v", p)
	return -1
}

// matrix is the flows, pair by pair.
func matrix(n *Network) map[[2]int]Access {
	m := map[[2]int]Access{}
	for _, f := range n.Flows() {
		for i := range f.From.All() {
			for j := range f.To.All() {
				a := m[[2]int{i, j}]
				m[[2]int{i, j}] = Access{a.Open.Union(f.Open), a.Unknown.Union(f.Unknown)}
			}
		}
	}
	return m
}
