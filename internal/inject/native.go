package inject

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/policy"
)

// nativeSince is the first Kubernetes version whose mutating policies can say what a sidecar needs: the functions of
// lists are there since 1.34, as is the first version of the API that is not alpha.
const nativeSince = "1.34"

// PolicyName is the name of the policy, and of its binding, that puts sidecars into pods.
const PolicyName = "coaming-sidecars"

// sidecarPolicy is the plan's sidecars as one of the API server's own mutating policies, with its binding: it gives a pod
// what Patch gives it; nil where the plan asks for none. It is one policy, with a mutation for each sidecar, because mutations are made in
// their order and policies in none. The error tells what no policy can say.
func (in *Injector) sidecarPolicy(server string) ([]policy.Manifest, error) {
	if len(in.sidecars) == 0 {
		return nil, nil
	}
	if !catalog.Reached(server, nativeSince) {
		return nil, fmt.Errorf("no policy puts sidecars into pods in Kubernetes %s: what it needs is there since %s", server, nativeSince)
	}
	m := policy.Mutation{
		Name: PolicyName, Fail: in.Plan.Default.Fail, Annotations: map[string]string{"coaming.dev/why": "The plan puts sidecars into these pods."},
		Conditions: []policy.Condition{
			{Name: "not-switched-off", Expression: policy.NotSwitchedOff("object", "sidecars")},
			{Name: "no-mirror", Expression: `!("kubernetes.io/config.mirror" in dyn(object).metadata.?annotations.orValue({}))`},
		},
	}
	var err error
	if m.NamespaceSelector, err = in.namespaces(); err != nil {
		return nil, err
	}
	order := make([]int, len(in.sidecars))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(in.sidecars[a].Name, in.sidecars[b].Name) })
	n := &natively{in: in}
	variables := n.shared()
	var errs []error
	for _, i := range order {
		n.chosen = &in.sidecars[i]
		n.suffix = strconv.Itoa(i + 1)
		errs = append(errs, n.Serves(server))
		variables = append(variables, n.variables(i)...)
		m.Patches = append(m.Patches, n.patch())
	}
	if err := errors.Join(append(errs, n.err)...); err != nil {
		return nil, err
	}
	m.Variables = slices.Concat(n.parts, variables)
	return m.Manifests(server)
}

// namespaces is the JSON of a selector that leaves out the excluded ones that are no globs.
func (in *Injector) namespaces() ([]byte, error) {
	var names []string
	for _, name := range in.Plan.Excluded {
		if !strings.Contains(name, "*") {
			names = append(names, name)
		}
	}
	raw, err := json.Marshal(&metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpNotIn, Values: names},
	}})
	if err != nil {
		return nil, fmt.Errorf("write selector: %w", err)
	}
	return raw, nil
}

// natively writes one sidecar in the API server's language.
type natively struct {
	*chosen
	in *Injector
	// suffix tells the variables of one sidecar from those of others.
	suffix string
	// parts are what is put into pods: variables, so that each stands in the policy once.
	parts []policy.Condition
	err   error
}

// part is a value as a variable of the policy.
func (n *natively) part(v any) string {
	expression := n.literal(v)
	for i := range n.parts {
		if n.parts[i].Expression == expression {
			return "variables." + n.parts[i].Name
		}
	}
	name := "part" + strconv.Itoa(len(n.parts)+1)
	n.parts = append(n.parts, policy.Condition{Name: name, Expression: expression})
	return "variables." + name
}

// literal is a value as an expression.
func (n *natively) literal(v any) string {
	text, err := json.Marshal(v)
	if err == nil {
		doc, fault := document.ParseJSON(string(text))
		if fault == nil {
			var written string
			if written, err = policy.Literal(doc.Root()); err == nil {
				return written
			}
		} else {
			err = fault
		}
	}
	n.err = errors.Join(n.err, err)
	return "null"
}

// texts is a list of texts as an expression.
func (n *natively) texts(list []string) string {
	if len(list) == 0 {
		return `dyn([])`
	}
	return n.literal(list)
}

// shared are the variables that all sidecars read.
func (n *natively) shared() []policy.Condition {
	return []policy.Condition{
		{Name: "spec", Expression: `dyn(object).spec`},
		{Name: "inits", Expression: `variables.spec.?initContainers.orValue([])`},
		{Name: "apps", Expression: `variables.spec.?containers.orValue([])`},
		{Name: "volumes", Expression: `variables.spec.?volumes.orValue([])`},
		{Name: "annotations", Expression: `dyn(object).metadata.?annotations.orValue({})`},
		{Name: "labels", Expression: `dyn(object).metadata.?labels.orValue({})`},
		policy.NamespaceLabels,
		{Name: "injected", Expression: `string(variables.annotations[?` + n.literal(InjectedKey) + `].orValue("")).split(",").map(e, e.trim()).filter(e, e.contains("@"))`},
		{Name: "reasons", Expression: `string(variables.annotations[?` + n.literal(MutationsKey) + `].orValue("")).split("\n").filter(l, l != "")`},
	}
}

