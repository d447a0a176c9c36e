package attack

import (
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/reach"
)

// Serving is the containers that listen on one of the ports: those that declare one, or, where none
// does, all that run as long as the pod, for a port need not be declared.
func (p *Pods) Serving(ports reach.Ports) []*Box {
	var declared, all []*Box
	for _, b := range p.Containers {
		if !b.Serves() {
			continue
		}
		all = append(all, b)
		if !b.listening().Intersect(ports).Empty() {
			declared = append(declared, b)
		}
	}
	if len(declared) > 0 {
		return declared
	}
	return all
}

// listening are the ports on which the container says that it listens: those that it declares, and those that the
// kubelet probes.
func (b *Box) listening() reach.Ports {
	var ports reach.Ports
	for _, v := range b.Value.Get("ports").Items() {
		ports = ports.Union(portOf(v.Get("containerPort"), v.Get("protocol")))
	}
	for _, probe := range []string{"livenessProbe", "readinessProbe", "startupProbe"} {
		for _, way := range []string{"httpGet", "tcpSocket", "grpc"} {
			if v := b.Value.At(probe, way); !v.Get("host").Exists() {
				ports = ports.Union(portOf(v.Get("port"), document.Value{}))
			}
		}
	}
	return ports
}

// portOf is the port of a number; none for names, which stand for what is declared.
func portOf(number, protocol document.Value) reach.Ports {
	n, isInt := number.Int()
	p, ok := reach.ParseProtocol(protocol.Str())
	if !ok || !isInt {
		return reach.Ports{}
	}
	return reach.PortRange(p, int(n), int(n))
}

// servicePorts finds the ports that services lead to. Each service is kept by the label of its selector that
// fewest of the others have, so that pods are compared with few that do not select them.
type servicePorts map[string][]*fact.Object

func newServicePorts(inventory *fact.Inventory) servicePorts {
	var services []*fact.Object
	often := map[string]int{}
	for _, o := range inventory.OfKind("Service") {
		selector := o.Root.At("spec", "selector")
		if selector.Len() == 0 {
			continue
		}
		services = append(services, o)
		for key, v := range selector.Fields() {
			often[selectorKey(o.Namespace, key, v)]++
		}
	}
	s := servicePorts{}
	for _, o := range services {
		rarest := ""
		for key, v := range o.Root.At("spec", "selector").Fields() {
			if at := selectorKey(o.Namespace, key, v); rarest == "" || often[at] < often[rarest] {
				rarest = at
			}
		}
		s[rarest] = append(s[rarest], o)
	}
	return s
}

func selectorKey(namespace, key string, v document.Value) string {
	return fact.Place(namespace) + "\x00" + key + "\x00" + v.Str()
}

// of are the ports of a workload's pods that services lead to.
func (s servicePorts) of(p *Pods) reach.Ports {
	var ports reach.Ports
	for key, v := range p.Labels().Fields() {
		for _, o := range s[selectorKey(p.Namespace, key, v)] {
			if !fact.HasLabels(p.Labels(), o.Root.At("spec", "selector")) {
				continue
			}
			for _, port := range o.Root.At("spec", "ports").Items() {
				target := port.Get("targetPort")
				if target.Kind() <= document.Null {
					target = port.Get("port")
				}
				ports = ports.Union(portOf(target, port.Get("protocol"))) // a name is a declared port's
			}
		}
	}
	return ports
}

// portText names some ports for people.
func portText(ports reach.Ports) string {
	if ports.Equal(reach.AllPorts()) {
		return "any port"
	}
	return "port " + ports.String()
}

// declaration is where a container declares one of the ports, else the container.
func (b *Box) declaration(ports reach.Ports) document.Value {
	for _, v := range b.Value.Get("ports").Items() {
		if !portOf(v.Get("containerPort"), v.Get("protocol")).Intersect(ports).Empty() {
			return v
		}
	}
	return b.Value
}

// networkValue is what says that the pods are on their node's network, or the pod spec.
func (p *Pods) networkValue() document.Value {
	if v := p.Spec.Get("hostNetwork"); v.Exists() {
		return v
	}
	return p.Spec
}
