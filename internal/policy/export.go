package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/rule"
)

// Options say for whom policies are written.
type Options struct {
	// Version is the Kubernetes version of the API server.
	Version string
	// Actions are what becomes of a violation: Deny, Warn, Audit; Deny and Warn exclude each other.
	Actions []string
	// NamespaceSelector is the JSON of a label selector of the namespaces that the policies hold in.
	NamespaceSelector []byte
	// Settings are what users tell rules of their own estate.
	Settings rule.Settings
	// Agreed says that a person knows what fixes ask before they are made.
	Agreed bool
	// Exempted are the exceptions; nil for none.
	Exempted *Exempted
	// NoLeases is set where no Lease of the API server tells the time: changes of what is excused are then let through until
	// the policies are written again.
	NoLeases bool
}

// SystemNamespaces are where policies do not hold unless told otherwise: a policy there can keep the
// cluster, or Coaming, from starting again.
var SystemNamespaces = []string{"kube-system", "kube-public", "kube-node-lease", "coaming-system"}

// Validating is a rule as a ValidatingAdmissionPolicy with its binding, in YAML. The error is why
// the rule cannot be one.
func Validating(r *rule.Rule, o Options) (string, error) {
	p, err := compile(r, o)
	if err != nil {
		return "", err
	}
	spec, err := p.spec()
	if err != nil {
		return "", err
	}
	var list []Manifest
	made := variants(describe(r), o.Exempted.of(r.ID), spec, o, "Fail", nil) // what cannot be decided is not let in
	for _, v := range made {
		list = append(list, v.policy)
	}
	for _, v := range made {
		list = append(list, v.binding(v.policy.Metadata.Name, o.Actions, o.matchResources()))
	}
	return YAML(list...)
}

func (o Options) matchResources() *matchResources {
	if len(o.NamespaceSelector) == 0 {
		return nil
	}
	return &matchResources{NamespaceSelector: o.NamespaceSelector}
}

// nameOf is the name of a rule's policies and bindings.
func nameOf(r *rule.Rule) string { return "coaming-" + r.ID }

// ManagedBy is the label of all that Coaming makes in a cluster.
const ManagedBy = "app.kubernetes.io/managed-by"

// describe is what a policy tells of its rule.
func describe(r *rule.Rule) Metadata {
	m := Metadata{
		Name: nameOf(r),
		Labels: map[string]string{
			ManagedBy: "coaming", "coaming.dev/practice": r.Practice, "coaming.dev/severity": r.Severity.String(),
		},
		Annotations: map[string]string{
			"coaming.dev/rule": r.ID, "coaming.dev/title": r.Title, "coaming.dev/why": oneLine(r.Why), "coaming.dev/remedy": oneLine(r.Remedy),
		},
	}
	for framework, ids := range r.Maps {
		m.Annotations["coaming.dev/"+framework] = strings.Join(ids, ",")
	}
	return m
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// compiled is a rule in the API server's language.
type compiled struct {
	*native
	checker   *checker
	variables []Condition
	when      ast.Expr // true where the rule has none
	assert    ast.Expr
	says      ast.Expr
	budget    budget // once validation() has been asked
}

// purpose is what policy a rule is compiled for.
type purpose struct {
	grouped bool // one of several rules
	// open says that what cannot be decided is let in, so that nothing may cost more than the API server spends.
	open bool
}

func compile(r *rule.Rule, o Options) (*compiled, error) { return compileFor(r, o, purpose{}) }

func compileFor(r *rule.Rule, o Options, of purpose) (*compiled, error) {
	if !catalog.Reached(o.Version, Oldest) {
		return nil, fmt.Errorf("no ValidatingAdmissionPolicy v1 in Kubernetes %s: it is there since %s", o.Version, Oldest)
	}
	if why := notAsked[r.Match.Fact]; why != "" {
		return nil, errors.New(why)
	}
	if shown, why := seen(r.Match.Kinds); len(shown) == 0 && why != "" {
		return nil, errors.New(why)
	}
	n := &native{rule: r, purpose: of, version: o.Version, settings: o.Settings, custom: r.Match.Fact == "object" || keepsNulls(r.Match.Kinds), reads: map[string]map[string]bool{}, judged: map[string]bool{}}
	p := &compiled{native: n, when: boolean(true)}
	var err, whenErr error
	if p.assert, err = n.translate(r.Assert); r.When != "" {
		p.when, whenErr = n.translate(r.When)
	}
	if err := errors.Join(whenErr, err); err != nil {
		return nil, first(err)
	}
	if isBool(p.when, false) {
		return nil, errors.New("its condition never holds there: it is for manifests, another version, or settings that are not given")
	}
	if isBool(p.assert, true) {
		return nil, errors.New("no object on a server can fail it")
	}
	// A message that needs more than the condition is left to the title.
	if p.says, err = n.translate(r.Says); err != nil {
		p.says = text(r.Title)
	}
	if p.checker, err = newChecker(o.Version); err != nil {
		return nil, err
	}
	p.variables = n.factVariables()
	return p, nil
}

// first is the first of joined errors: one reason is enough.
func first(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()[0]
	}
	return err
}