// variables are those of one sidecar: whether the plan is for this pod, and whether something stands in the way.
func (n *natively) variables(i int) []policy.Condition {
	all := slices.Concat(names(n.sidecars), names(n.containers))
	return []policy.Condition{
		{Name: "ours" + n.suffix, Expression: `variables.injected.exists(e, e.startsWith(` + n.literal(n.Name+"@") + `))`},
		{Name: "own" + n.suffix, Expression: n.own("variables.inits") + ` + ` + n.own("variables.apps")},
		{Name: "wanted" + n.suffix, Expression: n.wanted(i)},
		{Name: "conflict" + n.suffix, Expression: n.conflict(all)},
		{Name: "go" + n.suffix, Expression: n.variable("wanted") + ` && !` + n.variable("conflict")},
	}
}

// variable is one of this sidecar's.
func (n *natively) variable(name string) string { return "variables." + name + n.suffix }

// isOwn holds for a container of the pod's own: of none of the templates that it has.
func (n *natively) isOwn(container string) string {
	parts := []string{`!(` + container + `.name in ` + n.texts(slices.Concat(names(n.sidecars), names(n.containers))) + `)`}
	seen := map[string]bool{n.Name: true}
	for i := range n.in.sidecars {
		if other := &n.in.sidecars[i]; !seen[other.Name] {
			seen[other.Name] = true
			parts = append(parts, `!(`+container+`.name in `+n.texts(slices.Concat(names(other.sidecars), names(other.containers)))+
				` && variables.injected.exists(e, e.startsWith(`+n.literal(other.Name+"@")+`)))`)
		}
	}
	return strings.Join(parts, " && ")
}

func (n *natively) own(list string) string { return list + `.filter(c, ` + n.isOwn("c") + `)` }

// wanted holds where the plan gives the pod this sidecar by this entry: a later one of the same template comes first.
func (n *natively) wanted(i int) string {
	parts := []string{n.selected(&n.in.sidecars[i]), policy.NotSwitchedOff("object", n.Name)}
	for j := i + 1; j < len(n.in.sidecars); j++ {
		if later := &n.in.sidecars[j]; later.Name == n.Name {
			parts = append(parts, "!("+n.selected(later)+")")
		}
	}
	return strings.Join(append(append(parts, n.notExcluded()...), `variables.spec.?os.?name.orValue("") != "windows"`), " &&\n")
}

// notExcluded are conditions against the excluded namespaces that are globs, which no selector can name.
func (n *natively) notExcluded() []string {
	var parts []string
	for _, glob := range n.in.Plan.Excluded {
		if strings.Contains(glob, "*") {
			parts = append(parts, "!"+n.matches([]string{glob}))
		}
	}
	return parts
}

// matches holds in the namespaces of some names, or globs.
func (n *natively) matches(patterns []string) string {
	var alternatives []string
	for _, p := range patterns {
		alternatives = append(alternatives, strings.ReplaceAll(regexp.QuoteMeta(p), `\*`, ".*"))
	}
	return `request.namespace.matches(` + n.literal("^("+strings.Join(alternatives, "|")+")$") + `)`
}

func (n *natively) selected(c *chosen) string {
	return conjunction(append(n.places(c.where), n.labelled("variables.labels", c.selector)...))
}

// places are the conditions of the namespaces of a selection.
func (n *natively) places(where *enforcement.Selection) []string {
	var parts []string
	if len(where.Names) > 0 {
		parts = append(parts, n.matches(where.Names))
	}
	return append(parts, n.labelled("variables."+policy.NamespaceLabels.Name, where.Selector)...)
}

// conjunction holds where all of the conditions do; of none it holds.
func conjunction(parts []string) string {
	if len(parts) == 0 {
		return "true"
	}
	return strings.Join(parts, " && ")
}

// labelled are the conditions of a label selector on a map of labels.
func (n *natively) labelled(set string, s *metav1.LabelSelector) []string {
	if s == nil {
		return nil
	}
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(s.MatchLabels)) {
		parts = append(parts, n.literal(key)+` in `+set+` && `+set+`[`+n.literal(key)+`] == `+n.literal(s.MatchLabels[key]))
	}
	for _, e := range s.MatchExpressions {
		key := n.literal(e.Key)
		in := `(` + key + ` in ` + set + ` && ` + set + `[` + key + `] in ` + n.texts(e.Values) + `)`
		switch e.Operator {
		case metav1.LabelSelectorOpIn:
			parts = append(parts, in)
		case metav1.LabelSelectorOpNotIn:
			parts = append(parts, "!"+in)
		case metav1.LabelSelectorOpExists:
			parts = append(parts, key+` in `+set)
		case metav1.LabelSelectorOpDoesNotExist:
			parts = append(parts, `!(`+key+` in `+set+`)`)
		}
	}
	return parts
}

