package reach

// Verdict is what becomes of a connection.
type Verdict uint8

// The verdicts. Unknown is neither of the others.
const (
	Closed Verdict = iota
	Unknown
	Open
)

// String is the verdict's word.
func (v Verdict) String() string { return [...]string{"closed", "unknown", "open"}[v] }

// Access is what one set of endpoints reaches of another.
type Access struct {
	// Open are the ports that are; Unknown those of which it cannot be said. All others are closed.
	Open, Unknown Ports
}

// Flow is an access that a set of endpoints has to a set: all of the one to all of the other.
type Flow struct {
	From, To Set
	Access
}

// outcome is what the rows of a profile leave open for a peer.
func (r *row) access() Access {
	open := r.canAllow.Minus(r.canDeny)
	return Access{open, r.canAllow.Intersect(r.canDeny)}
}

// and is what both ends let through.
func (a Access) and(b Access) Access {
	switch {
	case a.Open.Full():
		return b
	case b.Open.Full():
		return a
	}
	open := a.Open.Intersect(b.Open)
	return Access{open, a.Open.Union(a.Unknown).Intersect(b.Open.Union(b.Unknown)).Minus(open)}
}

// Nothing says whether everything is closed.
func (a Access) Nothing() bool { return a.Open.Empty() && a.Unknown.Empty() }

// At is the verdict on one port.
func (a Access) At(p Protocol, port int) Verdict {
	switch {
	case a.Open.Has(p, port):
		return Open
	case a.Unknown.Has(p, port):
		return Unknown
	}
	return Closed
}

var everything = Access{Open: AllPorts()}

// Between is what one endpoint reaches of another, by their index. Of a class it is what one of its
// pods reaches of another one; a pod always reaches itself.
func (n *Network) Between(from, to int) Access {
	network := n.half(egress, from, to).and(n.half(ingress, to, from)).onHosts(n.sharesNode(from, to))
	return network.and(n.half(istio, to, from)).and(n.half(linkerd, to, from))
}

// half is what the policies of one end let through.
func (n *Network) half(d direction, subject, peer int) Access {
	at := n.profileOf[d][subject]
	if at < 0 {
		return everything
	}
	rows := n.profiles[d][at].rows
	for i := range rows {
		if rows[i].peers.has(peer) {
			return rows[i].access()
		}
	}
	return Access{}
}

// sharesNode says whether an end may be the other's node, which policies do not keep out.
func (n *Network) sharesNode(from, to int) bool {
	return n.hosts.has(from) && n.pods.has(to) || n.hosts.has(to) && n.pods.has(from)
}

// onHosts is the access where one end is on its node's network: what is closed may be open, to the
// pods of that node.
func (a Access) onHosts(host bool) Access {
	if host {
		a.Unknown = AllPorts().Minus(a.Open)
	}
	return a
}

// Flows are all accesses, as few as there are different ones between sets: those among pods, and
// between pods and what is around them. What is closed is not among them.
func (n *Network) Flows() []Flow {
	sources, targets := n.halves(egress), n.halves(ingress, istio, linkerd)
	collect, index := &collector{index: map[string]int{}}, n.indexTargets(targets)
	for i := range sources {
		for _, j := range index.candidates(&sources[i]) {
			collect.meet(n, &sources[i], &targets[j])
		}
	}
	return collect.merged()
}

// share is what a half lets through to or from some peers: the network, and the meshes on top of it.
type share struct {
	peers         span
	network, mesh Access
}

// half is endpoints that share what some gates let through.
type half struct {
	members span
	hosts   bool // whether any is on its node's network
	shares  []share
}

// halves are the endpoints by what the gates of one end let through together.
func (n *Network) halves(of ...direction) []half {
	type profiles [gates]int
	at := map[profiles]int{}
	var list []half
	for i := range n.Endpoints {
		var key profiles
		for k, d := range of {
			key[k] = n.profileOf[d][i]
		}
		k, known := at[key]
		if !known {
			k = len(list)
			at[key] = k
			list = append(list, half{members: span{Set: newSet(len(n.Endpoints))}, shares: n.shares(of, key[:])})
		}
		list[k].members.add(i)
	}
	for i := range list {
		list[i].members = spanOf(list[i].members.Set)
		list[i].hosts = list[i].members.Set.meets(n.hosts)
	}
	return list
}

