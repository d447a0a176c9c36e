package rule

import (
	"context"
	"math"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"
	"k8s.io/apiserver/pkg/cel/library"
)

// maxSteps bounds one evaluation, in turns of its loops. CEL's own counting of cost takes time in
// proportion to the square of the cost, and so is no bound.
const maxSteps = 1_000_000

// condition is an expression that is true or false of a fact, and never takes longer than its
// bound. Its turns are counted only where the fact's size, to the power of the loops within loops
// of the expression, could reach the bound, and where it reads facts that are joined from other
// objects.
type condition struct {
	program cel.Program
	most    int // nodes of a fact up to which nothing is counted
	reads   map[string]bool
	items   map[string]bool // what loops read of the items of what it reads: "binding.subjects.leadsTo"
	aspects []*Aspect       // what it sees of what it reads
	joins   bool            // it walks what is joined from other objects, or comes from outside
}

func programOptions() []cel.ProgramOption {
	return []cel.ProgramOption{
		cel.EvalOptions(cel.OptOptimize),
		cel.OptimizeRegex(interpreter.MatchesRegexOptimization, library.FindRegexOptimization, library.FindAllRegexOptimization),
		cel.InterruptCheckFrequency(maxSteps),
	}
}

// ended is a context that ended long ago: CEL asks it after every maxSteps turns, and gives up.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // it ends here and now, and belongs to no caller
	cancel()
	return ctx
}()

// decide evaluates the condition; reason says why it could not be decided.
func (c *condition) decide(s *Scope) (holds bool, reason string) {
	var out ref.Val
	var err error
	if c.joins || s.Nodes > c.most {
		s.refill()
		out, _, err = c.program.ContextEval(ended, s)
	} else {
		out, _, err = c.program.Eval(s)
	}
	if err != nil {
		return false, explain(err)
	}
	b, ok := out.(types.Bool)
	if !ok {
		return false, WrongType // an expression without a type of its own gives what it read
	}
	return bool(b), ""
}

// mostNodes is the size up to which loops nested that deep stay within maxSteps.
func mostNodes(depth int) int {
	return int(math.Pow(maxSteps, 1/float64(max(depth, 1))))
}

// loops is how deep comprehensions are nested in an expression.
func loops(e ast.Expr) int {
	deepest := 0
	below := func(list ...ast.Expr) {
		for _, child := range list {
			deepest = max(deepest, loops(child))
		}
	}
	if e.Kind() != ast.ComprehensionKind {
		below(children(e)...)
		return deepest
	}
	f := e.AsComprehension()
	below(f.LoopCondition(), f.LoopStep(), f.Result())
	deepest++
	below(f.IterRange(), f.AccuInit())
	return deepest
}

// children are the expressions of which another one is made.
func children(e ast.Expr) []ast.Expr {
	switch e.Kind() {
	case ast.CallKind:
		if e.AsCall().IsMemberFunction() {
			return append([]ast.Expr{e.AsCall().Target()}, e.AsCall().Args()...)
		}
		return e.AsCall().Args()
	case ast.ComprehensionKind:
		f := e.AsComprehension()
		return []ast.Expr{f.IterRange(), f.AccuInit(), f.LoopCondition(), f.LoopStep(), f.Result()}
	case ast.ListKind:
		return e.AsList().Elements()
	case ast.MapKind:
		var list []ast.Expr
		for _, entry := range e.AsMap().Entries() {
			list = append(list, entry.AsMapEntry().Key(), entry.AsMapEntry().Value())
		}
		return list
	case ast.SelectKind:
		return []ast.Expr{e.AsSelect().Operand()}
	case ast.StructKind, ast.IdentKind, ast.LiteralKind, ast.UnspecifiedExprKind:
	}
	return nil
}

// ofOne are the fields of workload, ns and binding that come from the one object that is judged.
var ofOne = map[string]bool{
	"kind": true, "name": true, "namespace": true, "spec": true, "metadata": true, "labels": true, "annotations": true, "os": true, "workloads": true,
	"volumes": true, "mounts": true,
}

// readsJoined says whether any of the paths is a fact that is joined from other objects.
func readsJoined(reads map[string]bool) bool {
	for path := range reads {
		root, field := firstTwo(path)
		if root == "beside" || root == "everywhere" || (root == "workload" || root == "ns" || root == "binding") && !ofOne[field] {
			return true
		}
	}
	return false
}

func firstTwo(path string) (root, field string) {
	keys := splitPath(path)
	if len(keys) < 2 {
		return path, ""
	}
	return keys[0], keys[1]
}
