package inject

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/policy"
)

// ResourcePolicyName is the name of the policy, and of its binding, that gives containers requests and limits.
const ResourcePolicyName = "coaming-resources"

// amount is one request or limit that the plan gives somewhere, as variables of the policy.
type amount struct {
	side, name string
	// variable is what the plan gives at the object's place, "" for nothing; lacking tells of a container c that lacks it.
	variable, lacking string
}

// resourcePolicy is the plan's requests and limits as one mutating policy with its binding, nil where it gives none: it does what
// giveResources does. The error tells what no policy can say.
func (in *Injector) resourcePolicy(server string) ([]policy.Manifest, error) {
	if len(in.Plan.Resources) == 0 {
		return nil, nil
	}
	if !catalog.Reached(server, nativeSince) {
		return nil, fmt.Errorf("no policy gives them in Kubernetes %s: what it needs is there since %s", server, nativeSince)
	}
	n := &natively{in: in}
	m := policy.Mutation{
		Name: ResourcePolicyName, Fail: in.Plan.Default.Fail, Word: "resources", Templates: true,
		Annotations: map[string]string{"coaming.dev/why": "The plan gives these containers requests and limits."},
		Conditions:  []policy.Condition{{Name: "not-switched-off", Expression: policy.NotSwitchedOff("dyn(object)", "resources")}},
	}
	var err error
	if m.NamespaceSelector, err = in.namespaces(); err != nil {
		return nil, err
	}
	amounts, variables := n.amounts()
	m.Variables = append([]policy.Condition{
		policy.NamespaceLabels,
		{Name: "inits", Expression: `variables.template.spec.?initContainers.orValue([])`},
		{Name: "apps", Expression: `variables.template.spec.containers`},
		{Name: "reasons", Expression: `string(dyn(object).metadata.?annotations[?` + n.literal(MutationsKey) + `].orValue("")).split("\n").filter(l, l != "" && !l.startsWith("resources: "))`},
	}, variables...)
	m.Variables = append(m.Variables, policy.Condition{Name: "given", Expression: n.gives(amounts)})
	m.Patches = []string{n.resources(amounts)}
	if n.err != nil {
		return nil, n.err
	}
	return m.Manifests(server)
}

// amounts are all that the plan gives somewhere, with the variables of what that is at the object's place: the last entry that
// fits decides for each.
func (n *natively) amounts() ([]amount, []policy.Condition) {
	entries := n.in.Plan.Resources
	var variables []policy.Condition
	for i := range entries {
		variables = append(variables, policy.Condition{Name: "entry" + strconv.Itoa(i+1), Expression: n.within([]*enforcement.Selection{&entries[i].Where})})
	}
	var list []amount
	for _, side := range sides {
		named := map[string]bool{}
		for i := range entries {
			for name := range amountsOf(&entries[i], side) {
				named[name] = true
			}
		}
		for _, name := range slices.Sorted(maps.Keys(named)) {
			a := amount{side: side, name: name, variable: "variables." + side + strconv.Itoa(len(list)+1)}
			expression := `""`
			for i := range entries {
				if value := amountsOf(&entries[i], side)[name]; value != "" {
					expression = `variables.entry` + strconv.Itoa(i+1) + ` ? ` + n.literal(value) + ` : (` + expression + `)`
				}
			}
			variables = append(variables, policy.Condition{Name: strings.TrimPrefix(a.variable, "variables."), Expression: expression})
			list = append(list, a)
		}
	}
	for i := range list {
		list[i].lacking = n.lacks(&list[i], list)
	}
	return list, variables
}

// lacks holds for a container c of the pod's own that has no such amount, where the API server would take the plan's: no
// limit may be below its request, and some must be it.
func (n *natively) lacks(a *amount, all []amount) string {
	key := n.literal(a.name)
	has := func(side string) string { return `c.?resources[?"` + side + `"][?` + key + `].orValue("")` }
	other := sides[0]
	if a.side == other {
		other = sides[1]
	}
	// What the container says of the other side counts before what the plan will give it.
	beside := `string(` + has(other) + `)`
	for i := range all {
		if all[i].name == a.name && all[i].side == other {
			beside = `(` + beside + ` != "" ? ` + beside + ` : ` + all[i].variable + `)`
		}
	}
	request, limit := a.variable, beside
	if a.side == "limits" {
		request, limit = limit, request
	}
	least := `!quantity(` + request + `).isGreaterThan(quantity(` + limit + `))`
	if exact(a.name) {
		least = `quantity(` + request + `).compareTo(quantity(` + limit + `)) == 0`
	}
	parts := []string{
		a.variable + ` != ""`, `string(` + has(a.side) + `) == ""`,
		`(` + beside + ` == "" || ` + least + `)`,
	}
	if given := n.given("c", "variables.template"); given != "" {
		parts = append(parts, `!(`+given+`)`)
	}
	return strings.Join(parts, " && ")
}

// gives are the words of what is given to any container: none where the pod as a whole has resources, which somebody thought of.
func (n *natively) gives(amounts []amount) string {
	var parts []string
	for _, a := range amounts {
		parts = append(parts, `((variables.inits + variables.apps).exists(c, `+a.lacking+`) ? [`+n.literal(a.side+" of "+a.name)+`] : [])`)
	}
	return `has(variables.template.spec.resources) ? [] : (` + strings.Join(parts, " +\n") + `).sort()`
}

// resources is all that is done to an object, as one list: the reason, and what each container lacks.
func (n *natively) resources(amounts []amount) string {
	lines := `(variables.reasons + ["resources: the plan's " + variables.given.join(", ") + " where a container had none"]).sort().join("\n")`
	key := n.literal(MutationsKey)
	parts := []string{`(has(object.metadata.annotations) ?
[JSONPatch{op: "add", path: ` + n.literal("/metadata/annotations/"+escape(MutationsKey)) + `, value: ` + lines + `}] :
[JSONPatch{op: "add", path: "/metadata/annotations", value: {` + key + `: ` + lines + `}}])`}
	for _, list := range []struct{ variable, field string }{{"inits", "initContainers"}, {"apps", "containers"}} {
		parts = append(parts, n.contained("variables."+list.variable, list.field, amounts))
	}
	return `size(variables.given) == 0 ? [] : ` + strings.Join(parts, " +\n")
}

// contained gives the containers of one list what they lack, in maps that are made where there are none.
func (n *natively) contained(list, field string, amounts []amount) string {
	at := `variables.place + "/spec/` + field + `/" + string(i) + "/resources`
	var lacking []string
	bySide := map[string][]string{}
	for _, a := range amounts {
		lacking = append(lacking, `[`+list+`[i]].exists(c, `+a.lacking+`)`)
		bySide[a.side] = append(bySide[a.side], lacking[len(lacking)-1])
	}
	parts := []string{`((` + strings.Join(lacking, " || ") + `) && !has(` + list + `[i].resources) ? [JSONPatch{op: "add", path: ` + at + `", value: {}}] : [])`}
	for _, side := range sides {
		if len(bySide[side]) > 0 {
			parts = append(parts, `((`+strings.Join(bySide[side], " || ")+`) && !`+list+`[i].?resources[?"`+side+`"].hasValue() ? [JSONPatch{op: "add", path: `+at+`/`+side+`", value: {}}] : [])`)
		}
	}
	for i, a := range amounts {
		parts = append(parts, `(`+lacking[i]+` ? [JSONPatch{op: "add", path: `+at+`/`+a.side+`/`+escape(a.name)+`", value: `+a.variable+`}] : [])`)
	}
	return `lists.range(size(` + list + `)).map(i, ` + strings.Join(parts, " +\n") + `).flatten()`
}
