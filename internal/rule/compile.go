package rule

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	exprpb "google.golang.org/genproto/googleapis/api/expr/v1alpha1"
	"google.golang.org/protobuf/proto"
)

// Compiled is a rule that can judge; safe for concurrent use.
type Compiled struct {
	*Rule
	when   func() (*condition, error) // nil when the rule always applies
	assert func() (*condition, error)
	says   func() (cel.Program, error)
	fixes  []func() (cel.Program, error) // nil for steps without an expression
}

// Cache finds checked expressions by their key, so that a start needs neither to parse nor to
// check what was checked when the program was built. It gives "" for others; nil finds nothing.
type Cache func(key string) string

// Compile makes a rule ready to judge. Expressions that the cache knows were checked when the
// program was built, and are made ready when they are first asked: most starts ask few rules.
// Others are parsed and compiled here, without types; Check is what holds rules to the types of
// their facts.
func Compile(r *Rule, cache Cache) (*Compiled, error) {
	c := &Compiled{Rule: r}
	c.assert = c.condition("assert", r.Assert, cache)
	if r.When != "" {
		c.when = c.condition("when", r.When, cache)
	}
	c.says = sync.OnceValues(func() (cel.Program, error) {
		env, checked, err := c.checked("says", r.Says, cache)
		if err != nil {
			return nil, err
		}
		return c.program(env, checked)
	})
	c.fixes = make([]func() (cel.Program, error), len(r.Fix))
	for i := range r.Fix {
		if r.Fix[i].Expr != "" {
			c.fixes[i] = c.fixProgram(i, cache)
		}
	}
	if c.isCached(cache) {
		return c, nil
	}
	_, err := c.assert()
	if r.When != "" && err == nil {
		_, err = c.when()
	}
	if err == nil {
		_, err = c.says()
	}
	for _, compile := range c.fixes {
		if compile != nil && err == nil {
			_, err = compile()
		}
	}
	return c, err
}

func (c *Compiled) isCached(cache Cache) bool {
	if cache == nil {
		return false
	}
	for _, e := range [...]struct{ field, expression string }{{"when", c.When}, {"assert", c.Assert}, {"says", c.Says}} {
		if e.expression != "" && cache(cacheKey(c.Rule, e.field, e.expression)) == "" {
			return false
		}
	}
	return true
}

// condition compiles one condition, once.
func (c *Compiled) condition(field, expression string, cache Cache) func() (*condition, error) {
	return sync.OnceValues(func() (*condition, error) {
		env, checked, err := c.checked(field, expression, cache)
		if err != nil {
			return nil, err
		}
		e := checked.NativeRep().Expr()
		program, err := c.program(env, checked)
		if err != nil {
			return nil, c.fault(field, err.Error())
		}
		made := &condition{program: program, most: mostNodes(loops(e)), reads: map[string]bool{}, items: map[string]bool{}}
		c.collect(e, made, false, nil)
		c.collectItems(e, map[string]string{}, made.items)
		made.joins = loops(e) > 0 && readsJoined(made.reads) || c.Origin != ""
		return made, nil
	})
}

// program makes an expression ready to run. What a rule from outside does is metered at each step.
func (c *Compiled) program(env *cel.Env, checked *cel.Ast) (cel.Program, error) {
	if c.Origin == "" {
		return env.Program(checked, programOptions()...)
	}
	return env.Program(checked, meteredOptions()...)
}

// checked is an expression's checked form and the environment that it runs in.
func (c *Compiled) checked(field, expression string, cache Cache) (*cel.Env, *cel.Ast, error) {
	if cache != nil {
		if raw := cache(cacheKey(c.Rule, field, expression)); raw != "" {
			var e exprpb.CheckedExpr
			if err := proto.Unmarshal([]byte(raw), &e); err == nil {
				return environmentFor(cel.CheckedExprToAst(&e))
			}
		}
	}
	env, err := environmentOf(field)
	if err != nil {
		return nil, nil, fmt.Errorf("make CEL environment: %w", err)
	}
	declared := make([]cel.EnvOption, 0, len(variableNames)+1)
	for _, name := range append(variableNames, c.EachName) {
		if name != "" {
			declared = append(declared, cel.Variable(name, cel.DynType))
		}
	}
	env, err = env.Extend(declared...)
	if err != nil {
		return nil, nil, c.fault(field, err.Error())
	}
	checked, err := c.compileOne(env, field, expression, &vocabulary{variables: append([]string{c.EachName}, variableNames...)})
	return env, checked, err
}

