package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// mostNodes bounds an expression with its variables written out: variables that read each other
// twice would double it with each.
const mostNodes = 20_000

// translator turns the expressions of one policy into those of a rule.
type translator struct {
	match     *matching
	variables map[string]input
	params    input
	hasParams bool
	open      []string // variables that are being written out
	nodes     int
}

// unknown is a call that stands for what a scan cannot know, with the reason; folding may take it out again.
const unknown = "_unknown"

func doubt(format string, args ...any) ast.Expr {
	return call(unknown, text(fmt.Sprintf(format, args...)))
}

// translate turns one expression. The error is also that a scan cannot know what it reads.
func (t *translator) translate(v input) (ast.Expr, error) {
	t.nodes = 0
	e, err := t.expand(v)
	if err != nil {
		return nil, err
	}
	var why error
	_, _ = rewrite(e, nil, func(e ast.Expr, _ func(string) bool) (ast.Expr, error) {
		if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == unknown {
			reason, _ := quoted(e.AsCall().Args()[0])
			why = errors.New(reason)
		}
		return nil, nil
	})
	return e, why
}

// expand parses an expression and writes its variables out.
func (t *translator) expand(v input) (ast.Expr, error) {
	if strings.TrimSpace(v.value.Str()) == "" {
		return nil, errors.New("the expression is missing")
	}
	e, err := parse(v.value.Str())
	if err != nil {
		return nil, err
	}
	return rewrite(e, nil, t.replace)
}

func (t *translator) replace(e ast.Expr, free func(string) bool) (ast.Expr, error) {
	if t.nodes++; t.nodes > mostNodes {
		return nil, fmt.Errorf("its variables, written out, come to more than %d parts", mostNodes)
	}
	root, path := rootOf(e)
	if root != "" && free(root) {
		return t.replaceName(e, root, path)
	}
	if e.Kind() != ast.CallKind {
		return nil, nil
	}
	c := e.AsCall()
	switch name := c.FunctionName(); {
	case slices.Contains(foldable, name):
		var args []ast.Expr
		for _, arg := range c.Args() {
			inner, err := rewrite(arg, nil, func(e ast.Expr, innerFree func(string) bool) (ast.Expr, error) {
				return t.replace(e, func(name string) bool { return innerFree(name) && free(name) })
			})
			if err != nil {
				return nil, err
			}
			args = append(args, inner)
		}
		return decided(c.FunctionName(), args), nil
	case name == "has":
		return t.replaceHas(c, free), nil
	}
	return nil, nil
}

// replaceHas answers has() of what is known.
func (t *translator) replaceHas(c ast.CallExpr, free func(string) bool) ast.Expr {
	if c.IsMemberFunction() || len(c.Args()) != 1 {
		return nil
	}
	root, path := rootOf(c.Args()[0])
	if root == "params" && free(root) && t.params.value.Exists() {
		return boolean(t.params.value.At(path...).Exists())
	}
	if root == "request" && free(root) {
		return boolean(slices.Contains([]string{"kind", "resource", "requestKind", "requestResource", "name", "namespace", "operation"}, path[0]))
	}
	return nil
}

// replaceName replaces a name of the policy's language, with the path that is read of it.
func (t *translator) replaceName(e ast.Expr, root string, path []string) (ast.Expr, error) {
	switch root {
	case "variables":
		if len(path) == 0 {
			return nil, errors.New("variables are used as a whole")
		}
		return t.variable(e, path)
	case "oldObject":
		if len(path) == 0 {
			return factory.NewLiteral(0, types.NullValue), nil
		}
		return rebase(e, call("dyn", factory.NewLiteral(0, types.NullValue))), nil
	case "params":
		switch {
		case !t.hasParams:
			return nil, errors.New("it reads params, and has no paramKind")
		case len(path) > 0 && t.params.value.At(path...).Exists() && e.Kind() == ast.SelectKind:
			return literal(t.params.value.At(path...)), nil
		}
		return rebase(e, literal(t.params.value)), nil
	case "request":
		value := t.request(path)
		if asksWhether(e) {
			value = snippet(`optional.of(_x)`, map[string]ast.Expr{"_x": value})
		}
		return value, nil
	case "namespaceObject":
		if slices.Equal(path, []string{"metadata", "name"}) {
			return snippet(`object.metadata.?namespace.orValue("default")`, nil), nil
		}
		return doubt("it reads the namespace of the object (namespaceObject), which is not in the object"), nil
	case "authorizer":
		return doubt("it asks what the user may do (authorizer), and a manifest has no user"), nil
	}
	return nil, nil
}

// variable writes a variable of the policy out.
func (t *translator) variable(e ast.Expr, path []string) (ast.Expr, error) {
	name := path[0]
	definition, found := t.variables[name]
	switch {
	case !found:
		return nil, fmt.Errorf("there is no variable %q", name)
	case slices.Contains(t.open, name):
		return nil, fmt.Errorf("the variable %q reads itself", name)
	}
	t.open = append(t.open, name)
	value, err := t.expand(definition)
	t.open = t.open[:len(t.open)-1]
	if err != nil {
		return nil, fmt.Errorf("variable %s: %w", name, err)
	}
	return rebaseBelow(e, value, len(path)-1), nil
}

