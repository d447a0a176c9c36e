package policy

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/parser"

	"github.com/coaming/coaming/internal/document"
)

// longestExpression bounds what is parsed, in characters; the API server takes no longer ones in effect.
const longestExpression = 100_000

// syntax parses without macros: all, exists, has and the like stay calls, so that what is written
// out again reads as what was read.
var syntax = func() *parser.Parser {
	p, err := parser.NewParser(
		parser.Macros(), parser.EnableOptionalSyntax(true),
		parser.MaxRecursionDepth(200), parser.ExpressionSizeCodePointLimit(longestExpression),
	)
	if err != nil {
		panic(err) // the options are constants
	}
	return p
}()

var factory = ast.NewExprFactory()

// parse reads an expression. The error tells every fault with its place inside the expression.
func parse(text string) (ast.Expr, error) {
	tree, errs := syntax.Parse(common.NewTextSource(text))
	if list := errs.GetErrors(); len(list) > 0 {
		var faults []error
		for _, e := range list {
			faults = append(faults, fmt.Errorf("%d:%d: %s", e.Location.Line(), e.Location.Column()+1, e.Message))
		}
		return nil, errors.Join(faults...)
	}
	return tree.Expr(), nil
}

// snippet is an expression of ours in which names stand for other expressions. What it binds begins
// with an underscore, which no expression of a rule does, so that nothing is captured.
func snippet(text string, names map[string]ast.Expr) ast.Expr {
	e, err := parse(text)
	if err != nil {
		panic(fmt.Sprintf("snippet %q: %v", text, err)) // written in this package; its tests parse each
	}
	return replaceNames(e, names)
}

// replaceNames puts expressions in the place of free names.
func replaceNames(e ast.Expr, names map[string]ast.Expr) ast.Expr {
	out, _ := rewrite(e, nil, func(e ast.Expr, free func(string) bool) (ast.Expr, error) {
		if e.Kind() == ast.IdentKind && free(e.AsIdent()) {
			return names[e.AsIdent()], nil
		}
		return nil, nil
	})
	return out
}

// printed writes an expression, broken into lines behind && and || where it is long.
func printed(e ast.Expr) (string, error) {
	text, err := parser.Unparse(e, ast.NewSourceInfo(nil), parser.WrapOnColumn(100))
	if err != nil {
		return "", fmt.Errorf("write expression: %w", err)
	}
	return text, nil
}

// replacer gives what stands in an expression's place: nil for the expression itself with its parts
// replaced. free says whether a name is bound by no loop around it.
type replacer func(e ast.Expr, free func(string) bool) (ast.Expr, error)

// rewrite replaces parts of an expression, outer ones first.
func rewrite(e ast.Expr, bound []string, f replacer) (ast.Expr, error) {
	out, err := f(e, func(name string) bool { return !slices.Contains(bound, name) })
	if out != nil || err != nil {
		return out, err
	}
	switch e.Kind() {
	case ast.SelectKind:
		operand, err := rewrite(e.AsSelect().Operand(), bound, f)
		if err != nil {
			return nil, err
		}
		return factory.NewSelect(0, operand, e.AsSelect().FieldName()), nil
	case ast.CallKind:
		return rewriteCall(e.AsCall(), bound, f)
	case ast.ListKind:
		items, err := rewriteAll(e.AsList().Elements(), bound, f)
		return factory.NewList(0, items, e.AsList().OptionalIndices()), err
	case ast.MapKind:
		return rewriteMap(e.AsMap(), bound, f)
	case ast.StructKind:
		return rewriteStruct(e.AsStruct(), bound, f)
	default: // names and literals have no parts; there are no comprehensions without macros
		return e, nil
	}
}

func rewriteAll(list []ast.Expr, bound []string, f replacer) ([]ast.Expr, error) {
	var out []ast.Expr
	for _, e := range list {
		replaced, err := rewrite(e, bound, f)
		if err != nil {
			return nil, err
		}
		out = append(out, replaced)
	}
	return out, nil
}

