package reach

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/coaming/coaming/internal/fact"
)

// direction is a gate that a connection must pass: the policies of the network at each of its ends,
// and those of the service meshes before its target.
type direction uint8

const (
	ingress direction = iota
	egress
	istio
	linkerd

	gates = 4
)

func (d direction) String() string { return [...]string{"ingress", "egress", "mesh", "mesh"}[d] }

// ofMesh says whether a service mesh keeps the gate: it knows TCP alone, and nothing of nodes' networks.
func (d direction) ofMesh() bool { return d >= istio }

// action is what a rule does with what it matches.
type action uint8

const (
	allow action = iota
	deny
	pass // the next tier decides
)

func (a action) String() string { return [...]string{"allow", "deny", "pass"}[a] }

// policy is one that decides over connections, of whatever kind, in the words that all kinds share.
type policy struct {
	object   *fact.Object
	tier     *tier
	order    float64 // within its tier; lower is asked first
	subjects some    // the pods it is for
	sides    [gates]*side
	outside  Set    // pods that it selects and that its mesh does not reach; nil for other kinds
	doubt    string // why it is not known what it does; "" for nearly all
	byLabels bool   // whether the API leaves open if it is for pods on their node's network
}

// side is what a policy says of one direction.
type side struct {
	rules []rule
	// isolates says whether what no rule of the tier matches is denied to its subjects.
	isolates answer
}

// rule is one rule of a policy: what it matches, and what then becomes of it.
type rule struct {
	path    string       // where it stands in the object: "spec.ingress[0]"
	object  *fact.Object // that holds it, where it is not the policy; nil for nearly all
	action  action
	peers   some
	hosts   Set // pods on their node's network that labels select: peers, if they are told from the node; may be nil
	ports   portChoice
	narrows string // what else must hold that is no matter of addresses and ports: an HTTP path
}

// tier is a rank of policies. The first match decides, unless it passes; where none matches and a
// policy of the tier isolates, the answer is deny, else the next tier is asked.
type tier struct {
	name  string
	order float64
	// unordered is set where policies of equal order may be asked in any order: the API leaves
	// open which of them wins.
	unordered bool
	// passes is set where what no rule matches goes on to the next tier.
	passes bool
}

// The orders of the tiers that Kubernetes' own policies live in, as Calico numbers them
// (docs.tigera.io, "Get started with tiered policies"); its users' tiers stand between them.
const (
	adminOrder    = 1_000
	defaultOrder  = 1_000_000
	baselineOrder = 10_000_000

	// namespacedOrder is where NetworkPolicies stand among Calico's policies of the default tier.
	namespacedOrder = 1_000
)

// matching is the part of a rule that is the same for some peers.
type matching struct {
	peers some
	sure  Ports
	maybe Ports
}

// applied is a policy as it is put to one subject.
type applied struct {
	policy *policy
	sure   bool // the subject is selected for certain
}

// row is what has become of the connections with some peers, while policies are asked.
type row struct {
	peers    Set
	live     Ports // not decided in this tier
	passed   Ports // for the next tier
	canAllow Ports
	canDeny  Ports
}

func (r *row) state() string {
	return r.live.key() + "|" + r.passed.key() + "|" + r.canAllow.key() + "|" + r.canDeny.key()
}

// witness is told what decides, for who wants it explained.
type witness func(p *policy, r *rule, a action, sure bool, ports Ports)

// profile is what the policies decide for one subject in one direction.
type profile struct {
	members Set // the subjects that share it
	rows    []row
}

// decide puts the policies, sorted by tier and order, to all peers in the universe at once.
func (n *Network) decide(policies []applied, d direction, own *Endpoint, universe Set, tell witness) []row {
	first := row{peers: universe, live: AllPorts()}
	if d.ofMesh() {
		first.live = tcpPorts.Minus(own.mesh.of(d).bypass)
		first.canAllow = AllPorts().Minus(first.live)
	}
	rows := []row{first}
	for len(policies) > 0 {
		end := slices.IndexFunc(policies, func(a applied) bool { return a.policy.tier != policies[0].policy.tier })
		if end < 0 {
			end = len(policies)
		}
		rows = n.askTier(rows, policies[:end], d, own, tell)
		policies = policies[end:]
	}
	for i := range rows {
		rows[i].canAllow = rows[i].canAllow.Union(rows[i].live)
		rows[i].live = Ports{}
	}
	return gather(rows)
}

// decideFor is decide for an endpoint. Of pods on their node's network the API leaves open whether
// selectors of labels tell them from their node; what follows must hold either way.
func (n *Network) decideFor(policies []applied, d direction, own *Endpoint, universe Set, tell witness) []row {
	n.hostsSeen = true
	rows := n.decide(policies, d, own, universe, tell)
	if d.ofMesh() && own.mesh.of(d).in == maybe {
		for i := range rows { // without a proxy before it, nobody asks
			rows[i].canAllow = AllPorts()
		}
	}
	if n.hosts.empty() || d.ofMesh() {
		return rows
	}
	n.hostsSeen = false
	if own.HostNetwork {
		policies = slices.DeleteFunc(slices.Clone(policies), func(a applied) bool { return a.policy.byLabels })
	}
	var joined []row
	others := n.decide(policies, d, own, universe, nil)
	for _, a := range rows {
		for _, b := range others {
			if peers := a.peers.and(b.peers); !peers.empty() {
				joined = append(joined, row{peers: peers, canAllow: a.canAllow.Union(b.canAllow), canDeny: a.canDeny.Union(b.canDeny)})
			}
		}
	}
	return gather(joined)
}

