package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
)

// The installed webhook is asked about what carries pods, and beside it about the kinds in namespaces that rules judge which no policy of
// the API server can hold. It is never asked about all kinds, nor about Secrets and what no request shows, nor about what belongs to no
// namespace: with onError: fail, the roles of whoever is to repair the gate would wait for the gate.

// Webhook says of which kinds the installed webhook is shown objects for a rule, "Kind" or "Kind.group", none for what carries pods; why is
// set where it is shown none.
func Webhook(r *rule.Rule) (kinds []string, why string) {
	switch r.Match.Fact {
	case "container", "workload":
		return nil, ""
	case "object":
		return nil, "it judges objects of every kind, of which the installed webhook is not told"
	case "namespace":
		return nil, "it judges namespaces, which belong to none: the installed webhook is not told of them"
	}
	if reason := notAsked[r.Match.Fact]; reason != "" {
		return nil, reason
	}
	shown, why := seen(r.Match.Kinds)
	for _, kind := range shown {
		name, group, _ := strings.Cut(kind, ".")
		known := catalog.IsOwnKind(group, name) || !catalog.IsOwnGroup(group)
		if known && kind != "Namespace" && kind != "Secret" && !fact.ClusterScoped(kind) {
			kinds = append(kinds, kind)
		}
	}
	switch {
	case len(kinds) > 0:
		return kinds, ""
	case why == "":
		why = "it judges what belongs to no namespace, of which the installed webhook is not told"
	}
	return nil, why
}

// WebhookShows says whether the installed webhook is shown an object for the sake of a rule.
func WebhookShows(r *rule.Rule, o *fact.Object) bool {
	kinds, why := Webhook(r)
	if why != "" {
		return false
	}
	if len(kinds) == 0 {
		return Shows(r, o)
	}
	return slices.Contains(kinds, o.GroupKind())
}

// Resources are those of one group of the API, as a webhook's rules name them; "*" for kinds whose definition alone says.
type Resources struct {
	Group     string
	Resources []string
}

// Asked are the resources that the webhook is to be asked about beside what carries pods: the kinds of rules that are on somewhere and
// that are no policies.
func Asked(rules []*rule.Rule, plan *enforcement.Plan, o Options) []Resources {
	byGroup := map[string]map[string]bool{}
	for _, r := range rules {
		kinds, _ := Webhook(r)
		if len(kinds) == 0 || !isOn(r, plan) || Native(r, o) == nil {
			continue
		}
		for _, kind := range kinds {
			name, group, _ := strings.Cut(kind, ".")
			if byGroup[group] == nil {
				byGroup[group] = map[string]bool{}
			}
			byGroup[group][resourceOf(group, name)] = true
		}
	}
	list := []Resources{}
	for _, group := range slices.Sorted(maps.Keys(byGroup)) {
		resources := slices.Sorted(maps.Keys(byGroup[group]))
		if slices.Contains(resources, "*") {
			resources = []string{"*"}
		}
		list = append(list, Resources{group, append(resources, Aside(group, resources)...)})
	}
	return list
}

// Unasked are the ids of rules that a plan enforces somewhere and that nobody is asked about when objects are sent, with the reason of each.
func Unasked(rules []*rule.Rule, plan *enforcement.Plan, o Options) map[string]string {
	list := map[string]string{}
	for _, r := range rules {
		if r.Match.Fact == "image" { // which the plan's images are about
			continue
		}
		if _, why := Webhook(r); why != "" && enforced(r, plan) && Native(r, o) != nil {
			list[r.ID] = why
		}
	}
	return list
}

// isOn says whether a rule holds anywhere.
func isOn(r *rule.Rule, plan *enforcement.Plan) bool {
	return plan.Default.Mode != enforcement.Off || chosen(r, plan, func(m enforcement.Mode) bool { return m != enforcement.Off })
}

// enforced says whether a rule that is named, or all where no entry says otherwise, refuses anything anywhere.
func enforced(r *rule.Rule, plan *enforcement.Plan) bool {
	return plan.Of(r, enforcement.Place{LabelsKnown: true}).Mode == enforcement.Enforce || chosen(r, plan, func(m enforcement.Mode) bool { return m == enforcement.Enforce })
}

func chosen(r *rule.Rule, plan *enforcement.Plan, is func(enforcement.Mode) bool) bool {
	for i := range plan.Entries {
		if e := &plan.Entries[i]; e.Mode != nil && is(*e.Mode) && plan.Chooses(i, r) {
			return true
		}
	}
	return false
}
