package policy

import (
	"slices"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
)

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

// totalTexts has the texts that are divided read as total does: the rule may ask first, at some cost, whether they are there.
func totalTexts(e ast.Expr, _ func(string) bool) (ast.Expr, error) {
	if e.Kind() != ast.CallKind || !e.AsCall().IsMemberFunction() || !slices.Contains([]string{"split", "findAll"}, e.AsCall().FunctionName()) {
		return nil, nil
	}
	target := total(e.AsCall().Target())
	if target == e.AsCall().Target() {
		return nil, nil
	}
	return member(target, e.AsCall().FunctionName(), e.AsCall().Args()...), nil
}

// total is a read that gives "" where there is nothing to read.
func total(e ast.Expr) ast.Expr {
	from, path := fieldsOf(e)
	if len(path) == 0 {
		return e
	}
	return member(below(from, path), "orValue", text(""))
}

// fieldsOf are the fields that an expression reads, and of what: a variable of the policy, a name, what a function gives.
func fieldsOf(e ast.Expr) (from ast.Expr, path []string) {
	for from = e; ; {
		of, name, ok := read(from)
		if !ok || of.Kind() == ast.IdentKind && of.AsIdent() == "variables" {
			slices.Reverse(path)
			return from, path
		}
		from, path = of, append(path, name)
	}
}

// totalList is a list that is empty where it, or what it stands in, is not there: the rule may ask first, at some cost, whether it is.
func totalList(e ast.Expr) ast.Expr {
	none := factory.NewList(0, nil, nil)
	if e.Kind() == ast.SelectKind {
		if whole := optionally(e); whole != e {
			return member(whole, "orValue", none)
		}
		return e
	}
	if e.Kind() != ast.CallKind {
		return e
	}
	switch c := e.AsCall(); {
	case c.FunctionName() == operators.Add:
		return call(operators.Add, totalList(c.Args()[0]), totalList(c.Args()[1]))
	case c.FunctionName() == "value" && c.IsMemberFunction():
		return member(optionally(c.Target()), "orValue", none)
	case c.FunctionName() == "orValue":
		return member(optionally(c.Target()), "orValue", c.Args()...)
	}
	return e
}

// count is how many elements a list has, asked of what it is made of: to make it costs by each of them, and of a list that is too long that alone
// would spend the budget.
func (m *meter) count(e ast.Expr) ast.Expr {
	if e.Kind() == ast.SelectKind && e.AsSelect().Operand().Kind() == ast.IdentKind && e.AsSelect().Operand().AsIdent() == "variables" {
		if made := m.variables[e.AsSelect().FieldName()]; made != nil && made.Kind() == ast.CallKind {
			return m.count(made)
		}
	}
	if e.Kind() == ast.ListKind {
		return number(e.AsList().Size())
	}
	if e.Kind() != ast.CallKind {
		return call("size", totalList(e))
	}
	switch c := e.AsCall(); {
	case c.FunctionName() == "map" && c.IsMemberFunction() && len(c.Args()) == 2:
		return m.count(c.Target())
	case c.FunctionName() == operators.Add:
		return sum(m.count(c.Args()[0]), m.count(c.Args()[1]))
	case c.FunctionName() == operators.Conditional:
		return choose(c.Args()[0], m.count(c.Args()[1]), m.count(c.Args()[2]))
	case c.FunctionName() == "orValue" && c.Args()[0].Kind() == ast.ListKind && c.Target().Kind() == ast.CallKind && c.Target().AsCall().FunctionName() == "optMap":
		of := c.Target().AsCall()
		return member(member(optionally(of.Target()), "optMap", of.Args()[0], m.count(of.Args()[1])), "orValue", m.count(c.Args()[0]))
	}
	return call("size", totalList(e))
}

// optionally reads all fields on the way as ones that may not be there.
func optionally(e ast.Expr) ast.Expr {
	if e.Kind() == ast.CallKind && e.AsCall().IsMemberFunction() && slices.Contains([]string{"optMap", "optFlatMap"}, e.AsCall().FunctionName()) {
		c := e.AsCall()
		return member(optionally(c.Target()), c.FunctionName(), c.Args()...)
	}
	from, path := fieldsOf(e)
	if len(path) == 0 {
		return e
	}
	return below(from, path)
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
	default:
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