// askTier asks the policies of one tier and closes it.
func (n *Network) askTier(rows []row, policies []applied, d direction, own *Endpoint, tell witness) []row {
	isolates := no
	for rest := policies; len(rest) > 0; {
		size := 1
		for rest[0].policy.tier.unordered && size < len(rest) && rest[size].policy.order == rest[0].policy.order {
			size++
		}
		for _, a := range rest[:size] {
			i := a.policy.sides[d].isolates
			if !a.sure {
				i = both(i, maybe)
			}
			isolates = either(isolates, i)
		}
		rows = n.askEqual(rows, rest[:size], d, own, tell)
		rest = rest[size:]
	}
	for i := range rows {
		r := &rows[i]
		if isolates != no {
			r.canDeny = r.canDeny.Union(r.live)
			if tell != nil && !r.live.Empty() {
				n.tellIsolation(policies, d, isolates, r.live, tell)
			}
		}
		if isolates != yes {
			r.passed = r.passed.Union(r.live)
		}
		r.live, r.passed = r.passed, Ports{}
	}
	return gather(rows)
}

func (n *Network) tellIsolation(policies []applied, d direction, isolates answer, ports Ports, tell witness) {
	for _, a := range policies {
		if a.policy.sides[d].isolates != no {
			tell(a.policy, nil, deny, isolates == yes && a.sure, ports)
		}
	}
}

// askEqual asks policies of equal order. Where there are several, whichever is asked first may
// decide: what any of them decides is possible, and what one of them surely matches is settled.
func (n *Network) askEqual(rows []row, policies []applied, d direction, own *Endpoint, tell witness) []row {
	if len(policies) == 1 {
		return n.askPolicy(rows, policies[0], d, own, tell)
	}
	var list []row
	for _, before := range rows {
		at := []row{before}
		for _, a := range policies {
			var next []row
			for _, so := range at {
				start := so
				start.live = before.live
				for _, r := range n.askPolicy([]row{start}, a, d, own, tell) {
					r.live = r.live.Intersect(so.live)
					next = append(next, r)
				}
			}
			at = next
		}
		list = append(list, at...)
	}
	return gather(list)
}

func (n *Network) askPolicy(rows []row, a applied, d direction, own *Endpoint, tell witness) []row {
	s := a.policy.sides[d]
	for i := range s.rules {
		r := &s.rules[i]
		for _, m := range n.matchings(r, d, own) {
			if !a.sure {
				m.sure, m.maybe = Ports{}, m.sure.Union(m.maybe)
			}
			rows = apply(rows, m, r, func(ports Ports, sure bool) {
				if tell != nil {
					tell(a.policy, r, r.action, sure, ports)
				}
			})
		}
	}
	return rows
}

// apply puts one rule to the rows, and splits those of which it matches only a part.
func apply(rows []row, m matching, r *rule, tell func(Ports, bool)) []row {
	list := make([]row, 0, len(rows)+2)
	for _, at := range rows {
		if at.live.Empty() {
			list = append(list, at)
			continue
		}
		for _, part := range []struct {
			peers Set
			sure  bool
		}{{m.peers.sure, true}, {m.peers.maybe, false}} {
			if !at.peers.meets(part.peers) {
				continue
			}
			hit := at
			hit.peers = at.peers.and(part.peers)
			at.peers = at.peers.minus(part.peers)
			list = append(list, hit.after(r, m, part.sure, tell))
		}
		if !at.peers.empty() {
			list = append(list, at)
		}
	}
	return list
}

// after is the row when the rule has been put to it.
func (r row) after(by *rule, m matching, sure bool, tell func(Ports, bool)) row {
	settled := m.sure.Intersect(r.live)
	hit := m.sure.Union(m.maybe).Intersect(r.live)
	if hit.Empty() {
		return r
	}
	if !sure {
		settled = Ports{}
	}
	if !settled.Empty() {
		tell(settled, true)
	}
	if open := hit.Minus(settled); !open.Empty() {
		tell(open, false)
	}
	switch by.action {
	case allow:
		r.canAllow = r.canAllow.Union(hit)
	case deny:
		r.canDeny = r.canDeny.Union(hit)
	case pass:
		r.passed = r.passed.Union(hit)
	}
	r.live = r.live.Minus(settled)
	return r
}

// gather makes one row of those that are in the same state, in the order in which they came.
func gather(rows []row) []row {
	if len(rows) < 2 {
		return rows
	}
	at := make(map[string]int, len(rows))
	list := rows[:0:0]
	for _, r := range rows {
		key := r.state()
		if i, known := at[key]; known {
			list[i].peers = list[i].peers.with(r.peers)
			continue
		}
		at[key] = len(list)
		list = append(list, r)
	}
	return list
}

// byRank orders policies as they are asked: by tier, order, kind, namespace and name.
func byRank(a, b *policy) int {
	return cmp.Or(
		cmp.Compare(a.tier.order, b.tier.order), cmp.Compare(a.tier.name, b.tier.name), cmp.Compare(a.order, b.order),
		cmp.Compare(a.object.Kind, b.object.Kind), cmp.Compare(a.object.Namespace, b.object.Namespace), cmp.Compare(a.object.Name, b.object.Name),
	)
}

// at is a path with an index.
func at(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
