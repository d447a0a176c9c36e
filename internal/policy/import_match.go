package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
)

// matching is what a policy's match constraints come to: the kinds of objects, and a condition on
// them where the kinds alone do not say it.
type matching struct {
	kinds     []string // empty for every object
	resources map[string]string
	condition ast.Expr
}

// fact is the match of the rule.
func (m *matching) fact() any {
	switch len(m.kinds) {
	case 0:
		return "object"
	case 1:
		return m.kinds[0]
	}
	return m.kinds
}

// match reads match constraints, or the match resources of a binding.
func (in *importer) match(c input) (*matching, error) {
	m := &matching{condition: boolean(true), resources: map[string]string{}}
	exact := c.value.Get("matchPolicy").Str() == "Exact"
	kinds := map[string]bool{}
	every, limited := false, false
	anyOf, reasons := boolean(false), []error{}
	for _, r := range c.value.Get("resourceRules").Items() {
		one, err := in.resources(r, exact)
		if err != nil {
			reasons = append(reasons, err)
			continue
		}
		for _, kind := range one.kinds {
			kinds[kind] = true
		}
		maps.Copy(m.resources, one.resources)
		every = every || len(one.kinds) == 0
		limited = limited || one.limited
		anyOf = folded(operators.LogicalOr, []ast.Expr{anyOf, one.condition})
	}
	switch {
	case len(reasons) > 0 && !every && len(kinds) == 0:
		return nil, errors.Join(reasons...)
	case !every && len(kinds) == 0:
		return nil, errors.New("it matches no resources")
	case !every:
		m.kinds = slices.Sorted(maps.Keys(kinds))
	}
	if limited || every && len(kinds) > 0 {
		m.condition = anyOf
	}
	for _, r := range c.value.Get("excludeResourceRules").Items() {
		one, err := in.resources(r, exact)
		if err != nil {
			continue // what it excludes is nothing that a scan sees
		}
		m.condition = both(m.condition, not(one.condition))
	}
	return m, nil
}

// matched is what one resource rule matches.
type matched struct {
	kinds     []string
	resources map[string]string // "Kind.group" -> plural
	condition ast.Expr          // holds for exactly what the rule matches
	limited   bool              // the condition says more than the kinds
}

func (in *importer) resources(r document.Value, exact bool) (matched, error) {
	out := matched{resources: map[string]string{}, condition: boolean(true)}
	if operations := texts(r.Get("operations")); !slices.Contains(operations, "*") && !slices.Contains(operations, "CREATE") {
		return out, fmt.Errorf("it judges only requests to %s, of which a manifest tells nothing", strings.Join(operations, ", "))
	}
	groups, plain := texts(r.Get("apiGroups")), []string{}
	for _, resource := range texts(r.Get("resources")) {
		if resource == "*/*" {
			resource = "*"
		}
		if !strings.Contains(resource, "/") {
			plain = append(plain, resource)
		}
	}
	if len(plain) == 0 {
		return out, fmt.Errorf("it judges only subresources (%s), which are not in a manifest", strings.Join(texts(r.Get("resources")), ", "))
	}
	if scope := r.Get("scope").Str(); slices.Contains(plain, "*") && scope != "" && scope != "*" {
		return out, fmt.Errorf("it matches every resource of scope %s, and a manifest does not tell the scope of custom resources", scope)
	}
	all := false
	for _, group := range groups {
		whole, err := in.kindsOf(group, plain, &out)
		if err != nil {
			return out, err
		}
		all = all || whole
	}
	slices.Sort(out.kinds)
	out.kinds = slices.Compact(out.kinds)
	out.condition = isOne(out.kinds)
	if all {
		out.kinds, out.limited = nil, !slices.Contains(groups, "*") || !slices.Contains(plain, "*")
		out.condition = boolean(true)
		if out.limited {
			out.condition = inGroups(groups)
		}
	}
	object := ident("object")
	if names := r.Get("resourceNames"); names.Len() > 0 {
		out.limited = true
		out.condition = both(out.condition, call(operators.In, snippet(`_o.metadata.?name.orValue("")`, map[string]ast.Expr{"_o": object}), literal(names)))
	}
	if versions := texts(r.Get("apiVersions")); exact && !slices.Contains(versions, "*") {
		out.limited = true
		out.condition = both(out.condition, call(operators.In, versionOf(), literal(r.Get("apiVersions"))))
	}
	return out, nil
}

