package policy

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
)

// The API server gives one expression a million units of cost and a policy ten million (k8s.io/apiserver pkg/apis/cel/config.go PerCallLimit,
// RuntimeCELCostBudget); what is dearer is an error, which lets the object in where failurePolicy is Ignore. How dear it is says the
// object, which belongs to whom it is about. So a policy measures first what its rule reads, by sums that cost little, and refuses
// what is larger than anybody needs: whatever is stored, the rule itself is judged to its end.
const (
	// share is what one rule's expression may cost, and what measuring may.
	share = 900_000
	// mostTold is how many faults a message tells: of more it tells the rule's title.
	mostTold = 50
	// boundedName is the variable that holds for objects within the bounds.
	boundedName = "bounded"
)

// budget is how a rule's policy keeps within its share.
type budget struct {
	// guard holds for objects of which the rule can be judged; "" where all can.
	guard string
	// cost is the most that one pass takes, in units.
	cost int
}

// Cost is the most that one pass over the rule's expressions takes of the API server's budget of a policy, whatever object is sent. There
// are two passes, one for the verdict and one for the message, which may take a million more where the faults are made of long texts.
func (b budget) Cost() int { return b.cost }

// refusal refuses what is not within the rule's bounds, which the variable of that name tells.
func (p *compiled) refusal(bounded string) validation {
	return validation{Expression: "variables." + bounded, Message: tooLarge(p.rule.ID), Reason: "Forbidden"}
}

func tooLarge(id string) string {
	return id + ": the object is too large to be judged: what this rule reads of it has too many entries, or texts too long"
}

// budgetOf measures the expressions of a policy: its variables, and what reads them.
func budgetOf(variables []Condition, further ...ast.Expr) (budget, error) {
	m := &meter{variables: map[string]ast.Expr{}, walked: map[string]bool{}, root: &step{}}
	for _, v := range variables {
		e, err := parse(v.Expression)
		if err != nil {
			return budget{}, err
		}
		m.variables[v.Name] = e
	}
	for _, e := range further {
		m.base += m.walk(e, nil)
	}
	if m.unknown { // no bound can be given; the rule shares its policy with none
		return budget{cost: policyBudget}, m.err
	}
	depth := m.root.depth()
	if m.err != nil || depth == 0 && len(m.root.texts) == 0 && len(m.root.below) == 0 {
		return budget{cost: int(m.base)}, m.err
	}
	// Each level of loops is measured once what stands around it is known to be within the bound.
	m.root.measured(max(depth, 1))
	guard, err := boolean(true), error(nil)
	for level := range depth + 1 {
		guard = both(guard, call(operators.LessEquals, m.sum(m.root, level), number(share*scale)))
	}
	if guard, err = rewrite(guard, nil, totalTexts); err != nil {
		return budget{}, err
	}
	text, err := printed(guard)
	return budget{guard: text, cost: int(m.base) + 2*share}, err
}

// scale makes whole numbers of weights, of which the least is a tenth of a unit for each character.
const scale = 10

// step is a loop, or a condition, with what costs in it.
type step struct {
	frame
	key   string
	fixed float64 // units for each time
	texts []weighed
	below []*step
}

// weighed is a text that costs by its length.
type weighed struct {
	size   ast.Expr
	key    string
	weight float64
	dear   bool // to measure it costs by what must have been measured before
}

// isLeaf says whether nothing in a step depends on what it is about: it is measured by how many there are.
func (s *step) isLeaf() bool { return len(s.texts) == 0 && len(s.below) == 0 }

// depth is how deep the loops are nested that are measured one by one.
func (s *step) depth() int {
	deepest := 0
	for _, b := range s.below {
		deepest = max(deepest, b.depth())
	}
	if slices.ContainsFunc(s.texts, func(t weighed) bool { return t.dear }) {
		deepest = max(deepest, 1)
	}
	if s.list != nil && !s.isLeaf() {
		deepest++
	}
	return deepest
}

// sum is what all in a step costs, in tenths of units, down to loops that deep.
func (m *meter) sum(s *step, level int) ast.Expr {
	inner := level
	if s.list != nil {
		inner--
	}
	if s.list != nil && (inner < 0 || s.isLeaf()) {
		if s.list.Kind() == ast.ListKind {
			return number(s.list.AsList().Size() * s.each())
		}
		return call(operators.Multiply, m.count(s.list), number(s.each()))
	}
	parts := []ast.Expr{number(s.each())}
	for _, t := range s.texts {
		if t.dear && inner == 0 {
			continue
		}
		parts = append(parts, call(operators.Multiply, t.size, number(int(math.Ceil(t.weight*scale)))))
	}
	for _, b := range s.below {
		parts = append(parts, m.sum(b, inner))
	}
	if len(parts) > 1 && s.each() == 0 {
		parts = parts[1:]
	}
	whole := sum(parts...)
	switch {
	case s.list != nil:
		return member(member(totalList(s.list), "map", ident(s.name), whole), "sum")
	case s.condition == nil:
		return whole
	case s.want:
		return choose(s.condition, whole, number(0))
	}
	return choose(s.condition, number(0), whole)
}

// measured has each step of a loop that is measured one by one cost no less than to measure it as many times: so the measuring, too, ends
// within the bound.
func (s *step) measured(times int) {
	if s.list != nil && !s.isLeaf() {
		each := 40 + 12*float64(len(s.texts)+len(s.below))
		if isMade(s.list) {
			each += 70 // a map of two entries for each element, and the loop that makes it
		}
		s.fixed = max(s.fixed, float64(times)*each)
	}
	for _, b := range s.below {
		b.measured(times)
	}
}

// isMade says whether a list is made of another one, each time that it is read.
func isMade(list ast.Expr) bool {
	made := false
	_, _ = rewrite(list, nil, func(e ast.Expr, _ func(string) bool) (ast.Expr, error) {
		made = made || e.Kind() == ast.CallKind && e.AsCall().IsMemberFunction() && e.AsCall().FunctionName() == "map"
		return nil, nil
	})
	return made
}

// each is what one step costs, but for its texts and the loops in it, in tenths of units.
func (s *step) each() int { return int(math.Ceil(s.fixed * scale)) }

// boundedFirst has what the variables and the condition cost bounded, and gives the condition as it holds then.
func (p *compiled) boundedFirst(condition string) (string, error) {
	e, err := parse(condition)
	if err != nil {
		return "", err
	}
	if p.budget, err = budgetOf(p.variables, e); err != nil || p.budget.guard == "" {
		return condition, err
	}
	at := slices.IndexFunc(p.variables, func(v Condition) bool { return v.Name == "faults" || v.Name == "message" })
	if at < 0 {
		at = len(p.variables)
	}
	p.variables = slices.Insert(p.variables, at, Condition{boundedName, p.budget.guard})
	for i := range p.variables {
		switch v := &p.variables[i]; v.Name {
		case "faults":
			v.Expression = "variables." + boundedName + " ? (" + v.Expression + ") : []"
		case "message":
			few := "variables." + boundedName
			if p.variables[max(i-1, 0)].Name == "faults" {
				few += fmt.Sprintf(" && size(variables.faults) <= %d", mostTold)
			}
			v.Expression = few + " ? (" + v.Expression + `) : ""`
		}
	}
	return "!variables." + boundedName + " || " + parenthesized(condition), nil
}

func parenthesized(expression string) string {
	if strings.ContainsAny(expression, "?|&") {
		return "(" + expression + ")"
	}
	return expression
}