func rewriteCall(c ast.CallExpr, bound []string, f replacer) (ast.Expr, error) {
	if !c.IsMemberFunction() {
		args, err := rewriteAll(c.Args(), bound, f)
		return factory.NewCall(0, c.FunctionName(), args...), err
	}
	target, err := rewrite(c.Target(), bound, f)
	if err != nil {
		return nil, err
	}
	n := binds(c)
	inner := slices.Clip(bound)
	for _, name := range c.Args()[:n] {
		if slices.Contains(reserved, name.AsIdent()) {
			return nil, fmt.Errorf("a loop calls its item %s, which is the name of something else", name.AsIdent())
		}
		inner = append(inner, name.AsIdent())
	}
	args, err := rewriteAll(c.Args()[n:], inner, f)
	return factory.NewMemberCall(0, c.FunctionName(), target, slices.Concat(c.Args()[:n], args)...), err
}

func rewriteMap(m ast.MapExpr, bound []string, f replacer) (ast.Expr, error) {
	var entries []ast.EntryExpr
	for _, entry := range m.Entries() {
		pair, err := rewriteAll([]ast.Expr{entry.AsMapEntry().Key(), entry.AsMapEntry().Value()}, bound, f)
		if err != nil {
			return nil, err
		}
		entries = append(entries, factory.NewMapEntry(0, pair[0], pair[1], entry.AsMapEntry().IsOptional()))
	}
	return factory.NewMap(0, entries), nil
}

func rewriteStruct(s ast.StructExpr, bound []string, f replacer) (ast.Expr, error) {
	var fields []ast.EntryExpr
	for _, field := range s.Fields() {
		value, err := rewrite(field.AsStructField().Value(), bound, f)
		if err != nil {
			return nil, err
		}
		fields = append(fields, factory.NewStructField(0, field.AsStructField().Name(), value, field.AsStructField().IsOptional()))
	}
	return factory.NewStruct(0, s.TypeName(), fields), nil
}

// loops are the macros that bind names, with how many arguments of theirs are no names (the macros
// of cel-go and its two-variable comprehensions).
var loops = map[string][]int{
	"all": {1}, "exists": {1}, "exists_one": {1}, "existsOne": {1}, "filter": {1}, "map": {1, 2},
	"optMap": {1}, "optFlatMap": {1}, "sortBy": {1},
	"transformList": {1, 2}, "transformMap": {1, 2}, "transformMapEntry": {1, 2},
}

// reserved are the names that translated expressions read, which no loop may hide.
var reserved = []string{"object", "oldObject", "request", "params", "namespaceObject", "authorizer", "variables"}

// binds is how many of a member call's arguments are names that it binds.
func binds(c ast.CallExpr) int {
	rest, found := loops[c.FunctionName()]
	if !found {
		return 0
	}
	names := 0
	for _, arg := range c.Args() {
		if arg.Kind() != ast.IdentKind || names == 2 {
			break
		}
		names++
	}
	want := 1
	switch c.FunctionName() {
	case "transformList", "transformMap", "transformMapEntry":
		want = 2
	case "all", "exists", "exists_one", "existsOne":
		want = len(c.Args()) - 1
	}
	if names < want || !slices.Contains(rest, len(c.Args())-want) {
		return 0
	}
	return want
}

// The parts that expressions are built of.

func ident(name string) ast.Expr { return factory.NewIdent(0, name) }

func text(s string) ast.Expr { return factory.NewLiteral(0, types.String(s)) }

func number(n int) ast.Expr { return factory.NewLiteral(0, types.Int(n)) }

func boolean(b bool) ast.Expr { return factory.NewLiteral(0, types.Bool(b)) }

func call(function string, args ...ast.Expr) ast.Expr { return factory.NewCall(0, function, args...) }

func member(target ast.Expr, function string, args ...ast.Expr) ast.Expr {
	return factory.NewMemberCall(0, function, target, args...)
}

// variable is a variable of the policy.
func variable(name string) ast.Expr { return factory.NewSelect(0, ident("variables"), name) }

func choose(condition, yes, no ast.Expr) ast.Expr {
	return call(operators.Conditional, condition, yes, no)
}

