// Package threshold makes gates of what users write: which failed findings make a judgement fail. A gate is a
// severity, or a CEL expression over the finding (severity >= high && fixed), whose names and types are checked
// before anything is judged. What an expression rests on that is not known makes its answer unknown, unless
// what is known decides it. It is pure; cli alone imports it.
package threshold

import (
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"

	"github.com/coaming/coaming/internal/verdict"
)

// Parse makes a gate of a severity or of an expression.
func Parse(text string) (verdict.Gate, error) {
	var s verdict.Severity
	severity := s.UnmarshalText([]byte(text))
	if severity == nil {
		return s, nil
	}
	if isWord(text) && !declares(text) {
		return nil, &verdict.RemedyError{Err: severity, Remedy: "Write a severity, or an expression over " + strings.Join(names(), ", ") + "."}
	}
	return compile(text)
}

// isWord says that the text has nothing that only expressions have.
func isWord(text string) bool {
	return strings.Trim(strings.ToLower(text), "abcdefghijklmnopqrstuvwxyz-") == ""
}

// maxExpression bounds an expression, in bytes; maxCost what one evaluation may take, in CEL's own units.
const (
	maxExpression = 4 << 10
	maxCost       = 100_000
)

// Expression is a gate that a CEL expression makes.
type Expression struct {
	text    string
	program cel.Program
}

func compile(text string) (*Expression, error) {
	if len(text) > maxExpression {
		return nil, fmt.Errorf("the expression has %d bytes, over %d", len(text), maxExpression)
	}
	env, err := environment()
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(text)
	if err := issues.Err(); err != nil {
		return nil, &verdict.RemedyError{
			Err:    fmt.Errorf("%q is neither a severity nor an expression: %s", text, faults(issues)),
			Remedy: "Write low, medium, high or critical, or an expression over " + strings.Join(names(), ", ") + ".",
		}
	}
	if !ast.OutputType().IsExactType(cel.BoolType) {
		return nil, &verdict.RemedyError{
			Err:    fmt.Errorf("the expression %q gives a %s, not true or false", text, ast.OutputType()),
			Remedy: "Compare it with something, as in severity >= high && fixed.",
		}
	}
	program, err := env.Program(ast, cel.EvalOptions(cel.OptPartialEval), cel.CostLimit(maxCost))
	if err != nil {
		return nil, fmt.Errorf("compile %q: %w", text, err)
	}
	return &Expression{text: text, program: program}, nil
}

// faults are the compiler's messages on one line, each with its column.
func faults(issues *cel.Issues) string {
	var list []string
	for _, e := range issues.Errors() {
		message := strings.TrimSpace(strings.Split(e.Message, "\n")[0])
		list = append(list, fmt.Sprintf("%s (column %d)", strings.Replace(message, " (in container '')", "", 1), e.Location.Column()+1))
	}
	return strings.Join(list, "; ")
}

// String is the expression as it was written.
func (x *Expression) String() string { return x.text }

// Meets asks the expression about a failed finding. Whoever writes exposed != "no" means what nobody knows, too; whoever writes exposed ==
// "yes" is told that nobody knows.
func (x *Expression) Meets(f *verdict.Finding) verdict.Verdict {
	values, unknown := valuesOf(f)
	unrated := f.Vulnerability != nil && f.Vulnerability.Unrated
	met := x.rate(values, unknown, unrated)
	if doubts := doubted(f); met == verdict.Pass && len(doubts) > 0 {
		return x.rate(values, append(unknown, doubts...), unrated)
	}
	return met
}

// rate asks with the severity that there is. What nobody has rated may have any: what the expression says of all of them is known, so
// that severity >= low means what the severity low means as a gate, and all else is not.
func (x *Expression) rate(values map[string]any, unknown []string, unrated bool) verdict.Verdict {
	if !unrated {
		return x.eval(values, unknown)
	}
	var first verdict.Verdict
	for s := verdict.Low; s <= verdict.Critical; s++ {
		values["severity"] = int64(s)
		met := x.eval(values, unknown)
		if s == verdict.Low {
			first = met
		}
		if met == verdict.Unknown || met != first {
			return verdict.Unknown
		}
	}
	return first
}

func (x *Expression) eval(values map[string]any, unknown []string) verdict.Verdict {
	patterns := make([]*cel.AttributePatternType, 0, len(unknown))
	for _, name := range unknown {
		patterns = append(patterns, cel.AttributePattern(name))
	}
	vars, err := cel.PartialVars(values, patterns...)
	if err != nil {
		return verdict.Unknown
	}
	out, _, err := x.program.Eval(vars)
	switch {
	case err != nil || out == nil || types.IsUnknown(out):
		return verdict.Unknown
	case out == types.True:
		return verdict.Fail
	case out == types.False:
		return verdict.Pass
	}
	return verdict.Unknown
}
