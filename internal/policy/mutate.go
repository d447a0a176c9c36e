package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/rule"
)

// mutatingVersion is the version of MutatingAdmissionPolicy that a Kubernetes version serves.
func mutatingVersion(version string) (string, error) {
	for _, v := range []struct{ since, api string }{{"1.36", "v1"}, {"1.34", "v1beta1"}, {"1.32", "v1alpha1"}} {
		if catalog.Reached(version, v.since) {
			return "admissionregistration.k8s.io/" + v.api, nil
		}
	}
	return "", fmt.Errorf("no MutatingAdmissionPolicy in Kubernetes %s: it is there since 1.32", version)
}

// Mutating is a rule's fix as a MutatingAdmissionPolicy with its binding, in YAML. The error is why
// there is none: a fix that needs a person's choice is not mechanical.
func Mutating(r *rule.Rule, o Options) (string, error) {
	list, err := Fixing(r, o, Reach{Fail: true})
	if err != nil {
		return "", err
	}
	return YAML(list...)
}

// Reach says where a rule's fix is made, beside what Options say, and what becomes of an object where the policy fails.
type Reach struct {
	// Within is an expression that holds for what is changed, "" for everything; it may read variables.namespaceLabels.
	Within string
	// Spared is an expression that holds for a container that is left as it is, "" for none; it may read container and variables.template.
	Spared string
	// Fail says that an object is refused where the policy fails.
	Fail bool
}

// FixName is the name of the policy that makes a rule's fix, and of its binding.
func FixName(id string) string { return "coaming-" + id + "-fix" }

// Fixing is a rule's fix as a MutatingAdmissionPolicy with its binding. The error is why there is none.
//
// Ephemeral containers are left as they are, and so are pods and jobs that are there already: the
// API server lets nobody change them.
func Fixing(r *rule.Rule, o Options, reach Reach) ([]Manifest, error) {
	version, err := mutatingVersion(o.Version)
	if err != nil {
		return nil, err
	}
	if len(r.Fix) == 0 {
		return nil, errors.New("it has no fix")
	}
	p, err := compile(r, o)
	if err != nil {
		return nil, err
	}
	m := mutator{p, o.Agreed, reach}
	spec := policySpec{
		FailurePolicy: failurePolicy(reach.Fail), ReinvocationPolicy: "IfNeeded",
		MatchConstraints: constraints{MatchPolicy: "Equivalent", ResourceRules: resourceRules(r.Match, o.Version, true)},
		MatchConditions:  slices.Concat(p.conditions(), o.Exempted.Conditions(r.ID), m.reserves()),
	}
	about := describe(r)
	about.Name = FixName(r.ID)
	var all []ast.Expr
	for _, f := range r.Fix {
		if f.Ask != "" {
			about.Annotations["coaming.dev/ask"] = oneLine(f.Ask)
		}
		patches, err := m.patches(f)
		if err != nil {
			return nil, err
		}
		all = append(all, patches)
	}
	for _, patches := range append([]ast.Expr{m.because(sum(all...))}, all...) {
		written, err := printed(patches)
		if err != nil {
			return nil, err
		}
		if reach.Within != "" {
			written = "variables.within ? (" + written + ") : []"
		}
		spec.Mutations = append(spec.Mutations, mutation{"JSONPatch", jsonPatch{written}})
	}
	spec.Variables = slices.Concat(m.within(), p.variables, m.place())
	if err := p.checker.declare(spec.Variables); err != nil {
		return nil, err
	}
	list := mutatingPair(version, about, spec, bindingSpec{MatchResources: o.matchResources()})
	if excused := o.Exempted.of(r.ID); len(excused) > 0 && !o.NoLeases {
		about.Name += endedSuffix
		spec.ParamKind, spec.MatchConditions = leaseKind, slices.Concat(p.conditions(), ending(excused), m.reserves())
		list = append(list, mutatingPair(version, about, spec, bindingSpec{ParamRef: leaseRef("Allow"), MatchResources: o.matchResources()})...)
	}
	return list, nil
}

// mutatingPair is a mutating policy with its binding.
func mutatingPair(version string, about Metadata, spec policySpec, binding bindingSpec) []Manifest {
	binding.PolicyName = about.Name
	return []Manifest{
		{version, "MutatingAdmissionPolicy", about, spec},
		{version, "MutatingAdmissionPolicyBinding", Metadata{Name: about.Name, Labels: about.Labels}, binding},
	}
}

// failurePolicy is what becomes of an object where a policy fails, as the API server calls it.
func failurePolicy(fail bool) string {
	if fail {
		return "Fail"
	}
	return "Ignore"
}