func both(a, b ast.Expr) ast.Expr {
	switch {
	case isBool(a, true):
		return b
	case isBool(b, true):
		return a
	}
	return call(operators.LogicalAnd, a, b)
}

// sum joins strings or lists with +.
func sum(parts ...ast.Expr) ast.Expr {
	out := parts[0]
	for _, p := range parts[1:] {
		out = call(operators.Add, out, p)
	}
	return out
}

// not negates, and takes a negation away rather than adding a second one.
func not(e ast.Expr) ast.Expr {
	if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.LogicalNot {
		return e.AsCall().Args()[0]
	}
	if e.Kind() == ast.LiteralKind {
		if b, ok := e.AsLiteral().(types.Bool); ok {
			return boolean(!bool(b))
		}
	}
	return call(operators.LogicalNot, e)
}

func isBool(e ast.Expr, want bool) bool {
	return e != nil && e.Kind() == ast.LiteralKind && e.AsLiteral() == types.Bool(want)
}

// quoted is the string that an expression is, "" and false for any other expression.
func quoted(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}

// read is an expression that reads one field of another: x.f, x.?f, x["f"], x[?"f"].
func read(e ast.Expr) (of ast.Expr, field string, ok bool) {
	switch e.Kind() {
	case ast.SelectKind:
		return e.AsSelect().Operand(), e.AsSelect().FieldName(), true
	case ast.CallKind:
		c := e.AsCall()
		switch c.FunctionName() {
		case operators.OptSelect, operators.OptIndex, operators.Index:
			if name, ok := quoted(c.Args()[1]); ok {
				return c.Args()[0], name, true
			}
		}
	default:
	}
	return nil, "", false
}

// below reads a path of fields, each optional.
func below(e ast.Expr, path []string) ast.Expr {
	for _, key := range path {
		if plainKey(key) {
			e = call(operators.OptSelect, e, text(key))
		} else {
			e = call(operators.OptIndex, e, text(key))
		}
	}
	return e
}

// field reads a field that must be there.
func field(e ast.Expr, key string) ast.Expr {
	if plainKey(key) {
		return factory.NewSelect(0, e, key)
	}
	return call(operators.Index, e, text(key))
}

// hasField asks for a field of a map.
func hasField(e ast.Expr, key string) ast.Expr {
	if plainKey(key) {
		return call("has", factory.NewSelect(0, e, key))
	}
	return call(operators.In, text(key), e)
}

// plainKey says whether a key may stand behind a dot.
func plainKey(key string) bool {
	for i, r := range key {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return key != "" && !slices.Contains([]string{"in", "as", "true", "false", "null", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package", "namespace", "return", "var", "void", "while"}, key)
}

// literal is a document's value as an expression. Values of one map or list may differ in type.
func literal(v document.Value) ast.Expr {
	switch v.Kind() {
	case document.Map:
		var entries []ast.EntryExpr
		for key, entry := range v.Fields() {
			if entry.Kind() != document.Null {
				entries = append(entries, factory.NewMapEntry(0, text(key), mixed(entry, v.Len()), false))
			}
		}
		return factory.NewMap(0, entries)
	case document.List:
		var items []ast.Expr
		for _, item := range v.Items() {
			items = append(items, mixed(item, v.Len()))
		}
		return factory.NewList(0, items, nil)
	case document.Bool:
		return boolean(v.Bool())
	case document.Int:
		if n, ok := v.Int(); ok {
			return factory.NewLiteral(0, types.Int(n))
		}
		f, _ := v.Float()
		return factory.NewLiteral(0, types.Double(f))
	case document.Float:
		f, _ := v.Float()
		return factory.NewLiteral(0, types.Double(f))
	case document.String:
		return text(v.Text())
	case document.Missing, document.Null:
	}
	return factory.NewLiteral(0, types.NullValue)
}

// mixed is a value among several, whose types CEL wants to be one.
func mixed(v document.Value, among int) ast.Expr {
	if among > 1 {
		return call("dyn", literal(v))
	}
	return literal(v)
}
