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

// tooLarge says what is refused.
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
	depth := m.root.depth()
	if m.err != nil || depth == 0 && len(m.root.texts) == 0 && len(m.root.below) == 0 {
		return budget{cost: int(m.base)}, m.err
	}
	// Each level of loops is measured once what stands around it is known to be within the bound.
	m.root.measured(max(depth, 1))
	var guard ast.Expr = boolean(true)
	for level := range depth + 1 {
		guard = both(guard, call(operators.LessEquals, m.root.sum(level), number(share*scale)))
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

// sum is what all costs, in tenths of units, down to loops that deep.
func (s *step) sum(level int) ast.Expr {
	inner := level
	if s.list != nil {
		inner--
	}
	if s.list != nil && (inner < 0 || s.isLeaf()) {
		if s.list.Kind() == ast.ListKind {
			return number(s.list.AsList().Size() * s.each())
		}
		return call(operators.Multiply, call("size", s.list), number(s.each()))
	}
	parts := []ast.Expr{number(s.each())}
	for _, t := range s.texts {
		if t.dear && inner == 0 {
			continue
		}
		parts = append(parts, call(operators.Multiply, t.size, number(int(math.Ceil(t.weight*scale)))))
	}
	for _, b := range s.below {
		parts = append(parts, b.sum(inner))
	}
	if len(parts) > 1 && s.each() == 0 {
		parts = parts[1:]
	}
	whole := sum(parts...)
	switch {
	case s.list != nil:
		return member(member(s.list, "map", ident(s.name), whole), "sum")
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
		s.fixed = max(s.fixed, float64(times)*(40+12*float64(len(s.texts)+len(s.below))))
	}
	for _, b := range s.below {
		b.measured(times)
	}
}

// each is what one step costs, but for its texts and the loops in it, in tenths of units.
func (s *step) each() int { return int(math.Ceil(s.fixed * scale)) }

// frame is what stands around a part of an expression: a loop over a list, or a condition of its evaluation.
type frame struct {
	list      ast.Expr // nil for a condition
	name      string
	condition ast.Expr
	want      bool
}

// meter finds what expressions cost (cel-go interpreter/runtimecost.go; k8s.io/apiserver pkg/cel/library/cost.go).
type meter struct {
	variables map[string]ast.Expr
	walked    map[string]bool
	root      *step
	base      float64 // what does not depend on the object
	err       error
}

// at is the step of a nest.
func (m *meter) at(nest []frame) *step {
	here := m.root
	for _, f := range nest {
		key := fmt.Sprint(f.name, f.want)
		for _, part := range []ast.Expr{f.list, f.condition} {
			if part != nil {
				text, err := printed(part)
				if err != nil {
					m.err = err
				}
				key += " " + text
			}
		}
		i := slices.IndexFunc(here.below, func(s *step) bool { return s.key == key })
		if i < 0 {
			i = len(here.below)
			here.below = append(here.below, &step{frame: f, key: key})
		}
		here = here.below[i]
	}
	return here
}

// charge notes that each character costs so much.
func (m *meter) charge(nest []frame, size ast.Expr, weight float64) {
	key, err := printed(size)
	if err != nil {
		m.err = err
		return
	}
	here := m.at(nest)
	if i := slices.IndexFunc(here.texts, func(t weighed) bool { return t.key == key }); i >= 0 {
		here.texts[i].weight += weight
		return
	}
	here.texts = append(here.texts, weighed{size, key, weight, !isCheap(size)})
}

// walk is what one evaluation costs, but for what is charged.
func (m *meter) walk(e ast.Expr, nest []frame) float64 {
	switch e.Kind() {
	case ast.LiteralKind:
		return 0
	case ast.SelectKind:
		if of := e.AsSelect().Operand(); of.Kind() == ast.IdentKind && of.AsIdent() == "variables" {
			m.variable(e.AsSelect().FieldName())
		}
		return 1 + m.walk(e.AsSelect().Operand(), nest)
	case ast.CallKind:
		if e.AsCall().IsMemberFunction() {
			return m.member(e, nest)
		}
		return m.call(e.AsCall(), nest)
	case ast.ListKind:
		return 10 + m.all(e.AsList().Elements(), nest)
	case ast.MapKind:
		cost := 30.0
		for _, entry := range e.AsMap().Entries() {
			cost += m.walk(entry.AsMapEntry().Key(), nest) + m.walk(entry.AsMapEntry().Value(), nest)
		}
		return cost
	default:
		return 1
	}
}

func (m *meter) all(list []ast.Expr, nest []frame) (cost float64) {
	for _, e := range list {
		cost += m.walk(e, nest)
	}
	return cost
}

// variable walks a variable of the policy, which is evaluated once.
func (m *meter) variable(name string) {
	if e := m.variables[name]; e != nil && !m.walked[name] {
		m.walked[name] = true
		m.base += m.walk(e, nil)
	}
}

// call is what a function or an operator costs.
func (m *meter) call(c ast.CallExpr, nest []frame) float64 {
	args := c.Args()
	switch c.FunctionName() {
	case operators.LogicalAnd, operators.LogicalOr:
		return 1 + m.walk(args[0], nest) + m.walk(args[1], under(nest, args[0], c.FunctionName() == operators.LogicalAnd))
	case operators.Conditional:
		return 1 + m.walk(args[0], nest) + m.walk(args[1], under(nest, args[0], true)) + m.walk(args[2], under(nest, args[0], false))
	case operators.In, "in":
		if args[1].Kind() == ast.ListKind {
			return 1 + float64(args[1].AsList().Size()) + m.walk(args[0], nest) + m.walk(args[1], nest)
		}
		cost := 1 + m.walk(args[0], nest) + m.walk(args[1], nest)
		m.charge(nest, sizeOf("list", args[1]), 1)
		return cost
	case operators.Equals, operators.NotEquals:
		cost := 1 + m.all(args, nest)
		for i, arg := range args {
			if fixed, known := length(arg); known {
				return cost + fixed*0.1
			} else if i == 1 {
				m.text(args[0], nest, 0.1)
			}
		}
		return cost
	case operators.Add:
		cost := 2 + m.all(args, nest)
		if !isListSum(args[0]) && !isListSum(args[1]) {
			for _, arg := range args {
				m.text(arg, nest, 0.1)
			}
		}
		return cost
	case "cidr", "ip", "isIP", "isCIDR", "quantity", "isQuantity", "url", "isURL", "duration", "timestamp", "semver", "isSemver":
		cost := 2 + m.all(args, nest)
		m.text(args[0], nest, 0.2)
		return cost
	}
	return 2 + m.all(args, nest)
}

// member is what a member function costs.
func (m *meter) member(e ast.Expr, nest []frame) float64 {
	c := e.AsCall()
	if n := binds(c); n > 0 {
		return m.loop(c, n, nest)
	}
	cost := 2 + m.walk(c.Target(), nest) + m.all(c.Args(), nest)
	switch name := c.FunctionName(); name {
	case "matches", "find", "findAll":
		if _, known := quoted(c.Args()[0]); !known {
			m.err = fmt.Errorf("%s() of an expression that the object gives: what it costs is not known", name)
		}
		fixed, _ := length(c.Args()[0])
		each := math.Ceil(fixed * 0.25)
		m.text(c.Target(), nest, 0.1*each)
		return cost + 2*each
	case "contains":
		if fixed, known := length(c.Args()[0]); known {
			each := math.Ceil(fixed * 0.1)
			m.text(c.Target(), nest, 0.1*each)
			return cost + each
		}
		m.charge(nest, call(operators.Multiply, sizeOf("string", c.Target()), sizeOf("string", c.Args()[0])), 0.04)
	case "startsWith", "endsWith":
		if fixed, known := length(c.Args()[0]); known {
			return cost + fixed*0.1
		}
		m.text(c.Args()[0], nest, 0.1)
	case "lowerAscii", "upperAscii", "substring", "trim", "charAt", "reverse", "format":
		m.text(c.Target(), nest, 0.1)
	case "split", "replace":
		m.text(c.Target(), nest, 0.2)
	case "indexOf", "lastIndexOf":
		m.text(c.Target(), nest, 1)
	case "join":
		m.texts(c.Target(), nest, 0.2)
	case "sum", "min", "max", "isSorted":
		m.at(m.elements(c.Target(), "_s", nest)).fixed++
	}
	return cost
}

// loop is what a macro costs that goes through a list: each step is charged.
func (m *meter) loop(c ast.CallExpr, names int, nest []frame) float64 {
	cost := 5 + m.walk(c.Target(), nest)
	bodies := c.Args()[names:]
	name := c.Args()[0].AsIdent()
	switch c.FunctionName() {
	case "optMap", "optFlatMap": // the target is evaluated twice
		value := member(member(c.Target(), "optMap", ident("_o"), factory.NewList(0, []ast.Expr{ident("_o")}, nil)), "orValue", factory.NewList(0, nil, nil))
		return cost + m.walk(c.Target(), nest) + 15 + m.walk(bodies[0], append(slices.Clip(nest), frame{list: value, name: name}))
	case "sortBy", "transformList", "transformMap", "transformMapEntry":
		m.err = fmt.Errorf("%s(): what it costs is not known", c.FunctionName())
		return cost
	}
	if names > 1 {
		m.err = fmt.Errorf("%s() with two names: what it costs is not known", c.FunctionName())
		return cost
	}
	inner := m.elements(c.Target(), name, nest)
	each := 10.0
	if f := c.FunctionName(); f == "map" || f == "filter" {
		each = 25
	}
	for i, body := range bodies {
		if i > 0 {
			inner = under(inner, bodies[0], true)
		}
		each += m.walk(body, inner)
	}
	m.at(inner).fixed += each
	return cost
}

// elements are the frames in which a name stands for each element of a list.
func (m *meter) elements(list ast.Expr, name string, nest []frame) []frame {
	if list.Kind() == ast.CallKind && list.AsCall().IsMemberFunction() && binds(list.AsCall()) == 1 {
		c := list.AsCall()
		item, body := c.Args()[0].AsIdent(), c.Args()[len(c.Args())-1]
		switch c.FunctionName() {
		case "filter":
			frames := under(m.elements(c.Target(), item, nest), body, true)
			if item != name {
				frames = append(slices.Clip(frames), frame{list: factory.NewList(0, []ast.Expr{ident(item)}, nil), name: name})
			}
			return frames
		case "map":
			frames := m.elements(c.Target(), item, nest)
			if len(c.Args()) == 3 {
				frames = under(frames, c.Args()[1], true)
			}
			return append(slices.Clip(frames), frame{list: factory.NewList(0, []ast.Expr{body}, nil), name: name})
		}
	}
	if list.Kind() == ast.CallKind && slices.Contains([]string{"split", "findAll"}, list.AsCall().FunctionName()) {
		list = member(total(list.AsCall().Target()), list.AsCall().FunctionName(), list.AsCall().Args()...)
	}
	return append(slices.Clip(nest), frame{list: list, name: name})
}

// text charges for the characters of an expression, or of those that it is made of.
func (m *meter) text(e ast.Expr, nest []frame, weight float64) {
	if e.Kind() == ast.LiteralKind || e.Kind() == ast.ListKind || e.Kind() == ast.MapKind {
		return
	}
	if e.Kind() == ast.IdentKind { // of [x].map(y, …) the characters of y are those of x
		for i, f := range slices.Backward(nest) {
			if f.list == nil || f.name != e.AsIdent() {
				continue
			}
			if f.list.Kind() == ast.ListKind && f.list.AsList().Size() == 1 {
				m.text(f.list.AsList().Elements()[0], nest[:i], weight)
				return
			}
			break
		}
	}
	if e.Kind() == ast.CallKind {
		c := e.AsCall()
		switch c.FunctionName() {
		case "lowerAscii", "upperAscii", "trim", "substring", "find", "charAt", "string":
			if c.IsMemberFunction() {
				m.text(c.Target(), nest, weight)
			} else {
				m.text(c.Args()[0], nest, weight)
			}
			return
		case "dyn":
			m.text(c.Args()[0], nest, weight)
			return
		case "replace":
			grows := 1.0
			from, _ := length(c.Args()[0])
			if to, known := length(c.Args()[1]); known {
				grows = max(1, to/max(1, from))
			}
			m.text(c.Target(), nest, weight*grows)
			return
		case "join":
			m.texts(c.Target(), nest, weight)
			return
		case operators.Index:
			if of := c.Args()[0]; of.Kind() == ast.CallKind && slices.Contains([]string{"split", "findAll"}, of.AsCall().FunctionName()) {
				m.text(of.AsCall().Target(), nest, weight)
				return
			} else if target := boundTo(of); target != nil { // [x].map(y, …)[0]: y is x in it
				m.text(of.AsCall().Args()[1], m.elements(target, of.AsCall().Args()[0].AsIdent(), nest), weight)
				return
			}
		case operators.Add:
			m.text(c.Args()[0], nest, weight)
			m.text(c.Args()[1], nest, weight)
			return
		case operators.Conditional:
			m.text(c.Args()[1], under(nest, c.Args()[0], true), weight)
			m.text(c.Args()[2], under(nest, c.Args()[0], false), weight)
			return
		case "size", "int", "double", "prefixLength", "family", "indexOf", "lastIndexOf", operators.Subtract, operators.Multiply, operators.Divide, operators.Modulo,
			"asApproximateFloat", "sum", "masked", "cidr", "ip", "quantity":
			return // these are no text
		}
	}
	m.charge(nest, sizeOf("string", total(e)), weight)
}

// total is a read that gives "" where there is nothing to read.
func total(e ast.Expr) ast.Expr {
	from, path := e, []string(nil)
	for {
		of, name, ok := read(from)
		if !ok || of.Kind() == ast.IdentKind && of.AsIdent() == "variables" {
			break
		}
		from, path = of, append(path, name)
	}
	if len(path) == 0 {
		return e
	}
	slices.Reverse(path)
	return member(below(from, path), "orValue", text(""))
}

// texts charges for the characters of all texts of a list.
func (m *meter) texts(list ast.Expr, nest []frame, weight float64) {
	frames := m.elements(list, "_s", nest)
	if last := frames[len(frames)-1]; last.name == "_s" && last.list.Kind() == ast.ListKind && last.list.AsList().Size() == 1 {
		m.text(last.list.AsList().Elements()[0], frames[:len(frames)-1], weight)
		return
	}
	m.text(ident("_s"), frames, weight)
}

// boundTo is the list of one value that an expression binds to a name, nil of any other.
func boundTo(e ast.Expr) ast.Expr {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != "map" || !e.AsCall().IsMemberFunction() || len(e.AsCall().Args()) != 2 {
		return nil
	}
	if target := e.AsCall().Target(); target.Kind() == ast.ListKind && target.AsList().Size() == 1 {
		return target
	}
	return nil
}

// under adds the conditions under which something is evaluated, as far as they cost little: reads that they guard would err without them.
func under(nest []frame, condition ast.Expr, want bool) []frame {
	if condition.Kind() == ast.CallKind {
		c := condition.AsCall()
		switch {
		case c.FunctionName() == operators.LogicalAnd && want, c.FunctionName() == operators.LogicalOr && !want:
			return under(under(nest, c.Args()[0], want), c.Args()[1], want)
		case c.FunctionName() == operators.LogicalNot:
			return under(nest, c.Args()[0], !want)
		}
	}
	if !isCheap(condition) {
		return nest
	}
	return append(slices.Clip(nest), frame{condition: condition, want: want})
}

// isCheap says whether an expression has no loops and reads no texts but by comparing them with what is written in it.
func isCheap(e ast.Expr) bool {
	cheap := true
	_, _ = rewrite(e, nil, func(e ast.Expr, _ func(string) bool) (ast.Expr, error) {
		if e.Kind() != ast.CallKind {
			return nil, nil
		}
		c := e.AsCall()
		switch c.FunctionName() {
		case "has", "size", "type", "dyn", "orValue", "hasValue", "value", "string", "int",
			operators.Equals, operators.NotEquals, operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Conditional, operators.Index,
			operators.OptIndex, operators.OptSelect, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		case operators.In, "in":
			cheap = cheap && (c.Args()[1].Kind() == ast.ListKind || c.Args()[0].Kind() == ast.LiteralKind)
		case "startsWith", "endsWith":
			_, known := length(c.Args()[0])
			cheap = cheap && known
		default:
			cheap = false
		}
		return nil, nil
	})
	return cheap
}

// isListSum says whether an expression is a list for sure: what is added to it is one, too, which costs the same however long.
func isListSum(e ast.Expr) bool {
	if e.Kind() == ast.ListKind {
		return true
	}
	if e.Kind() != ast.CallKind {
		return false
	}
	c := e.AsCall()
	switch c.FunctionName() {
	case "orValue":
		return c.Args()[0].Kind() == ast.ListKind
	case "map", "filter", "split", "findAll":
		return true
	case operators.Add:
		return isListSum(c.Args()[0]) || isListSum(c.Args()[1])
	}
	return false
}

// length is how long a text, a list or a map is that is written in an expression.
func length(e ast.Expr) (n float64, known bool) {
	switch e.Kind() {
	case ast.LiteralKind:
		s, _ := quoted(e)
		return float64(len(s)), true
	case ast.ListKind:
		return float64(e.AsList().Size()), true
	case ast.MapKind:
		return float64(e.AsMap().Size()), true
	}
	return 0, false
}

// sizeOf is the size of what is of a type ("" for whatever has one), 0 of what is not.
func sizeOf(kind string, e ast.Expr) ast.Expr {
	if kind == "" {
		return call("size", e)
	}
	return snippet(`type(dyn(_x)) == `+kind+` ? size(dyn(_x)) : 0`, map[string]ast.Expr{"_x": e})
}

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
	p.variables = slices.Insert(p.variables, max(at, 0), Condition{boundedName, p.budget.guard})
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
