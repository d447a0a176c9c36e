package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
)

// Planned is a rule as the ValidatingAdmissionPolicies and bindings that a plan asks for: each request is judged by exactly
// one binding, in the mode that Plan.Of gives, and by none where the rule is off. There are none where it is off everywhere.
// The error is why the rule cannot be a policy. Actions and NamespaceSelector of the options are not asked.
//
// What errors come to is the policy's, globs are its match conditions: what differs in these is a policy of its own.
func Planned(r *rule.Rule, plan *enforcement.Plan, o Options) ([]Manifest, error) {
	p, err := compile(r, o)
	if err != nil {
		return nil, err
	}
	regions, err := holdings(plan, r)
	if err != nil {
		return nil, err
	}
	spec, err := p.spec(o)
	if err != nil {
		return nil, err
	}
	w := planned{rule: r, spec: spec, options: o, counts: map[string]int{}}
	bounds := w.bound(regions, plan.Of(r, enforcement.Place{LabelsKnown: true}))
	for _, b := range bounds {
		w.mixed = w.mixed || b.Fail != bounds[0].Fail
	}
	for _, b := range bounds {
		if err := w.bind(b); err != nil {
			return nil, err
		}
	}
	return append(w.policies, w.bindings...), nil
}

// bound is one binding: how a rule holds in one region, or for what belongs to no namespace.
type bound struct {
	holding
	scope scope
}

// scope is what a binding is for, where namespaces do not say.
type scope uint8

const (
	anywhere   scope = iota // what its region says; all that belongs to no namespace besides
	namespaced              // namespaces and what is in them
	clusterly               // what belongs to no namespace, but the namespaces
)

// planned collects the manifests of one rule.
type planned struct {
	rule               *rule.Rule
	spec               policySpec
	options            Options
	classes            []string       // the distinct policies, by what they differ in
	made               [][]variant    // the policies of each
	counts             map[string]int // bindings by mode
	mixed              bool           // whether errors come to different things at different places
	policies, bindings []Manifest
}

// bound are the bindings of a rule: those of its regions, and the one of what belongs to no namespace. The API server asks
// every binding about what belongs to no namespace, whatever its selector, so these say which of the two they are for.
func (w *planned) bound(regions []holding, wide enforcement.Setting) []bound {
	inside, outside := reach(w.rule.Match)
	var list []bound
	if !outside || len(regions) == 1 && regions[0].Setting == wide && len(regions[0].patterns) == 0 {
		for _, h := range regions {
			list = append(list, bound{h, anywhere})
		}
		return list
	}
	if inside {
		for _, h := range regions {
			list = append(list, bound{h, namespaced})
		}
	}
	if wide.Mode != enforcement.Off {
		list = append(list, bound{holding{region{}, wide}, clusterly})
	}
	return list
}

// reach says whether a rule judges what is in a namespace, or is one, and what belongs to none.
func reach(m rule.Match) (inside, outside bool) {
	switch m.Fact {
	case "container", "workload", "namespace":
		return true, false
	case "object":
		return true, true
	}
	kinds, _ := seen(m.Kinds)
	for _, kind := range kinds {
		name, group, _ := strings.Cut(kind, ".")
		switch {
		case kind == "Namespace":
			inside = true
		case !catalog.IsOwnKind(group, name):
			inside, outside = true, true // its definition alone says
		case fact.ClusterScoped(kind):
			outside = true
		default:
			inside = true
		}
	}
	return inside, outside
}

// bind adds a binding, with the policies that it binds where they are not there yet.
func (w *planned) bind(b bound) error {
	match, err := b.match()
	if err != nil {
		return err
	}
	mode := b.Mode.String()
	w.counts[mode]++
	name := nameOf(w.rule) + "-" + mode
	if n := w.counts[mode]; n > 1 {
		name = fmt.Sprintf("%s-%d", name, n)
	}
	for _, v := range w.policiesOf(b) {
		w.bindings = append(w.bindings, v.binding(name, actionsOf[b.Mode], match))
	}
	return nil
}

// actionsOf is what the API server does of a violation, by mode.
var actionsOf = map[enforcement.Mode][]string{
	enforcement.Audit: {"Audit"}, enforcement.Warn: {"Warn", "Audit"}, enforcement.Enforce: {"Deny"},
}

// policiesOf are the policies for a binding: one or two for each set of patterns and each failure policy.
func (w *planned) policiesOf(b bound) []variant {
	class := fmt.Sprint(b.Fail, b.patterns)
	if i := slices.Index(w.classes, class); i >= 0 {
		return w.made[i]
	}
	var further []Condition
	for i, p := range b.patterns {
		further = append(further, p.condition(fmt.Sprintf("namespace-%d", i+1)))
	}
	failurePolicy := "Ignore"
	if b.Fail {
		failurePolicy = "Fail"
	}
	list := variants(w.rule, w.spec, w.options, failurePolicy, further)
	w.classes = append(w.classes, class)
	for i := range list {
		m := &list[i].policy.Metadata
		m.Name = strings.Replace(m.Name, nameOf(w.rule), w.nameOf(b), 1)
		w.policies = append(w.policies, list[i].policy)
	}
	w.made = append(w.made, list)
	return list
}

// match is which requests the binding is for.
func (b bound) match() (*matchResources, error) {
	selector, err := b.selector()
	if err != nil {
		return nil, err
	}
	every := func(scope string) resourceRule {
		return resourceRule{[]string{"*"}, []string{"*"}, []string{"*"}, []string{"*/*"}, scope}
	}
	namespaces := resourceRule{[]string{""}, []string{"*"}, []string{"*"}, []string{"namespaces", "namespaces/*"}, "Cluster"}
	m := &matchResources{NamespaceSelector: selector}
	switch b.scope {
	case anywhere:
		if selector == nil {
			return nil, nil
		}
	case namespaced:
		m.ResourceRules = []resourceRule{every("Namespaced"), namespaces}
	case clusterly:
		m.ResourceRules, m.ExcludeResourceRules = []resourceRule{every("Cluster")}, []resourceRule{namespaces}
	}
	return m, nil
}

// nameOf is the name of the policy for a binding. It follows from what the policy is, not from what else the plan says, so
// that a policy never comes to mean another region by a change of the plan.
func (w *planned) nameOf(b bound) string {
	name := nameOf(w.rule)
	if len(b.patterns) > 0 {
		sum := sha256.Sum256(fmt.Append(nil, b.patterns))
		name += "." + hex.EncodeToString(sum[:4])
	}
	if b.Fail && w.mixed {
		name += ".fail"
	}
	return name
}