// mutator writes patches for the faults of one rule.
type mutator struct {
	*compiled
	agreed bool // a person knows what the fixes ask
	reach  Reach
}

// NamespaceLabels is the variable of the labels of an object's namespace.
var NamespaceLabels = Condition{"namespaceLabels", `dyn(namespaceObject).?metadata.?labels.orValue({})`}

// within is the variable of whether the object is one that is changed. Conditions are shown no namespace.
func (m mutator) within() []Condition {
	if m.reach.Within == "" {
		return nil
	}
	return []Condition{NamespaceLabels, {"within", m.reach.Within}}
}

// reserves keep a mutation from what refuses it, and from what a controller makes of another object: changed, it would no
// longer be what its maker compares it with, and be made anew for ever. Pods alone may differ from their template.
func (m mutator) reserves() []Condition {
	list := []Condition{{"not-switched-off", NotSwitchedOff("dyn(object)", "defaults", m.rule.ID)}}
	if m.place() == nil {
		return list
	}
	return append(list, templateReserves("defaults", m.rule.ID)...)
}

// templateReserves keep a mutation of pods and pod templates from pods that refuse it, and from what a controller made.
func templateReserves(words ...string) []Condition {
	return []Condition{
		{"pods-not-switched-off", NotSwitchedOff("("+templateText+")", words...)},
		{"no-mirror", `object.kind != "Pod" || !("kubernetes.io/config.mirror" in dyn(object).metadata.?annotations.orValue({}))`},
		{"not-of-a-controller", `object.kind == "Pod" || !dyn(object).metadata.?ownerReferences.orValue([]).exists(o, o.?controller.orValue(false))`},
	}
}

// because is the patch of the annotation that tells why, where there is anything to patch. It comes first: behind the
// fix there is nothing to be seen any more.
func (m mutator) because(patches ast.Expr) ast.Expr {
	lines := `(string(dyn(object).metadata.?annotations[?_key].orValue("")).split("\n").filter(_l, _l != "" && !_l.startsWith(_topic)) + [_line])`
	if catalog.Reached(m.version, "1.34") { // the first whose lists can be sorted
		lines += `.sort()`
	}
	const key = "coaming.dev/mutations"
	names := map[string]ast.Expr{
		"_key": text(key), "_topic": text("rule " + m.rule.ID + ": "), "_line": text("rule " + m.rule.ID + ": " + oneLine(m.rule.Title)),
		"_path": text("/metadata/annotations" + pointer([]string{key})),
	}
	names["_lines"] = snippet(lines+`.join("\n")`, names)
	names["_patches"] = patches
	return snippet(`size(_patches) == 0 ? [] : has(object.metadata.annotations) ?
[JSONPatch{op: "add", path: _path, value: _lines}] : [JSONPatch{op: "add", path: "/metadata/annotations", value: {_key: _lines}}]`, names)
}

// place is the variable of where the pod template stands.
func (m mutator) place() []Condition {
	if f := m.rule.Match.Fact; f == "container" || f == "workload" {
		return []Condition{{"place", templatePath}}
	}
	return nil
}

// root is the JSON pointer of the matched object's part that paths begin at.
func (m mutator) root() ast.Expr {
	if f := m.rule.Match.Fact; f == "container" || f == "workload" {
		return variable("place")
	}
	return nil
}

// patches are the JSON patches of one fix, a list of what may be none.
func (m mutator) patches(f rule.Fix) (ast.Expr, error) {
	value, when, err := m.value(f)
	if err != nil {
		return nil, err
	}
	fault := both(m.fault(), when)
	if m.rule.Match.Fact != "container" {
		return m.patchesOf(f, value, m.base(), m.root(), fault)
	}
	var all []ast.Expr
	for _, list := range []string{"initContainers", "containers"} {
		role := text("app")
		if list == "initContainers" {
			role = snippet(strings.ReplaceAll(initRole, "c.", "container."), nil)
		}
		at := map[string]ast.Expr{"role": role}
		place := sum(variable("place"), text("/spec/"+list+"/"), call("string", ident("_i")))
		one, patch, err := m.patchOf(f, replaceNames(value, at), m.base(), place, replaceNames(fault, at))
		if err != nil {
			return nil, err
		}
		if m.reach.Spared != "" {
			spared, err := parse(m.reach.Spared)
			if err != nil {
				return nil, err
			}
			one = both(not(spared), one)
		}
		containers := member(below(field(variable("template"), "spec"), []string{list}), "orValue", factory.NewList(0, nil, nil))
		all = append(all, snippet(`_l.transformList(_i, container, _when, _patch)`, map[string]ast.Expr{"_l": containers, "_when": one, "_patch": patch}))
	}
	return sum(all...), nil
}

