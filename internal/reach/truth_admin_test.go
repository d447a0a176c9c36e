package reach

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coaming/coaming/internal/fact"
)

// The judge of cluster-wide policies, from the API documentation of sigs.k8s.io/network-policy-api:
// admin policies in the order of their priority, the first rule that matches; what passes, or
// matches none, is for NetworkPolicies; of pods that none selects, the baseline decides.

type adminPods struct {
	Namespaces *metav1.LabelSelector `json:"namespaces,omitempty"`
	Pods       *struct {
		NamespaceSelector metav1.LabelSelector `json:"namespaceSelector"`
		PodSelector       metav1.LabelSelector `json:"podSelector"`
	} `json:"pods,omitempty"`
	Networks []string `json:"networks,omitempty"`
}

type adminPort struct {
	PortNumber *struct {
		Protocol string `json:"protocol,omitempty"`
		Port     int    `json:"port"`
	} `json:"portNumber,omitempty"`
	PortRange *struct {
		Protocol string `json:"protocol,omitempty"`
		Start    int    `json:"start"`
		End      int    `json:"end"`
	} `json:"portRange,omitempty"`
	NamedPort string `json:"namedPort,omitempty"`
}

type adminRule struct {
	Action string      `json:"action"`
	From   []adminPods `json:"from,omitempty"`
	To     []adminPods `json:"to,omitempty"`
	Ports  []adminPort `json:"ports,omitempty"`
}

type adminSpec struct {
	Priority int         `json:"priority,omitempty"`
	Subject  adminPods   `json:"subject"`
	Ingress  []adminRule `json:"ingress,omitempty"`
	Egress   []adminRule `json:"egress,omitempty"`
}

func (a *adminPods) matches(p truthPod, namespaces map[string]map[string]string) bool {
	for _, cidr := range a.Networks {
		if netip.MustParsePrefix(cidr).Contains(p.ip) {
			return true
		}
	}
	if p.name == "" {
		return false
	}
	if a.Namespaces != nil && upstreamSelects(a.Namespaces, namespaces[p.namespace]) {
		return true
	}
	return a.Pods != nil && upstreamSelects(&a.Pods.NamespaceSelector, namespaces[p.namespace]) && upstreamSelects(&a.Pods.PodSelector, p.labels)
}

func (p *adminPort) matches(to truthPod, protocol string, port int) bool {
	name := func(s string) string {
		if s == "" {
			return "TCP"
		}
		return s
	}
	switch {
	case p.PortNumber != nil:
		return name(p.PortNumber.Protocol) == protocol && p.PortNumber.Port == port
	case p.PortRange != nil:
		return name(p.PortRange.Protocol) == protocol && p.PortRange.Start <= port && port <= p.PortRange.End
	}
	return slices.ContainsFunc(to.ports, func(c corev1.ContainerPort) bool {
		return c.Name == p.NamedPort && string(c.Protocol) == protocol && int(c.ContainerPort) == port
	})
}

// firstMatch is the action of the first rule that matches, "" for none.
func (s *adminSpec) firstMatch(d direction, subject, peer, to truthPod, namespaces map[string]map[string]string, protocol string, port int) string {
	if subject.name == "" || !s.Subject.matches(subject, namespaces) {
		return ""
	}
	rules := s.Ingress
	if d == egress {
		rules = s.Egress
	}
	for _, r := range rules {
		isPeer := slices.ContainsFunc(append(slices.Clone(r.From), r.To...), func(a adminPods) bool { return a.matches(peer, namespaces) })
		isPort := len(r.Ports) == 0 || slices.ContainsFunc(r.Ports, func(p adminPort) bool { return p.matches(to, protocol, port) })
		if isPeer && isPort {
			return r.Action
		}
	}
	return ""
}

func (d dice) adminPods(networks bool) adminPods {
	var a adminPods
	switch n := d.IntN(3); {
	case n == 0 && networks:
		a.Networks = []string{d.of(truthBlocks...)}
	case n == 1:
		a.Namespaces = d.selector("team")
	default:
		a.Pods = &struct {
			NamespaceSelector metav1.LabelSelector `json:"namespaceSelector"`
			PodSelector       metav1.LabelSelector `json:"podSelector"`
		}{*d.selector("team"), *d.selector("app")}
	}
	return a
}

