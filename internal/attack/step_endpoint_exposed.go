package attack

import (
	"github.com/coaming/coaming/internal/reach"
)

var endpointExposed = Step{
	ID: "endpoint-exposed", Title: "Use a flaw in what is exposed to the internet", Technique: "T1190",
	Needs: "a connection from the internet to a port that a container serves",
	Gives: "commands in that container",
	Why: "Whatever strangers can send requests to is attacked by them, and no program is known to have no flaw. The step assumes one in what is " +
		"served, whose use wants skill; it says nothing of the program itself. A route of which the controller was not read is taken to work, for somebody wrote it, " +
		"unless policies let nobody in who might be it.",
	Fix:     "Let no more in than must be: an address range, an authenticating proxy, no way from outside at all.",
	Effort:  Hard,
	Network: true,
	Find: func(w *World, take func(Taken)) {
		w.exposures(func(x exposure) {
			take(Taken{From: Node{Kind: Internet}, To: x.box.Node, Doubt: x.doubt, Evidence: []Evidence{x.evidence}, Changes: closing(x.way)})
		})
	},
}

// exposure is a container that serves a port to which a way from the internet leads.
type exposure struct {
	way      *reach.Way
	box      *Box
	doubt    string
	evidence Evidence
}

// exposures yields every container that the internet connects to, by each way.
func (w *World) exposures(yield func(exposure)) {
	n := w.Network()
	for i := range n.Ways {
		way := &n.Ways[i]
		if !fromInternet(n, way) {
			continue
		}
		ports, doubt, by := way.Open, way.Doubt, ""
		if ports.Empty() {
			if ports = way.Unknown; doubt == "" {
				doubt = "whether policies let the connection through is not known"
			}
		}
		if way.Unseen {
			doubt, by = "", ", by a controller that was not read"
		}
		for endpoint := range way.To.All() {
			for _, p := range w.At(endpoint) {
				for _, b := range p.Serving(ports) {
					yield(exposure{way, b, doubt, Evidence{
						way.Object, way.Object.Root, title(way.Object) + " (" + way.Through + ") leads from the internet to " + portText(ports) + by,
					}})
				}
			}
		}
	}
}

func fromInternet(n *reach.Network, way *reach.Way) bool {
	for i := range way.From.All() {
		if n.Endpoints[i].Public {
			return true
		}
	}
	return false
}

// closing is what closes a way in; it gives up what the way is for.
func closing(way *reach.Way) []Change {
	o := way.Object
	if o.Kind != "Service" {
		return nil
	}
	c := Change{Object: o, Last: true, Breadth: WholePurpose, Title: "Make " + title(o) + " reachable from within the cluster alone"}
	spec := o.Root.Get("spec")
	if spec.Get("type").Exists() {
		c.Edits = append(c.Edits, Set(spec, `"ClusterIP"`, "type"))
	}
	if ips := spec.Get("externalIPs"); ips.Exists() {
		c.Edits = append(c.Edits, Remove(ips))
	}
	for _, key := range []string{"externalTrafficPolicy", "loadBalancerSourceRanges", "loadBalancerClass", "allocateLoadBalancerNodePorts", "healthCheckNodePort", "loadBalancerIP"} {
		if v := spec.Get(key); v.Exists() {
			c.Edits = append(c.Edits, Remove(v))
		}
	}
	for _, port := range spec.Get("ports").Items() {
		if v := port.Get("nodePort"); v.Exists() {
			c.Edits = append(c.Edits, Remove(v))
		}
	}
	return []Change{c}
}
