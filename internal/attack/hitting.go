package attack

import (
	"cmp"
	"math/bits"
	"slices"
)

// hitting.go finds the lightest set of elements that has one in each of some sets: exact by branch and
// bound, within a budget. The elements are changes, the sets are those on paths.

// members is a set of numbers.
type members []uint64

func newMembers(n int) members { return make(members, (n+63)/64) }

func (m members) add(i int)      { m[i/64] |= 1 << (i % 64) }
func (m members) drop(i int)     { m[i/64] &^= 1 << (i % 64) }
func (m members) has(i int) bool { return m[i/64]&(1<<(i%64)) != 0 }

func (m members) within(o members) bool {
	for i, w := range m {
		if w&^o[i] != 0 {
			return false
		}
	}
	return true
}

func (m members) size() int {
	n := 0
	for _, w := range m {
		n += bits.OnesCount64(w)
	}
	return n
}

// all yields them in order.
func (m members) all(yield func(int) bool) {
	for i, w := range m {
		for ; w != 0; w &= w - 1 {
			if !yield(i*64 + bits.TrailingZeros64(w)) {
				return
			}
		}
	}
}

// hitting is one such problem.
type hitting struct {
	weight []int // by element; elements that come first are preferred among equals
	sets   [][]int
	budget int // branches that may still be tried
}

// solved is the answer: the elements, and what no answer can weigh less than.
type solved struct {
	elements []int
	weight   int
	least    int
}

// solve finds the lightest set of elements that hits all sets. Parts that have no element in common
// are solved apart.
func (h *hitting) solve() solved {
	var total solved
	for _, sets := range h.parts() {
		p := newPart(h, sets)
		s := p.solve()
		total.elements = append(total.elements, s.elements...)
		total.weight += s.weight
		total.least += s.least
	}
	slices.Sort(total.elements)
	return total
}

// parts are the sets in groups that share no element.
func (h *hitting) parts() [][][]int {
	leader := make([]int, len(h.weight))
	for i := range leader {
		leader[i] = i
	}
	find := func(i int) int {
		for leader[i] != i {
			leader[i] = leader[leader[i]]
			i = leader[i]
		}
		return i
	}
	for _, s := range h.sets {
		for _, e := range s[1:] {
			leader[find(e)] = find(s[0])
		}
	}
	index := map[int]int{}
	var parts [][][]int
	for _, s := range h.sets {
		l := find(s[0])
		at, known := index[l]
		if !known {
			at = len(parts)
			index[l] = at
			parts = append(parts, nil)
		}
		parts[at] = append(parts[at], s)
	}
	return parts
}

// part is a problem whose elements are numbered anew, each with the sets that it is in.
type part struct {
	of       *hitting
	elements []int // their numbers in the whole
	weight   []int
	sets     []members // of elements
	in       []members // by element, of sets
	best     []int
	bestSum  int
}

func newPart(h *hitting, sets [][]int) *part {
	p := &part{of: h}
	for _, s := range sets {
		p.elements = append(p.elements, s...)
	}
	slices.Sort(p.elements)
	p.elements = slices.Compact(p.elements)
	for _, e := range p.elements {
		p.weight = append(p.weight, h.weight[e])
	}
	for _, s := range sets {
		m := newMembers(len(p.elements))
		for _, e := range s {
			at, _ := slices.BinarySearch(p.elements, e)
			m.add(at)
		}
		p.sets = append(p.sets, m)
	}
	return p
}

func (p *part) solve() solved {
	forced := p.reduce()
	sum := 0
	for _, e := range forced {
		sum += p.weight[e]
	}
	s := solved{weight: sum, least: sum}
	chosen := forced
	if len(p.sets) > 0 {
		p.link()
		p.greedy()
		open := newMembers(len(p.sets))
		for i := range p.sets {
			open.add(i)
		}
		least := p.bound(open, nil)
		if p.branch(open, newMembers(len(p.elements)), nil, 0) {
			least = p.bestSum
		}
		s.weight += p.bestSum
		s.least += least
		chosen = append(chosen, p.best...)
	}
	for _, e := range chosen {
		s.elements = append(s.elements, p.elements[e])
	}
	return s
}

// link lists the sets of every element.
func (p *part) link() {
	p.in = make([]members, len(p.elements))
	for e := range p.in {
		p.in[e] = newMembers(len(p.sets))
	}
	for i, s := range p.sets {
		for e := range s.all {
			p.in[e].add(i)
		}
	}
}

// reduce takes what needs no choice: sets that hold another go, elements that another does the work of
// go, and what is left alone in a set is taken. It answers those.
func (p *part) reduce() []int {
	var forced []int
	for {
		p.dropSupersets()
		changed := p.dropDominated()
		for i := 0; i < len(p.sets); i++ {
			if p.sets[i].size() != 1 {
				continue
			}
			for e := range p.sets[i].all {
				forced = append(forced, e)
				p.sets = slices.DeleteFunc(p.sets, func(s members) bool { return s.has(e) })
				break
			}
			i, changed = -1, true
		}
		if !changed || len(p.sets) == 0 {
			return forced
		}
	}
}