// kindsOf adds the kinds of a group's resources; whole says that they are all kinds of a group
// whose kinds are not known.
func (in *importer) kindsOf(group string, plain []string, out *matched) (whole bool, err error) {
	own := catalog.OwnKinds()
	groups := []string{group}
	if group == "*" {
		if slices.Contains(plain, "*") {
			return true, nil
		}
		groups = slices.Sorted(maps.Keys(own))
	}
	found := map[string]bool{}
	for _, g := range groups {
		for _, kind := range own[g] {
			resource := resourceOf(g, kind)
			if slices.Contains(plain, "*") || slices.Contains(plain, resource) {
				full := strings.TrimSuffix(kind+"."+g, ".")
				out.kinds, found[resource] = append(out.kinds, full), true
				out.resources[full] = resource
			}
		}
	}
	for definition, kind := range in.kinds {
		plural, g, _ := strings.Cut(definition, ".")
		if (group == "*" || g == group) && (slices.Contains(plain, plural) || slices.Contains(plain, "*")) {
			out.kinds, found[plural] = append(out.kinds, kind), true
			out.resources[kind] = plural
		}
	}
	if slices.Contains(plain, "*") {
		return !catalog.IsOwnGroup(group), nil
	}
	for _, resource := range plain {
		if !found[resource] {
			return false, fmt.Errorf("nothing says which kind the resource %s of group %q is: hand over its CustomResourceDefinition as well", resource, group)
		}
	}
	return false, nil
}

// isOne holds for objects of the kinds.
func isOne(kinds []string) ast.Expr {
	return call(operators.In, snippet(`object.apiVersion.contains("/") ? object.kind + "." + object.apiVersion.split("/")[0] : object.kind`, nil), textList(kinds))
}

func inGroups(groups []string) ast.Expr {
	if slices.Contains(groups, "*") {
		return boolean(true)
	}
	return call(operators.In, groupOf(), textList(groups))
}

func groupOf() ast.Expr {
	return snippet(`object.apiVersion.contains("/") ? object.apiVersion.split("/")[0] : ""`, nil)
}

func versionOf() ast.Expr {
	return snippet(`object.apiVersion.contains("/") ? object.apiVersion.split("/")[1] : object.apiVersion`, nil)
}

func texts(v document.Value) []string {
	var list []string
	for _, item := range v.Items() {
		list = append(list, item.Str())
	}
	return list
}

// namespaceLabel is the label that every namespace has with its name.
const namespaceLabel = "kubernetes.io/metadata.name"

// selectors are the conditions that label selectors put on an object.
func (in *importer) selectors(c input, m *matching) (ast.Expr, input, error) {
	out := boolean(true)
	labels := snippet(`object.metadata.?labels.orValue({})`, nil)
	objects, err := selects(c.value.Get("objectSelector"), func(string) (ast.Expr, error) { return labels, nil })
	if err != nil {
		return nil, c.get("objectSelector"), err
	}
	namespaces := c.get("namespaceSelector")
	held, err := selects(namespaces.value, func(key string) (ast.Expr, error) {
		ofNamespace := slices.Equal(m.kinds, []string{"Namespace"})
		switch {
		case key == namespaceLabel && ofNamespace:
			return snippet(`{"`+namespaceLabel+`": object.metadata.name}`, nil), nil
		case ofNamespace:
			return labels, nil
		case key == namespaceLabel:
			return snippet(`{"`+namespaceLabel+`": object.metadata.?namespace.orValue("default")}`, nil), nil
		case in.EveryNamespace:
			return nil, nil
		}
		return nil, fmt.Errorf("it selects namespaces by the label %s, which an object does not show: --every-namespace takes it to hold everywhere", key)
	})
	if err != nil {
		return nil, namespaces, err
	}
	return both(both(out, objects), held), c, nil
}

// selects is a label selector as a condition; labels gives the labels that hold a key, nil to leave
// the requirement out.
func selects(selector document.Value, labels func(key string) (ast.Expr, error)) (ast.Expr, error) {
	out := boolean(true)
	add := func(key, template string, values ast.Expr) error {
		of, err := labels(key)
		if err != nil || of == nil {
			return err
		}
		out = both(out, snippet(template, map[string]ast.Expr{"_l": of, "_k": text(key), "_v": values}))
		return nil
	}
	for key, value := range selector.Get("matchLabels").Fields() {
		if err := add(key, `_l[?_k] == optional.of(_v)`, text(value.Str())); err != nil {
			return nil, err
		}
	}
	for _, e := range selector.Get("matchExpressions").Items() {
		template, known := map[string]string{
			"In": `_k in _l && _l[_k] in _v`, "NotIn": `!(_k in _l && _l[_k] in _v)`, "Exists": `_k in _l`, "DoesNotExist": `!(_k in _l)`,
		}[e.Get("operator").Str()]
		if !known {
			return nil, fmt.Errorf("the operator %q of a label selector is not known", e.Get("operator").Str())
		}
		if err := add(e.Get("key").Str(), template, literal(e.Get("values"))); err != nil {
			return nil, err
		}
	}
	return out, nil
}
