package rule

import (
	"errors"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/interpreter"

	"github.com/coaming/coaming/internal/verdict"
)

// Scope is what a rule sees of one fact; nil fields are not there. It is not for concurrent use.
type Scope struct {
	Container, Role, Workload, Object, Namespace, Binding, API, Cluster, Settings, Support Fact
	// Beside and Everywhere are the other objects by kind, Selected what the object selects.
	Beside, Everywhere, Selected Fact
	// Account is a ServiceAccount with who runs as it.
	Account Fact
	// Image is what an image holds.
	Image Fact
	// Item is the item of a rule with an each, under the name that the rule gives it.
	ItemName string
	Item     Fact
	// Nodes is how many values the fact holds: what bounds the cost of a rule on it.
	Nodes int

	meter meter // of the rule from outside that is asked now
}

// ResolveName finds a variable (cel.Activation).
func (s *Scope) ResolveName(name string) (any, bool) {
	var f Fact
	switch name {
	case meterName:
		return &s.meter, true
	case s.ItemName:
		f = s.Item
	case "container":
		f = s.Container
	case "role":
		f = s.Role
	case "workload":
		f = s.Workload
	case "object":
		f = s.Object
	case "ns":
		f = s.Namespace
	case "binding":
		f = s.Binding
	case "api":
		f = s.API
	case "cluster":
		f = s.Cluster
	case "beside":
		f = s.Beside
	case "everywhere":
		f = s.Everywhere
	case "selected":
		f = s.Selected
	case "account":
		f = s.Account
	case "image":
		f = s.Image
	case "settings":
		f = s.Settings
	case "support":
		f = s.Support
	}
	return f, f != nil
}

// refill gives the next evaluation its means.
func (s *Scope) refill() { s.meter = meter{left: means, find: s.Nodes / nodesOfUnit} }

// Parent is nil: a scope stands alone (cel.Activation).
func (s *Scope) Parent() cel.Activation { return nil }

// Judge evaluates the rule on what the scope shows. applies is false where the rule's condition
// does not hold; reason says why an unknown is unknown.
func (c *Compiled) Judge(s *Scope) (v verdict.Verdict, applies bool, reason string) {
	if c.when != nil {
		holds, reason := decide(c.when, s)
		switch {
		case reason != "":
			return verdict.Unknown, true, reason
		case !holds:
			return verdict.Pass, false, ""
		}
	}
	holds, reason := decide(c.assert, s)
	switch {
	case reason != "":
		return verdict.Unknown, true, reason
	case holds:
		return verdict.Pass, true, ""
	default:
		return verdict.Fail, true, ""
	}
}

// Message is what the rule says of a failed fact; its title where the message cannot be made.
func (c *Compiled) Message(s *Scope) string {
	p, err := c.says()
	if err == nil {
		s.refill()
		if out, _, err := p.ContextEval(ended, s); err == nil {
			if text, ok := out.(types.String); ok {
				return string(text)
			}
		}
	}
	return c.Title
}

func decide(compile func() (*condition, error), s *Scope) (holds bool, reason string) {
	c, err := compile()
	if err != nil {
		return false, "the rule could not be compiled"
	}
	return c.decide(s)
}

// WrongType is why a rule on a malformed object is unknown.
const WrongType = "a field that the rule reads has another type than the API gives it"

// The other reasons that lie in what an object says.
const (
	wrongAmount  = "an amount is written in a way that the API server refuses"
	wrongForm    = "a text that the rule reads is not of the form that the API gives it"
	missingField = "a field that the API requires is missing"
	tooDear      = "the object is too large for the rule's cost bound"
	tooManyInIt  = "it holds more values than are searched for credentials"
	unevaluated  = "the rule could not be evaluated"
)

// IsOwn says whether the reason of an unknown lies in what the object says, and not in what could not be looked at.
func IsOwn(reason string) bool {
	switch reason {
	case WrongType, wrongAmount, wrongForm, missingField, tooDear, tooManyInIt, unevaluated:
		return true
	}
	return false
}

// explain says in plain words why an expression could not be decided.
func explain(err error) string {
	if notSeen, ok := errors.AsType[*NotSeen](err); ok {
		return notSeen.Reason
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "no such overload"), strings.Contains(text, "type conversion"), strings.Contains(text, "unexpected type"),
		strings.Contains(text, "unsupported index type"), strings.Contains(text, "iterable type"),
		strings.Contains(text, "invalid qualifier type"), strings.Contains(text, "join: invalid input"):
		return WrongType
	case strings.Contains(text, "quantities must match"):
		return wrongAmount
	case strings.Contains(text, "parse"): // cidr("x"), quantity("x")
		return wrongForm
	case strings.Contains(text, "no such key"), strings.Contains(text, "no such attribute"):
		return missingField
	case errors.Is(err, interpreter.InterruptError{}), strings.HasSuffix(text, overspent.Message):
		return tooDear
	default:
		return unevaluated
	}
}