// value is the value that the fix sets, appends or takes, and when it comes to one.
func (m mutator) value(f rule.Fix) (value, when ast.Expr, err error) {
	always := boolean(true)
	switch {
	case f.Op == rule.FixChoose:
		return nil, nil, errors.New("its fix needs a person's choice")
	case f.Ask != "" && !m.agreed:
		return nil, nil, fmt.Errorf("its fix asks first: %s", f.Ask)
	case f.Op == rule.FixAdd:
		return nil, nil, errors.New("its fix is another object, which a mutation cannot make")
	case f.Expr != "":
		condition, expression, err := sometimes(f.Expr)
		if err != nil {
			return nil, nil, err
		}
		when := always
		if condition != "" {
			if when, err = m.computed(condition); err != nil {
				return nil, nil, err
			}
		}
		value, err = m.computed(expression)
		return value, when, err
	case f.Op == rule.FixRemove:
		return always, always, nil
	}
	return literal(f.Value), always, nil
}

// sometimes parts an expression that may come to nothing, CONDITION ? optional.of(VALUE) : optional.none(), into when it comes
// to a value, and to which; "" for always.
func sometimes(expression string) (condition, value string, err error) {
	if !strings.Contains(expression, "optional.none()") {
		return "", expression, nil
	}
	e, err := parse(expression)
	if err != nil {
		return "", "", err
	}
	is := func(e ast.Expr, function string, args int) bool {
		return e.Kind() == ast.CallKind && e.AsCall().IsMemberFunction() && e.AsCall().FunctionName() == function && len(e.AsCall().Args()) == args &&
			e.AsCall().Target().Kind() == ast.IdentKind && e.AsCall().Target().AsIdent() == "optional"
	}
	if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.Conditional {
		if args := e.AsCall().Args(); is(args[1], "of", 1) && is(args[2], "none", 0) {
			if condition, err = printed(args[0]); err == nil {
				value, err = printed(args[1].AsCall().Args()[0])
			}
			return condition, value, err
		}
	}
	return "", "", errors.New("its fix may come to nothing, which a mutation cannot say")
}

// computed is a value that the fix computes, in an expression that the API server takes: it wants
// the values of a map to be of one type.
func (m mutator) computed(expression string) (ast.Expr, error) {
	e, err := m.translate(expression)
	if err != nil {
		return nil, err
	}
	written, err := printed(e)
	if err != nil {
		return nil, err
	}
	alone := checker{m.checker.env, m.checker.version}
	if err := alone.declare(m.variables); err != nil {
		return nil, err
	}
	for _, name := range []string{"container", "role", m.rule.EachName} {
		if name == "" {
			continue
		}
		if alone.env, err = alone.env.Extend(cel.Variable(name, cel.DynType)); err != nil {
			return nil, fmt.Errorf("declare %s: %w", name, err)
		}
	}
	if _, err := alone.check(written); err != nil {
		return nil, err
	}
	return e, nil
}

// patchesOf is the list of patches at one fact.
func (m mutator) patchesOf(f rule.Fix, value, of, place, fault ast.Expr) (ast.Expr, error) {
	if m.rule.EachName == "" || len(f.Path) == 0 {
		when, patch, err := m.patchOf(f, value, of, place, fault)
		if err != nil {
			return nil, err
		}
		return choose(when, factory.NewList(0, []ast.Expr{patch}, nil), factory.NewList(0, nil, nil)), nil
	}
	if m.readsEntry() {
		return nil, errors.New("its fix changes the entry of a map")
	}
	item := ident(m.rule.EachName)
	at := join(place, pointer(m.rule.EachPath)+"/", call("string", ident("_n")))
	when, patch, err := change(f, value, item, at)
	if err != nil {
		return nil, err
	}
	list := member(m.optionally(of, m.rule.EachPath), "orValue", factory.NewList(0, nil, nil))
	return member(list, "transformList", ident("_n"), item, both(fault, when), patch), nil
}

