package rule

import (
	"sync"

	"github.com/google/cel-go/cel"
	celfunctions "github.com/google/cel-go/common/functions"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"
)

// A rule from outside may be written by anybody, and CEL bounds neither the time of a call nor the
// size of what it makes: a text replaced by itself grows by its square, a list of itself doubles.
// So each step of such a rule is charged before it is taken, in units of about ten nanoseconds or
// 16 bytes, and the evaluation ends where its means do. Built-in rules are not charged: their
// examples and the tests of the catalogue hold them to their cost, and loops are bounded in both.
const (
	means       = 4_000_000 // units for one expression on one fact
	bytesOfUnit = 16
	nodesOfUnit = 256     // values of a document that are passed on the way to a field
	longestText = 1 << 20 // what one call may make, in bytes
	longestWord = 1 << 16 // what a call may be given that reads more than letters: a URL, a pattern, a quantity
)

// meter is what is left to spend on one evaluation, and how dear it is to find a field.
type meter struct {
	left int
	find int
}

// meterName is where an evaluation finds its meter; no variable of a rule can have that name.
const meterName = "@meter"

// overspent ends an evaluation whose means are spent; cel-go recovers from it.
var overspent = interpreter.EvalCancelledError{Message: "cost bound", Cause: interpreter.CostLimitExceeded}

func (m *meter) spend(units int) {
	if m == nil {
		return // an evaluation outside a Scope: constants that are folded
	}
	if units < 0 || units > m.left {
		m.left = 0
		panic(overspent)
	}
	m.left -= units
}

func meterOf(frame *interpreter.ExecutionFrame) *meter {
	v, _ := frame.ResolveName(meterName)
	m, _ := v.(*meter)
	return m
}

// meteredOptions make programs that charge for each step.
func meteredOptions() []cel.ProgramOption {
	return []cel.ProgramOption{
		cel.InterruptCheckFrequency(maxSteps),
		cel.CustomDecoratorV2(func(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
			switch node := i.(type) {
			case *meteredField, *meteredCall, *meteredMaker:
				return i, nil
			case interpreter.InterpretableAttribute:
				return &meteredField{node}, nil
			case interpreter.InterpretableConstructor:
				return &meteredMaker{node, len(node.InitVals())}, nil
			case interpreter.InterpretableCall:
				return meteredCallOf(node)
			}
			return i, nil
		}),
	}
}

// meteredField reads a variable or a field, which searches the document it stands in.
type meteredField struct {
	interpreter.InterpretableAttribute
}

// Exec reads the field.
func (f *meteredField) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	m := meterOf(frame)
	if m == nil {
		return f.InterpretableAttribute.Exec(frame)
	}
	m.spend(1 + m.find)
	v := f.InterpretableAttribute.Exec(frame)
	m.spend(entries(v) / bytesOfUnit) // a loop over it copies its items
	return v
}

// meteredMaker makes a list or a map from its parts.
type meteredMaker struct {
	interpreter.InterpretableConstructor
	parts int
}

// Exec makes the list or map.
func (c *meteredMaker) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	meterOf(frame).spend(1 + c.parts)
	return c.InterpretableConstructor.Exec(frame)
}

// meteredCall calls a function with arguments that have been charged for.
type meteredCall struct {
	interpreter.InterpretableCall
	args []interpreter.InterpretableV2
	impl *celfunctions.Overload // nil for equality, which CEL plans by itself
}

func meteredCallOf(call interpreter.InterpretableCall) (interpreter.InterpretableV2, error) {
	impl, err := implementation(call)
	return &meteredCall{call, call.Args(), impl}, err
}

// Exec evaluates the arguments, charges for what the function will do with them, and calls it.
func (c *meteredCall) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	m := meterOf(frame)
	lazy := c.impl != nil && c.impl.NonStrict
	args := make([]ref.Val, len(c.args))
	for i, arg := range c.args {
		args[i] = arg.Exec(frame)
		if !lazy && types.IsUnknownOrError(args[i]) {
			return args[i]
		}
	}
	if err := m.charge(c.Function(), args); err != nil {
		return types.LabelErrNode(c.ID(), types.WrapErr(err))
	}
	out := types.LabelErrNode(c.ID(), c.call(m, args))
	m.spend(weight(out) / bytesOfUnit)
	return out
}

// call is what cel-go's own call does (interpreter/interpretable.go).
func (c *meteredCall) call(m *meter, args []ref.Val) ref.Val {
	switch c.Function() {
	case operators.Equals:
		return types.Equal(args[0], args[1])
	case operators.NotEquals:
		return types.Bool(types.Equal(args[0], args[1]) != types.True)
	case operators.Add:
		if joined := m.concat(args); joined != nil {
			return joined
		}
	}
	o := c.impl
	if o != nil && (len(args) == 0 || o.OperandTrait == 0 || o.NonStrict && types.IsUnknownOrError(args[0]) || args[0].Type().HasTrait(o.OperandTrait)) {
		switch {
		case len(args) == 1 && o.Unary != nil:
			return o.Unary(args[0])
		case len(args) == 2 && o.Binary != nil:
			return o.Binary(args[0], args[1])
		case o.Function != nil:
			return o.Function(args...)
		}
	}
	if len(args) > 0 && args[0].Type().HasTrait(traits.ReceiverType) {
		return args[0].(traits.Receiver).Receive(c.Function(), c.OverloadID(), args[1:])
	}
	return types.NewErr("no such overload: %s", c.Function())
}

// concat joins two lists into one that is made, not a tree of lists: what reads a tree cannot know
// its size. It is nil for what is no such sum, and for the list that a loop builds.
func (m *meter) concat(args []ref.Val) ref.Val {
	a, isList := args[0].(traits.Lister)
	b, both := args[1].(traits.Lister)
	if _, builds := a.(traits.MutableLister); !isList || !both || builds {
		return nil
	}
	if n := entries(args[0]) + entries(args[1]); m != nil {
		m.spend(n)
	}
	return Facts(append(append([]ref.Val{}, items(a)...), items(b)...))
}

// implementations are all functions by overload and by name, as cel-go's dispatcher has them.
var implementations = sync.OnceValues(func() (map[string]*celfunctions.Overload, error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}
	all := map[string]*celfunctions.Overload{}
	for _, f := range env.Functions() {
		bindings, err := f.Bindings()
		if err != nil {
			return nil, err
		}
		for _, b := range bindings {
			all[b.Operator] = b
		}
	}
	return all, nil
})

func implementation(call interpreter.InterpretableCall) (*celfunctions.Overload, error) {
	all, err := implementations()
	if err != nil {
		return nil, err
	}
	if o := all[call.OverloadID()]; o != nil && call.OverloadID() != "" {
		return o, nil
	}
	return all[call.Function()], nil
}