// conflict holds where something in the pod stands in the way, as conflicts says.
func (n *natively) conflict(all []string) string {
	parts := []string{
		`!` + n.variable("ours") + ` && (variables.inits + variables.apps).exists(c, c.name in ` + n.texts(all) + `)`,
		`variables.spec.?ephemeralContainers.orValue([]).exists(c, c.name in ` + n.texts(all) + `)`,
	}
	if len(n.volumes) > 0 {
		parts = append(parts, `!`+n.variable("ours")+` && variables.volumes.exists(v, v.name in `+n.texts(names(n.volumes))+`)`)
	}
	for _, key := range slices.Sorted(maps.Keys(n.annotations)) {
		value := n.part(n.annotations[key])
		parts = append(parts, `!`+n.variable("ours")+` && variables.annotations[?`+n.literal(key)+`].orValue(`+value+`) != `+value)
	}
	var listen []string
	for _, c := range slices.Concat(n.sidecars, n.containers) {
		listen = append(listen, ports(c)...)
	}
	if len(listen) > 0 {
		others := `(variables.inits + variables.apps).exists(c, !(c.name in ` + n.texts(all) +
			`) && c.?ports.orValue([]).exists(p, string(p.containerPort) + "/" + p.?protocol.orValue("TCP") in ` + n.texts(listen) + `))`
		parts = append(parts, others, `variables.spec.?hostNetwork.orValue(false)`)
	}
	if len(n.containers) > 0 {
		parts = append(parts, `variables.spec.?restartPolicy.orValue("Always") != "Always"`)
	}
	for _, e := range n.env {
		value := `x.?value.orValue("") != ` + n.literal(text(e.(map[string]any)["value"])) + ` || has(x.valueFrom)`
		if e.(map[string]any)["valueFrom"] != nil {
			value = `true`
		}
		parts = append(parts, `!`+n.variable("ours")+` && `+n.variable("own")+`.exists(c, c.?env.orValue([]).exists(x, x.name == `+n.literal(nameOf(e))+` && (`+value+`)))`)
	}
	for _, m := range n.mounts {
		at := n.texts([]string{mountPath(m), mountPath(m) + "/"})
		parts = append(parts, n.variable("own")+`.exists(c, c.?volumeMounts.orValue([]).exists(m, m.mountPath in `+at+` && m.name != `+n.literal(nameOf(m))+`))`)
	}
	return strings.Join(parts, " ||\n")
}

// patch is all that is done to a pod, as one list, so that it is done whole or not at all: every place is one of the pod as
// it was, and what moves others comes last.
func (n *natively) patch() string {
	native := []any{}
	for _, c := range n.sidecars {
		c := maps.Clone(c.(map[string]any))
		c["restartPolicy"] = "Always"
		native = append(native, c)
	}
	parts := []string{
		n.annotate(),
		n.replaced("inits", "initContainers", native), n.replaced("apps", "containers", n.containers), n.replaced("volumes", "volumes", n.volumes),
	}
	for _, list := range []struct{ variable, field string }{{"inits", "initContainers"}, {"apps", "containers"}} {
		parts = append(parts, n.programs(list.variable, list.field, "env", n.env), n.programs(list.variable, list.field, "volumeMounts", n.mounts))
	}
	parts = append(parts, n.added("volumes", "volumes", n.volumes), n.inserted(native), n.added("apps", "containers", n.containers))
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return "!" + n.variable("go") + " ? [] : (" + strings.Join(parts, ") +\n(") + ")"
}

// annotate marks the pod, and gives it the template's annotations.
func (n *natively) annotate() string {
	injected := `(variables.injected.filter(e, !e.startsWith(` + n.literal(n.Name+"@") + `)) + [` + n.literal(n.Name+"@"+n.Version) + `]).distinct().sort().join(",")`
	values := map[string]string{
		InjectedKey:  injected,
		MutationsKey: `(variables.reasons.filter(l, !l.startsWith(` + n.literal("sidecar "+n.Name+"@") + `)) + [` + n.literal(n.reason()) + `]).sort().join("\n")`,
	}
	for key, value := range n.annotations {
		values[key] = n.part(value)
	}
	var entries, patches []string
	for _, key := range slices.Sorted(maps.Keys(values)) {
		entries = append(entries, n.literal(key)+": "+values[key])
		patches = append(patches, `JSONPatch{op: "add", path: `+n.literal("/metadata/annotations/"+escape(key))+`, value: `+values[key]+`}`)
	}
	return `has(object.metadata.annotations) ? [` + strings.Join(patches, ",\n") + `] :
[JSONPatch{op: "add", path: "/metadata/annotations", value: {` + strings.Join(entries, ",\n") + `}}]`
}

