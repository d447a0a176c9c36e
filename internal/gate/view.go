package gate

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/verdict"
)

// view keeps what stands in each namespace until something changes: requests come more often than changes of what rules ask for.
type view struct {
	generation atomic.Uint64
	mutex      sync.Mutex
	made       uint64 // the generation of what is kept
	kept       map[string]*judge.Among
	everywhere []string // kinds of which all namespaces are wanted
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
func (v *view) of(namespace string, kinds map[string]*kindWatch) *judge.Among {
	generation := v.generation.Load()
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if v.made != generation || v.kept == nil || len(v.kept) >= mostNamespaces {
		v.made, v.kept = generation, map[string]*judge.Among{}
	}
	if known := v.kept[namespace]; known != nil {
		return known
	}
	var objects []*fact.Object
	var gaps []verdict.Gap
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
			if objects, gap = k.in(place, objects); gap != nil {
				gaps = append(gaps, *gap)
				break
			}
		}
		settled = settled && k.settled()
	}
	slices.SortFunc(objects, func(a, b *fact.Object) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	among := judge.NewAmong(slices.Clip(objects), slices.Clip(gaps))
	if settled { // that a kind is read tells nobody
		v.kept[namespace] = among
	}
	return among
}
