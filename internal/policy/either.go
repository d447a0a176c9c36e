package policy

import (
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
)

// eitherOf rewrites an alternative. Calls of grants in it that ask about the same rules and verbs, of one API group each, become one that goes
// through the rules once: the roles of operators have hundreds of rules, and each is read for every alternative otherwise.
func (n *native) eitherOf(c ast.CallExpr, free func(string) bool) (ast.Expr, error) {
	var parts []func() ast.Expr // in their order: what is asked first may guard what costs more
	var asked []*question
	for _, e := range alternatives(c) {
		q, err := n.question(e, free)
		if err != nil {
			return nil, err
		}
		if q == nil {
			inner, err := n.inner(e, free)
			if err != nil {
				return nil, err
			}
			parts = append(parts, func() ast.Expr { return inner })
			continue
		}
		if i := slices.IndexFunc(asked, func(o *question) bool { return o.key == q.key }); i >= 0 {
			asked[i].targets = append(asked[i].targets, q.targets...)
			continue
		}
		asked, parts = append(asked, q), append(parts, q.expression)
	}
	var whole ast.Expr
	for _, part := range parts {
		whole = either(whole, part())
	}
	return whole, nil
}

// either is an alternative, decided as far as it is known.
func either(a, b ast.Expr) ast.Expr {
	if a == nil {
		return b
	}
	return decided(operators.LogicalOr, []ast.Expr{a, b})
}

// alternatives are all that an alternative is made of, in their order.
func alternatives(c ast.CallExpr) (list []ast.Expr) {
	for _, e := range c.Args() {
		if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.LogicalOr {
			list = append(list, alternatives(e.AsCall())...)
			continue
		}
		list = append(list, e)
	}
	return list
}

// question asks whether rules of a role allow any of some verbs on any of some resources.
type question struct {
	rules   ast.Expr
	verbs   []string
	targets []target
	key     string // of rules and verbs
}

// target is resources of one API group.
type target struct {
	group     string
	resources []string
}

// question is what a call of grants asks; nil where it is none, or where what it asks for is not written in it.
func (n *native) question(e ast.Expr, free func(string) bool) (*question, error) {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != "grants" || e.AsCall().IsMemberFunction() {
		return nil, nil
	}
	args, err := n.args(e.AsCall(), free)
	if err != nil {
		return nil, err
	}
	verbs, known := allQuoted(several(args[1]))
	group, isText := quoted(args[2])
	resources, listed := allQuoted(several(args[3]))
	if !known || !isText || !listed {
		return nil, nil
	}
	rules, err := printed(args[0])
	if err != nil {
		return nil, err
	}
	return &question{args[0], verbs, []target{{group, resources}}, rules + " " + strings.Join(verbs, " ")}, nil
}

// expression spells the question out. Resources are looked at of those groups alone that are asked for: few of a role's rules name one.
func (q *question) expression() ast.Expr {
	if len(q.targets) == 1 {
		return grants([]ast.Expr{q.rules, textList(q.verbs), text(q.targets[0].group), textList(q.targets[0].resources)})
	}
	groups, every := []string{"*"}, []string{}
	found := snippet(`_x == "*"`, nil)
	for _, t := range q.targets {
		groups = append(groups, t.group)
		names := granting(t.resources)
		for _, name := range names {
			if !slices.Contains(every, name) {
				every = append(every, name)
			}
		}
		found = either(found, snippet(`_x == _group && _v in _names`, map[string]ast.Expr{"_group": text(t.group), "_names": textList(names)}))
	}
	return snippet(`_rules.exists(_g, size(_g.?resourceNames.orValue([])) == 0 && _g.?verbs.orValue([]).exists(_v, _v in _verbs) && `+
		`_g.?apiGroups.orValue([]).exists(_x, _x in _groups && _g.?resources.orValue([]).exists(_v, _v in _every && _found)))`,
		map[string]ast.Expr{"_rules": q.rules, "_verbs": textList(append(slices.Clone(q.verbs), "*")), "_groups": textList(groups), "_every": textList(every), "_found": found})
}

// granting are the names in a role's rule that stand for any of some resources.
func granting(resources []string) []string {
	all := append(slices.Clone(resources), "*")
	for _, name := range resources {
		if _, sub, found := strings.Cut(name, "/"); found && !slices.Contains(all, "*/"+sub) {
			all = append(all, "*/"+sub)
		}
	}
	return all
}
