package gate

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// view keeps what stands in each namespace until something changes: requests come more often than changes of what rules ask for.
type view struct {
	generation atomic.Uint64
	mutex      sync.Mutex
	made       uint64 // the generation of what is kept
	kept       map[string]*seenIn
	everywhere []string // kinds of which all namespaces are wanted
}

// seenIn is what stands in one namespace, and what of it is not known.
type seenIn struct {
	objects []*fact.Object
	gaps    []verdict.Gap
}

// mostNamespaces bounds what is kept; it is made again in a moment.
const mostNamespaces = 1000

// touch notes that something changed.
func (v *view) touch() { v.generation.Add(1) }

// widen notes of which kinds all namespaces are wanted.
func (v *view) widen(kinds []string) {
	v.mutex.Lock()
	v.everywhere = kinds
	v.mutex.Unlock()
	v.touch()
}

// of is what stands in a namespace and in none. Nobody changes it: its slices are clipped.
func (v *view) of(namespace string, kinds map[string]*kindWatch) ([]*fact.Object, []verdict.Gap) {
	generation := v.generation.Load()
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if v.made != generation || v.kept == nil || len(v.kept) >= mostNamespaces {
		v.made, v.kept = generation, map[string]*seenIn{}
	}
	if s := v.kept[namespace]; s != nil {
		return s.objects, s.gaps
	}
	s := &seenIn{}
	settled := true
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		k := kinds[kind]
		places := []string{namespace}
		switch {
		case slices.Contains(v.everywhere, kind):
			places = []string{all}
		case namespace != "":
			places = append(places, "")
		}
		for _, place := range places {
			var gap *verdict.Gap
			if s.objects, gap = k.in(place, s.objects); gap != nil {
				s.gaps = append(s.gaps, *gap)
				break
			}
		}
		settled = settled && k.settled()
	}
	slices.SortFunc(s.objects, func(a, b *fact.Object) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	s.objects, s.gaps = slices.Clip(s.objects), slices.Clip(s.gaps)
	if settled { // that a kind is read tells nobody
		v.kept[namespace] = s
	}
	return s.objects, s.gaps
}