func (d dice) adminRules(dir direction, actions ...string) []adminRule {
	var list []adminRule
	for range d.IntN(4) {
		r := adminRule{Action: d.of(actions...)}
		for range 1 + d.IntN(2) {
			if dir == ingress {
				r.From = append(r.From, d.adminPods(false))
			} else {
				r.To = append(r.To, d.adminPods(true))
			}
		}
		for range d.IntN(3) {
			text := []string{
				fmt.Sprintf(`{"portNumber":{"protocol":%q,"port":%d}}`, d.of("TCP", "UDP"), 79+d.IntN(6)),
				fmt.Sprintf(`{"portRange":{"protocol":%q,"start":%d,"end":%d}}`, d.of("TCP", "UDP", "SCTP"), 78+d.IntN(3), 81+d.IntN(4)),
				fmt.Sprintf(`{"namedPort":%q}`, d.of("web", "dns")),
			}[d.IntN(3)]
			var p adminPort
			if err := json.Unmarshal([]byte(text), &p); err != nil {
				panic(err)
			}
			r.Ports = append(r.Ports, p)
		}
		list = append(list, r)
	}
	return list
}

// TestTruthAdmin compares with that judge on random policies of all three kinds together.
func TestTruthAdmin(t *testing.T) {
	const clusters, wanted = 500, 50_000
	d := dice{rand.New(rand.NewPCG(7, 9))}
	var count tally
	for range clusters {
		namespaces, objects := d.namespaces(t)
		var pods []truthPod
		for i := range 5 {
			p := d.pod(i)
			p.host = false
			pods = append(pods, p)
			objects = append(objects, podObject(t, p))
		}
		var policies []*networkingv1.NetworkPolicy
		for i := range d.IntN(4) {
			policies = append(policies, d.policy(fmt.Sprint("policy-", i)))
			objects = append(objects, asObject(t, policies[i]))
		}
		add := func(kind, name string, spec *adminSpec) {
			objects = append(objects, asObject(t, map[string]any{"apiVersion": "policy.networking.k8s.io/v1alpha1", "kind": kind, "metadata": map[string]any{"name": name}, "spec": spec}))
		}
		var admin []*adminSpec
		for i := range d.IntN(4) {
			spec := &adminSpec{Priority: 10 * (i + 1), Subject: d.adminPods(false), Ingress: d.adminRules(ingress, "Allow", "Deny", "Pass"), Egress: d.adminRules(egress, "Allow", "Deny", "Pass")}
			admin = append(admin, spec)
			add("AdminNetworkPolicy", fmt.Sprint("z", 9-i), spec)
		}
		baseline := &adminSpec{Subject: d.adminPods(false), Ingress: d.adminRules(ingress, "Allow", "Deny"), Egress: d.adminRules(egress, "Allow", "Deny")}
		add("BaselineAdminNetworkPolicy", "default", baseline)
		side := func(dir direction, subject, peer, to truthPod, protocol string, port int) bool {
			for _, spec := range admin {
				switch spec.firstMatch(dir, subject, peer, to, namespaces, protocol, port) {
				case "Allow":
					return true
				case "Deny":
					return false
				case "Pass":
				default:
					continue
				}
				break
			}
			kind := networkingv1.PolicyTypeIngress
			if dir == egress {
				kind = networkingv1.PolicyTypeEgress
			}
			if allowed, isolated := truthSide(world{}, policies, namespaces, kind, subject, peer, to, corev1.Protocol(protocol), int32(port)); isolated {
				return allowed
			}
			return baseline.firstMatch(dir, subject, peer, to, namespaces, protocol, port) != "Deny"
		}
		ends := append(slices.Clone(pods), d.outside(3, truthOutside)...)
		compared := comparison[truthPod]{
			network: New(Input{Inventory: fact.NewInventory(objects, "1.36", false)}), from: ends, to: ends, times: 4, ask: d.anyPort,
			judge: func(from, to truthPod, protocol Protocol, port int) Verdict {
				return verdictOf(side(egress, from, to, to, protocol.String(), port) && side(ingress, to, from, to, protocol.String(), port))
			},
			world: func() any { return texts(objects) },
		}
		compared.run(t, &count)
	}
	if count.cases() < wanted {
		t.Errorf("%d cases: the test compares too little", count.cases())
	}
	count.enough(t, wanted/20, Closed, Open)
}
