package reach

import (
	"math/bits"
	"slices"
)

// targetIndex finds the targets that a source may reach, so that where every workload has a policy of its
// own, not all are put to all. It may name more than are reached, never fewer.
type targetIndex struct {
	all    []int
	holder []int // by endpoint: the target that it is a member of
	hosts  []int // the targets that are on their node's network, which may share a node with any source
	tests  []*admission
}

// admission is the targets that let one same access through to some peers.
type admission struct {
	network Access
	by      map[int][]int // by peer, where they are few
	wide    []int         // the targets that let many in
}

// fewPeers bounds the peers by which a target is listed at each.
const fewPeers = 64

func (n *Network) indexTargets(targets []half) *targetIndex {
	x := &targetIndex{holder: make([]int, len(n.Endpoints))}
	known := map[string]*admission{}
	for j := range targets {
		h := &targets[j]
		x.all = append(x.all, j)
		for i := range h.members.All() {
			x.holder[i] = j
		}
		if h.hosts {
			x.hosts = append(x.hosts, j)
		}
		for k := range h.shares {
			s := &h.shares[k]
			if s.network.Nothing() || s.mesh.Nothing() {
				continue
			}
			key := s.network.key()
			if known[key] == nil {
				known[key] = &admission{network: s.network, by: map[int][]int{}}
				x.tests = append(x.tests, known[key])
			}
			known[key].admit(j, s.peers)
		}
	}
	return x
}

func (a *admission) admit(target int, peers span) {
	if peers.size() > fewPeers {
		a.wide = append(a.wide, target)
		return
	}
	for i := range peers.All() {
		a.by[i] = append(a.by[i], target)
	}
}

// candidates are the targets that a source may reach, in order: by the peers that it lets through to, or
// by the targets that let it in, whichever are fewer. What is closed matters on the nodes' network alone.
func (x *targetIndex) candidates(source *half) []int {
	if source.hosts {
		return x.all
	}
	list := slices.Clone(x.hosts)
	for k := range source.shares {
		s := &source.shares[k]
		if s.network.Nothing() {
			continue
		}
		admitted, few := x.admitting(source, s, min(s.peers.size(), len(x.all)))
		switch {
		case few:
			list = append(list, admitted...)
		case s.peers.size() >= len(x.all):
			return x.all
		default:
			for i := range s.peers.All() {
				list = append(list, x.holder[i])
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// admitting is the targets that let the source in on what the share lets through; few is false, and the
// list not whole, where they are more than most.
func (x *targetIndex) admitting(source *half, s *share, most int) (list []int, few bool) {
	for _, a := range x.tests {
		if a.network.and(s.network).Nothing() {
			continue
		}
		list = append(list, a.wide...)
		for i := range source.members.All() {
			if list = append(list, a.by[i]...); len(list) > most {
				return nil, false
			}
		}
		if len(list) > most {
			return nil, false
		}
	}
	return list, true
}

// size is how many elements are in the set.
func (s span) size() int {
	count := 0
	for _, w := range s.Set[s.first:s.end] {
		count += bits.OnesCount64(w)
	}
	return count
}

// key is equal for equal accesses.
func (a Access) key() string { return a.Open.key() + "|" + a.Unknown.key() }
