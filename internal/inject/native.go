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
	"github.com/coaming/coaming/internal/policy"
)

// nativeSince is the first Kubernetes version whose mutating policies can say what a sidecar needs: the functions of
// lists are there since 1.34, as is the first version of the API that is not alpha.
const nativeSince = "1.34"

// Policy is a MutatingAdmissionPolicy with its binding, as YAML.
type Policy struct{ Name, Text string }

// Policies are the plan's sidecars as the API server's own mutating policies: they give a pod what Patch gives it. The
// error tells what no policy can say.
func (in *Injector) Policies(server string) ([]Policy, error) {
	if len(in.sidecars) > 0 && !catalog.Reached(server, nativeSince) {
		return nil, fmt.Errorf("no policy puts sidecars into pods in Kubernetes %s: what it needs is there since %s", server, nativeSince)
	}
	var list []Policy
	var errs []error
	count := map[string]int{}
	for i := range in.sidecars {
		c := &in.sidecars[i]
		name := "coaming-sidecar-" + c.Name
		if count[c.Name]++; count[c.Name] > 1 {
			name += "-" + strconv.Itoa(count[c.Name])
		}
		text, err := in.policy(i, name, server)
		if err != nil {
			errs = append(errs, fmt.Errorf("sidecar %s: %w", c.Name, err))
			continue
		}
		list = append(list, Policy{name, text})
	}
	return list, errors.Join(errs...)
}

func (in *Injector) policy(i int, name, server string) (string, error) {
	c := &in.sidecars[i]
	if err := c.Serves(server); err != nil {
		return "", err
	}
	n := &natively{chosen: c, in: in}
	m := policy.Mutation{
		Name: name, Fail: in.Plan.Default.Fail,
		Annotations: map[string]string{"coaming.dev/sidecar": c.Name + "@" + c.Version, "coaming.dev/why": oneLine(c.About)},
		Conditions: []policy.Condition{
			{Name: "not-switched-off", Expression: policy.NotSwitchedOff("object", "sidecars", c.Name)},
			{Name: "no-mirror", Expression: `!("kubernetes.io/config.mirror" in dyn(object).metadata.?annotations.orValue({}))`},
		},
	}
	var err error
	if m.NamespaceSelector, err = json.Marshal(in.namespaces()); err != nil {
		return "", fmt.Errorf("write selector: %w", err)
	}
	m.Variables = n.variables(i)
	m.Patches = n.patches()
	if n.err != nil {
		return "", n.err
	}
	return m.YAML(server)
}

// namespaces leaves out the excluded ones that are no globs.
func (in *Injector) namespaces() *metav1.LabelSelector {
	var names []string
	for _, name := range in.Plan.Excluded {
		if !strings.Contains(name, "*") {
			names = append(names, name)
		}
	}
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpNotIn, Values: names},
	}}
}

// natively writes one sidecar in the API server's language.
type natively struct {
	*chosen
	in  *Injector
	err error
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

// variables are what the patches read: whether the plan is for this pod, whether something stands in the way, and where
// parts go.
func (n *natively) variables(i int) []policy.Condition {
	all := slices.Concat(names(n.sidecars), names(n.containers))
	list := []policy.Condition{
		{Name: "spec", Expression: `dyn(object).spec`},
		{Name: "inits", Expression: `variables.spec.?initContainers.orValue([])`},
		{Name: "apps", Expression: `variables.spec.?containers.orValue([])`},
		{Name: "volumes", Expression: `variables.spec.?volumes.orValue([])`},
		{Name: "annotations", Expression: `dyn(object).metadata.?annotations.orValue({})`},
		{Name: "labels", Expression: `dyn(object).metadata.?labels.orValue({})`},
		{Name: "namespaceLabels", Expression: `dyn(namespaceObject).?metadata.?labels.orValue({})`},
		{Name: "injected", Expression: `string(variables.annotations[?` + n.literal(InjectedKey) + `].orValue("")).split(",").map(e, e.trim()).filter(e, e.contains("@"))`},
		{Name: "ours", Expression: `variables.injected.exists(e, e.startsWith(` + n.literal(n.Name+"@") + `))`},
		{Name: "own", Expression: n.own("variables.inits") + ` + ` + n.own("variables.apps")},
		{Name: "wanted", Expression: n.wanted(i)},
		{Name: "conflict", Expression: n.conflict(all)},
		{Name: "go", Expression: `variables.wanted && !variables.conflict`},
		{Name: "reasons", Expression: `string(variables.annotations[?` + n.literal(MutationsKey) + `].orValue("")).split("\n").filter(l, l != "" && !l.startsWith(` +
			n.literal("sidecar "+n.Name+"@") + `))`},
	}
	return list
}

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
	parts := []string{n.selected(&n.in.sidecars[i])}
	for j := i + 1; j < len(n.in.sidecars); j++ {
		if later := &n.in.sidecars[j]; later.Name == n.Name {
			parts = append(parts, "!("+n.selected(later)+")")
		}
	}
	for _, glob := range n.in.Plan.Excluded {
		if strings.Contains(glob, "*") {
			parts = append(parts, "!"+n.matches([]string{glob}))
		}
	}
	return strings.Join(append(parts, `variables.spec.?os.?name.orValue("") != "windows"`), " &&\n")
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
	parts := []string{}
	if len(c.where.Names) > 0 {
		parts = append(parts, n.matches(c.where.Names))
	}
	parts = append(parts, n.labelled("variables.namespaceLabels", c.where.Selector)...)
	parts = append(parts, n.labelled("variables.labels", c.selector)...)
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
		parts = append(parts, set+`[?`+n.literal(key)+`].orValue(null) == `+n.literal(s.MatchLabels[key]))
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
		`!variables.ours && (variables.inits + variables.apps).exists(c, c.name in ` + n.texts(all) + `)`,
		`variables.spec.?ephemeralContainers.orValue([]).exists(c, c.name in ` + n.texts(all) + `)`,
	}
	if len(n.volumes) > 0 {
		parts = append(parts, `!variables.ours && variables.volumes.exists(v, v.name in `+n.texts(names(n.volumes))+`)`)
	}
	for _, key := range slices.Sorted(maps.Keys(n.annotations)) {
		value := n.literal(n.annotations[key])
		parts = append(parts, `!variables.ours && variables.annotations[?`+n.literal(key)+`].orValue(`+value+`) != `+value)
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
		parts = append(parts, `!variables.ours && variables.own.exists(c, c.?env.orValue([]).exists(x, x.name == `+n.literal(nameOf(e))+` && (`+value+`)))`)
	}
	for _, m := range n.mounts {
		at := n.texts([]string{mountPath(m), mountPath(m) + "/"})
		parts = append(parts, `variables.own.exists(c, c.?volumeMounts.orValue([]).exists(m, m.mountPath in `+at+` && m.name != `+n.literal(nameOf(m))+`))`)
	}
	return strings.Join(parts, " ||\n")
}

