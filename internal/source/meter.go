package source

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

// meter bounds what a chart's templates may print, and ends them with their context. Go's template
// engine can do neither, so every loop and definition is made to report: instrument writes a call
// into its body, on the same line, that adds what one turn prints.
type meter struct {
	ctx   context.Context // of the one rendering that the meter lives in
	limit int64
	spent atomic.Int64
}

// errSpent says that the templates printed more than they may.
var errSpent = errors.New("the templates print more than the bound")

const spendName = "coamingSpend"

// spend adds n bytes.
func (m *meter) spend(n int64) error {
	if n < 0 || m.spent.Add(n) > m.limit {
		m.spent.Store(m.limit + 1)
		return errSpent
	}
	return m.ctx.Err()
}

// over is why the meter ended the templates, nil when it did not.
func (m *meter) over() error {
	if m.spent.Load() > m.limit {
		return errSpent
	}
	return m.ctx.Err()
}

// functions are the meter's own, and those template functions whose answer may be much larger than
// what they are given.
func (m *meter) functions() template.FuncMap {
	f := template.FuncMap{spendName: func(n int) (string, error) { return "", m.spend(int64(n) + 1) }}
	sprigs := sprig.TxtFuncMap()
	for name, cost := range costs {
		f[name] = m.metered(sprigs[name], cost)
	}
	for _, name := range [...]string{"join", "concat", "cat", "wrap", "wrapWith"} {
		f[name] = m.metered(sprigs[name], nil)
	}
	f["print"] = m.metered(fmt.Sprint, nil)
	f["println"] = m.metered(fmt.Sprintln, nil)
	f["printf"] = m.metered(fmt.Sprintf, nil)
	return f
}

// costs are how much the functions will answer, told before they are called.
var costs = map[string]func(args []reflect.Value) int64{
	"repeat":       func(a []reflect.Value) int64 { return number(a[0]) * max(1, length(a, 1)) },
	"indent":       func(a []reflect.Value) int64 { return number(a[0]) * (1 + lines(a, 1)) },
	"nindent":      func(a []reflect.Value) int64 { return number(a[0]) * (1 + lines(a, 1)) },
	"until":        func(a []reflect.Value) int64 { return 8 * number(a[0]) },
	"untilStep":    untilStepCost,
	"seq":          seqCost,
	"randAlphaNum": func(a []reflect.Value) int64 { return number(a[0]) },
	"randAlpha":    func(a []reflect.Value) int64 { return number(a[0]) },
	"randAscii":    func(a []reflect.Value) int64 { return number(a[0]) },
	"randNumeric":  func(a []reflect.Value) int64 { return number(a[0]) },
	"randBytes":    func(a []reflect.Value) int64 { return number(a[0]) },
	"replace": func(a []reflect.Value) int64 {
		return bounded(int64(strings.Count(a[2].String(), a[0].String()))) * length(a, 1)
	},
}

// bounded keeps a number where multiplying two of them does not overflow.
func bounded(n int64) int64 { return min(max(n, -n, 0), 1<<31-1) }

func number(arg reflect.Value) int64           { return bounded(arg.Int()) }
func length(args []reflect.Value, i int) int64 { return bounded(int64(args[i].Len())) }
func lines(args []reflect.Value, i int) int64 {
	return bounded(int64(strings.Count(args[i].String(), "\n")))
}

func untilStepCost(a []reflect.Value) int64 {
	step := a[2].Int()
	if step == 0 {
		return 0
	}
	return 8 * bounded((a[1].Int()-a[0].Int())/step)
}

func seqCost(args []reflect.Value) int64 {
	var span int64
	for i := range args[0].Len() { // the last argument is the variadic list
		span += bounded(args[0].Index(i).Int())
	}
	return 8 * span
}

