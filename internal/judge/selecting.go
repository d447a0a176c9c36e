package judge

import (
	"fmt"
	"slices"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
)

// kindIn is a kind in a namespace.
type kindIn struct{ kind, namespace string }

// label is one that a selector demands.
type label struct{ key, value string }

// selecting is the objects of a kind in one namespace that select pods, found by the labels they demand.
type selecting struct {
	objects []*fact.Object
	byLabel map[label][]int // under the rarest labels that they demand
	others  []int           // those that demand none by its value
}

// podSelectors says where the kinds that select pods keep their selector.
var podSelectors = map[string]func(o *fact.Object) document.Value{
	networkPolicy:    func(o *fact.Object) document.Value { return o.Root.At("spec", "podSelector") },
	disruptionBudget: func(o *fact.Object) document.Value { return o.Root.At("spec", "selector") },
	service:          func(o *fact.Object) document.Value { return o.Root.At("spec", "selector") },
}

// selects says whether an object of those kinds selects the labels. A policy that leaves its
// selector out selects every pod, a budget none (k8s.io/api networking/v1, policy/v1).
func selects(kind string, selector, labels document.Value) bool {
	switch kind {
	case service:
		return selector.Len() > 0 && fact.HasLabels(labels, selector)
	case networkPolicy:
		return selector.Kind() <= document.Null || fact.Selects(selector, labels)
	default:
		return fact.Selects(selector, labels)
	}
}

// demands is what a selector of the kind demands by value: of each set, one label must be there.
func demands(kind string, selector document.Value) [][]label {
	var sets [][]label
	labels := selector
	if kind != service {
		labels = selector.Get("matchLabels")
		for _, e := range selector.Get("matchExpressions").Items() {
			if e.Get("operator").Str() != "In" {
				continue
			}
			set := []label{}
			for _, value := range e.Get("values").Items() {
				set = append(set, label{e.Get("key").Str(), value.Str()})
			}
			sets = append(sets, set)
		}
	}
	for key, value := range labels.Fields() {
		sets = append(sets, []label{{key, value.Str()}})
	}
	return sets
}

// indexSelecting makes the index of everything that selects pods.
func indexSelecting(inv *fact.Inventory) map[kindIn]*selecting {
	index := map[kindIn]*selecting{}
	for kind, selectorOf := range podSelectors {
		often := map[label]int{}
		for _, o := range inv.OfKind(kind) {
			for _, set := range demands(kind, selectorOf(o)) {
				for _, l := range set {
					often[l]++
				}
			}
		}
		for _, o := range inv.OfKind(kind) {
			at := kindIn{kind, fact.Place(o.Namespace)}
			if index[at] == nil {
				index[at] = &selecting{byLabel: map[label][]int{}}
			}
			index[at].add(o, rarest(demands(kind, selectorOf(o)), often))
		}
	}
	return index
}

// rarest is the set of labels that fewest selectors demand; nil when there is none.
func rarest(sets [][]label, often map[label]int) []label {
	var best []label
	least := 0
	for _, set := range sets {
		n := 0
		for _, l := range set {
			n += often[l]
		}
		if best == nil || n < least {
			best, least = set, n
		}
	}
	return best
}

func (s *selecting) add(o *fact.Object, demanded []label) {
	n := len(s.objects)
	s.objects = append(s.objects, o)
	if demanded == nil {
		s.others = append(s.others, n)
	}
	for _, l := range demanded {
		s.byLabel[l] = append(s.byLabel[l], n)
	}
}

// selectingPods is the objects of a kind that select the workload's pods.
func (j *judgement) selectingPods(kind string, w *fact.Workload) (rule.Fact, error) {
	namespace, labels := w.Object.Namespace, w.Labels()
	if err := j.gaps.missed(kind, namespace); err != nil {
		return nil, err
	}
	return joined(kind, j.selectingIn(kind, namespace, labels))
}

// selectingIn is the objects of a kind and namespace that select pods with those labels.
func (j *judgement) selectingIn(kind, namespace string, labels document.Value) []*fact.Object {
	var chosen []*fact.Object
	if s := j.selecting()[kindIn{kind, fact.Place(namespace)}]; s != nil {
		candidates := slices.Clip(s.others)
		for key, value := range labels.Fields() {
			candidates = append(candidates, s.byLabel[label{key, value.Str()}]...)
		}
		if len(candidates) > len(s.others) {
			slices.Sort(candidates)
			candidates = slices.Compact(candidates)
		}
		for _, i := range candidates {
			if len(chosen) > mostJoined {
				break
			}
			if o := s.objects[i]; selects(kind, podSelectors[kind](o), labels) {
				chosen = append(chosen, o)
			}
		}
	}
	return chosen
}

// mostJoined bounds how many objects are joined to one fact, and with it the time of a rule that
// reads them for every workload.
const mostJoined = 500

// joined is objects of a kind as a fact.
func joined(kind string, objects []*fact.Object) (rule.Fact, error) {
	if len(objects) > mostJoined {
		return nil, tooMany(kind)
	}
	list := make([]rule.Fact, 0, len(objects))
	for _, o := range objects {
		list = append(list, rule.Of(o.Root))
	}
	return rule.Facts(list), nil
}

func tooMany(kind string) error {
	return &rule.NotSeen{Reason: fmt.Sprintf("more than %d objects of kind %s belong to it, too many to judge together", mostJoined, kindName(kind))}
}

// inNamespace is the objects of a kind in a namespace; not seen where one may have been missed.
func (j *judgement) inNamespace(kind, namespace string) (rule.Fact, error) {
	if err := j.gaps.missed(kind, namespace); err != nil {
		return nil, err
	}
	return joined(kind, j.Inventory.In(kind, namespace))
}