// patches are what is done, one after the other: first the pod is marked, so that what follows knows its parts.
func (n *natively) patches() []string {
	injected := `(variables.injected.filter(e, !e.startsWith(` + n.literal(n.Name+"@") + `)) + [` + n.literal(n.Name+"@"+n.Version) + `]).distinct().sort().join(",")`
	list := []string{
		`variables.go && !has(object.metadata.annotations) ? [JSONPatch{op: "add", path: "/metadata/annotations", value: dyn({})}] : []`,
		n.annotate(InjectedKey, injected),
		n.annotate(MutationsKey, `(variables.reasons + [`+n.literal(n.reason())+`]).sort().join("\n")`),
	}
	for _, key := range slices.Sorted(maps.Keys(n.annotations)) {
		list = append(list, n.annotate(key, n.literal(n.annotations[key])))
	}
	for i, c := range n.sidecars {
		native := maps.Clone(c.(map[string]any))
		native["restartPolicy"] = "Always"
		list = append(list, n.place("inits", "initContainers", native, n.index(names(n.sidecars)[:i])))
	}
	for _, c := range n.containers {
		list = append(list, n.place("apps", "containers", c, `size(variables.apps)`))
	}
	for _, v := range n.volumes {
		list = append(list, n.place("volumes", "volumes", v, `size(variables.volumes)`))
	}
	for _, field := range []struct{ variable, name string }{{"inits", "initContainers"}, {"apps", "containers"}} {
		for _, e := range n.env {
			list = append(list, n.program(field.variable, field.name, "env", e, `x.name == `+n.literal(nameOf(e))))
		}
		var paths []string
		for _, m := range n.mounts {
			paths = append(paths, mountPath(m))
		}
		for _, m := range n.mounts {
			same := `x.name == ` + n.literal(nameOf(m)) + ` && (x.mountPath == ` + n.literal(mountPath(m)) + ` || !(x.mountPath in ` + n.texts(paths) + `))`
			list = append(list, n.program(field.variable, field.name, "volumeMounts", m, same))
		}
	}
	return list
}

// annotate sets one annotation.
func (n *natively) annotate(key, value string) string {
	return `variables.go ? [JSONPatch{op: "add", path: ` + n.literal("/metadata/annotations/"+escape(key)) + `, value: ` + value + `}] : []`
}

// index is where a native sidecar goes: behind those of the templates before its own, as place says.
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

// place puts an item into a list of the pod spec, or in the place of the one of its name.
func (n *natively) place(variable, field string, item any, index string) string {
	value, is := n.literal(item), `variables.`+variable+`[i].name == `+n.literal(nameOf(item))
	return `!variables.go ? [] :
lists.range(size(variables.` + variable + `)).exists(i, ` + is + `) ?
lists.range(size(variables.` + variable + `)).filter(i, ` + is + `).map(i, JSONPatch{op: "replace", path: "/spec/` + field + `/" + string(i), value: ` + value + `}) :
has(object.spec.` + field + `) ? [JSONPatch{op: "add", path: "/spec/` + field + `/" + string(` + index + `), value: ` + value + `}] :
[JSONPatch{op: "add", path: "/spec/` + field + `", value: [` + value + `]}]`
}

// program gives each of the pod's own containers an item of a list.
func (n *natively) program(variable, field, list string, item any, same string) string {
	value := n.literal(item)
	at := `"/spec/` + field + `/" + string(i) + "/` + list + ``
	container := `variables.` + variable + `[i]`
	there := container + `.?` + list + `.orValue([])`
	return `!variables.go ? [] :
lists.range(size(variables.` + variable + `)).filter(i, ` + n.isOwn(container) + `).map(i,
` + there + `.exists(x, ` + same + `) ?
JSONPatch{op: "replace", path: ` + at + `/" + string(lists.range(size(` + there + `)).filter(j, [` + there + `[j]].exists(x, ` + same + `))[0]), value: ` + value + `} :
has(` + container + `.` + list + `) ? JSONPatch{op: "add", path: ` + at + `/-", value: ` + value + `} :
JSONPatch{op: "add", path: ` + at + `", value: [` + value + `]})`
}