func (p *part) dropSupersets() {
	slices.SortStableFunc(p.sets, func(a, b members) int { return a.size() - b.size() })
	var kept []members
	for _, s := range p.sets {
		if !slices.ContainsFunc(kept, func(k members) bool { return k.within(s) }) {
			kept = append(kept, s)
		}
	}
	p.sets = kept
}

// dropDominated takes out elements whose sets all hold one that weighs no more; of equal ones the first stays.
func (p *part) dropDominated() bool {
	p.link()
	changed := false
	gone := newMembers(len(p.elements))
	for a := range p.elements {
		if p.in[a].size() == 0 {
			continue
		}
		// Whatever dominates it is in the first of its sets.
		for first := range p.in[a].all {
			for b := range p.sets[first].all {
				if a == b || gone.has(b) || p.weight[b] > p.weight[a] || !p.in[a].within(p.in[b]) {
					continue
				}
				if p.weight[b] == p.weight[a] && p.in[b].within(p.in[a]) && b > a {
					continue // equals: the first stays
				}
				gone.add(a)
				break
			}
			break
		}
	}
	for _, s := range p.sets {
		for e := range gone.all {
			if s.has(e) {
				s.drop(e)
				changed = true
			}
		}
	}
	return changed
}

// greedy finds a first answer: again and again what hits most for its weight.
func (p *part) greedy() {
	open := newMembers(len(p.sets))
	for i := range p.sets {
		open.add(i)
	}
	for open.size() > 0 {
		best, bestHits := -1, 0
		for e := range p.elements {
			hits := 0
			for i, w := range p.in[e] {
				hits += bits.OnesCount64(w & open[i])
			}
			if hits > 0 && (best < 0 || hits*p.weight[best] > bestHits*p.weight[e]) {
				best, bestHits = e, hits
			}
		}
		p.best = append(p.best, best)
		p.bestSum += p.weight[best]
		for i, w := range p.in[best] {
			open[i] &^= w
		}
	}
	p.thin()
}

// thin takes out of the first answer what it does not need.
func (p *part) thin() {
	for i := 0; i < len(p.best); i++ {
		rest := newMembers(len(p.sets))
		for k, e := range p.best {
			if k != i {
				for w, bits := range p.in[e] {
					rest[w] |= bits
				}
			}
		}
		if rest.size() == len(p.sets) {
			p.bestSum -= p.weight[p.best[i]]
			p.best = slices.Delete(p.best, i, i+1)
			i--
		}
	}
}

// bound is what hitting the open sets weighs at least: sets that have nothing in common want an element
// each. Elements in without are out of the question.
func (p *part) bound(open, without members) int {
	sum := 0
	used := newMembers(len(p.elements))
	for i := range open.all {
		free, lightest := true, 0
		for e := range p.sets[i].all {
			if without != nil && without.has(e) {
				continue
			}
			free = free && !used.has(e)
			if lightest == 0 || p.weight[e] < lightest {
				lightest = p.weight[e]
			}
		}
		if !free {
			continue
		}
		sum += lightest
		for w, bits := range p.sets[i] {
			used[w] |= bits
		}
	}
	return sum
}

// branch tries every element of the smallest open set; those that were tried are out of the question
// for the branches behind. It answers whether nothing was left untried for want of budget.
func (p *part) branch(open, without members, chosen []int, sum int) bool {
	if open.size() == 0 {
		if sum < p.bestSum {
			p.best, p.bestSum = slices.Clone(chosen), sum
		}
		return true
	}
	if sum+p.bound(open, without) >= p.bestSum {
		return true
	}
	if p.of.budget--; p.of.budget < 0 {
		return false
	}
	smallest, least := -1, 0
	for i := range open.all {
		n := 0
		for w, bits64 := range p.sets[i] {
			n += bits.OnesCount64(bits64 &^ without[w])
		}
		if smallest < 0 || n < least {
			smallest, least = i, n
		}
	}
	var candidates []int
	for e := range p.sets[smallest].all {
		if !without.has(e) {
			candidates = append(candidates, e)
		}
	}
	slices.SortStableFunc(candidates, func(a, b int) int { return cmp.Compare(p.hits(b, open), p.hits(a, open)) })
	without = slices.Clone(without)
	for _, e := range candidates {
		rest := slices.Clone(open)
		for w, bits := range p.in[e] {
			rest[w] &^= bits
		}
		if !p.branch(rest, without, append(chosen, e), sum+p.weight[e]) {
			return false
		}
		without.add(e)
	}
	return true
}

func (p *part) hits(e int, open members) int {
	n := 0
	for w, of := range p.in[e] {
		n += bits.OnesCount64(of & open[w])
	}
	return n
}
