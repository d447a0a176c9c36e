package policy

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
)

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
	// unknown is set where what an expression costs does not follow from what it reads.
	unknown bool
	err     error
}

// at is the step of a nest.
func (m *meter) at(nest []frame) *step {
	here := m.root
	for _, f := range nest {
		var key strings.Builder
		_, _ = fmt.Fprint(&key, f.name, f.want)
		for _, part := range []ast.Expr{f.list, f.condition} {
			if part != nil {
				text, err := printed(part)
				if err != nil {
					m.err = err
				}
				key.WriteString(" " + text)
			}
		}
		i := slices.IndexFunc(here.below, func(s *step) bool { return s.key == key.String() })
		if i < 0 {
			i = len(here.below)
			here.below = append(here.below, &step{frame: f, key: key.String()})
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
			m.unknown = true // a pattern that the object gives
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
		m.unknown = true
		return cost
	}
	if names > 1 {
		m.unknown = true
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
	return append(slices.Clip(nest), frame{list: list, name: name})
}
