package reach

import (
	"sync"

	"github.com/coaming/coaming/internal/fact"
)

// Neighbours answers for each workload who connects to it and where it connects to, by sets, so that
// thousands of workloads cost about as much as there are different answers. Pods on their nodes'
// network are not among the neighbours: policies do not hold them, and so they tell nothing of any.
// It is safe for concurrent use.
type Neighbours struct {
	network *Network
	flows   []Flow
	// to and from are the flows that end and begin at each endpoint.
	to, from         [][]int
	public, metadata Set

	mu      sync.Mutex
	clients map[served]*Crowd
	servers map[int]*Crowd
}

// served is an endpoint on some of its ports.
type served struct {
	endpoint int
	ports    string
}

// Crowd is pods, counted by namespace.
type Crowd struct {
	// Workloads are how many there are in each namespace; Unknown how many more there may be.
	Workloads, Unknown map[string]int
	// Self is whether the workload that was asked about is among them.
	Self bool
}

// metadataAddress is where clouds tell a machine of itself, its credentials among it.
const metadataAddress = "169.254.169.254"

// Neighbours looks at all flows of a network.
func (n *Network) Neighbours() *Neighbours {
	b := &Neighbours{network: n, flows: n.Flows(), clients: map[served]*Crowd{}, servers: map[int]*Crowd{}}
	b.to, b.from = make([][]int, len(n.Endpoints)), make([][]int, len(n.Endpoints))
	for k := range b.flows {
		for i := range b.flows[k].To.All() {
			b.to[i] = append(b.to[i], k)
		}
		for i := range b.flows[k].From.All() {
			b.from[i] = append(b.from[i], k)
		}
	}
	b.public, _ = n.Find("internet")
	b.metadata, _ = n.Find(metadataAddress)
	return b
}

// Clients are the pods that connect to a port on which the workload's containers listen, or those of them
// that serve says (nil for all): the ports that they declare, or any that no other container declares where
// they declare none. ok is false for a workload that policies do not hold.
func (b *Neighbours) Clients(w *fact.Workload, serve func(*fact.Container) bool) (c *Crowd, ok bool) {
	i, ok := b.network.Of(w)
	if !ok || b.network.hosts.has(i) {
		return nil, false
	}
	ports := declaredPorts(w, serve)
	b.mu.Lock()
	defer b.mu.Unlock()
	key := served{i, ports.key()}
	if b.clients[key] == nil {
		b.clients[key] = b.crowd(i, b.to[i], ports, func(f *Flow) Set { return f.From })
	}
	return b.clients[key], true
}

// Servers are the pods that the workload's connect to, on any port.
func (b *Neighbours) Servers(w *fact.Workload) (c *Crowd, ok bool) {
	i, ok := b.network.Of(w)
	if !ok || b.network.hosts.has(i) {
		return nil, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.servers[i] == nil {
		b.servers[i] = b.crowd(i, b.from[i], AllPorts(), func(f *Flow) Set { return f.To })
	}
	return b.servers[i], true
}

// crowd counts the other ends of an endpoint's flows.
func (b *Neighbours) crowd(of int, flows []int, ports Ports, end func(*Flow) Set) *Crowd {
	sure, maybe := newSet(len(b.network.Endpoints)), newSet(len(b.network.Endpoints))
	for _, k := range flows {
		switch f := &b.flows[k]; {
		case !f.Open.Intersect(ports).Empty():
			sure.merge(end(f))
		case !f.Unknown.Intersect(ports).Empty():
			maybe.merge(end(f))
		}
	}
	plain := b.network.pods.minus(b.network.hosts)
	return &Crowd{b.count(sure.and(plain)), b.count(maybe.and(plain).minus(sure)), sure.has(of)}
}

func (b *Neighbours) count(s Set) map[string]int {
	counts := map[string]int{}
	for i := range s.All() {
		for _, w := range b.network.Endpoints[i].Workloads {
			counts[fact.Place(w.Object.Namespace)]++
		}
	}
	return counts
}

// Internet says whether the workload's pods connect to addresses of the internet, Metadata whether to
// the address where clouds tell a machine of itself.
func (b *Neighbours) Internet(w *fact.Workload) Verdict { return b.connects(w, b.public) }

// Metadata is as Internet says.
func (b *Neighbours) Metadata(w *fact.Workload) Verdict { return b.connects(w, b.metadata) }

func (b *Neighbours) connects(w *fact.Workload, to Set) Verdict {
	i, ok := b.network.Of(w)
	if !ok {
		return Unknown
	}
	best := Closed
	for _, k := range b.from[i] {
		f := &b.flows[k]
		if !f.To.meets(to) {
			continue
		}
		if !f.Open.Empty() {
			return Open
		}
		best = Unknown
	}
	return best
}

// declaredPorts are those that some of a workload's containers name, or where they name none, all that the
// others do not.
func declaredPorts(w *fact.Workload, serve func(*fact.Container) bool) Ports {
	var own, others Ports
	for i := range w.Containers {
		c := &w.Containers[i]
		into := &own
		if serve != nil && !serve(c) {
			into = &others
		}
		for _, v := range c.Value.Get("ports").Items() {
			number, isInt := v.Get("containerPort").Int()
			if p, ok := ParseProtocol(v.Get("protocol").Str()); ok && isInt {
				*into = into.Union(PortRange(p, int(number), int(number)))
			}
		}
	}
	if own.Empty() {
		return AllPorts().Minus(others)
	}
	return own
}
