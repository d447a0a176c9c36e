package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
)

// attempt is one connection: what the program in the pods is told, what it tells back, and what was predicted.
type attempt struct {
	ID       int    `json:"id"`
	Protocol string `json:"protocol"`
	Address  string `json:"address"`
	Port     int    `json:"port"`
	Name     string `json:"name,omitempty"`
	From     string `json:"from,omitempty"`
	Outcome  string `json:"outcome,omitempty"`
	By       string `json:"by,omitempty"`
	Error    string `json:"error,omitempty"`

	source    string  // namespace/name of a pod, "node", or an address outside
	target    string  // the same, behind whatever service
	reached   arrival // what the connection is when it arrives: a service's port is the pod's
	answer    string  // what who answers says, if it says anything
	predicted string
}

// arrival is a connection's port where it arrives.
type arrival struct {
	protocol string
	port     int
}

func (a *attempt) String() string {
	return fmt.Sprintf("%s -> %s (%s %s:%d)", a.source, a.target, a.Protocol, a.Address, a.Port)
}

// disagrees says what happened instead of what was predicted, or nothing.
func (a *attempt) disagrees() string {
	switch {
	case a.predicted != a.Outcome:
		return fmt.Sprintf("%s (%s%s)", a.Outcome, a.By, a.Error)
	case a.Outcome == "open" && a.answer != "" && a.By != a.answer:
		return "answered by " + a.By
	}
	return ""
}

// prediction is what 'coaming reach --format json' says.
type prediction struct {
	Endpoints []struct {
		ID     int
		Kind   string
		Names  []string
		Blocks []netip.Prefix
	}
	Flows []struct {
		From, To      []int
		Open, Unknown []struct {
			Protocol    string
			First, Last int
		}
	}
}

func readPrediction(t *testing.T, text string) *prediction {
	t.Helper()
	p := &prediction{}
	if err := json.Unmarshal([]byte(text), p); err != nil {
		t.Fatalf("read prediction: %v", err)
	}
	return p
}

// endpoint is the number of a pod, the node, or an address outside; -1 when it is not there.
func (p *prediction) endpoint(name string) int {
	address, err := netip.ParseAddr(name)
	for _, e := range p.Endpoints {
		if slices.Contains(e.Names, name) && e.Kind != "addresses" {
			return e.ID
		}
		if err == nil && e.Kind == "addresses" && slices.ContainsFunc(e.Blocks, func(b netip.Prefix) bool { return b.Contains(address) }) {
			return e.ID
		}
	}
	return -1
}

// verdict is the prediction for one connection.
func (p *prediction) verdict(from, to string, f arrival) string {
	if from == to {
		return "open" // a pod always reaches itself, and of it no flow tells
	}
	source, target := p.endpoint(from), p.endpoint(to)
	for _, candidate := range p.Flows {
		if !slices.Contains(candidate.From, source) || !slices.Contains(candidate.To, target) {
			continue
		}
		for _, ports := range candidate.Open {
			if ports.Protocol == f.protocol && ports.First <= f.port && f.port <= ports.Last {
				return "open"
			}
		}
		for _, ports := range candidate.Unknown {
			if ports.Protocol == f.protocol && ports.First <= f.port && f.port <= ports.Last {
				return "unknown"
			}
		}
	}
	return "closed"
}

// choose takes as many attempts, half of them open if there are enough, of all that can be made, and says of how many nothing is known.
func (f *field) choose(p *prediction, tries int, r *rand.Rand) (chosen []*attempt, unknown int) {
	all := f.everything()
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	by := map[string][]*attempt{}
	for _, a := range all {
		a.predicted = p.verdict(a.source, a.target, a.reached)
		by[a.predicted] = append(by[a.predicted], a)
	}
	open, closed := by["open"], by["closed"]
	half := max(tries/2, tries-len(closed))
	open = open[:min(half, len(open))]
	closed = closed[:min(tries-len(open), len(closed))]
	return append(open, closed...), len(by["unknown"])
}

// everything is every connection that can be tried: between pods, to services, from and to the node and the outside.
func (f *field) everything() []*attempt {
	var list []*attempt
	add := func(source, from, target, address string, ports []string) {
		for _, word := range ports {
			protocol, port := splitPort(word)
			list = append(list, &attempt{
				Protocol: protocol, Address: address, Port: port, From: from,
				source: source, target: target, reached: arrival{protocol, port},
			})
		}
	}
	for i := range f.pods {
		pod := &f.pods[i]
		name := pod.Namespace + "/" + pod.Name
		add("node", "", name, pod.Status.PodIP, podPorts)
		add(name, "", "node", f.Node.Address, nodePorts)
		for _, address := range f.Node.Outside {
			add(address, address, name, pod.Status.PodIP, podPorts)
			add(name, "", address, address, outsidePorts)
		}
		for k := range f.pods {
			peer := &f.pods[k]
			if k != i {
				add(name, "", peer.Namespace+"/"+peer.Name, peer.Status.PodIP, podPorts)
			}
		}
		list = append(list, f.toServices(name)...)
	}
	for _, a := range list {
		if a.answer == "" && a.Protocol != "SCTP" && strings.Contains(a.target, "/") {
			_, a.answer, _ = strings.Cut(a.target, "/")
		}
	}
	return append(list, f.toServices("node")...)
}

// toServices are the attempts on the services' own addresses.
func (f *field) toServices(source string) []*attempt {
	var list []*attempt
	for _, b := range behind {
		service := f.services[b.service]
		list = append(list, &attempt{
			Protocol: "TCP", Address: service.Spec.ClusterIP, Port: int(service.Spec.Ports[0].Port),
			source: source, target: b.pod, reached: arrival{"TCP", b.port}, answer: b.pod[strings.Index(b.pod, "/")+1:],
		})
	}
	dns := f.services["kube-dns"]
	wanted := f.services[behind[0].service]
	return append(list, &attempt{
		Protocol: "DNS", Address: dns.Spec.ClusterIP, Port: 53, Name: wanted.Name + "." + wanted.Namespace + ".svc.cluster.local.",
		source: source, target: "kube-system/coredns", reached: arrival{string(core.ProtocolUDP), 53}, answer: wanted.Spec.ClusterIP,
	})
}
