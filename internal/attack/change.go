package attack

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
)

// Change is one thing that a person changes, in one object, after which a step cannot be taken.
type Change struct {
	Object *fact.Object
	// Edits are made together.
	Edits []Edit
	// Title says what is done, in the imperative, without a full stop.
	Title string
	// Last marks what gives up a purpose (an application's own way in): it is taken only where nothing
	// else helps.
	Last bool
	// Breadth is what it takes away beside the step: among equally few changes those are taken that take
	// least.
	Breadth Breadth
}

// Breadth is how much else a change takes away.
type Breadth uint8

// Of a change of rights: of one subject alone, part of a rule of all that have the role, the rule, or the
// role of all that a binding names. What is no change of rights takes away from one workload alone, what
// closes pods to the network from all that they serve, those of one workload or of a namespace; last comes
// what ends what a workload is there for.
const (
	OneSubject Breadth = iota
	PartOfRule
	WholeRule
	WholeBinding
	ServedPods
	WholeNamespace
	WholePurpose
)

// Edit is one edit of an object's text, in the words of rules' fixes.
type Edit struct {
	Op rule.FixOp
	// At is a value of the object, and Below the keys that lead from there to the place that is edited,
	// which need not exist. Of FixAdd nothing is looked at but Values: new objects beside this one.
	At     document.Value
	Below  []string
	Values []document.Value
}

// Remove is the edit that takes a value away: an entry of a map or an item of a list.
func Remove(at document.Value) Edit { return Edit{Op: rule.FixRemove, At: at} }

// Set makes the value below at what is written as JSON; maps on the way are made.
func Set(at document.Value, json string, below ...string) Edit {
	return Edit{Op: rule.FixSet, At: at, Below: below, Values: []document.Value{literal(json)}}
}

// Take takes the values, each written as JSON, out of the list below at.
func Take(at document.Value, below []string, items ...string) Edit {
	e := Edit{Op: rule.FixTake, At: at, Below: below}
	for _, item := range items {
		e.Values = append(e.Values, literal(item))
	}
	return e
}

// Append adds a value, written as JSON, to the list below at, unless it holds it.
func Append(at document.Value, item string, below ...string) Edit {
	return Edit{Op: rule.FixAppend, At: at, Below: below, Values: []document.Value{literal(item)}}
}

// Add puts a new object, written as JSON, beside the one that is changed.
func Add(json string) Edit { return Edit{Op: rule.FixAdd, Values: []document.Value{literal(json)}} }

// literal reads JSON that this package wrote; what does not parse is the zero value.
func literal(json string) document.Value {
	doc, err := document.ParseJSON(json)
	if err != nil {
		return document.Value{}
	}
	return doc.Root()
}

// text is a JSON string.
func text(s string) string { return string(document.AppendString(nil, s)) }

// Rule is the edit as a rule's change, with its path from the object's root.
func (e *Edit) Rule(o *fact.Object) rule.Change {
	c := rule.Change{Op: e.Op, Values: e.Values}
	if e.Op == rule.FixAdd {
		return c
	}
	c.Steps = e.At.Steps()[len(o.Root.Steps()):]
	for _, key := range e.Below {
		c.Steps = append(c.Steps, document.Step{Key: key})
	}
	return c
}

// Key is equal for changes that do the same. It is stable from run to run.
func (c *Change) Key() string {
	b := []byte(c.Object.GroupKind() + "\x00" + c.Object.Namespace + "\x00" + c.Object.Name + "\x00" + c.Object.Origin.File)
	if doc := c.Object.Root.Doc(); doc != nil {
		start, _ := doc.Span()
		b = strconv.AppendInt(append(b, 0), int64(start), 10)
	}
	for i := range c.Edits {
		e := &c.Edits[i]
		b = append(append(b, 0), e.Op...)
		if e.At.Exists() {
			b = strconv.AppendInt(append(b, ' '), int64(e.At.Order()), 10)
		}
		b = append(append(b, ' '), strings.Join(e.Below, "\x01")...)
		for _, v := range e.Values {
			b = v.AppendSorted(append(b, ' '))
		}
	}
	return string(b)
}

// compareChanges is an order of changes for people: by file and place.
func compareChanges(a, b *Change) int {
	return cmp.Or(
		strings.Compare(a.Object.Origin.File, b.Object.Origin.File),
		strings.Compare(title(a.Object), title(b.Object)),
		strings.Compare(a.Title, b.Title),
		strings.Compare(a.Key(), b.Key()),
	)
}

// place is where the first edit is made.
func (c *Change) place() document.Value {
	for i := range c.Edits {
		if e := &c.Edits[i]; e.At.Exists() {
			return e.At
		}
	}
	return c.Object.Root
}

// Rules are the edits as a rule's changes.
func (c *Change) Rules() []rule.Change {
	list := make([]rule.Change, 0, len(c.Edits))
	for i := range c.Edits {
		list = append(list, c.Edits[i].Rule(c.Object))
	}
	return list
}
