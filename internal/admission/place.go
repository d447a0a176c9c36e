package admission

import (
	"maps"
	"slices"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
)

// Class is which rules a request is about: a webhook is called once for those whose errors refuse, and once for the others.
type Class uint8

// The classes.
const (
	Everything Class = iota
	Ignoring         // rules of onError: ignore
	Failing          // rules of onError: fail
)

// takes says whether a rule of that setting is of the class.
func (c Class) takes(s enforcement.Setting) bool {
	return c == Everything || s.Fail == (c == Failing)
}

// Unjudged is why a rule is not judged when a request comes in, but in the background alone; "" for one that is judged.
func Unjudged(r *rule.Compiled) string {
	switch {
	case r.Match.Fact == "image":
		return "it judges what an image holds, which the verdicts of images tell"
	case r.Match.Fact == "cluster":
		return "it judges the cluster itself"
	case judge.AsksWhole(r):
		return "it asks how the whole cluster hangs together, of which a request shows a part"
	}
	why := ""
	for _, kind := range r.Match.Kinds {
		if why = catalog.Hidden(kind); why == "" {
			return ""
		}
	}
	return why
}

// Around are the kinds of objects that rules of a plan ask for beside the object of a request, wherever they hold, and of
// these the ones of which they want the objects of all namespaces; both sorted.
func (d *Desk) Around() (kinds, everywhere []string) {
	all, wide := map[string]bool{}, map[string]bool{}
	for _, r := range d.rules {
		if !d.mayHold(r.Rule) {
			continue
		}
		for _, kind := range judge.Around(r) {
			all[kind] = true
		}
		for _, kind := range judge.Everywhere(r) {
			wide[kind] = true
		}
	}
	return slices.Sorted(maps.Keys(all)), slices.Sorted(maps.Keys(wide))
}

// mayHold says whether the plan lets a rule hold anywhere.
func (d *Desk) mayHold(r *rule.Rule) bool {
	if d.Plan.Default.Mode != enforcement.Off {
		return true
	}
	for i := range d.Plan.Entries {
		if m := d.Plan.Entries[i].Mode; m != nil && *m != enforcement.Off && d.Plan.Chooses(i, r) {
			return true
		}
	}
	return false
}

// mayBeOf says whether a rule may be of a class anywhere.
func (d *Desk) mayBeOf(class Class, r *rule.Rule) bool {
	if class.takes(d.Plan.Default) {
		return true
	}
	for i := range d.Plan.Entries {
		if fail := d.Plan.Entries[i].Fail; fail != nil && class.takes(enforcement.Setting{Fail: *fail}) && d.Plan.Chooses(i, r) {
			return true
		}
	}
	return false
}
