package reach

import (
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

const endpointSlice = "EndpointSlice.discovery.k8s.io"

// lists says whether a service has no selector: somebody writes down where it leads.
func lists(o *fact.Object) bool {
	return o.Root.At("spec", "selector").Len() == 0 && o.Root.At("spec", "type").Str() != "ExternalName"
}

// listed are the pods that EndpointSlices or Endpoints name for a service without a selector, on the ports
// that they name.
func (n *Network) listed(service *fact.Object, port document.Value) []target {
	if !lists(service) {
		return nil
	}
	names := map[string]bool{} // of the service's ports that are asked for
	for _, v := range service.Root.At("spec", "ports").Items() {
		if port.Kind() <= document.Null || v.Get("port").Text() == port.Text() || v.Get("name").Text() == port.Text() {
			names[v.Get("name").Str()] = true
		}
	}
	var list []target
	for _, o := range n.inventory.In(endpointSlice, service.Namespace) {
		if o.Labels().Get("kubernetes.io/service-name").Str() != service.Name {
			continue
		}
		ports := listedPorts(o.Root.Get("ports"), names)
		for _, e := range o.Root.Get("endpoints").Items() {
			list = append(list, n.named(service.Namespace, e.Get("targetRef"), e.Get("addresses"), ports)...)
		}
	}
	if o := n.inventory.Find("Endpoints", service.Namespace, service.Name); o != nil {
		for _, subset := range o.Root.Get("subsets").Items() {
			ports := listedPorts(subset.Get("ports"), names)
			for _, field := range []string{"addresses", "notReadyAddresses"} {
				for _, e := range subset.Get(field).Items() {
					list = append(list, n.named(service.Namespace, e.Get("targetRef"), e, ports)...)
				}
			}
		}
	}
	return list
}

// listedPorts are the ports of a list whose names are asked for; all where it has none (discovery.k8s.io/v1).
func listedPorts(list document.Value, names map[string]bool) Ports {
	var ports Ports
	for _, v := range list.Items() {
		p, ok := ParseProtocol(v.Get("protocol").Str())
		if !ok || !names[v.Get("name").Str()] {
			continue
		}
		if number, isInt := v.Get("port").Int(); isInt {
			ports = ports.Union(PortRange(p, int(number), int(number)))
		} else {
			ports = AllPorts()
		}
	}
	return ports
}

// named are the pods that one entry names: the pod itself, or one that has its address. Of a pod that was not
// read the workload whose pods have such names may be the owner.
func (n *Network) named(namespace string, ref, addresses document.Value, ports Ports) []target {
	if ports.Empty() {
		return nil
	}
	at := map[string]bool{}
	add := func(v document.Value) {
		if p, ok := parseBlock(v.Str()); ok {
			at[p.String()] = true
		}
	}
	add(addresses.Get("ip")) // of Endpoints
	for _, v := range addresses.Items() {
		add(v)
	}
	pod := ref.Get("name").Str()
	if ref.Get("kind").Str() != "Pod" {
		pod = ""
	}
	var list []target
	for i := range n.pods.All() {
		for _, w := range n.Endpoints[i].Workloads {
			doubt, is := "", false
			lone := w.Object.GroupKind() == "Pod"
			here := fact.Place(w.Object.Namespace) == fact.Place(namespace)
			switch {
			case lone && here && pod != "" && w.Object.Name == pod:
				is = true
			case lone:
				for _, ip := range podAddresses(w) {
					is = is || at[ip.String()]
				}
				if is && len(n.Endpoints[i].Workloads) > 1 {
					doubt = "it names one of several pods"
				}
			case here && strings.HasPrefix(pod, w.Object.Name+"-"):
				is, doubt = true, "it names the pod "+pod+", which was not read"
			}
			if is {
				list = append(list, target{i, ports, doubt})
				break
			}
		}
	}
	return list
}