// patchOf is the one patch of one fact, and when it is called for.
func (m mutator) patchOf(f rule.Fix, value, of, place, fault ast.Expr) (when, patch ast.Expr, err error) {
	switch {
	case m.rule.EachName == "":
		when, patch, err = change(f, value, of, place)
		return both(fault, when), patch, err
	case m.readsEntry():
		return nil, nil, errors.New("its fix changes the entry of a map")
	}
	// The whole list is written anew, less what is at fault, or with each item at fault changed.
	items := member(m.optionally(of, m.rule.EachPath), "orValue", factory.NewList(0, nil, nil))
	item := ident(m.rule.EachName)
	names := map[string]ast.Expr{"_l": items, "_at": join(place, pointer(m.rule.EachPath)), "_fault": fault, "_ok": not(fault), "_i": item}
	if len(f.Path) == 0 && f.Op == rule.FixRemove {
		left := member(items, "filter", item, not(fault))
		names["_left"] = left
		patch = snippet(`size(_left) == 0 ? JSONPatch{op: "remove", path: _at} : JSONPatch{op: "replace", path: _at, value: _left}`, names)
		return member(items, "exists", item, fault), patch, nil
	}
	if len(f.Path) == 1 && f.Op == rule.FixRemove {
		names["_key"] = text(f.Path[0])
		kept := choose(fault, snippet(`dyn(_i.transformMapEntry(_k, _v, _k != _key, {_k: dyn(_v)}))`, names), call("dyn", item))
		names["_new"] = member(items, "map", item, kept)
		patch = snippet(`JSONPatch{op: "replace", path: _at, value: _new}`, names)
		return member(items, "exists", item, fault), patch, nil
	}
	return nil, nil, errors.New("its fix changes the inside of items of a container")
}

// change is one fix below a value that stands at a JSON pointer, and when it changes anything.
func change(f rule.Fix, value, of, place ast.Expr) (when, patch ast.Expr, err error) {
	if len(f.Path) == 0 {
		return nil, nil, errors.New("its fix replaces the whole of what is judged")
	}
	at := join(place, pointer(f.Path))
	names := map[string]ast.Expr{"_at": at, "_value": value, "_list": below(of, f.Path)}
	switch f.Op {
	case rule.FixRemove:
		return exists(of, f.Path), snippet(`JSONPatch{op: "remove", path: _at}`, names), nil
	case rule.FixSet:
		return boolean(true), set(f.Path, value, of, place), nil
	case rule.FixAppend:
		end := snippet(`JSONPatch{op: "add", path: _at + "/-", value: _value}`, names)
		return snippet(`!(_value in _list.orValue([]))`, names),
			choose(exists(of, f.Path), end, set(f.Path, factory.NewList(0, []ast.Expr{value}, nil), of, place)), nil
	case rule.FixTake:
		names["_left"] = snippet(`_list.orValue([]).filter(_v, !(_v in _value))`, names)
		return snippet(`_list.orValue([]).exists(_v, _v in _value)`, names),
			snippet(`size(_left) == 0 ? JSONPatch{op: "remove", path: _at} : JSONPatch{op: "replace", path: _at, value: _left}`, names), nil
	case rule.FixChoose, rule.FixAdd:
	}
	return nil, nil, fmt.Errorf("a fix that does %s is not mechanical", f.Op)
}

// set writes a value at a path; maps that are missing on the way are made with it.
func set(path []string, value, of, place ast.Expr) ast.Expr {
	patch := func(n int, value ast.Expr) ast.Expr {
		for _, key := range slices.Backward(path[n:]) {
			value = factory.NewMap(0, []ast.EntryExpr{factory.NewMapEntry(0, text(key), value, false)})
		}
		return snippet(`JSONPatch{op: "add", path: _at, value: _value}`, map[string]ast.Expr{"_at": join(place, pointer(path[:n])), "_value": value})
	}
	out := patch(len(path), value)
	for n := len(path) - 1; n > 0; n-- {
		out = choose(not(exists(of, path[:n])), patch(n, value), out)
	}
	return out
}

// exists asks for a path, one field after the other.
func exists(of ast.Expr, path []string) ast.Expr {
	out := boolean(true)
	for _, key := range path {
		out = both(out, hasField(of, key))
		of = field(of, key)
	}
	return out
}

// pointer is a path as a JSON pointer (RFC 6901).
func pointer(path []string) string {
	var out strings.Builder
	for _, key := range path {
		out.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key))
	}
	return out.String()
}

// join adds a path to a place, nil for the root.
func join(place ast.Expr, path string, more ...ast.Expr) ast.Expr {
	parts := []ast.Expr{text(path)}
	if place != nil {
		if last, ok := lastText(place); ok {
			parts = []ast.Expr{sum(place.AsCall().Args()[0], text(last+path))}
		} else {
			parts = []ast.Expr{place, text(path)}
		}
	}
	return sum(append(parts, more...)...)
}

// lastText is the string that a sum ends with.
func lastText(e ast.Expr) (string, bool) {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != operators.Add {
		return "", false
	}
	return quoted(e.AsCall().Args()[1])
}
