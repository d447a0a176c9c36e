package document

import "fmt"

// keySet finds equal keys of one map; it is scratch, kept for its memory.
type keySet struct {
	seen map[string]uint32
}

// few is the size up to which comparing all pairs of keys beats hashing them.
const few = 12

// equalKeys finds the first two entries with the same key in the map at index self; again is 0
// when all keys differ.
func (d *Doc) equalKeys(self uint32, set *keySet) (first, again uint32) {
	end := d.nodes[self].next
	if d.nodes[self].size <= few {
		for i := self + 1; i < end; i = d.nodes[i].next {
			for j := self + 1; j < i; j = d.nodes[j].next {
				if d.nodes[i].keyLen() == d.nodes[j].keyLen() && d.key(i) == d.key(j) {
					return j, i
				}
			}
		}
		return 0, 0
	}
	if set.seen == nil {
		set.seen = map[string]uint32{}
	}
	clear(set.seen)
	for i := self + 1; i < end; i = d.nodes[i].next {
		if j, found := set.seen[d.key(i)]; found {
			return j, i
		}
		set.seen[d.key(i)] = i
	}
	return 0, 0
}

// dropFirst rebuilds the last nodes, which are the map at index self, with the last of equal keys only.
func (d *Doc) dropFirst(self uint32, set *keySet) []node {
	if set.seen == nil {
		set.seen = map[string]uint32{}
	}
	clear(set.seen)
	end := d.nodes[self].next
	for i := self + 1; i < end; i = d.nodes[i].next {
		set.seen[d.key(i)] = i
	}
	var kept []node
	count := uint32(0)
	for i := self + 1; i < end; i = d.nodes[i].next {
		if set.seen[d.key(i)] != i {
			continue
		}
		count++
		shift := i - (self + 1 + uint32(len(kept)))
		for _, n := range d.nodes[i:d.nodes[i].next] {
			n.next -= shift
			kept = append(kept, n)
		}
	}
	nodes := append(d.nodes[:self+1], kept...)
	nodes[self].size = count
	nodes[self].next = uint32(len(nodes))
	return nodes
}

func (t *Text) duplicateAt(offset int, key string) *Error {
	return t.errorAt(offset, CodeDuplicate, fmt.Sprintf("key %q stands twice in one map; only the last is judged", key),
		"Remove one of the two: which one is meant is a guess, and kubectl refuses the document.")
}
