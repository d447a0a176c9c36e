package fix

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

func (r *Result) counts() map[State]int {
	counts := map[State]int{}
	for i := range r.Outcomes {
		counts[r.Outcomes[i].State]++
	}
	return counts
}

// Count is how many of the cases ended in that state.
func (r *Result) Count(s State) int { return r.counts()[s] }

// through says how a fix is made where the object's own text is not what changes.
func (o *Outcome) through() string {
	if o.Route == nil && o.State == Proved {
		return "with the fixes of other findings"
	}
	if o.Route == nil || o.Route.Through == "" {
		return ""
	}
	return "through " + o.Route.Through
}

// question is what a person must answer.
func (o *Outcome) question() string {
	about := slices.Clone(o.Asks)
	if first := ask(o.Changes); first != "" {
		about = slices.Insert(about, 0, first)
	}
	if len(about) > 0 {
		return strings.Join(about, "; and ") + " (" + o.choices() + ")"
	}
	return "one of " + o.choices()
}

// choices are the proved candidates.
func (o *Outcome) choices() string {
	var proved []string
	for _, c := range o.Candidates {
		if c.Proved {
			proved = append(proved, c.Value)
		}
	}
	return strings.Join(proved, ", ")
}

// Summary writes what became of the findings, those without a fix counted by rule and reason.
func (r *Result) Summary(w io.Writer, without map[string]int, cleared int) error {
	var b strings.Builder
	counts := r.counts()
	rest := cleared
	for _, n := range without {
		rest += n
	}
	fmt.Fprintf(&b, "%d of %d findings have a proved fix", counts[Proved]+counts[Offered]+cleared, len(r.Outcomes)+rest)
	if counts[Offered] > 0 {
		fmt.Fprintf(&b, ", %d of them only once a person chooses", counts[Offered])
	}
	b.WriteString("\n")
	if cleared > 0 {
		fmt.Fprintf(&b, "%d of them have no fix of their own and are cleared by those of others\n", cleared)
	}
	r.section(&b, Proved, "fixed", func(o *Outcome) string { return o.through() })
	r.section(&b, Offered, "to choose (--choose RULE=VALUE, or --accept-proposed for the first)", func(o *Outcome) string {
		return o.question()
	})
	r.section(&b, Clashed, "left out, in conflict", func(o *Outcome) string { return o.Reason })
	r.section(&b, Unproved, "not proved", func(o *Outcome) string { return o.Reason })
	if len(without) > 0 {
		b.WriteString("\nwithout a fix in the catalogue (the remedy says what to do: coaming explain):\n")
		var rules []string
		for id := range without {
			rules = append(rules, id)
		}
		slices.SortFunc(rules, func(a, b string) int { return cmp.Or(cmp.Compare(without[b], without[a]), cmp.Compare(a, b)) })
		for _, id := range rules {
			fmt.Fprintf(&b, "  %4d  %s\n", without[id], id)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// section lists the cases of one state, those that share rule and explanation on one line.
func (r *Result) section(b *strings.Builder, state State, title string, tell func(*Outcome) string) {
	type row struct {
		rule, text, first string
		count             int
	}
	var rows []*row
	at := map[string]*row{}
	for i := range r.Outcomes {
		o := &r.Outcomes[i]
		if o.State != state {
			continue
		}
		text := tell(o)
		key := o.Finding.Rule + "\x00" + text
		if at[key] == nil {
			at[key] = &row{rule: o.Finding.Rule, text: text, first: o.Finding.Fingerprint + " " + o.Finding.Subject.String()}
			rows = append(rows, at[key])
		}
		at[key].count++
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s:\n", title)
	for _, row := range rows {
		fmt.Fprintf(b, "  %4d  %s", row.count, row.rule)
		if row.text != "" {
			fmt.Fprintf(b, ": %s", row.text)
		}
		if row.count == 1 {
			fmt.Fprintf(b, " (%s)", row.first)
		} else {
			fmt.Fprintf(b, " (first: %s)", row.first)
		}
		b.WriteByte('\n')
	}
}