// resultOf is what the expression of a field gives.
func resultOf(field string) *types.Type {
	switch {
	case field == "says":
		return types.StringType
	case strings.HasPrefix(field, "fix."):
		return types.DynType
	}
	return types.BoolType
}

// compileOne parses and checks the expression of a field.
func (r *Rule) compileOne(env *cel.Env, field, expression string, known *vocabulary) (a *cel.Ast, err error) {
	defer func() {
		if recover() != nil { // a fault of the parser is a fault of this rule alone
			a, err = nil, r.fault(field, "cannot be read as CEL; write it more simply")
		}
	}()
	want := resultOf(field)
	a, issues := env.Compile(expression)
	if issues.Err() != nil {
		return nil, r.celFaults(field, expression, issues, known)
	}
	if out := a.OutputType(); !out.IsExactType(want) && out != types.DynType && want != types.DynType {
		return nil, r.fault(field, fmt.Sprintf("gives %s, want %s", out, want))
	}
	return a, r.patternFaults(field, expression, a)
}

// expressions are the rule's expressions that are not empty, by field; those of fixes are fix.0, fix.1 and so on.
func (r *Rule) expressions() map[string]string {
	all := map[string]string{"when": r.When, "assert": r.Assert, "says": r.Says}
	for i, f := range r.Fix {
		all["fix."+strconv.Itoa(i)] = f.Expr
	}
	maps.DeleteFunc(all, func(_, e string) bool { return e == "" })
	return all
}

// variableNames are the variables of all rules; docs/writing-rules.md says which rule has which.
var variableNames = []string{"container", "role", "workload", "object", "ns", "binding", "api", "cluster", "beside", "everywhere", "selected", "account", "settings", "support", "image"}

// cacheKey names an expression in the context that its types depend on.
func cacheKey(r *Rule, field, expression string) string {
	text := make([]byte, 0, 1<<10)
	for _, part := range [...]string{field, r.Match.Fact, r.EachName} {
		text = append(append(text, part...), 0)
	}
	text = appendJoined(text, r.EachPath)
	for _, kind := range r.Match.Kinds {
		text = append(append(text, 0), kind...)
	}
	sum := sha256.Sum256(append(append(text, 0, 0), expression...))
	return hex.EncodeToString(sum[:12])
}

func appendJoined(b []byte, list []string) []byte {
	for i, part := range list {
		if i > 0 {
			b = append(b, 0)
		}
		b = append(b, part...)
	}
	return b
}

// Check compiles the rule's expressions against the types of their facts and returns them in the
// form that a Cache serves, by key. variables holds one set of types for each kind that the rule
// matches; every one of them must do. All faults are told at once, by their place.
func Check(r *Rule, provider types.Provider, variables []map[string]*types.Type) (map[string][]byte, error) {
	checked := map[string][]byte{}
	if len(variables) > 1 {
		// What is kept is the last: it must serve every kind, and so know the types of none.
		untyped := map[string]*types.Type{}
		for name := range variables[0] {
			untyped[name] = types.DynType
		}
		variables = append(slices.Clip(variables), untyped)
	}
	var errs []error
	for _, set := range variables {
		known := &vocabulary{Provider: provider, missed: map[string][]string{}}
		options := []cel.EnvOption{cel.CustomTypeProvider(known)}
		for name, t := range set {
			options = append(options, cel.Variable(name, t))
			known.variables = append(known.variables, name)
		}
		extended := map[*cel.Env]*cel.Env{}
		for field, e := range r.expressions() {
			base, err := environmentOf(field)
			if err != nil {
				return nil, fmt.Errorf("make CEL environment: %w", err)
			}
			env := extended[base]
			if env == nil {
				if env, err = base.Extend(options...); err != nil {
					return nil, r.FaultAt(r.root, "%v", err)
				}
				extended[base] = env
			}
			raw, err := r.checkOne(env, field, e, known)
			errs = append(errs, err)
			checked[cacheKey(r, field, e)] = raw
		}
	}
	return checked, InOrder(errors.Join(errs...))
}

func (r *Rule) checkOne(env *cel.Env, field, expression string, known *vocabulary) ([]byte, error) {
	a, err := r.compileOne(env, field, expression, known)
	if err != nil {
		return nil, err
	}
	e, err := cel.AstToCheckedExpr(a)
	if err != nil {
		return nil, r.fault(field, err.Error())
	}
	// Positions and types are for people and for this check; the planner needs overloads alone, and
	// one type to see that there was a check.
	e.SourceInfo = nil
	maps.DeleteFunc(e.GetTypeMap(), func(id int64, _ *exprpb.Type) bool { return id != e.GetExpr().GetId() })
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
	if err != nil {
		return nil, r.fault(field, err.Error())
	}
	return raw, nil
}

