package document

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"math/bits"
	"slices"
)

// keySet finds equal keys of one map: a hash table of node indices with open addressing. It is
// scratch, kept for its memory; using it costs what the map at hand is wide, however wide the
// maps before it were (clearing a Go map costs what it ever held).
type keySet struct {
	slots []uint32 // 0 is free: the node at index 0 is a root and has no key
	mask  uint32
}

// seed keeps a stranger from choosing keys that collide.
var seed = maphash.MakeSeed()

// reset makes room for n keys, at most half full.
func (k *keySet) reset(n uint32) {
	size := 1 << bits.Len32(2*n)
	if cap(k.slots) < size {
		k.slots = make([]uint32, size)
	}
	k.slots = k.slots[:size]
	clear(k.slots)
	k.mask = uint32(size - 1)
}

// put enters the node at index i under its key, and returns the one that it takes the place of, 0
// for none.
func (k *keySet) put(d *Doc, i uint32) (earlier uint32) {
	key := d.key(i)
	for at := uint32(maphash.String(seed, key)) & k.mask; ; at = (at + 1) & k.mask {
		switch other := k.slots[at]; {
		case other == 0:
			k.slots[at] = i
			return 0
		case d.nodes[other].keyLen() == len(key) && d.key(other) == key:
			k.slots[at] = i
			return other
		}
	}
}

// few is the size up to which comparing all pairs of keys beats hashing them.
const few = 12

// equalKeys finds two entries with the same key in the map at index self; again is 0 when all
// keys differ.
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
	set.reset(d.nodes[self].size)
	for i := self + 1; i < end; i = d.nodes[i].next {
		if j := set.put(d, i); j != 0 {
			return j, i
		}
	}
	return 0, 0
}

// span is a range of nodes.
type span struct{ from, to uint32 }

// outdated appends the entries of the map at index self that a later one with the same key takes
// the place of.
func (d *Doc) outdated(self uint32, set *keySet, dropped []span) []span {
	set.reset(d.nodes[self].size)
	for i := self + 1; i < d.nodes[self].next; i = d.nodes[i].next {
		if j := set.put(d, i); j != 0 {
			dropped = append(dropped, span{j, d.nodes[j].next})
		}
	}
	return dropped
}

// without leaves spans out of nodes, in place; a span may lie in another. It runs once for a whole
// document: run for each map, it would move the innermost nodes once for every level of nesting.
func without(nodes []node, dropped []span) []node {
	slices.SortFunc(dropped, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	shift := make([]uint32, len(nodes)+1) // by how much the index of each node that stays shrinks
	kept, gone, until := nodes[:0], uint32(0), uint32(0)
	for i := range uint32(len(nodes)) {
		for len(dropped) > 0 && dropped[0].from == i {
			until = max(until, dropped[0].to)
			dropped = dropped[1:]
		}
		shift[i] = gone
		if i < until {
			gone++
			continue
		}
		kept = append(kept, nodes[i])
	}
	shift[len(nodes)] = gone
	for i := range kept {
		kept[i].next -= shift[kept[i].next]
	}
	return kept
}

func (t *Text) duplicateAt(offset int, key string) *Error {
	return t.errorAt(offset, CodeDuplicate, duplicateMessage(key), remedyDuplicate)
}

func duplicateMessage(key string) string {
	if len(key) > 100 {
		key = key[:100] + "…"
	}
	return fmt.Sprintf("key %q stands twice in one map; only the last is judged", key)
}

const remedyDuplicate = "Remove one of the two: which one is meant is a guess, and kubectl refuses the document."
