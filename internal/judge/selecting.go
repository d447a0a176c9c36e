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
	byLabel map[label][]int // under the rarest label that they demand
	others  []int           // those that demand none, or not as a label
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

// demanded is the labels that a selector of the kind demands by their values.
func demanded(kind string, selector document.Value) document.Value {
	if kind == service {
		return selector
	}
	return selector.Get("matchLabels")
}

// indexSelecting makes the index of everything that selects pods.
func (j *judgement) indexSelecting() map[kindIn]*selecting {
	index := map[kindIn]*selecting{}
	for kind, selectorOf := range podSelectors {
		often := map[label]int{}
		for _, o := range j.Inventory.OfKind(kind) {
			for key, value := range demanded(kind, selectorOf(o)).Fields() {
				often[label{key, value.Str()}]++
			}
		}
		for _, o := range j.Inventory.OfKind(kind) {
			at := kindIn{kind, fact.Place(o.Namespace)}
			s := index[at]
			if s == nil {
				s = &selecting{byLabel: map[label][]int{}}
				index[at] = s
			}
			n := len(s.objects)
			s.objects = append(s.objects, o)
			rarest, found := label{}, false
			for key, value := range demanded(kind, selectorOf(o)).Fields() {
				if l := (label{key, value.Str()}); !found || often[l] < often[rarest] {
					rarest, found = l, true
				}
			}
			if found {
				s.byLabel[rarest] = append(s.byLabel[rarest], n)
			} else {
				s.others = append(s.others, n)
			}
		}
	}
	return index
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
		candidates := slices.Clone(s.others)
		for key, value := range labels.Fields() {
			candidates = append(candidates, s.byLabel[label{key, value.Str()}]...)
		}
		slices.Sort(candidates)
		for _, i := range candidates {
			if o := s.objects[i]; len(chosen) <= mostJoined && selects(kind, podSelectors[kind](o), labels) {
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
