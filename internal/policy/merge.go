package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
)

// among is the rule's validation among those of others. All that is the rule's own is in its two expressions, since each variable costs the
// API server as much as an expression, and lists of faults are made twice in any case; the rule's id is in the first for the message of an error.
func (p *compiled) among() (validation, error) {
	list, about := p.faults()
	condition, message := p.holds(), p.says
	if list != nil {
		condition, message = snippet(`size(_list) == 0`, map[string]ast.Expr{"_list": list}), about(ident("_faults"))
	}
	v, known := p.saying(message)
	written, err := p.checked(condition)
	if err != nil {
		return validation{}, err
	}
	v.Expression = quotedText(p.rule.ID) + ` == "" || (` + written + `)`
	if known {
		return v, nil
	}
	said := snippet(fmt.Sprintf(`[_said].map(_s, size(_s) > %[1]d ? _s.substring(0, %[1]d) : _s)[0]`, longestMessage),
		map[string]ast.Expr{"_said": sum(text(p.rule.ID+": "), message)})
	if list != nil {
		said = snippet(`[_list].map(_faults, size(_faults) == 0 ? "" : _said)[0]`, map[string]ast.Expr{"_list": list, "_said": said})
	}
	if v.MessageExpression, err = printed(said); err != nil {
		return validation{}, err
	}
	if p.budget.guard != "" {
		v.MessageExpression = "variables." + boundedName + " ? (" + v.MessageExpression + `) : ""`
	}
	v.MessageExpression, err = p.checker.exactly(v.MessageExpression, types.StringType)
	return v, err
}

// spec is the policy of a group. Its match conditions let through what concerns any of its rules; what one of them does not judge, that
// one's validation passes.
func (g *group) spec() (policySpec, error) {
	first := g.pieces[0].compiled
	spec := policySpec{MatchConstraints: first.constraints()}
	all := g.changes()
	conditions := first.conditions()
	spec.MatchConditions = append(conditions[:len(conditions)-1], changed(all))
	m := merger{spec: &spec, texts: map[string]string{}, taken: map[string]int{}}
	if isWorkload(first.rule.Match) {
		m.bound()
	}
	for _, p := range g.pieces {
		if err := m.merge(p, all); err != nil {
			return policySpec{}, fmt.Errorf("put %s into a policy of several rules: %w", p.rule.ID, err)
		}
	}
	return spec, nil
}

// changes are the changes that matter to any of the rules.
func (g *group) changes() []string {
	parts := map[string]bool{}
	for _, p := range g.pieces {
		for _, part := range p.changes() {
			parts[part] = true
		}
	}
	if parts[anyChange] {
		return []string{anyChange}
	}
	return slices.Sorted(maps.Keys(parts))
}

// smallText holds for pod templates of which the budget is enough for a whole group, whatever else is in them: TestHostileObjects looks for
// others. Where it does not hold, the policy refuses the object and asks no rule about it: so many containers or capabilities, or so
// long an image's name, path or command, nobody has but who wants the budget spent, and with onError: ignore what the API server cannot
// finish would be let in. Lengths of lists are asked before what is in them, so that it is itself never too dear to be decided.
var smallText = strings.NewReplacer("SPEC", "variables.template.spec", "TEXTS", textsText, "\n", " ").Replace(`
[SPEC.?initContainers.orValue([]), SPEC.containers, SPEC.?ephemeralContainers.orValue([])].all(l, size(l) <= 200 && l.all(c,
size(c.?securityContext.?capabilities.?add.orValue([])) <= 200 && [TEXTS].all(l, size(l) <= 2000))) && size(SPEC.?volumes.orValue([])) <= 2000 &&
size(SPEC.?volumes.orValue([]).filter(v, has(v.image))) <= 200 &&
SPEC.?volumes.orValue([]).map(v, size(v.?hostPath.?path.orValue("")) + size(v.?image.?reference.orValue(""))).sum() +
(SPEC.?initContainers.orValue([]) + SPEC.containers + SPEC.?ephemeralContainers.orValue([])).map(c,
[TEXTS].map(l, l.map(s, 64 + size(s)).sum()).sum()).sum() <= 100000`[1:])