// asksWhether says whether any read of a chain is an optional one: what it comes to is, too.
func asksWhether(e ast.Expr) bool {
	for {
		of, _, ok := read(e)
		if !ok {
			return false
		}
		if e.Kind() == ast.CallKind && e.AsCall().FunctionName() != operators.Index {
			return true
		}
		e = of
	}
}

// rebase puts another root under a chain of reads.
func rebase(e, root ast.Expr) ast.Expr {
	of, name, ok := read(e)
	if !ok {
		return root
	}
	return again(e, rebase(of, root), name)
}

// rebaseBelow keeps the last n reads of a chain and puts another root under them.
func rebaseBelow(e, root ast.Expr, n int) ast.Expr {
	if n == 0 {
		return root
	}
	of, name, _ := read(e)
	return again(e, rebaseBelow(of, root, n-1), name)
}

// again is one read of another value.
func again(e, of ast.Expr, name string) ast.Expr {
	if e.Kind() == ast.SelectKind {
		return factory.NewSelect(0, of, name)
	}
	return call(e.AsCall().FunctionName(), of, e.AsCall().Args()[1])
}

// request is a part of the request that would create the object as it is.
func (t *translator) request(path []string) ast.Expr {
	switch strings.Join(path, ".") {
	case "operation":
		return text("CREATE")
	case "name":
		return snippet(`object.metadata.?name.orValue("")`, nil)
	case "namespace":
		return snippet(`object.metadata.?namespace.orValue("default")`, nil)
	case "subResource", "requestSubResource":
		return text("")
	case "dryRun":
		return boolean(false)
	case "kind.kind", "requestKind.kind":
		return snippet(`object.kind`, nil)
	case "kind.group", "requestKind.group", "resource.group", "requestResource.group":
		return groupOf()
	case "kind.version", "requestKind.version", "resource.version", "requestResource.version":
		return versionOf()
	case "resource.resource", "requestResource.resource":
		return t.resource()
	}
	if len(path) > 0 && path[0] == "userInfo" {
		return doubt("it asks who sends the object (request.userInfo), and a manifest has no sender")
	}
	return doubt("it reads request.%s, which a manifest does not tell", strings.Join(path, "."))
}

// resource is the plural of the object's kind.
func (t *translator) resource() ast.Expr {
	if len(t.match.kinds) == 0 {
		return doubt("it reads request.resource of every resource, and a manifest names only kinds")
	}
	var out ast.Expr
	for _, kind := range slices.Backward(t.match.kinds) {
		plural := text(t.match.resources[kind])
		name, _, _ := strings.Cut(kind, ".")
		if out == nil {
			out = plural
			continue
		}
		out = choose(call(operators.Equals, snippet(`object.kind`, nil), text(name)), plural, out)
	}
	return out
}

// decided is an operation, or what it comes to where its operands are known.
func decided(function string, args []ast.Expr) ast.Expr {
	switch function {
	case operators.Equals, operators.NotEquals:
		if args[0].Kind() == ast.LiteralKind && args[1].Kind() == ast.LiteralKind {
			return boolean(sameLiteral(args[0].AsLiteral(), args[1].AsLiteral()) == (function == operators.Equals))
		}
		return call(function, args...)
	case operators.In:
		if args[0].Kind() != ast.LiteralKind || args[1].Kind() != ast.ListKind {
			return call(function, args...)
		}
		for _, item := range args[1].AsList().Elements() {
			if item.Kind() != ast.LiteralKind {
				return call(function, args...)
			}
			if sameLiteral(args[0].AsLiteral(), item.AsLiteral()) {
				return boolean(true)
			}
		}
		return boolean(false)
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		if order, ok := compared(args[0], args[1]); ok {
			return boolean(order < 0 && function != operators.Greater && function != operators.GreaterEquals ||
				order > 0 && function != operators.Less && function != operators.LessEquals ||
				order == 0 && (function == operators.LessEquals || function == operators.GreaterEquals))
		}
		return call(function, args...)
	}
	return folded(function, args)
}

// compared is the order of two whole numbers that are known.
func compared(a, b ast.Expr) (order int, ok bool) {
	if a.Kind() != ast.LiteralKind || b.Kind() != ast.LiteralKind {
		return 0, false
	}
	x, ok1 := a.AsLiteral().(types.Int)
	y, ok2 := b.AsLiteral().(types.Int)
	return cmp.Compare(x, y), ok1 && ok2
}

func sameLiteral(a, b ref.Val) bool { return types.Equal(a, b) == types.True }

// when is under which condition the policy applies to an object; at is what could not be translated.
func (t *translator) when(p input) (when ast.Expr, at input, err error) {
	when = t.match.condition
	for _, c := range p.value.At("spec", "matchConditions").Items() {
		e, err := t.translate(input{p.file, c.Get("expression")})
		if err != nil {
			return nil, input{p.file, c}, fmt.Errorf("match condition %s: %w", c.Get("name").Str(), err)
		}
		when = folded(operators.LogicalAnd, []ast.Expr{when, e})
	}
	if isBool(when, false) {
		return nil, p, errors.New("it applies to no object that is created")
	}
	return when, p, nil
}