// fault is the condition under which one fact, or item, is at fault; an error of either part is one.
func (p *compiled) fault() ast.Expr {
	if isBool(p.when, true) {
		return not(p.assert)
	}
	return choose(p.when, not(p.assert), boolean(false))
}

// base is the matched fact.
func (p *compiled) base() ast.Expr {
	switch p.rule.Match.Fact {
	case "container":
		return ident("container")
	case "workload":
		return variable("template")
	}
	return call("dyn", ident("object"))
}

// add adds a variable.
func (p *compiled) add(name string, e ast.Expr) error {
	written, err := printed(e)
	p.variables = append(p.variables, Condition{name, written})
	return err
}

// faults are what is at fault, as a list, and the message about such a list; without a list where the rule judges the whole. It adds the
// variables that the list needs.
func (p *compiled) faults() (list ast.Expr, message func(of ast.Expr) ast.Expr) {
	item := ident(p.rule.EachName)
	if p.rule.Match.Fact != "container" {
		if p.rule.EachName == "" {
			return nil, nil
		}
		return member(p.items(p.base()), "filter", item, p.fault()), func(of ast.Expr) ast.Expr { return joined(member(of, "map", item, p.says)) }
	}
	containers, one, names := containersText, ident("container"), map[string]ast.Expr{}
	if p.role || p.imaged {
		containers, one = roledText, ident("_one")
		names = map[string]ast.Expr{"container": field(one, "container"), "role": field(one, "role"), imageName: field(one, "image")}
		if p.imaged {
			containers = apartText
		}
	}
	p.variables = append(p.variables, Condition{"containers", containers})
	if p.rule.EachName == "" {
		return member(variable("containers"), "filter", one, replaceNames(p.fault(), names)),
			func(of ast.Expr) ast.Expr { return joined(member(of, "map", one, replaceNames(p.says, names))) }
	}
	faulty := replaceNames(member(p.items(p.base()), "filter", item, p.fault()), names)
	list = member(variable("containers"), "filter", one, snippet(`size(_items) > 0`, map[string]ast.Expr{"_items": faulty}))
	return list, func(of ast.Expr) ast.Expr {
		return joined(member(of, "map", one, joined(member(faulty, "map", item, replaceNames(p.says, names)))))
	}
}

// items are the items that a rule with an each judges one by one, none where the list is missing.
// A map gives its entries; whether it is one is asked where the rule reads what entries have.
func (p *compiled) items(of ast.Expr) ast.Expr {
	list := p.optionally(of, p.rule.EachPath)
	if !p.readsEntry() {
		return member(list, "orValue", factory.NewList(0, nil, nil))
	}
	return snippet(`_list.optMap(_l, type(_l) == map ? _l.map(_k, {"key": dyn(_k), "value": dyn(_l[_k])}) : _l.map(_k, dyn(_k))).orValue([])`,
		map[string]ast.Expr{"_list": list})
}