// metered wraps a function: what it will answer, or else what it answered, is spent.
func (m *meter) metered(function any, cost func([]reflect.Value) int64) any {
	f := reflect.ValueOf(function)
	return reflect.MakeFunc(f.Type(), func(args []reflect.Value) []reflect.Value {
		if cost != nil {
			m.must(cost(args))
		}
		var results []reflect.Value
		if f.Type().IsVariadic() {
			results = f.CallSlice(args)
		} else {
			results = f.Call(args)
		}
		if cost == nil {
			answer := results[0]
			if answer.Kind() == reflect.Interface {
				answer = answer.Elem()
			}
			if k := answer.Kind(); k == reflect.String || k == reflect.Slice {
				m.must(int64(answer.Len()))
			}
		}
		return results
	}).Interface()
}

// must spends within a function that has no error to return; the template engine recovers.
func (m *meter) must(n int64) {
	if err := m.spend(n); err != nil {
		panic(err)
	}
}

// report is a call of the meter that instrument writes into a template.
type report struct {
	at      int  // where it is written
	trimmed bool // the action before it ends in "-}}"
	size    int  // what one turn prints
	filled  bool // there is something in the body; an empty definition must stay empty
}

// instrument makes a template's loops and definitions report what one turn prints. Lines stay what
// they are. A text that it does not understand is left alone: the engine will refuse it.
func instrument(text string) string {
	reports := reportsOf(text)
	if len(reports) == 0 {
		return text
	}
	var b strings.Builder
	from := 0
	for _, r := range reports {
		if !r.filled {
			continue
		}
		b.WriteString(text[from:r.at])
		b.WriteString("{{" + spendName + " " + strconv.Itoa(r.size))
		if r.trimmed {
			b.WriteString(" -")
		}
		b.WriteString("}}")
		from = r.at
	}
	b.WriteString(text[from:])
	return b.String()
}

// reportsOf finds the bodies of a template's loops and definitions.
func reportsOf(text string) []report {
	reports := []report{{}} // the first stands for what is outside of all
	var open []int          // of each open block, the index of its report
	inner := 0              // the innermost one's
	for at := 0; ; {
		n := strings.Index(text[at:], "{{")
		if n < 0 {
			return reports[1:]
		}
		reports[inner].size += n
		reports[inner].filled = reports[inner].filled || strings.TrimSpace(text[at:at+n]) != ""
		at += n
		end := actionEnd(text, at)
		if end < 0 {
			return nil
		}
		word := keyword(text[at:end])
		if word != "end" && word != "/" {
			reports[inner].filled = true
		}
		switch word {
		case "range", "define", "block":
			open = append(open, inner)
			inner = len(reports)
			reports = append(reports, report{at: end, trimmed: strings.HasSuffix(text[:end], "-}}")})
		case "if", "with":
			open = append(open, inner)
		case "end":
			if len(open) == 0 {
				return nil
			}
			inner = open[len(open)-1]
			open = open[:len(open)-1]
		}
		at = end
	}
}

// actionEnd is the offset behind the action that begins at offset at, -1 when it has no end.
func actionEnd(text string, at int) int {
	i := at + 2
	if rest := strings.TrimLeft(strings.TrimPrefix(text[i:], "-"), " \t\r\n"); strings.HasPrefix(rest, "/*") {
		n := strings.Index(rest, "*/")
		if n < 0 {
			return -1
		}
		i = len(text) - len(rest) + n + 2
	}
	for i < len(text) {
		switch c := text[i]; c {
		case '}':
			if strings.HasPrefix(text[i:], "}}") {
				return i + 2
			}
		case '`':
			n := strings.IndexByte(text[i+1:], '`')
			if n < 0 {
				return -1
			}
			i += n + 1
		case '"', '\'':
			for i++; i < len(text) && text[i] != c; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		}
		i++
	}
	return -1
}

// keyword is the first word of an action, "/" of a comment.
func keyword(action string) string {
	word := strings.TrimLeft(strings.TrimPrefix(action[2:], "-"), " \t\r\n")
	if strings.HasPrefix(word, "/") {
		return "/"
	}
	if i := strings.IndexFunc(word, func(r rune) bool { return r < 'a' || r > 'z' }); i >= 0 {
		return word[:i]
	}
	return word
}
