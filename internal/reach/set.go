package reach

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"slices"
)

// Set is a set of endpoints, by their index. Sets of one Network have one length.
type Set []uint64

func newSet(n int) Set { return make(Set, (n+63)/64) }

func (s Set) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s Set) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }

func (s Set) empty() bool {
	for _, w := range s {
		if w != 0 {
			return false
		}
	}
	return true
}

// first is the lowest element of a set that has any.
func (s Set) first() int {
	i := slices.IndexFunc(s, func(w uint64) bool { return w != 0 })
	return i*64 + bits.TrailingZeros64(s[i])
}

// meets says whether both have an element in common.
func (s Set) meets(o Set) bool {
	for i, w := range s {
		if w&o[i] != 0 {
			return true
		}
	}
	return false
}

// meetsBoth says whether the three have an element in common.
func (s Set) meetsBoth(o, p Set) bool {
	for i, w := range s {
		if w&o[i]&p[i] != 0 {
			return true
		}
	}
	return false
}

func (s Set) with(o Set) Set {
	r := slices.Clone(s)
	for i, w := range o {
		r[i] |= w
	}
	return r
}

func (s Set) and(o Set) Set {
	r := slices.Clone(s)
	for i, w := range o {
		r[i] &= w
	}
	return r
}

func (s Set) minus(o Set) Set {
	r := slices.Clone(s)
	for i, w := range o {
		r[i] &^= w
	}
	return r
}

// merge adds the other's elements in place.
func (s Set) merge(o Set) {
	for i, w := range o {
		s[i] |= w
	}
}

// All yields the elements in order.
func (s Set) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, w := range s {
			for ; w != 0; w &= w - 1 {
				if !yield(i*64 + bits.TrailingZeros64(w)) {
					return
				}
			}
		}
	}
}

// key is equal for equal sets, and begins no other one's.
func (s Set) key() string {
	at := spanOf(s)
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, (at.end-at.first+2)*8), uint64(at.first)) //nolint:gosec // an index
	b = binary.LittleEndian.AppendUint64(b, uint64(at.end-at.first))                                //nolint:gosec // a length
	for _, w := range s[at.first:at.end] {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return string(b)
}

// span is a set with the words in which it begins and ends: what is of one namespace stands together,
// and most sets have nothing to do with each other.
type span struct {
	Set
	first, end int
}

func spanOf(s Set) span {
	first, end := 0, len(s)
	for first < end && s[first] == 0 {
		first++
	}
	for end > first && s[end-1] == 0 {
		end--
	}
	return span{s, first, end}
}

// meets says whether both have an element in common.
func (s span) meets(o span) bool {
	for i := max(s.first, o.first); i < min(s.end, o.end); i++ {
		if s.Set[i]&o.Set[i] != 0 {
			return true
		}
	}
	return false
}

// some is a set of which it may not be known whether an element is in it: those that are, and
// those that may be.
type some struct{ sure, maybe Set }

func newSome(n int) some { return some{newSet(n), newSet(n)} }

func (s some) merge(o some) {
	s.sure.merge(o.sure)
	for i := range s.maybe {
		s.maybe[i] = (s.maybe[i] | o.maybe[i]) &^ s.sure[i]
	}
}

// doubted is the set with nothing sure.
func (s some) doubted() some { return some{newSet(len(s.sure) * 64), s.sure.with(s.maybe)} }

func (s some) any() Set { return s.sure.with(s.maybe) }

// put adds an element as sure as the answer.
func (s some) put(i int, a answer) {
	switch a { //nolint:exhaustive // of the others there is nothing to do
	case yes:
		s.sure.add(i)
	case maybe:
		s.maybe.add(i)
	}
}

// answer is one of three: what is not known is neither no nor yes.
type answer uint8

const (
	no answer = iota
	maybe
	yes
)

func both(a, b answer) answer   { return min(a, b) }
func either(a, b answer) answer { return max(a, b) }
