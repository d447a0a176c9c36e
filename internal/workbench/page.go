package workbench

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// headings say what the practices are about.
var headings = map[string]string{
	"pod":     "Pods and what they may do on their node",
	"image":   "Images",
	"rbac":    "Rights and identities",
	"secret":  "Secrets",
	"net":     "Network",
	"quota":   "Resources",
	"version": "Versions",
	"admit":   "Admission",
	"api":     "The control plane and its certificates",
	"node":    "Nodes",
	"runtime": "Runtime",
	"vuln":    "Vulnerabilities",
	"audit":   "Audit",
	"observe": "Observation",
	"respond": "Response",
	"least":   "Least privilege",
}

// Page is the sheet as a page of Markdown. index is the path of the page that lists the rules.
func (s *Sheet) Page(header, index string) string {
	r := s.rule
	var b strings.Builder
	b.WriteString(header)
	fmt.Fprintf(&b, "# %s\n\n**%s**\n\n", r.ID, Plain(r.Title))
	fmt.Fprintf(&b, "Practice %s, severity **%s**. [All rules](%s)\n\n", practiceLink(r.Practice, index), r.Severity, index)
	fmt.Fprintf(&b, "## Why\n\n%s\n\n## What to do\n\n%s\n\n## What is judged\n\n", Plain(r.Why), Plain(r.Remedy))
	fmt.Fprintf(&b, "Judges %s.", Plain(matchText(r)))
	for _, p := range s.facts {
		switch {
		case p.name == "with":
			fmt.Fprintf(&b, " Who chooses %s by `--rule`, `--skip` or in a plan chooses this rule, too.", codes(p.text))
		case p.name == "reads" && p.text != "":
			fmt.Fprintf(&b, " Reads %s.", codes(p.text))
		case p.name == "at":
			fmt.Fprintf(&b, " A finding points at `%s`.", p.text)
		}
	}
	b.WriteString("\n")
	s.expressions(&b)
	s.controls(&b)
	for _, list := range []struct {
		title    string
		examples []rule.Example
	}{{"Fails", r.Bad}, {"Passes", r.Good}} {
		if len(list.examples) > 0 {
			fmt.Fprintf(&b, "\n## %s\n", list.title)
		}
		for _, e := range list.examples {
			b.WriteString("\n" + fenced("yaml", ExampleText(e)))
		}
	}
	fmt.Fprintf(&b, "\n## How to except it\n\n`coaming exception add FINGERPRINT --owner TEAM --reason TEXT --expires DATE` excuses one finding until that day.\n"+
		"`coaming scan --skip %s` leaves the whole rule out; the report tells that it was left out.\n", r.ID)
	return b.String()
}

func (s *Sheet) expressions(b *strings.Builder) {
	for _, p := range s.facts {
		if p.name == "when" {
			b.WriteString("\nOnly where this holds:\n\n" + fenced("cel", p.text))
		}
		if p.name == "assert" {
			b.WriteString("\nPasses where this holds:\n\n" + fenced("cel", p.text))
		}
	}
	begun := false
	for _, p := range s.facts {
		if p.name != "fix" {
			continue
		}
		if !begun {
			b.WriteString("\n## The fix\n\n")
			begun = true
		}
		b.WriteString(fenced("yaml", p.text))
	}
}

// controls lists the controls of all frameworks that the rule judges, those that its maps do not
// name included, and those of frameworks of one's own.
func (s *Sheet) controls(b *strings.Builder) {
	all, err := catalog.Frameworks()
	if err != nil {
		return // TestFrameworksAreThere notices
	}
	begun := false
	line := func(text string) {
		if !begun {
			b.WriteString("\n## Controls\n\n")
			begun = true
		}
		fmt.Fprintf(b, "- %s\n", text)
	}
	for _, f := range all {
		judged := f.Judged(all, []verdict.RuleInfo{s.rule.Info()})
		for i := range f.Controls {
			if c := &f.Controls[i]; len(judged[c.ID]) > 0 {
				line(Plain(f.Title) + " " + Plain(c.ID) + ": " + Plain(c.Title))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.rule.Maps)) {
		if catalog.FrameworkOf(all, name) == nil {
			line(Plain(name) + " " + Plain(strings.Join(s.rule.Maps[name], ", ")))
		}
	}
}

// fenced is a block of code, whatever it holds.
func fenced(language, text string) string {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + language + "\n" + strings.TrimRight(text, "\n") + "\n" + fence + "\n"
}

// codes sets each of a list's words as code.
func codes(list string) string {
	words := strings.Split(list, ", ")
	for i, word := range words {
		words[i] = "`" + word + "`"
	}
	return strings.Join(words, ", ")
}

func practiceLink(practice, index string) string {
	return "[" + practice + "](" + index + "#" + practice + ")"
}

// Index lists rules, which come sorted by practice and id, as a page of Markdown; each links to its
// page in the folder pages.
func Index(title, introduction string, rules []*rule.Rule, pages string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n\n", title, introduction)
	practices := byPractice(rules)
	fmt.Fprint(&b, "| practice | rules | critical | high | medium | low |\n|---|---|---|---|---|---|\n")
	for _, list := range practices {
		counts := map[verdict.Severity]int{}
		for _, r := range list {
			counts[r.Severity]++
		}
		fmt.Fprintf(&b, "| [%s](#%[1]s) | %d | %d | %d | %d | %d |\n", list[0].Practice, len(list),
			counts[verdict.Critical], counts[verdict.High], counts[verdict.Medium], counts[verdict.Low])
	}
	for _, list := range practices {
		practice := list[0].Practice
		if headings[practice] == "" {
			return "", fmt.Errorf("practice %s has no heading in internal/workbench", practice)
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n| rule | severity | what it finds | controls |\n|---|---|---|---|\n", practice, headings[practice])
		for _, r := range list {
			fmt.Fprintf(&b, "| [%[1]s](%[2]s%[1]s.md) | %[3]s | %[4]s | %[5]s |\n", r.ID, pages, r.Severity, cell(r.Title), cell(controlsOf(r)))
		}
	}
	return b.String(), nil
}

// byPractice cuts the rules where the practice changes.
func byPractice(rules []*rule.Rule) [][]*rule.Rule {
	var lists [][]*rule.Rule
	for i, r := range rules {
		if i == 0 || r.Practice != rules[i-1].Practice {
			lists = append(lists, nil)
		}
		last := &lists[len(lists)-1]
		*last = append(*last, r)
	}
	return lists
}

// controlsOf is what a rule maps to in one line, known frameworks first.
func controlsOf(r *rule.Rule) string {
	var names []string
	for _, f := range frameworks {
		names = append(names, f.key)
	}
	for _, framework := range slices.Sorted(maps.Keys(r.Maps)) {
		if !slices.Contains(names, framework) {
			names = append(names, framework)
		}
	}
	var controls []string
	for _, framework := range names {
		if ids := r.Maps[framework]; len(ids) > 0 {
			controls = append(controls, frameworkName(framework)+" "+strings.Join(ids, ", "))
		}
	}
	return strings.Join(controls, "; ")
}

// Plain keeps Markdown from reading marks into the text of a rule.
func Plain(text string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "<", `\<`, "[", `\[`, "`", "\\`", "_", `\_`, "\n", " ").Replace(text)
}

// cell is text in a table.
func cell(text string) string { return strings.ReplaceAll(Plain(text), "|", `\|`) }
