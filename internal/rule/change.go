package rule

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"github.com/coaming/coaming/internal/document"
)

// Change is one step of a rule's fix, worked out for one fact.
type Change struct {
	Op FixOp
	// Steps is where, from the object's root; nil for FixAdd.
	Steps []document.Step
	// Values is the value that is set or appended, the candidates of a choice, the items that are
	// taken, the objects that are added; nil for FixRemove.
	Values []document.Value
	// Ask is what a person must know before the change is made; "" where nobody needs to be asked.
	Ask string
}

// errNoFix is the error of a fact that the rule's fix has nothing to do at.
var errNoFix = errors.New("the rule's fix makes no change here")

// Changes is the rule's fix for one fact. steps is where the fact, or its item, stands in the object. An
// expression that gives optional.none() makes no change.
func (c *Compiled) Changes(s *Scope, steps []document.Step) ([]Change, error) {
	var changes []Change
	for i := range c.Fix {
		f := &c.Fix[i]
		values, wanted, err := c.operands(i, s)
		if err != nil {
			return nil, fmt.Errorf("fix %d of rule %s: %w", i, c.ID, err)
		}
		if !wanted {
			continue
		}
		change := Change{Op: f.Op, Values: values, Ask: f.Ask}
		if f.Op != FixAdd {
			change.Steps = slices.Clone(steps)
			for _, key := range f.Path {
				change.Steps = append(change.Steps, document.Step{Key: key})
			}
		}
		changes = append(changes, change)
	}
	if len(changes) == 0 {
		return nil, errNoFix
	}
	return changes, nil
}

// operands are the values of a fix; wanted is false where its expression says that there is nothing to do.
func (c *Compiled) operands(i int, s *Scope) (values []document.Value, wanted bool, err error) {
	f := &c.Fix[i]
	v := f.Value
	if f.Expr != "" {
		if v, wanted, err = c.evaluate(i, s); err != nil || !wanted {
			return nil, false, err
		}
	}
	switch {
	case f.Op == FixRemove:
		return nil, true, nil
	case v.Kind() == document.List && (f.Op == FixChoose || f.Op == FixTake || f.Op == FixAdd):
		for _, item := range v.Items() {
			values = append(values, item)
		}
		return values, len(values) > 0, nil
	default:
		return []document.Value{v}, true, nil
	}
}

// fixProgram compiles the expression of one step of a fix, once.
func (c *Compiled) fixProgram(i int, cache Cache) func() (cel.Program, error) {
	return sync.OnceValues(func() (cel.Program, error) {
		env, checked, err := c.checked("fix."+strconv.Itoa(i), c.Fix[i].Expr, cache)
		if err != nil {
			return nil, err
		}
		return c.program(env, checked)
	})
}

// evaluate is what the expression of a step gives, within the bound of all expressions.
func (c *Compiled) evaluate(i int, s *Scope) (v document.Value, wanted bool, err error) {
	program, err := c.fixes[i]()
	if err != nil {
		return v, false, err
	}
	s.refill()
	out, _, err := program.ContextEval(ended, s)
	if err != nil {
		return v, false, errors.New(explain(err))
	}
	if optional, ok := out.(*types.Optional); ok {
		if !optional.HasValue() {
			return v, false, nil
		}
		out = optional.GetValue()
	}
	text, err := appendFact(nil, out, 0)
	if err != nil {
		return v, false, err
	}
	doc, fault := document.ParseJSON(string(text))
	if fault != nil {
		return v, false, fault
	}
	return doc.Root(), true, nil
}

// deepestValue bounds the nesting of what an expression gives.
const deepestValue = 100

// appendFact appends a fact as JSON, maps with sorted keys.
func appendFact(dst []byte, v ref.Val, depth int) ([]byte, error) {
	if len(dst) > longestText {
		return nil, errors.New("the expression gives a value that is too large")
	}
	if depth > deepestValue {
		return nil, errors.New("the expression gives a value nested too deep")
	}
	switch v := v.(type) {
	case mapFact:
		return v.v.AppendSorted(dst), nil
	case *listFact:
		return v.v.AppendSorted(dst), nil
	case types.Null:
		return append(dst, "null"...), nil
	case types.Bool:
		return strconv.AppendBool(dst, bool(v)), nil
	case types.Int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case types.Uint:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case types.Double:
		return strconv.AppendFloat(dst, float64(v), 'g', -1, 64), nil
	case types.String:
		return document.AppendString(dst, string(v)), nil
	case traits.Mapper:
		return appendMap(dst, v, depth)
	case traits.Lister:
		dst = append(dst, '[')
		for i, item := range items(v) {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = appendFact(dst, item, depth+1); err != nil {
				return nil, err
			}
		}
		return append(dst, ']'), nil
	}
	return nil, fmt.Errorf("the expression gives a value of type %s, which no object holds", v.Type().TypeName())
}

func appendMap(dst []byte, m traits.Mapper, depth int) ([]byte, error) {
	entries := map[string]ref.Val{}
	var keys []string
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, errors.New("the expression gives a map with a key that is no string")
		}
		entries[string(name)] = m.Get(key)
		keys = append(keys, string(name))
	}
	slices.Sort(keys)
	dst = append(dst, '{')
	for i, key := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendFact(append(document.AppendString(dst, key), ':'), entries[key], depth+1); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}
