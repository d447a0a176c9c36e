// Package enforcer enforces NetworkPolicies on the sandbox's node with nftables, for tests that compare a prediction with
// what connections do. It is written from the API's documentation (k8s.io/api/networking/v1) alone, and shares nothing
// with the product's own reading of policies. It knows one node and IPv4.
package enforcer

import (
	"fmt"
	"net/netip"
	"slices"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// State is what policies are enforced for.
type State struct {
	Pods       []*core.Pod
	Namespaces []*core.Namespace
	Policies   []*networking.NetworkPolicy
}

// direction is that of the connections of one pod.
type direction string

const (
	ingress direction = "ingress"
	egress  direction = "egress"
)

// allowance is one thing that is let through: to or from these addresses, on this port. A nil list of addresses is
// everybody, an empty protocol every port.
type allowance struct {
	addresses []string // of pods
	block     *networking.IPBlock
	protocol  core.Protocol
	port, end int32 // 0 is every port of the protocol
}

// isolation is what policies make of one direction of a pod that at least one is for.
type isolation struct {
	pod     string // its address
	allowed []allowance
}

// isolations are those of every pod in that direction, in the order of the pods.
func (s *State) isolations(d direction) ([]isolation, error) {
	var list []isolation
	for _, pod := range s.Pods {
		if !enforced(pod) {
			continue
		}
		one := isolation{pod: pod.Status.PodIP}
		isolated := false
		for _, policy := range s.Policies {
			selected, err := selects(&policy.Spec.PodSelector, pod.Labels)
			if err != nil {
				return nil, fmt.Errorf("policy %s/%s: %w", policy.Namespace, policy.Name, err)
			}
			if policy.Namespace != pod.Namespace || !selected || !isFor(policy, d) {
				continue
			}
			isolated = true
			allowed, err := s.allowed(policy, pod, d)
			if err != nil {
				return nil, fmt.Errorf("policy %s/%s: %w", policy.Namespace, policy.Name, err)
			}
			one.allowed = append(one.allowed, allowed...)
		}
		if isolated {
			list = append(list, one)
		}
	}
	return list, nil
}

// enforced leaves out pods that have no address, or none of their own: what becomes of the node's network the API leaves open.
func enforced(pod *core.Pod) bool {
	return pod.Status.PodIP != "" && !pod.Spec.HostNetwork && pod.Status.Phase == core.PodRunning
}

// isFor says whether a policy has that direction: as its types say, else ingress always and egress where it has such rules.
func isFor(policy *networking.NetworkPolicy, d direction) bool {
	if len(policy.Spec.PolicyTypes) == 0 {
		return d == ingress || len(policy.Spec.Egress) > 0
	}
	want := networking.PolicyTypeIngress
	if d == egress {
		want = networking.PolicyTypeEgress
	}
	return slices.Contains(policy.Spec.PolicyTypes, want)
}

func (s *State) allowed(policy *networking.NetworkPolicy, pod *core.Pod, d direction) ([]allowance, error) {
	var list []allowance
	add := func(peers []networking.NetworkPolicyPeer, ports []networking.NetworkPolicyPort) error {
		one, err := s.rule(policy.Namespace, pod, d, peers, ports)
		list = append(list, one...)
		return err
	}
	if d == ingress {
		for _, rule := range policy.Spec.Ingress {
			if err := add(rule.From, rule.Ports); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	for _, rule := range policy.Spec.Egress {
		if err := add(rule.To, rule.Ports); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// rule is everything that one rule lets through: each of its peers on each of its ports.
func (s *State) rule(namespace string, pod *core.Pod, d direction, peers []networking.NetworkPolicyPeer, ports []networking.NetworkPolicyPort) ([]allowance, error) {
	var ends []end
	for i := range peers {
		one, err := s.peer(namespace, &peers[i])
		if err != nil {
			return nil, err
		}
		ends = append(ends, one)
	}
	if len(peers) == 0 { // everybody; of pods the ports' names are known
		ends = []end{{pods: s.running(), everybody: true}}
	}
	if len(ports) == 0 {
		ports = []networking.NetworkPolicyPort{{}}
	}
	var list []allowance
	for _, e := range ends {
		for i := range ports {
			list = append(list, e.on(&ports[i], len(ports) == 1 && ports[i] == (networking.NetworkPolicyPort{}), pod, d)...)
		}
	}
	return list, nil
}

// end is who a peer of a rule is.
type end struct {
	pods      []*core.Pod
	block     *networking.IPBlock
	everybody bool
}

// addresses is e as an allowance without ports.
func (e end) addresses() allowance {
	a := allowance{block: e.block}
	if e.everybody || e.block != nil {
		return a
	}
	a.addresses = []string{}
	for _, pod := range e.pods {
		a.addresses = append(a.addresses, pod.Status.PodIP)
	}
	return a
}

// on is what e is let through on a port. A name is looked up where the connection goes: in the pod itself, or in each peer.
func (e end) on(port *networking.NetworkPolicyPort, every bool, pod *core.Pod, d direction) []allowance {
	a := e.addresses()
	if every {
		return []allowance{a}
	}
	a.protocol = core.ProtocolTCP
	if port.Protocol != nil {
		a.protocol = *port.Protocol
	}
	switch {
	case port.Port == nil:
		return []allowance{a}
	case port.Port.Type == intstr.Int:
		a.port, a.end = port.Port.IntVal, port.Port.IntVal
		if port.EndPort != nil {
			a.end = *port.EndPort
		}
		return []allowance{a}
	case d == ingress:
		var list []allowance
		for _, number := range named(pod, port.Port.StrVal, a.protocol) {
			one := a
			one.port, one.end = number, number
			list = append(list, one)
		}
		return list
	}
	var list []allowance
	for _, peer := range e.pods {
		for _, number := range named(peer, port.Port.StrVal, a.protocol) {
			list = append(list, allowance{addresses: []string{peer.Status.PodIP}, protocol: a.protocol, port: number, end: number})
		}
	}
	return list
}

// named are the numbers of a pod's ports of that name and protocol.
func named(pod *core.Pod, name string, protocol core.Protocol) []int32 {
	var list []int32
	for i := range pod.Spec.Containers {
		for _, port := range pod.Spec.Containers[i].Ports {
			own := port.Protocol
			if own == "" {
				own = core.ProtocolTCP
			}
			if port.Name == name && own == protocol {
				list = append(list, port.ContainerPort)
			}
		}
	}
	return list
}

func (s *State) running() []*core.Pod {
	var list []*core.Pod
	for _, pod := range s.Pods {
		if enforced(pod) {
			list = append(list, pod)
		}
	}
	return list
}

// peer reads one peer: a block, or pods of the policy's namespace, of namespaces, or of both together.
func (s *State) peer(namespace string, peer *networking.NetworkPolicyPeer) (end, error) {
	if peer.IPBlock != nil {
		for _, cidr := range append([]string{peer.IPBlock.CIDR}, peer.IPBlock.Except...) {
			if _, err := netip.ParsePrefix(cidr); err != nil {
				return end{}, err
			}
		}
		return end{block: peer.IPBlock}, nil
	}
	within := map[string]bool{namespace: true}
	if peer.NamespaceSelector != nil {
		within = map[string]bool{}
		for _, candidate := range s.Namespaces {
			selected, err := selects(peer.NamespaceSelector, candidate.Labels)
			if err != nil {
				return end{}, err
			}
			within[candidate.Name] = selected
		}
	}
	var e end
	for _, pod := range s.running() {
		selected := true
		if peer.PodSelector != nil {
			var err error
			if selected, err = selects(peer.PodSelector, pod.Labels); err != nil {
				return end{}, err
			}
		}
		if selected && within[pod.Namespace] {
			e.pods = append(e.pods, pod)
		}
	}
	return e, nil
}

func selects(selector *meta.LabelSelector, of map[string]string) (bool, error) {
	parsed, err := meta.LabelSelectorAsSelector(selector)
	if err != nil {
		return false, fmt.Errorf("read selector: %w", err)
	}
	return parsed.Matches(labels.Set(of)), nil
}