// list is items as a list of the policy's variables.
func (n *natively) list(items []any) string {
	var parts []string
	for _, item := range items {
		parts = append(parts, "dyn("+n.part(item)+")")
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// replaced puts items in the place of those of their names.
func (n *natively) replaced(variable, field string, items []any) string {
	if len(items) == 0 {
		return ""
	}
	return n.list(items) + `.map(x, lists.range(size(variables.` + variable + `)).filter(i, variables.` + variable + `[i].name == x.name).map(i,
JSONPatch{op: "replace", path: "/spec/` + field + `/" + string(i), value: x})).flatten()`
}

// missing are those of some items whose names a list does not have.
func (n *natively) missing(variable string, items []any) string {
	return n.list(items) + `.filter(x, !variables.` + variable + `.exists(v, v.name == x.name))`
}

// added puts items behind the others of a list.
func (n *natively) added(variable, field string, items []any) string {
	if len(items) == 0 {
		return ""
	}
	missing := n.missing(variable, items)
	return `size(variables.` + variable + `) > 0 ? ` + missing + `.map(x, JSONPatch{op: "add", path: "/spec/` + field + `/-", value: x}) :
[JSONPatch{op: "add", path: "/spec/` + field + `", value: ` + missing + `}]`
}

// inserted puts native sidecars behind those of the templates before their own, as place says.
func (n *natively) inserted(items []any) string {
	if len(items) == 0 {
		return ""
	}
	missing := n.missing("inits", items)
	var patches []string
	own := names(items)
	for k, item := range items {
		is := `variables.inits.exists(v, v.name == ` + n.literal(own[k]) + `)`
		at := n.index(own[:k])
		if k > 0 {
			at += ` + size(` + n.missing("inits", items[:k]) + `)`
		}
		patches = append(patches, `(`+is+` ? [] : [JSONPatch{op: "add", path: "/spec/initContainers/" + string(`+at+`), value: `+n.part(item)+`}])`)
	}
	return `size(variables.inits) > 0 ? ` + strings.Join(patches, " +\n") + ` :
[JSONPatch{op: "add", path: "/spec/initContainers", value: ` + missing + `}]`
}

// index is where a native sidecar goes: behind those of the templates before its own.
func (n *natively) index(own []string) string {
	var earlier []string
	seen := map[string]bool{}
	for i := range n.in.sidecars {
		if other := &n.in.sidecars[i]; other.Name < n.Name && !seen[other.Name] {
			seen[other.Name] = true
			earlier = append(earlier, names(other.sidecars)...)
		}
	}
	if earlier = append(earlier, own...); len(earlier) == 0 {
		return "0"
	}
	return `([0] + lists.range(size(variables.inits)).filter(i, variables.inits[i].name in ` + n.texts(earlier) + `).map(i, i + 1)).max()`
}

// programs gives each of the pod's own containers the items of a list of theirs.
func (n *natively) programs(variable, field, list string, items []any) string {
	if len(items) == 0 {
		return ""
	}
	same := `y.name == x.name`
	if list == "volumeMounts" {
		var paths []string
		for _, m := range items {
			paths = append(paths, mountPath(m))
		}
		same += ` && (y.mountPath == x.mountPath || !(y.mountPath in ` + n.texts(paths) + `))`
	}
	at, container := `"/spec/`+field+`/" + string(i) + "/`+list, `variables.`+variable+`[i]`
	there := container + `.?` + list + `.orValue([])`
	missing := n.list(items) + `.filter(x, !` + there + `.exists(y, ` + same + `))`
	return `lists.range(size(variables.` + variable + `)).filter(i, ` + n.isOwn(container) + `).map(i,
` + n.list(items) + `.map(x, lists.range(size(` + there + `)).filter(j, [` + there + `[j]].exists(y, ` + same + `)).map(j,
JSONPatch{op: "replace", path: ` + at + `/" + string(j), value: x})).flatten() +
(size(` + missing + `) == 0 ? [] :
size(` + there + `) > 0 ? ` + missing + `.map(x, JSONPatch{op: "add", path: ` + at + `/-", value: x}) :
[JSONPatch{op: "add", path: ` + at + `", value: ` + missing + `}])).flatten()`
}
