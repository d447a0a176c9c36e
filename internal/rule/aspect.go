package rule

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/traits"

	"github.com/coaming/coaming/internal/credential"
	"github.com/coaming/coaming/internal/document"
)

// Aspect is one thing that a rule's conditions see of a value: whether it is there, whether its text
// contains a word, which registry it names, or the value itself. A condition comes out the same on any two
// values of which it sees the same aspects, however else they differ: a thousand references to images
// that all are of one registry are one to a rule that reads no more.
type Aspect struct {
	text     string // names it
	operands []operand
	// Few says whether it comes out in few ways, so that values share it.
	few bool
	see sight // of operands that are texts; nil for what stands there
	has bool  // no more than whether anything stands there
	so  bool  // of operands that are texts it is true or false, as the expression is
	// behind is what must come out so that the condition looks here at all.
	behind []guard
}

// guard is an aspect that is so or not: one that comes out otherwise ends the expression.
type guard struct {
	aspect *Aspect
	is     bool
}

// sight appends what is seen of one text, or of two.
type sight func(b []byte, x, y string, s *Scope) []byte

// operand is what is looked at: the value at a path, a part of the image that it names, or a literal.
type operand struct {
	keys    []string // nil for a literal
	image   string   // the part, "" for the text itself
	literal string
}

// Viewed is what the variable of an aspect's paths holds.
type Viewed struct {
	Value document.Value
	// Entry says that it is an entry of a map, which has a key beside the value.
	Entry bool
	Key   string
}

// String names the aspect; equal names mean the same one.
func (a *Aspect) String() string { return a.text }

// Few says whether the aspect comes out in few ways only.
func (a *Aspect) Few() bool { return a.few }

// of says whether the aspect is of values at a path, or below it.
func (a *Aspect) of(keys []string) bool {
	for _, o := range a.operands {
		if o.keys != nil && (len(o.keys) < len(keys) || !slices.Equal(o.keys[:len(keys)], keys)) {
			return false
		}
	}
	return true
}

// Whole says whether the aspect is all of the value at a path, and always looked at.
func (a *Aspect) Whole(keys []string) bool {
	return a.see == nil && !a.has && len(a.operands[0].keys) <= len(keys) && len(a.behind) == 0
}

// Guarded says whether the conditions look there only where other aspects come out in a certain way.
func (a *Aspect) Guarded() bool { return len(a.behind) > 0 }

// Append appends what is seen; equal bytes mean the same. It stands for itself: no bytes are the beginning of other ones.
func (a *Aspect) Append(b []byte, of *Viewed, s *Scope) []byte {
	for _, g := range a.behind {
		n := len(b)
		b = g.aspect.Append(b, of, s)
		seen := b[n:]
		b = b[:n]
		if len(seen) == 2 && seen[0] == seenResult && seen[1] == truth(!g.is) {
			return append(b, seenNothing)
		}
	}
	var texts [2]string
	for i := range a.operands {
		o := &a.operands[i]
		if o.keys == nil {
			texts[i] = o.literal
			continue
		}
		if of.Entry && len(o.keys) == 2 && o.keys[1] == "key" {
			texts[i] = o.partOf(of.Key)
			continue
		}
		v, rest := of.Value, o.keys[1:]
		if of.Entry {
			if len(rest) == 0 || rest[0] != "value" {
				return append(b, seenNothing)
			}
			rest = rest[1:]
		}
		for len(rest) > 0 && v.Kind() == document.Map {
			v, rest = v.Get(rest[0]), rest[1:]
		}
		switch {
		case len(rest) > 0 || !a.has && (a.see == nil || v.Kind() != document.String):
			return document.AppendExact(append(b, seenValue, byte(len(rest))), v)
		case a.has:
			return append(b, seenResult, truth(v.Kind() > document.Null))
		}
		texts[i] = o.partOf(v.Text())
	}
	b = append(b, seenResult)
	switch {
	case a.has: // an entry has a key
		return append(b, truth(true))
	case a.see == nil:
		return appendText(b, texts[0])
	}
	return a.see(b, texts[0], texts[1], s)
}

// What an aspect's bytes begin with.
const (
	seenNothing byte = iota // it is not looked at, or no value has such a field
	seenValue               // what stands there, or in its way
	seenResult
)

func (o *operand) partOf(text string) string {
	if o.image == "" {
		return text
	}
	return imageRefOf(text).part(o.image)
}

