package policy

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	apiservercel "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/lazy"
	"k8s.io/apiserver/pkg/cel/library"
)

// evaluator is a policy as the API server evaluates it: variables when they are read, once in each of its passes over the expressions; what each
// expression costs, up to what one may; and what all may (k8s.io/apiserver pkg/admission/plugin/cel and policy/validating).
type evaluator struct {
	conditions, variables, validations, messages []named
	texts, expressions                           []string
	ignores                                      bool
	ends                                         context.Context //nolint:containedctx // the test's
}

type named struct {
	name    string
	program cel.Program // nil where there is no expression
}

// decision is what came of one validation.
type decision struct {
	denies  bool
	err     error
	message string
}

// costs are what the passes took, in units of the API server's budget.
type costs struct{ conditions, validations, messages int64 }

func newEvaluator(t testing.TB, spec policySpec) *evaluator {
	t.Helper()
	c, err := newChecker("1.36")
	if err != nil {
		t.Fatal(err)
	}
	env, err := c.env.Extend(cel.Variable("variables", cel.MapType(cel.StringType, cel.DynType)), cel.Variable("params", cel.DynType))
	if err != nil {
		t.Fatal(err)
	}
	compiled := func(name, expression string) named {
		if expression == "" {
			return named{name, nil}
		}
		tree, issues := env.Compile(expression)
		if issues.Err() != nil {
			t.Fatalf("%s: %v in %s", name, issues.Err(), expression)
		}
		program, err := env.Program(tree, cel.EvalOptions(cel.OptOptimize, cel.OptTrackCost), cel.CostTracking(&library.CostEstimator{}),
			cel.CostLimit(apiservercel.PerCallLimit), cel.InterruptCheckFrequency(apiservercel.CheckFrequency))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return named{name, program}
	}
	e := &evaluator{ignores: spec.FailurePolicy == "Ignore", ends: t.Context()}
	for _, v := range spec.MatchConditions {
		e.conditions = append(e.conditions, compiled(v.Name, v.Expression))
	}
	for _, v := range spec.Variables {
		e.variables = append(e.variables, compiled(v.Name, v.Expression))
	}
	for _, v := range spec.Validations {
		id, said, _ := strings.Cut(v.Message, ":")
		if strings.Contains(said, "too large to be judged") { // it is about no fault
			id = ""
		}
		e.validations = append(e.validations, compiled(id, v.Expression))
		e.messages = append(e.messages, compiled(id, v.MessageExpression))
		e.texts, e.expressions = append(e.texts, v.Message), append(e.expressions, v.Expression)
	}
	return e
}

// pass evaluates expressions over one set of variables. spent is no error where the budget was enough.
func (e *evaluator) pass(list []named, object, old any, budget int64) (values []ref.Val, errs []error, cost int64, spent error) {
	variables := lazy.NewMapValue(types.NewObjectType("kubernetes.variables"))
	activation := map[string]any{"object": object, "oldObject": old, "variables": variables, "request": map[string]any{}, "namespaceObject": nil, "params": nil}
	run := func(p cel.Program) (ref.Val, error) {
		v, details, err := p.ContextEval(e.ends, activation)
		if details != nil && details.ActualCost() != nil {
			cost += int64(min(*details.ActualCost(), math.MaxInt64/4))
		}
		return v, err
	}
	for _, v := range e.variables {
		variables.Append(v.name, func(*lazy.MapValue) ref.Val {
			value, err := run(v.program)
			if err != nil {
				return types.NewErr("composited variable %q fails to evaluate: %v", v.name, err)
			}
			return value
		})
	}
	for _, one := range list {
		if one.program == nil {
			values, errs = append(values, nil), append(errs, nil)
			continue
		}
		v, err := run(one.program)
		if cost > budget {
			return nil, nil, cost, fmt.Errorf("at %s the budget of %d is spent: %d", one.name, budget, cost)
		}
		values, errs = append(values, v), append(errs, err)
	}
	return values, errs, cost, nil
}

// matches says whether the conditions let an object through.
func (e *evaluator) matches(object, old any) (bool, int64) {
	values, errs, cost, spent := e.pass(e.conditions, object, old, apiservercel.RuntimeCELCostBudgetMatchConditions)
	if spent != nil {
		return false, cost
	}
	for i := range values {
		if errs[i] != nil || values[i] != types.True {
			return false, cost
		}
	}
	return true, cost
}

// judge is what comes of each validation for an object that is made, or changed where old is one; none where the conditions do not hold.
func (e *evaluator) judge(object, old any) (decisions []decision, took costs, spent error) {
	matched, cost := e.matches(object, old)
	if took.conditions = cost; !matched {
		return nil, took, nil
	}
	values, errs, cost, spent := e.pass(e.validations, object, old, apiservercel.RuntimeCELCostBudget)
	if took.validations = cost; spent != nil {
		return nil, took, spent
	}
	said, _, cost, spent := e.pass(e.messages, object, old, apiservercel.RuntimeCELCostBudget-cost)
	if took.messages = cost; spent != nil {
		return nil, took, spent
	}
	for i := range values {
		d := decision{err: errs[i], denies: errs[i] == nil && values[i] != types.True || errs[i] != nil && !e.ignores}
		if errs[i] == nil && values[i] != types.True {
			if said[i] != nil {
				d.message, _ = said[i].Value().(string)
			}
			if d.message = strings.TrimSpace(d.message); d.message == "" || len(d.message) > apiservercel.MaxEvaluatedMessageExpressionSizeBytes || strings.Contains(d.message, "\n") {
				d.message = e.texts[i]
			}
		}
		decisions = append(decisions, d)
	}
	return decisions, took, nil
}