// shares joins what the profiles of several gates leave open; no profile leaves all open.
func (n *Network) shares(of []direction, profiles []int) []share {
	list := []share{{spanOf(n.everything()), everything, everything}}
	for k, d := range of {
		if profiles[k] < 0 {
			continue
		}
		var next []share
		for _, s := range list {
			for i := range n.profiles[d][profiles[k]].rows {
				r := &n.profiles[d][profiles[k]].rows[i]
				both := share{spanOf(s.peers.and(r.peers)), s.network, s.mesh}
				if both.peers.empty() {
					continue
				}
				if d.ofMesh() {
					both.mesh = both.mesh.and(r.access())
				} else {
					both.network = both.network.and(r.access())
				}
				next = append(next, both)
			}
		}
		list = next
	}
	return list
}

// collector gathers accesses, those of equal targets and ports together.
type collector struct {
	index map[string]int
	flows []Flow
}

// meet adds what the subjects of one profile reach of those of another. Most pairs of rows have
// nothing in common, and nearly all of the others are closed.
func (c *collector) meet(n *Network, source, target *half) {
	for i := range source.shares {
		s := &source.shares[i]
		if !target.members.meets(s.peers) {
			continue
		}
		for k := range target.shares {
			t := &target.shares[k]
			if !source.members.meets(t.peers) {
				continue
			}
			if t.mesh.Nothing() {
				continue
			}
			a := s.network.and(t.network)
			if a.Nothing() && !n.sharesNodes(source, t.peers) && !n.sharesNodes(target, s.peers) {
				continue // of what is closed only what shares a node is told
			}
			c.split(n, source.members.and(t.peers.Set), target.members.and(s.peers.Set), a, t.mesh)
		}
	}
}

// sharesNodes says whether any of some members that a half has in common with peers is on its node's network.
func (n *Network) sharesNodes(h *half, peers span) bool {
	return h.hosts && n.hosts.meetsBoth(h.members.Set, peers.Set)
}

// split leaves out what is between two ends outside of the cluster, and marks what shares a node.
func (c *collector) split(n *Network, from, to Set, network, mesh Access) {
	a := network.and(mesh)
	c.addPart(from, n.around, to, n.pods, a)
	c.addPart(from, n.plain, to, n.plain, a)
	c.addPart(from, n.pods, to, n.around, a)
	if from.meets(n.hosts) || to.meets(n.hosts) {
		shared := network.onHosts(true).and(mesh)
		c.addPart(from, n.hosts, to, n.pods, shared)
		c.addPart(from, n.plain, to, n.hosts, shared)
	}
}

// addPart adds what of two sets lies in two others.
func (c *collector) addPart(from, ofFrom, to, ofTo Set, a Access) {
	if !a.Nothing() && from.meets(ofFrom) && to.meets(ofTo) {
		c.add(from.and(ofFrom), to.and(ofTo), a)
	}
}

func (c *collector) add(from, to Set, a Access) {
	if a.Nothing() || from.empty() || to.empty() {
		return
	}
	key := to.key() + a.key()
	if i, known := c.index[key]; known {
		c.flows[i].From = c.flows[i].From.with(from)
		return
	}
	c.index[key] = len(c.flows)
	c.flows = append(c.flows, Flow{from, to, a})
}

// merged puts together the targets that the same sources reach on the same ports.
func (c *collector) merged() []Flow {
	index := map[string]int{}
	var list []Flow
	for _, f := range c.flows {
		key := f.From.key() + f.key()
		if i, known := index[key]; known {
			list[i].To = list[i].To.with(f.To)
			continue
		}
		index[key] = len(list)
		list = append(list, f)
	}
	return list
}

// Answer is what was asked for.
type Answer struct {
	Flows []Flow
	Ways  []Way
	Notes []Note
}

// Ask is what one set reaches of another on some ports, and the ways in that lead there.
func (n *Network) Ask(from, to Set, ports Ports) Answer {
	c := &collector{index: map[string]int{}}
	for _, f := range n.Flows() {
		c.add(f.From.and(from), f.To.and(to), f.on(ports))
	}
	return Answer{Flows: c.merged(), Ways: n.waysBetween(from, to, ports), Notes: n.Notes}
}

// on is what of an access is on some ports.
func (a Access) on(ports Ports) Access {
	return Access{a.Open.Intersect(ports), a.Unknown.Intersect(ports)}
}

// Unsure says whether something that was asked for is unknown.
func (a *Answer) Unsure() bool {
	for i := range a.Flows {
		if !a.Flows[i].Unknown.Empty() {
			return true
		}
	}
	for i := range a.Ways {
		if !a.Ways[i].Unknown.Empty() {
			return true
		}
	}
	return false
}
