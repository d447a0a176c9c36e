package workbench

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/coaming/coaming/internal/credential"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// Explain writes how the rule comes out on objects: for each part of them that it is asked about
// the verdict, and of its expressions every part with its value. Credentials are masked. It returns
// the gravest verdict, pass when the rule was not asked.
func Explain(w io.Writer, r *rule.Compiled, objects []document.Value, b Bench) (verdict.Verdict, error) {
	e := &explanation{rule: r, secrets: credentials(objects), gravest: verdict.Pass}
	_, _ = fmt.Fprintf(&e.out, "%s: %s\n", r.ID, r.Title)
	asked := 0
	Judge(r, objects, b, func(_ *rule.Compiled, o *fact.Object, path string, s *rule.Scope) {
		asked++
		e.question(o, path, s)
	})
	if asked == 0 {
		e.out.WriteString("\nThe rule was not asked: nothing in the file is what it matches (" + matchText(r.Rule) + ").\n")
	}
	_, err := io.WriteString(w, e.out.String())
	return e.gravest, err
}

type explanation struct {
	rule    *rule.Compiled
	secrets []string
	out     strings.Builder
	gravest verdict.Verdict
}

// question writes one question and its answer.
func (e *explanation) question(o *fact.Object, path string, s *rule.Scope) {
	v, applies, reason := e.rule.Judge(s)
	word := v.String()
	if !applies {
		word = "does not apply"
	}
	where := "cluster"
	if o != nil {
		where = o.Kind + " " + strings.TrimPrefix(o.Namespace+"/"+o.Name, "/")
	}
	if path != "" {
		where += ", " + path
	}
	_, _ = fmt.Fprintf(&e.out, "\n%s: %s\n", e.line(where), word)
	if reason != "" {
		_, _ = fmt.Fprintf(&e.out, "  because %s\n", reason)
	}
	if v == verdict.Unknown || v == verdict.Fail && e.gravest == verdict.Pass {
		e.gravest = v
	}
	if v == verdict.Fail {
		e.gravest = verdict.Fail
		_, _ = fmt.Fprintf(&e.out, "  says  %s\n", e.line(e.rule.Message(s)))
	}
	fields := []string{"when", "assert"}
	if !applies {
		fields = fields[:1]
	}
	for _, field := range fields {
		steps, err := e.rule.Trace(field, s)
		if err != nil {
			_, _ = fmt.Fprintf(&e.out, "  %s: %v\n", field, err)
		}
		e.steps(field, steps)
	}
}

func (e *explanation) steps(field string, steps []rule.Step) {
	for i, step := range steps {
		label := ""
		if i == 0 {
			label = field
		}
		value := "not asked"
		if step.Value != nil {
			value = cut(rule.Shown(step.Value, e.leaf), maxValue)
		}
		if step.Turn && step.Value != nil {
			value += " in the last turn"
		}
		text := cut(e.literal(strings.Join(strings.Fields(step.Text), " ")), maxText)
		_, _ = fmt.Fprintf(&e.out, "  %-6s %s%s\n  %-6s %s  = %s\n", label, strings.Repeat("  ", step.Depth), text, "", strings.Repeat("  ", step.Depth), value)
	}
}

// How long a part of an expression and its value are shown, in characters.
const (
	maxText  = 160
	maxValue = 120
)

func cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "..."
}

// leaf is a text of the object as it is shown.
func (e *explanation) leaf(key, text string) string {
	if credential.Masks(key, text) {
		return masked
	}
	return e.line(text)
}

// line is a text without credentials and without what a terminal would act on.
func (e *explanation) line(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, hide(text, e.secrets))
}

// literal is a part of the rule itself: only the object's own credentials are hidden in it.
func (e *explanation) literal(text string) string {
	for _, secret := range e.secrets {
		if len(secret) >= shortSecret {
			text = strings.ReplaceAll(text, secret, masked)
		}
	}
	return text
}