// optionally reads a path, with nulls of custom resources as if they were not there.
func (p *compiled) optionally(of ast.Expr, path []string) ast.Expr {
	for _, key := range path {
		of = below(of, []string{key})
		if p.mayBeNull(key) {
			of = snippet(`_x.optFlatMap(_v, dyn(_v) == null ? optional.none() : optional.of(dyn(_v)))`, map[string]ast.Expr{"_x": of})
		}
	}
	return of
}

// readsEntry says whether the rule may read its items as the entries of a map: it reads nothing of
// them but a key and a value.
func (p *compiled) readsEntry() bool {
	found, other := false, false
	for _, expression := range []string{p.rule.When, p.rule.Assert, p.rule.Says} {
		e, err := parse(expression)
		if err != nil {
			continue // there is none
		}
		_, _ = rewrite(e, nil, func(e ast.Expr, free func(string) bool) (ast.Expr, error) {
			root, path := rootOf(e)
			if root != p.rule.EachName || !free(root) {
				return nil, nil
			}
			entry := len(path) > 0 && (path[0] == "key" || path[0] == "value")
			found, other = found || entry, other || !entry
			return e, nil
		})
	}
	return found && !other
}

func joined(list ast.Expr) ast.Expr { return member(list, "join", text("; ")) }

// longestMessage bounds a message, in characters; the API server drops those over 5 KiB.
const longestMessage = 1000

// validation is the one validation of the policy; its variables are complete after it.
func (p *compiled) validation() (validation, error) {
	list, about := p.faults()
	condition, message := p.holds(), p.says
	if list != nil {
		if err := p.add("faults", list); err != nil {
			return validation{}, err
		}
		condition, message = snippet(`size(variables.faults) == 0`, nil), about(variable("faults"))
	}
	v, known := p.saying(message)
	if !known {
		if err := p.add("message", sum(text(p.rule.ID+": "), message)); err != nil {
			return validation{}, err
		}
		v.MessageExpression = fmt.Sprintf("size(variables.message) > %[1]d ? variables.message.substring(0, %[1]d) : variables.message", longestMessage)
	}
	var err error
	v.Expression, err = p.checked(condition)
	return v, err
}

// holds is the condition of a rule that judges the whole.
func (p *compiled) holds() ast.Expr {
	if isBool(p.when, true) {
		return p.assert
	}
	return choose(p.when, p.assert, boolean(true))
}

// saying is the validation with its message, but for one that is not known before; an expression would be evaluated of every object,
// whether it is at fault or not.
func (p *compiled) saying(message ast.Expr) (v validation, known bool) {
	v = validation{Message: p.rule.ID + ": " + p.rule.Title, Reason: "Forbidden"}
	said, known := quoted(message)
	if known = known && said != "" && len(said) <= longestMessage && !strings.ContainsAny(said, "\r\n"); known {
		v.Message = p.rule.ID + ": " + said
	}
	return v, known
}

// checked is a condition as a validation writes it: the API server has compiled it, with all variables.
func (p *compiled) checked(condition ast.Expr) (string, error) {
	written, err := printed(condition)
	if err != nil {
		return "", err
	}
	if p.open && (!p.grouped || !isWorkload(p.rule.Match)) { // a group of those bounds the whole pod
		if written, err = p.boundedFirst(written); err != nil {
			return "", err
		}
	}
	if err := p.checker.declare(p.variables); err != nil {
		return "", err
	}
	// On one line: a warning about an expression with line breaks would get lost in its header.
	return p.checker.exactly(strings.ReplaceAll(written, "\n", " "), types.BoolType)
}

// Actions reads modes: deny, or any of warn and audit; deny and audit go together too.
func Actions(modes []string) ([]string, error) {
	words := map[string]string{"deny": "Deny", "warn": "Warn", "audit": "Audit"}
	var actions []string
	for _, mode := range modes {
		word, found := words[mode]
		if !found {
			return nil, fmt.Errorf("%q is none of deny, warn, audit", mode)
		}
		if !slices.Contains(actions, word) {
			actions = append(actions, word)
		}
	}
	if slices.Contains(actions, "Deny") && slices.Contains(actions, "Warn") {
		return nil, errors.New("deny and warn exclude each other: what is denied needs no warning")
	}
	return actions, nil
}