func truth(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// Aspects are all that the rule's conditions see of the values at a path and below, or nil where that is not known.
func (c *Compiled) Aspects(keys []string) []*Aspect {
	var list []*Aspect
	for _, compile := range []func() (*condition, error){c.when, c.assert} {
		if compile == nil {
			continue
		}
		condition, err := compile()
		if err != nil {
			return nil
		}
		for _, a := range condition.aspects {
			switch {
			case !slices.ContainsFunc(a.operands, func(o operand) bool {
				n := min(len(o.keys), len(keys))
				return o.keys != nil && slices.Equal(o.keys[:n], keys[:n])
			}):
			case !a.of(keys):
				return nil // it looks at other values, too
			case !slices.ContainsFunc(list, func(other *Aspect) bool { return other.text == a.text }):
				list = append(list, a)
			}
		}
	}
	return list
}

// wholeAt is the aspect that is all that stands at a path.
func wholeAt(path string) *Aspect {
	return &Aspect{text: "all " + path, operands: []operand{{keys: splitPath(path)}}}
}

// note adds an aspect that is looked at behind others, of which those of the same variable count.
func (c *condition) note(a *Aspect, behind []guard) {
	for _, g := range behind {
		if root := a.root(); root == "" || !g.aspect.of([]string{root}) {
			continue
		}
		a.behind = append(a.behind, g)
		a.text += fmt.Sprintf(" where %s is %t", g.aspect.text, g.is)
	}
	c.aspects = append(c.aspects, a)
}

// root is the variable that the aspect is of; "" where there are several.
func (a *Aspect) root() string {
	root := ""
	for _, o := range a.operands {
		switch {
		case o.keys == nil:
		case root == "":
			root = o.keys[0]
		case root != o.keys[0]:
			return ""
		}
	}
	return root
}

// sure are the aspects that came out in a known way where an expression is true, or false: any that does not decides it.
func (c *Compiled) sure(e ast.Expr, is bool) []guard {
	if a := c.aspect(e); a != nil && a.so {
		return []guard{{a, is}}
	}
	if e.Kind() != ast.CallKind {
		return nil
	}
	args := e.AsCall().Args()
	switch name := e.AsCall().FunctionName(); {
	case name == operators.LogicalNot:
		return c.sure(args[0], !is)
	case name == operators.LogicalAnd && is, name == operators.LogicalOr && !is:
		return append(c.sure(args[0], is), c.sure(args[1], is)...)
	}
	return nil
}

// aspect is what an expression sees of values; nil when it is more than one aspect.
func (c *Compiled) aspect(e ast.Expr) *Aspect {
	switch e.Kind() {
	case ast.SelectKind:
		if keys := c.keys(e); keys != nil && e.AsSelect().IsTestOnly() {
			return &Aspect{text: "has(" + strings.Join(keys, "\x00") + ")", operands: []operand{{keys: keys}}, few: true, has: true, so: true}
		}
		if o, ok := c.operand(e); ok && o.image != "" {
			return &Aspect{text: "part " + o.name(), operands: []operand{o}, few: o.image == "valid", see: itself}
		}
	case ast.CallKind:
		return c.call(e.AsCall())
	case ast.ComprehensionKind, ast.ListKind, ast.MapKind, ast.StructKind, ast.IdentKind, ast.LiteralKind, ast.UnspecifiedExprKind:
	}
	return nil
}

// call is what a call sees of its operands.
func (c *Compiled) call(call ast.CallExpr) *Aspect {
	args := call.Args()
	if call.IsMemberFunction() {
		args = append([]ast.Expr{call.Target()}, args...)
	}
	name := call.FunctionName()
	if name == operators.Index || name == operators.OptIndex {
		return c.calendar(args)
	}
	var operands []operand
	var choices []string
	for i, arg := range args {
		o, ok := c.operand(arg)
		if list := literals(arg); !ok && i == 1 && list != nil {
			choices = list
			continue
		}
		if !ok || o.image == "valid" {
			return nil
		}
		operands = append(operands, o)
	}
	if !slices.ContainsFunc(operands, func(o operand) bool { return o.keys != nil }) {
		return nil
	}
	see := seeing(name, operands, choices)
	if see == nil {
		return nil
	}
	a := &Aspect{operands: operands, few: true, so: name != "credential", see: see}
	for _, o := range operands {
		a.text += o.name() + "\x01"
	}
	a.text = fmt.Sprintf("%s %q %q", name, a.text, choices)
	return a
}

// seeing is how the result of a call is seen where all of its operands are texts; nil for calls of which
// it is not known.
func seeing(name string, operands []operand, choices []string) sight {
	of := len(operands)
	switch literal := of == 2 && operands[1].keys == nil; {
	case choices != nil:
		if name != operators.In || of != 1 {
			return nil
		}
		return compared(func(x, _ string) bool { return slices.Contains(choices, x) })
	case name == "guessable" && of == 1:
		return compared(func(x, _ string) bool { return credential.IsGuess(x) })
	case name == "credential" && of == 2:
		return func(b []byte, x, y string, _ *Scope) []byte { return appendText(b, credential.Kind(x, y)) }
	case name == operators.Equals && of == 2:
		return compared(func(x, y string) bool { return x == y })
	case name == operators.NotEquals && of == 2:
		return compared(func(x, y string) bool { return x != y })
	case name == "contains" && literal:
		return compared(strings.Contains)
	case name == "startsWith" && literal:
		return compared(strings.HasPrefix)
	case name == "endsWith" && literal:
		return compared(strings.HasSuffix)
	case name == "matches" && literal:
		pattern, err := regexp.Compile(operands[1].literal)
		if err != nil {
			return nil
		}
		known := &matches{pattern: pattern}
		return compared(func(x, _ string) bool { return known.match(x) })
	}
	return nil
}

// matches remembers which texts an expression matched: images share tags and registries.
type matches struct {
	pattern *regexp.Regexp
	latest  [1 << 6]atomic.Pointer[struct {
		text string
		is   bool
	}]
}

func (m *matches) match(text string) bool {
	if len(text) > longestRepository {
		return m.pattern.MatchString(text)
	}
	place := &m.latest[maphash.String(imageSeed, text)%uint64(len(m.latest))]
	if known := place.Load(); known != nil && known.text == text {
		return known.is
	}
	is := m.pattern.MatchString(text)
	place.Store(&struct {
		text string
		is   bool
	}{strings.Clone(text), is})
	return is
}

func itself(b []byte, x, _ string, _ *Scope) []byte { return appendText(b, x) }

// compared is a sight of how two texts compare.
func compared(so func(x, y string) bool) sight {
	return func(b []byte, x, y string, _ *Scope) []byte { return append(b, truth(so(x, y))) }
}

// calendar is what the calendar of images says of a reference, which is the same for all facts.
func (c *Compiled) calendar(args []ast.Expr) *Aspect {
	reference, ok := c.operand(args[1])
	if c.path(args[0]) != "support.images" || !ok || reference.keys == nil || reference.image != "" {
		return nil
	}
	return &Aspect{text: "calendar " + reference.name(), operands: []operand{reference}, few: true, see: func(b []byte, x, _ string, s *Scope) []byte {
		support, _ := s.Support.(traits.Mapper)
		images, _ := support.Get(types.String("images")).(traits.Mapper)
		if end, known := images.Find(types.String(x)); known {
			return appendText(b, fmt.Sprint(end.Value()))
		}
		return appendText(b, "")
	}}
}

// operand is a path, a part of the image at a path, or a literal text.
func (c *Compiled) operand(e ast.Expr) (o operand, ok bool) {
	if keys := c.keys(e); keys != nil {
		return operand{keys: keys}, e.Kind() != ast.SelectKind || !e.AsSelect().IsTestOnly()
	}
	switch e.Kind() {
	case ast.LiteralKind:
		text, isText := e.AsLiteral().Value().(string)
		return operand{literal: text}, isText
	case ast.SelectKind:
		of, part := e.AsSelect().Operand(), e.AsSelect().FieldName()
		if e.AsSelect().IsTestOnly() || of.Kind() != ast.CallKind || of.AsCall().FunctionName() != "image" || !isImagePart(part) {
			return o, false
		}
		keys := c.keys(of.AsCall().Args()[0])
		return operand{keys: keys, image: part}, keys != nil
	default:
		return o, false
	}
}

// keys are those of the path that an expression selects from a variable without asking whether it is there; nil when it is none.
func (c *Compiled) keys(e ast.Expr) []string {
	path := c.path(e)
	if path == "" || path == "support" || strings.HasPrefix(path, "support.") || strings.HasPrefix(path, "settings") || c.isOptional(e) {
		return nil
	}
	return splitPath(path)
}

// isOptional says whether any step of a path is one that asks whether there is anything: what it gives is no plain value.
func (c *Compiled) isOptional(e ast.Expr) bool {
	switch e.Kind() {
	case ast.SelectKind:
		return c.isOptional(e.AsSelect().Operand())
	case ast.CallKind:
		call := e.AsCall()
		return call.FunctionName() != operators.Index || c.isOptional(call.Args()[0])
	default:
		return false
	}
}

func (o *operand) name() string {
	if o.keys == nil {
		return fmt.Sprintf("%q", o.literal)
	}
	return strings.Join(o.keys, "\x00") + "\x02" + o.image
}

// literals are the texts of a list of nothing else; nil when it is none.
func literals(e ast.Expr) []string {
	if e.Kind() != ast.ListKind {
		return nil
	}
	list := []string{}
	for _, item := range e.AsList().Elements() {
		if item.Kind() != ast.LiteralKind {
			return nil
		}
		text, ok := item.AsLiteral().Value().(string)
		if !ok {
			return nil
		}
		list = append(list, text)
	}
	return list
}