// textsText are the lists of texts of the container c that many rules look at with patterns.
const textsText = `dyn([c.?image.orValue("")]), c.?command.orValue([]), c.?args.orValue([]), c.?lifecycle.?postStart.?exec.?command.orValue([]), c.?lifecycle.?preStop.?exec.?command.orValue([])`

const (
	smallName    = "small"
	tooLargeText = "the pod is too large to be judged: it has more than 200 containers of a kind, 200 volumes of images, 200 added capabilities of one, 2000 volumes or parts of a command, or 100,000 characters of images, commands and host paths"
)

// bound adds the validation of what is too large.
func (m *merger) bound() {
	m.spec.Variables = append(m.spec.Variables, Condition{"template", templateText}, Condition{smallName, smallText})
	m.texts[templateText], m.taken["template"] = "template", 1
	m.spec.Validations = append(m.spec.Validations, validation{Expression: "variables." + smallName, Message: tooLargeText, Reason: "Forbidden"})
	m.bounded = true
}

// merger puts the policies of single rules into one.
type merger struct {
	spec  *policySpec
	texts map[string]string // names of variables by their expressions
	taken map[string]int    // how many variables bear a name, by name
	// bounded is set where rules are asked about small objects alone.
	bounded bool
}

// merge adds a rule, of which all are the changes that the policy's conditions let through.
func (m *merger) merge(p piece, all []string) error {
	names := map[string]string{}
	for _, v := range p.variables {
		expression, err := renamed(v.Expression, names)
		if err != nil {
			return err
		}
		names[v.Name] = m.shared(v.Name, expression)
	}
	v := p.validation
	var err error
	if v.Expression, err = renamed(v.Expression, names); err != nil {
		return err
	}
	v.Expression = strings.ReplaceAll(v.Expression, "\n", " ") // as in checked
	if v.MessageExpression, err = renamed(v.MessageExpression, names); err != nil {
		return err
	}
	if own := p.changes(); !slices.Equal(own, all) {
		v.Expression = "!variables." + m.shared(changedName, changed(own).Expression) + " || " + v.Expression
	}
	if m.bounded {
		v.Expression = "!variables." + smallName + " || " + v.Expression
		if v.MessageExpression != "" {
			v.MessageExpression = "!variables." + smallName + ` ? "" : ` + v.MessageExpression
		}
	}
	m.spec.Validations = append(m.spec.Validations, v)
	if p.budget.guard != "" {
		m.spec.Validations = append(m.spec.Validations, p.refusal(names[boundedName]))
	}
	return nil
}

// shared is the name of the variable of that expression, which is added where there is none yet.
func (m *merger) shared(name, expression string) string {
	if known := m.texts[expression]; known != "" {
		return known
	}
	m.taken[name]++
	if n := m.taken[name]; n > 1 {
		name = fmt.Sprintf("%s_%d", name, n)
	}
	m.texts[expression] = name
	m.spec.Variables = append(m.spec.Variables, Condition{name, expression})
	return name
}

// renamed is an expression with other names of the policy's variables.
func renamed(expression string, names map[string]string) (string, error) {
	if expression == "" || !slices.ContainsFunc(slices.Collect(maps.Keys(names)), func(name string) bool { return names[name] != name }) {
		return expression, nil
	}
	e, err := parse(expression)
	if err != nil {
		return "", err
	}
	e, err = rewrite(e, nil, func(e ast.Expr, free func(string) bool) (ast.Expr, error) {
		if of, name, ok := read(e); ok && of.Kind() == ast.IdentKind && of.AsIdent() == "variables" && free("variables") {
			return variable(cmp.Or(names[name], name)), nil
		}
		return nil, nil
	})
	if err != nil {
		return "", err
	}
	return printed(e)
}
