package rule

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
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
// check what was checked when the program was built; nil finds nothing.
type Cache func(key string) []byte

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
		return env.Program(checked, programOptions()...)
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
	for field, e := range map[string]string{"when": c.When, "assert": c.Assert, "says": c.Says} {
		if e != "" && cache(cacheKey(c.Rule, field, e)) == nil {
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
		program, err := env.Program(checked, programOptions()...)
		if err != nil {
			return nil, c.fault(field, err.Error())
		}
		reads := map[string]bool{}
		c.collect(e, reads)
		return &condition{
			program: program,
			most:    mostNodes(loops(e)),
			reads:   reads,
			joins:   readsJoined(reads),
		}, nil
	})
}

// Reads is what the rule's conditions read, sorted: "container.securityContext.privileged".
func (c *Compiled) Reads() []string {
	all := map[string]bool{}
	for _, compile := range []func() (*condition, error){c.when, c.assert} {
		if compile == nil {
			continue
		}
		if condition, err := compile(); err == nil {
			maps.Copy(all, condition.reads)
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// checked is an expression's checked form and the environment that it runs in.
func (c *Compiled) checked(field, expression string, cache Cache) (*cel.Env, *cel.Ast, error) {
	if cache != nil {
		if raw := cache(cacheKey(c.Rule, field, expression)); raw != nil {
			var e exprpb.CheckedExpr
			if err := proto.Unmarshal(raw, &e); err == nil {
				return environmentFor(cel.CheckedExprToAst(&e))
			}
		}
	}
	of := environment
	if strings.HasPrefix(field, "fix.") {
		of = mixed
	}
	env, err := of()
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
	checked, err := compileOne(env, expression, resultOf(field))
	if err != nil {
		return nil, nil, c.fault(field, err.Error())
	}
	return env, checked, nil
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

func compileOne(env *cel.Env, expression string, want *types.Type) (*cel.Ast, error) {
	a, issues := env.Compile(expression)
	if issues.Err() != nil {
		return nil, issues.Err()
	}
	if out := a.OutputType(); !out.IsExactType(want) && out != types.DynType && want != types.DynType {
		return nil, fmt.Errorf("gives %s, want %s", out, want)
	}
	return a, nil
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

// fault is an error with the place of the expression in the rule's file.
func (r *Rule) fault(field, message string) error {
	v := r.root.Get(field)
	if n, ok := strings.CutPrefix(field, "fix."); ok {
		i, _ := strconv.Atoi(n) // written by expressions
		v = r.root.Get("fix").Index(i)
	}
	line, column := v.Position()
	return fmt.Errorf("%s:%d:%d: %s: %s", r.File, line, column, field, message)
}

// variableNames are the variables of all rules; docs/writing-rules.md says which rule has which.
var variableNames = []string{"container", "role", "workload", "object", "ns", "binding", "api", "cluster", "beside", "everywhere", "selected", "settings", "support"}

// cacheKey names an expression in the context that its types depend on.
func cacheKey(r *Rule, field, expression string) string {
	context := strings.Join(append([]string{field, r.Match.Fact, r.EachName, strings.Join(r.EachPath, "\x00")}, r.Match.Kinds...), "\x00")
	sum := sha256.Sum256([]byte(context + "\x00\x00" + expression))
	return hex.EncodeToString(sum[:12])
}

// Check compiles the rule's expressions against the types of their facts and returns them in the
// form that a Cache serves, by key. variables holds one set of types for each kind that the rule
// matches; every one of them must do.
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
	for _, set := range variables {
		envs := map[bool]*cel.Env{}
		for field, e := range r.expressions() {
			isFix := strings.HasPrefix(field, "fix.")
			env := envs[isFix]
			if env == nil {
				options := append(librariesFor(field), cel.CustomTypeProvider(provider))
				for name, t := range set {
					options = append(options, cel.Variable(name, t))
				}
				var err error
				if env, err = cel.NewEnv(options...); err != nil {
					return nil, fmt.Errorf("make CEL environment: %w", err)
				}
				envs[isFix] = env
			}
			raw, err := checkOne(env, e, resultOf(field))
			if err != nil {
				return nil, r.fault(field, err.Error())
			}
			checked[cacheKey(r, field, e)] = raw
		}
	}
	return checked, nil
}

func checkOne(env *cel.Env, expression string, want *types.Type) ([]byte, error) {
	a, err := compileOne(env, expression, want)
	if err != nil {
		return nil, err
	}
	e, err := cel.AstToCheckedExpr(a)
	if err != nil {
		return nil, err
	}
	// Positions and types are for people and for this check; the planner needs overloads alone, and
	// one type to see that there was a check.
	e.SourceInfo = nil
	maps.DeleteFunc(e.GetTypeMap(), func(id int64, _ *exprpb.Type) bool { return id != e.GetExpr().GetId() })
	return proto.MarshalOptions{Deterministic: true}.Marshal(e)
}

// collect notes the longest paths of fields that an expression reads from its variables.
func (c *Compiled) collect(e ast.Expr, reads map[string]bool) {
	if path := c.path(e); path != "" {
		reads[path] = true
		return
	}
	switch e.Kind() {
	case ast.CallKind:
		call := e.AsCall()
		if call.IsMemberFunction() {
			c.collect(call.Target(), reads)
		}
		for _, arg := range call.Args() {
			c.collect(arg, reads)
		}
	case ast.ComprehensionKind:
		f := e.AsComprehension()
		for _, part := range []ast.Expr{f.IterRange(), f.AccuInit(), f.LoopCondition(), f.LoopStep(), f.Result()} {
			c.collect(part, reads)
		}
	case ast.ListKind:
		for _, item := range e.AsList().Elements() {
			c.collect(item, reads)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			c.collect(entry.AsMapEntry().Key(), reads)
			c.collect(entry.AsMapEntry().Value(), reads)
		}
	case ast.SelectKind:
		c.collect(e.AsSelect().Operand(), reads)
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
func (c *Compiled) path(e ast.Expr) string {
	switch e.Kind() {
	case ast.IdentKind:
		if name := e.AsIdent(); slices.Contains(variableNames, name) || name == c.EachName && name != "" {
			return name
		}
	case ast.SelectKind:
		if base := c.path(e.AsSelect().Operand()); base != "" {
			return base + "." + e.AsSelect().FieldName()
		}
	case ast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != operators.OptSelect && call.FunctionName() != operators.OptIndex && call.FunctionName() != operators.Index {
			return ""
		}
		base := c.path(call.Args()[0])
		if key := call.Args()[1]; base != "" && key.Kind() == ast.LiteralKind {
			if name, ok := key.AsLiteral().Value().(string); ok {
				return base + step(name)
			}
		}
	default:
	}
	return ""
}
