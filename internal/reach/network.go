// Package reach says who can talk to whom: it reads the policies of an inventory, of every kind
// that it understands, and decides for whole sets of endpoints at once. Endpoints are classes: pods
// that no policy can tell apart are one, however many they are, and so are addresses.
//
// Every answer is one of three. What depends on something that was not seen, on a policy of a
// kind that is not understood, or on what the API leaves open (pods on their node's network), is
// unknown: neither open nor closed. It is pure: facts in, sets out.
package reach

import (
	"net/netip"
	"slices"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// Input is what a network is made of.
type Input struct {
	Inventory *fact.Inventory
	// Gaps are what was not looked at: where a policy may stand in one, answers are unknown.
	Gaps []verdict.Gap
	// PodBlocks are the ranges of the pods' addresses where the nodes do not say; without either,
	// pods are taken to have private IPv4 addresses.
	PodBlocks []netip.Prefix
}

// Network is who can talk to whom at one moment. Immutable but for what it remembers; not safe for
// concurrent use.
type Network struct {
	Endpoints []*Endpoint
	// Ways are how connections come in from outside of the cluster.
	Ways []Way
	// Notes say what the answers rest on that nobody can see.
	Notes []Note

	inventory  *fact.Inventory
	backends   []backend       // services behind routes
	routed     map[string]bool // them, by namespace/name
	namespaces []*namespace
	byName     map[string]*namespace
	byWorkload map[*fact.Workload]int
	byLabel    map[label][]int
	openPods   []int // those of which not all labels are known
	madePods   []int // those of controllers, which give them labels of their own
	all        Set
	pods       Set
	hosts      Set // pods on their node's network
	plain      Set // all other pods
	around     Set // what is no pod
	outside    Set // addresses
	node       int // the node that the pod at the other end runs on
	nodes      int // all other nodes
	parts      []part
	rest       int // the first class of parts that no block holds, until they are endpoints
	podBlocks  []netip.Prefix
	told       bool // whether podBlocks were told, or are only usual
	nodeBlocks []netip.Prefix
	cilium     bool // whether policies of Cilium are there, and with them its ways
	policies   []*policy
	tiers      map[string]*tier
	selected   map[string]some
	resolved   map[resolution][]matching
	meshes     [gates]bool // which may decide
	members    [gates]some // pods with a proxy before them
	clients    [gates]some // pods whose own connections carry their identity
	waypointed Set         // pods that may be behind a waypoint of Istio
	byIdentity map[identity][]int
	istioRoot  string // the namespace whose policies are for all of Istio's mesh
	tlsDoubt   bool   // whether clients of Istio's mesh may send plaintext to it
	readsHTTP  bool   // whether policies of it ask what requests of HTTP say
	plaintext  bool   // whether proxies of it take no TLS on some port
	linkerd    linkerdDefaults
	services   map[string][]*fact.Object // by namespace and one label of what they select
	waypoints  map[string]bool           // namespaces with services behind one
	hostsSeen  bool                      // whether pods on their node's network are told from it, while policies are asked
	profiles   [gates][]profile
	profileOf  [gates][]int // by endpoint; -1 for those that no policy is for
	walked     int          // steps along parts of addresses, for tests
}

// meet yields the places of the parts that any of some spans holds an address of; both are in order. It walks along the two
// side by side, and tells in how many steps.
func meet(parts []part, spans []addresses, yield func(i int)) (steps int) {
	for i, k := 0, 0; i < len(parts) && k < len(spans); steps++ {
		switch p, s := parts[i].span, spans[k]; {
		case p.last.Less(s.first):
			i++
		case s.last.Less(p.first):
			k++
		default:
			yield(i)
			i++
		}
	}
	return steps
}

// part is a part of all addresses, and the endpoint that stands for it.
type part struct {
	span     addresses
	endpoint int // before there are any, its class: those that lie in the same blocks
}

// Note is something that makes answers unknown.
type Note struct {
	// Reason is one sentence. Namespace bounds it; "" for everywhere.
	Reason    string `json:"reason"`
	Remedy    string `json:"remedy,omitempty"`
	Namespace string `json:"namespace,omitempty"`
}

// New reads the policies of an inventory and decides for all its endpoints.
func New(in Input) *Network {
	n := &Network{
		inventory: in.Inventory, byName: map[string]*namespace{}, byWorkload: map[*fact.Workload]int{}, byLabel: map[label][]int{},
		routed: map[string]bool{}, tiers: map[string]*tier{}, selected: map[string]some{}, resolved: map[resolution][]matching{},
	}
	objects := n.policyObjects()
	n.cilium = slices.ContainsFunc(objects, func(o *fact.Object) bool { return o.Group() == "cilium.io" })
	n.findRanges(in)
	gaps := verdict.IndexGaps(in.Gaps)
	n.findMeshes(objects, gaps)
	n.findBackends()
	w := n.wordsOf(objects)
	n.findNamespaces(w, in.Gaps)
	n.findParts(objects)
	n.findPods(w)
	n.findAddresses()
	n.index()
	n.findMembers()
	if n.meshes[istio] {
		n.readPeerAuthentications()
		n.admitNodes()
	}
	if n.meshes[linkerd] {
		n.readInbound()
	}
	for _, o := range objects {
		n.read(o)
	}
	n.doubt(gaps)
	slices.SortStableFunc(n.policies, byRank)
	n.profile()
	n.findWays()
	return n
}

// Of is the endpoint that the pods of a workload are among; false for one of another inventory.
func (n *Network) Of(w *fact.Workload) (int, bool) {
	i, known := n.byWorkload[w]
	return i, known
}

// findRanges notes where pods' and nodes' addresses come from.
func (n *Network) findRanges(in Input) {
	n.podBlocks = slices.Clone(in.PodBlocks)
	for _, o := range n.inventory.OfKind("Node") {
		for _, address := range o.Root.At("status", "addresses").Items() {
			if p, ok := parseBlock(address.Get("address").Str()); ok {
				n.nodeBlocks = append(n.nodeBlocks, p)
			}
		}
		if len(in.PodBlocks) > 0 {
			continue
		}
		cidrs := o.Root.At("spec", "podCIDRs")
		for _, v := range cidrs.Items() {
			if p, ok := parseBlock(v.Str()); ok {
				n.podBlocks = append(n.podBlocks, p)
			}
		}
		if p, ok := parseBlock(o.Root.At("spec", "podCIDR").Str()); ok && cidrs.Len() == 0 {
			n.podBlocks = append(n.podBlocks, p)
		}
	}
	n.told = len(n.podBlocks) > 0
	if !n.told {
		n.podBlocks = usualPods
	}
}

// tierNamed is the tier of that name, made when it is first asked for.
func (n *Network) tierNamed(name string, order float64) *tier {
	t := n.tiers[name]
	if t == nil {
		t = &tier{name: name, order: order}
		n.tiers[name] = t
	}
	return t
}

// profile finds the subjects that the same policies are for, and decides for each such set once.
func (n *Network) profile() {
	for d := range direction(gates) {
		lists := make([][]applied, len(n.Endpoints))
		for _, p := range n.policies {
			if p.sides[d] == nil {
				continue
			}
			for i := range p.subjects.sure.All() {
				lists[i] = append(lists[i], applied{p, true})
			}
			for i := range p.subjects.maybe.All() {
				lists[i] = append(lists[i], applied{p, false})
			}
		}
		n.profileOf[d] = make([]int, len(n.Endpoints))
		number := n.numbers()
		index := map[string]int{}
		for i, list := range lists {
			n.profileOf[d][i] = -1
			if len(list) == 0 {
				continue
			}
			key := n.profileKey(list, d, n.Endpoints[i], number)
			at, known := index[key]
			if !known {
				at = len(n.profiles[d])
				index[key] = at
				rows := n.decideFor(list, d, n.Endpoints[i], n.everything(), nil)
				n.profiles[d] = append(n.profiles[d], profile{newSet(len(n.Endpoints)), rows})
			}
			n.profiles[d][at].members.add(i)
			n.profileOf[d][i] = at
		}
	}
}

func (n *Network) numbers() map[*policy]int {
	m := make(map[*policy]int, len(n.policies))
	for i, p := range n.policies {
		m[p] = i
	}
	return m
}

// profileKey is equal for subjects of which the same is decided: the same policies are for them,
// and the ports that these name are the same.
func (n *Network) profileKey(list []applied, d direction, e *Endpoint, number map[*policy]int) string {
	b := append(make([]byte, 0, len(list)*5), boolByte(e.HostNetwork))
	if d.ofMesh() {
		b = append(append(append(b, e.mesh.of(d).bypass.key()...), byte(e.mesh.of(d).in)), boolByte(e.mesh.either))
	}
	for _, a := range list {
		i := number[a.policy]
		sure := byte(0)
		if a.sure {
			sure = 1
		}
		b = append(b, byte(i), byte(i>>8), byte(i>>16), byte(i>>24), sure)
		if d == egress {
			continue
		}
		for r := range a.policy.sides[d].rules {
			c := &a.policy.sides[d].rules[r].ports
			if c.perDestination() {
				yes, perhaps := c.at(e)
				b = append(append(append(append(b, yes.key()...), '|'), perhaps.key()...), '|')
			}
		}
	}
	return string(b)
}

// everything is a set of all endpoints, of which the caller may do as it likes.
func (n *Network) everything() Set { return slices.Clone(n.all) }

// policiesFor are the policies that are for a subject, in the order in which they are asked.
func (n *Network) policiesFor(i int, d direction) []applied {
	var list []applied
	for _, p := range n.policies {
		if p.sides[d] == nil {
			continue
		}
		if p.subjects.sure.has(i) {
			list = append(list, applied{p, true})
		} else if p.subjects.maybe.has(i) {
			list = append(list, applied{p, false})
		}
	}
	return list
}
