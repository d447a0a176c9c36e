package reach

import (
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// hostPort is a port of a node that leads to one of a pod.
type hostPort struct {
	to      Ports
	private bool // the address that it is bound to is none of the internet's
}

// hostPorts are those of a pod that is not on its node's network itself. What is bound to the node's own
// loopback address leads in from nowhere.
func hostPorts(w *fact.Workload) []hostPort {
	var list []hostPort
	for i := range w.Containers {
		c := &w.Containers[i]
		if c.Role != fact.App && c.Role != fact.Sidecar {
			continue
		}
		for _, v := range c.Value.Get("ports").Items() {
			to, ok := declaredPort(v)
			if number, isInt := v.Get("hostPort").Int(); !ok || !isInt || number == 0 {
				continue
			}
			at, bound := parseBlock(v.Get("hostIP").Str())
			bound = bound && !at.Addr().IsUnspecified()
			if bound && at.Addr().IsLoopback() {
				continue
			}
			list = append(list, hostPort{to, bound && !isPublic(at.Addr())})
		}
	}
	return list
}

func declaredPort(v document.Value) (Ports, bool) {
	number, isInt := v.Get("containerPort").Int()
	p, ok := ParseProtocol(v.Get("protocol").Str())
	if !ok || !isInt {
		return Ports{}, false
	}
	return PortRange(p, int(number), int(number)), true
}

// appendHostPorts appends what tells pods apart by the ports of their nodes.
func appendHostPorts(b []byte, w *fact.Workload) []byte {
	if w.Spec.Get("hostNetwork").Bool() {
		return append(append(b, 0, 2), declaredPorts(w, nil).key()...)
	}
	for _, p := range hostPorts(w) {
		b = append(append(b, 0, boolByte(p.private)), p.to.key()...)
	}
	return b
}

// hostWays are the ways through ports of nodes that pods listen on themselves, as through those of a Service
// of type NodePort: pods on their node's network, and ports that ask for one of the node's. Such a port's
// connections come to the pod with the client's address.
func (n *Network) hostWays() {
	const doubt = "whether the nodes have addresses that are reached from outside is not known"
	for i := range n.pods.All() {
		e := n.Endpoints[i]
		w := e.Workloads[0]
		if e.HostNetwork {
			n.addWays(Way{Object: w.Object, Through: "hostNetwork", Doubt: doubt}, n.letIn(&clientele{}), nil, target{i, declaredPorts(w, nil), ""})
			continue
		}
		for _, p := range hostPorts(w) {
			n.addWays(Way{Object: w.Object, Through: "hostPort", Doubt: doubt}, n.letIn(&clientele{private: p.private}), nil, target{i, p.to, ""})
		}
	}
}
