package rule

import (
	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"
	celparser "github.com/google/cel-go/parser"
)

// Step is one part of an expression and what it gave.
type Step struct {
	Depth int
	Text  string // the part, as CEL
	// Value is what it gave; nil where it was not asked, because the answer did not need it.
	Value Fact
	// Turn says that the value is of the last turn of a loop.
	Turn bool
}

// Trace is how an expression of the rule ("when", "assert", "says") comes out on what the scope
// shows: the whole first, then its parts, each below the part that it belongs to. It is bounded as
// a rule from outside is, whoever wrote the rule.
func (c *Compiled) Trace(field string, s *Scope) ([]Step, error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}
	var variables []cel.EnvOption
	for _, name := range append([]string{c.EachName}, variableNames...) {
		if name != "" {
			variables = append(variables, cel.Variable(name, cel.DynType))
		}
	}
	if env, err = env.Extend(append(variables, cel.EnableMacroCallTracking())...); err != nil {
		return nil, c.fault(field, err.Error())
	}
	expression := c.expressions()[field]
	if expression == "" {
		return nil, nil
	}
	checked, err := c.compileOne(env, field, expression, &vocabulary{variables: variableNames})
	if err != nil {
		return nil, err
	}
	program, err := env.Program(checked, append(meteredOptions(), cel.EvalOptions(cel.OptTrackState))...)
	if err != nil {
		return nil, c.fault(field, err.Error())
	}
	s.refill()
	out, details, err := program.ContextEval(ended, s)
	if err != nil {
		out = types.WrapErr(err)
	}
	t := tracer{path: c.path, info: checked.NativeRep().SourceInfo(), state: details.State()}
	t.walk(checked.NativeRep().Expr(), 0, false)
	if len(t.steps) > 0 {
		t.steps[0].Value = out
	}
	return t.steps, nil
}

// tracer collects the parts of an expression that are worth showing: no literals, no bare variables.
type tracer struct {
	path  func(ast.Expr) string
	info  *ast.SourceInfo
	state interpreter.EvalState
	steps []Step
}

func (t *tracer) walk(e ast.Expr, depth int, turn bool) {
	if depth > 0 && (e.Kind() == ast.LiteralKind || e.Kind() == ast.IdentKind && !turn) {
		return
	}
	text, err := celparser.Unparse(e, t.info)
	if err != nil {
		return
	}
	value, known := t.state.Value(e.ID())
	if !known {
		value = nil
	}
	t.steps = append(t.steps, Step{Depth: depth, Text: text, Value: value, Turn: turn})
	if t.path(e) != "" {
		return
	}
	if macro, isMacro := t.info.GetMacroCall(e.ID()); isMacro {
		t.macro(e, macro, depth, turn)
		return
	}
	switch e.Kind() {
	case ast.CallKind:
		if e.AsCall().IsMemberFunction() {
			t.walk(e.AsCall().Target(), depth+1, turn)
		}
		for _, arg := range e.AsCall().Args() {
			t.walk(arg, depth+1, turn)
		}
	case ast.ListKind:
		for _, item := range e.AsList().Elements() {
			t.walk(item, depth+1, turn)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			t.walk(entry.AsMapEntry().Value(), depth+1, turn)
		}
	case ast.SelectKind:
		if e.AsSelect().Operand().Kind() != ast.IdentKind {
			t.walk(e.AsSelect().Operand(), depth+1, turn)
		}
	case ast.ComprehensionKind, ast.StructKind, ast.IdentKind, ast.LiteralKind, ast.UnspecifiedExprKind:
	}
}

// macro shows the list that a loop goes through and what its condition gave in the last turn.
func (t *tracer) macro(e, macro ast.Expr, depth int, turn bool) {
	if e.Kind() != ast.ComprehensionKind || macro.Kind() != ast.CallKind {
		return
	}
	t.walk(e.AsComprehension().IterRange(), depth+1, turn)
	args := macro.AsCall().Args()
	for _, arg := range args[min(1, len(args)):] {
		if arg.Kind() != ast.IdentKind {
			t.walk(arg, depth+1, true)
		}
	}
}

// Shown is a fact as text; leaf writes a text that stands under a key, and may mask it. It is "" for
// what holds too much to be shown.
func Shown(v Fact, leaf func(key, text string) string) string {
	w := writer{leaf: leaf}
	w.write("", v)
	return string(w.out)
}

// maxShown is how long a value is shown, in bytes.
const maxShown = 200

type writer struct {
	leaf func(key, text string) string
	out  []byte
}

func (w *writer) text(s string) {
	if len(w.out) < maxShown {
		w.out = append(w.out, s...)
	}
}

func (w *writer) write(key string, v ref.Val) {
	switch v := v.(type) {
	case types.String:
		w.text(`"` + w.leaf(key, string(v)) + `"`)
	case types.Bytes:
		w.text(w.leaf(key, string(v)))
	case *types.Err:
		w.text("error: " + w.leaf("", explain(v)))
	case *types.Optional:
		if !v.HasValue() {
			w.text("none")
			return
		}
		w.write(key, v.GetValue())
	case *lazyFact:
		w.text("{...}")
	case mapFact:
		w.text("{")
		first := true
		for k, entry := range v.v.Fields() {
			if !first {
				w.text(", ")
			}
			first = false
			w.text(k + ": ")
			if len(w.out) < maxShown {
				w.write(k, Of(entry))
			}
		}
		w.text("}")
	case *listFact:
		w.text("[")
		for i, item := range v.v.Items() {
			if i > 0 {
				w.text(", ")
			}
			if len(w.out) < maxShown {
				w.write(key, Of(item))
			}
		}
		w.text("]")
	default:
		w.other(key, v)
	}
}

// other writes what an expression made itself.
func (w *writer) other(key string, v ref.Val) {
	text := v.ConvertToType(types.StringType)
	if s, ok := text.(types.String); ok {
		w.text(w.leaf(key, string(s)))
		return
	}
	if l, ok := v.(interface{ Size() ref.Val }); ok {
		w.text("(" + v.Type().TypeName() + " of " + Shown(l.Size(), w.leaf) + ")")
		return
	}
	w.text("(" + v.Type().TypeName() + ")")
}
