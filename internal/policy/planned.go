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

// Held is what a plan makes of rules: a rule's own policies, or those of a group of rules, with their bindings.
type Held struct {
	// Name is what the names of all of it begin with.
	Name string
	// Rules are the ids of the rules, sorted.
	Rules     []string
	Manifests []Manifest
}

// Planned are rules as the ValidatingAdmissionPolicies and bindings that a plan asks for: of each rule, each request is judged by
// exactly one binding, in the mode that Plan.Of gives, and by none where the rule is off. Rules that hold alike are validations of one
// policy, see groups; one of which something is excused has its own. Refused is why a rule cannot be a policy, by its id; what is off
// everywhere is in neither. Actions and NamespaceSelector of the options are not asked.
//
// What errors come to is the policy's, globs are its match conditions: what differs in these is a policy of its own.
func Planned(rules []*rule.Rule, plan *enforcement.Plan, o Options) (list []Held, refused map[string]error) {
	refused = map[string]error{}
	g := groups{options: o, byKey: map[string]*group{}}
	for _, r := range rules {
		bounds, err := bound(r, plan)
		if err == nil && len(bounds) > 0 {
			err = g.add(r, bounds)
		}
		if err != nil {
			refused[r.ID] = err
		}
	}
	for _, m := range g.members() {
		held, err := m.held(o)
		if err != nil {
			for _, id := range m.ids() {
				refused[id] = err
			}
			continue
		}
		list = append(list, held...)
	}
	return list, refused
}

// bind makes the manifests of a policy by its bindings.
func (w *planned) bind(bounds []bounded) ([]Manifest, error) {
	for _, b := range bounds {
		w.mixed = w.mixed || b.refuses() != bounds[0].refuses()
	}
	for _, b := range bounds {
		if err := w.bindOne(b); err != nil {
			return nil, err
		}
	}
	return append(w.policies, w.bindings...), nil
}

// bounded is one binding: how a rule holds in one region, or for what belongs to no namespace.
type bounded struct {
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

// planned collects the manifests of one policy.
type planned struct {
	about              Metadata // of the policy
	excused            []exemption
	spec               policySpec
	options            Options
	classes            []string       // the distinct policies, by what they differ in
	made               [][]variant    // the policies of each
	counts             map[string]int // bindings by mode
	mixed              bool           // whether errors come to different things at different places
	policies, bindings []Manifest
}

// bound are the bindings of a rule, none where it is off everywhere: those of its regions, and the one of what belongs to no namespace. The API
// server asks every binding about what belongs to no namespace, whatever its selector, so these say which of the two they are for.
func bound(r *rule.Rule, plan *enforcement.Plan) ([]bounded, error) {
	regions, err := holdings(plan, r)
	if err != nil {
		return nil, err
	}
	wide := plan.Of(r, enforcement.Place{LabelsKnown: true})
	inside, outside := reach(r.Match)
	var list []bounded
	if !outside || len(regions) == 1 && regions[0].Setting == wide && len(regions[0].patterns) == 0 {
		for _, h := range regions {
			list = append(list, bounded{h, anywhere})
		}
		return list, nil
	}
	if inside {
		for _, h := range regions {
			list = append(list, bounded{h, namespaced})
		}
	}
	if wide.Mode != enforcement.Off {
		list = append(list, bounded{holding{region{}, wide}, clusterly})
	}
	return list, nil
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

// bindOne adds a binding, with the policies that it binds where they are not there yet.
func (w *planned) bindOne(b bounded) error {
	match, err := b.match()
	if err != nil {
		return err
	}
	mode := b.Mode.String()
	w.counts[mode]++
	name := w.about.Name + "-" + mode
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

// refuses says whether the policy refuses what its expressions fail on. Of a policy that is the object's own doing always: there is no
// server that may be down, and no list that may be missing. So where a rule is enforced it refuses, whatever onError says, as the gate
// does; what only tells says nothing of what it cannot decide, unless it is asked to.
func (b bounded) refuses() bool { return b.Fail || b.Mode == enforcement.Enforce }

// policiesOf are the policies for a binding: one or two for each set of patterns and each failure policy.
func (w *planned) policiesOf(b bounded) []variant {
	class := fmt.Sprint(b.refuses(), b.patterns)
	if i := slices.Index(w.classes, class); i >= 0 {
		return w.made[i]
	}
	var further []Condition
	for i, p := range b.patterns {
		further = append(further, p.condition(fmt.Sprintf("namespace-%d", i+1)))
	}
	about := w.about
	about.Name = w.nameOf(b)
	list := variants(about, w.excused, w.spec, w.options, failurePolicy(b.refuses()), further)
	w.classes = append(w.classes, class)
	for i := range list {
		w.policies = append(w.policies, list[i].policy)
	}
	w.made = append(w.made, list)
	return list
}

// match is which requests the binding is for.
func (b bounded) match() (*matchResources, error) {
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
func (w *planned) nameOf(b bounded) string {
	name := w.about.Name
	if len(b.patterns) > 0 {
		sum := sha256.Sum256(fmt.Append(nil, b.patterns))
		name += "." + hex.EncodeToString(sum[:4])
	}
	if b.refuses() && w.mixed {
		name += ".fail"
	}
	return name
}