// patternFaults are the regular expressions of an expression that are none.
func (r *Rule) patternFaults(field, expression string, a *cel.Ast) error {
	var errs []error
	rep := a.NativeRep()
	ast.PostOrderVisit(rep.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		literal := constantPattern(e)
		if literal == nil {
			return
		}
		if _, err := regexp.Compile(literal.AsLiteral().Value().(string)); err != nil {
			at := rep.SourceInfo().GetStartLocation(literal.ID())
			errs = append(errs, r.faultWithin(field, offsetOf(expression, at.Line(), at.Column()), err.Error()))
		}
	}))
	return errors.Join(errs...)
}

// constantPattern is the literal that a call is given as a regular expression, nil when there is none.
func constantPattern(e ast.Expr) ast.Expr {
	if e.Kind() != ast.CallKind || !slices.Contains([]string{"matches", "find", "findAll"}, e.AsCall().FunctionName()) {
		return nil
	}
	args := e.AsCall().Args()
	if !e.AsCall().IsMemberFunction() && len(args) > 0 {
		args = args[1:] // matches(text, pattern)
	}
	if len(args) == 0 || args[0].Kind() != ast.LiteralKind {
		return nil
	}
	if _, ok := args[0].AsLiteral().Value().(string); !ok {
		return nil
	}
	return args[0]
}

// collect notes the longest paths of fields that an expression reads from its variables, and what
// aspects it sees of them, behind others; seen says that those of an expression around it are noted.
func (c *Compiled) collect(e ast.Expr, to *condition, seen bool, behind []guard) {
	if !seen {
		if a := c.aspect(e); a != nil {
			to.note(a, behind)
			seen = true
		}
	}
	if path := c.path(e); path != "" {
		to.reads[path] = true
		if !seen {
			to.note(wholeAt(path), behind)
		}
		return
	}
	switch e.Kind() {
	case ast.CallKind:
		call := e.AsCall()
		if call.IsMemberFunction() {
			c.collect(call.Target(), to, seen, behind)
		}
		for i, arg := range call.Args() {
			c.collect(arg, to, seen, behind)
			if name := call.FunctionName(); i == 0 && (name == operators.LogicalAnd || name == operators.LogicalOr) {
				behind = append(slices.Clip(behind), c.sure(arg, name == operators.LogicalAnd)...)
			}
		}
	case ast.ComprehensionKind:
		f := e.AsComprehension()
		for _, part := range []ast.Expr{f.IterRange(), f.AccuInit(), f.LoopCondition(), f.LoopStep(), f.Result()} {
			c.collect(part, to, seen, behind)
		}
	case ast.ListKind:
		for _, item := range e.AsList().Elements() {
			c.collect(item, to, seen, behind)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			c.collect(entry.AsMapEntry().Key(), to, seen, behind)
			c.collect(entry.AsMapEntry().Value(), to, seen, behind)
		}
	case ast.SelectKind:
		c.collect(e.AsSelect().Operand(), to, seen, behind)
	case ast.StructKind, ast.IdentKind, ast.LiteralKind, ast.UnspecifiedExprKind:
	}
}

// step is a key as part of a path; in brackets where its own dots would be taken for the path's.
func step(key string) string {
	if strings.Contains(key, ".") {
		return "[" + key + "]"
	}
	return "." + key
}

// path is the field path that an expression selects from a variable; "" when it is none.
func (c *Compiled) path(e ast.Expr) string { return c.pathAmong(e, nil) }

// pathAmong is the path where further names stand for the items of lists.
func (c *Compiled) pathAmong(e ast.Expr, items map[string]string) string {
	switch e.Kind() {
	case ast.IdentKind:
		name := e.AsIdent()
		if list, bound := items[name]; bound {
			return list
		}
		if slices.Contains(variableNames, name) || name == c.EachName && name != "" {
			return name
		}
	case ast.SelectKind:
		if base := c.pathAmong(e.AsSelect().Operand(), items); base != "" {
			return base + "." + e.AsSelect().FieldName()
		}
	case ast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != operators.OptSelect && call.FunctionName() != operators.OptIndex && call.FunctionName() != operators.Index {
			return ""
		}
		base := c.pathAmong(call.Args()[0], items)
		if key := call.Args()[1]; base != "" && key.Kind() == ast.LiteralKind {
			if name, ok := key.AsLiteral().Value().(string); ok {
				return base + step(name)
			}
		}
	default:
	}
	return ""
}
