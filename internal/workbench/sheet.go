package workbench

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/rule"
)

// Sheet is what there is to tell of a rule: the page of the documentation and the text on a terminal
// are two forms of it.
type Sheet struct {
	rule  *rule.Rule
	facts []property
}

type property struct {
	name string
	text string
	code bool // CEL, or a list of fields
}

// NewSheet collects what there is to tell of a rule.
func NewSheet(c *rule.Compiled) *Sheet {
	r := c.Rule
	s := &Sheet{rule: r}
	add := func(name, text string, code bool) {
		if text != "" {
			s.facts = append(s.facts, property{name, text, code})
		}
	}
	add("practice", r.Practice, false)
	add("severity", r.Severity.String(), false)
	add("from", r.Origin, false)
	add("why", r.Why, false)
	add("remedy", r.Remedy, false)
	add("judges", matchText(r), false)
	add("with", strings.Join(r.With, ", "), false)
	add("reads", strings.Join(c.Reads(), ", "), false)
	add("when", r.When, true)
	add("assert", r.Assert, true)
	add("at", r.Root().Get("at").Str(), false)
	for i := range r.Fix {
		add("fix", fixText(r.Root().Get("fix").Index(i)), true)
	}
	add("examples", exampleVersion(r), false)
	for _, framework := range slices.Sorted(maps.Keys(r.Maps)) {
		add("maps", framework+": "+strings.Join(r.Maps[framework], ", "), false)
	}
	return s
}

func exampleVersion(r *rule.Rule) string {
	if r.ExampleVersion == "" {
		return ""
	}
	return "judged for Kubernetes " + r.ExampleVersion
}

// frameworks are the frameworks that the built-in rules map to, in the order in which they are told.
var frameworks = []struct{ key, name string }{
	{"pss", "Pod Security"},
	{"cis", "CIS"},
	{"nsa", "NSA"},
	{"mitre", "ATT&CK"},
	{"owasp", "OWASP"},
}

// frameworkName is a framework's name as people know it.
func frameworkName(key string) string {
	for _, f := range frameworks {
		if f.key == key {
			return f.name
		}
	}
	return key
}

func matchText(r *rule.Rule) string {
	text := r.Match.Fact
	if text == "kinds" {
		text = strings.Join(r.Match.Kinds, ", ")
	}
	if r.EachName != "" {
		text += ", each of " + strings.Join(r.EachPath, ".")
	}
	return text
}

// fixText is one change of a fix, as its file has it.
func fixText(v document.Value) string {
	return strings.TrimRight(document.YAML(v), "\n")
}

// Text is the sheet for a terminal.
func (s *Sheet) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n\n", s.rule.ID, s.rule.Title)
	for _, p := range s.facts {
		fmt.Fprintf(&b, "%-9s %s\n", p.name, strings.ReplaceAll(p.text, "\n", "\n"+strings.Repeat(" ", 10)))
	}
	for _, list := range s.examples() {
		for _, e := range list.examples {
			fmt.Fprintf(&b, "\n# %s\n%s", list.name, ExampleText(e))
		}
	}
	return b.String()
}

type exampleList struct {
	name     string
	examples []rule.Example
}

func (s *Sheet) examples() []exampleList {
	return []exampleList{{"bad", s.rule.Bad}, {"good", s.rule.Good}}
}

// ExampleText is an example's objects as the YAML that stands in the rule's file.
func ExampleText(e rule.Example) string {
	var text strings.Builder
	for i, v := range e {
		if i > 0 {
			text.WriteString("---\n")
		}
		text.WriteString(document.YAML(v))
	}
	return text.String()
}
