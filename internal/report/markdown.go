package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// Bounds of a page of Markdown: GitHub takes a comment of 65,536 characters.
const (
	maxMarkdown  = 65_000
	maxTable     = 30_000 // of which the table of findings may take so many, the rest being for details
	maxListed    = 15_000 // and the lists of gaps, changes and controls so many each
	markdownText = 300    // characters of one message
)

// Markdown writes a page for a pull request's comment: what was found, gravest first, in full as far as
// it fits, and how much more there is. Names and messages show as themselves: no mark-up, no mention.
func Markdown(w io.Writer, res *verdict.Result, meta Meta) error {
	p := &pageMD{outcome: newOutcome(res, meta.FailOn, meta.AllowUnknown), rules: rulesByID(res)}
	p.head()
	p.findings()
	p.changes()
	p.gaps()
	p.frameworks()
	foot := "\n<sub>coaming " + marked(meta.Version) + "</sub>\n"
	p.details(maxMarkdown - p.used - runes(foot))
	p.put(foot)
	if _, err := io.WriteString(w, p.text.String()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// pageMD is a page of Markdown while it is written.
type pageMD struct {
	outcome

	text  strings.Builder
	used  int
	rules map[string]*verdict.RuleInfo
	shown []*verdict.Finding // those in the table
}

func (p *pageMD) put(s string) {
	p.text.WriteString(s)
	p.used += runes(s)
}

// list writes as many of n entries as fit into room characters, and how many do not.
func (p *pageMD) list(n, room int, entry func(i int) string) {
	end := p.used + room
	for i := range n {
		text := entry(i)
		if p.used+runes(text) > end {
			p.put("\n" + count(n-i, "more entry") + ": `--format json` lists them all.\n")
			return
		}
		p.put(text)
	}
}

var exitWords = map[int]string{
	verdict.ExitClean: "✅ clean", verdict.ExitFindings: "❌ findings", verdict.ExitUnknown: "❔ unknown", verdict.ExitError: "❌ error",
}

func (p *pageMD) head() {
	p.put("## Coaming: " + exitWords[p.exit()] + "\n\n" + marked(p.because()) + "\n\n")
	heads, rule, counts := "|", "|", "|"
	for _, g := range shownGrades(&p.count) {
		heads, rule, counts = heads+" "+looks[g].word+" |", rule+"--:|", counts+" "+thousands(p.count[g])+" |"
	}
	p.put(heads + " not looked at |\n" + rule + "--:|\n" + counts)
	p.put(" " + thousands(len(p.res.Coverage.Gaps)) + " |\n")
	c := &p.res.Coverage
	p.put("\nLooked at " + count(c.Files, "file") + ", " + count(c.Objects, "object") + " and " + count(c.Workloads, "workload") +
		" with " + count(c.Rules, "rule") + ".\n")
	if c.Images > 0 {
		p.put("\nLooked into " + count(c.Images, "image") + " with " + count(c.Packages, "package") + ".\n")
	}
	if c.Advisories != nil {
		p.put("\nAdvisories: " + marked(AdvisoriesText(c.Advisories)) + ".\n")
	}
}

// findings is the table, gravest first; of a comparison only what is new or changed.
func (p *pageMD) findings() {
	list := shownFindings(p.res, false)
	for i := range list {
		if gradeOf(&list[i]) != gradeExempt {
			p.shown = append(p.shown, &list[i])
		}
	}
	if len(p.shown) == 0 {
		return
	}
	slices.SortStableFunc(p.shown, func(a, b *verdict.Finding) int { return cmp.Or(int(gradeOf(a))-int(gradeOf(b)), byRisk(a, b)) })
	title := "Findings"
	if p.res.Diff != nil {
		title = "New and changed findings"
	}
	p.put("\n### " + title + "\n\n| severity | what | object | where |\n|---|---|---|---|\n")
	p.list(len(p.shown), maxTable, func(i int) string {
		f := p.shown[i]
		word := looks[gradeOf(f)].mark + " " + looks[gradeOf(f)].word
		if change := changeWord(f); change != "" {
			word += ", " + change
		}
		risk := ""
		if text := riskText(f, false); text != "" {
			risk = "<br>risk " + brief(text, markdownText)
		}
		return "| " + word + " | " + brief(f.Message, markdownText) + "<br>" + code(f.Rule) + risk + " | " + brief(f.Subject.String(), markdownText) +
			" | " + brief(position(&f.Location), markdownText) + " |\n"
	})
}

// changes says what became of an earlier result's findings.
func (p *pageMD) changes() {
	d := p.res.Diff
	if d == nil {
		return
	}
	p.put("\n### Changes against " + brief(d.Against, markdownText) + "\n\n" + diffCounts(d) + "\n")
	for _, part := range []struct {
		title string
		list  []verdict.Finding
	}{{"Fixed", d.Fixed}, {"Not looked at this time, and so not known to be fixed", d.NotLookedAt}} {
		if len(part.list) == 0 {
			continue
		}
		p.put("\n<details><summary>" + part.title + ": " + thousands(len(part.list)) + "</summary>\n\n")
		p.list(len(part.list), maxListed/4, func(i int) string {
			f := &part.list[i]
			text := "- " + code(f.Rule) + " " + brief(f.Message, markdownText) + " (" + brief(f.Subject.String(), markdownText) + ")"
			if f.Reason != "" {
				text += ": " + brief(f.Reason, markdownText)
			}
			return text + "\n"
		})
		p.put("\n</details>\n")
	}
}

func (p *pageMD) gaps() {
	gaps := p.res.Coverage.Gaps
	if len(gaps) == 0 {
		return
	}
	p.put("\n### Not looked at: " + thousands(len(gaps)) + "\n\nWhat was not looked at is not known to be safe.\n\n")
	p.put("| why | where | what happened | what to do |\n|---|---|---|---|\n")
	p.list(len(gaps), maxListed/2, func(i int) string {
		g := &gaps[i]
		return "| " + code(string(g.Code)) + " | " + brief(position(&g.Location), markdownText) + " | " + brief(g.Message, markdownText) +
			" | " + brief(g.Remedy, markdownText) + " |\n"
	})
}

func (p *pageMD) frameworks() {
	n := len(p.res.Frameworks)
	for i := range p.res.Frameworks {
		f := &p.res.Frameworks[i]
		if room := maxListed / n; p.used+500 > maxMarkdown-1000 || room < 500 {
			p.put("\n" + count(n-i, "more framework") + ": `--format json` lists them all.\n")
			return
		}
		p.put("\n### " + marked(frameworkName(f)) + "\n\n" + statusCounts(f) + "\n\n<details><summary>Controls</summary>\n\n")
		p.put("| control | status | evidence |\n|---|---|---|\n")
		p.list(len(f.Controls), maxListed/n, func(k int) string {
			c := &f.Controls[k]
			return "| " + brief(c.ID, 80) + " " + brief(c.Title, 120) + " | " + statusLooks[c.Status].mark + " " + statusWord(c.Status) + " | " +
				marked(strings.TrimSpace(strings.Join([]string{evidenceOf(c), c.Reason, cut(visible(c.Manual), markdownText)}, " "))) + " |\n"
		})
		p.put("\n</details>\n")
	}
}

// details tells findings in full while there is room: one section for each rule, its reason once.
func (p *pageMD) details(room int) {
	if len(p.shown) == 0 || room < 1000 {
		return
	}
	end := p.used + room - 200
	byRule := map[string][]*verdict.Finding{}
	var order []string
	for _, f := range p.shown {
		if byRule[f.Rule] == nil {
			order = append(order, f.Rule)
		}
		byRule[f.Rule] = append(byRule[f.Rule], f)
	}
	p.put("\n### What to do\n")
	for i, id := range order {
		text := p.detail(id, byRule[id])
		if p.used+runes(text) > end {
			p.put("\n" + count(len(order)-i, "more rule") + ": `--format html` tells them all.\n")
			return
		}
		p.put(text)
	}
}

// shownExamples is how many findings of one rule are shown with their lines.
const shownExamples = 3

func (p *pageMD) detail(id string, list []*verdict.Finding) string {
	var b strings.Builder
	title, why, remedy := id, "", ""
	if r := p.rules[id]; r != nil {
		title, why, remedy = prose(r.Title), prose(r.Why), prose(r.Remedy)
	}
	b.WriteString("\n<details><summary>" + inHTML(cut(visible(title), markdownText)) + ": " + thousands(len(list)) + "</summary>\n\n")
	if why != "" {
		b.WriteString("**Why:** " + brief(why, maxText) + "\n\n**Fix:** " + brief(remedy, maxText) + "\n")
	}
	for _, f := range list[:min(len(list), shownExamples)] {
		b.WriteString("\n**" + brief(position(&f.Location), markdownText) + "** " + brief(f.Message, markdownText))
		if f.Reason != "" {
			b.WriteString(", because " + brief(f.Reason, markdownText))
		}
		b.WriteString(" (" + code(f.Fingerprint) + ")\n")
		if f.Excerpt != nil && len(f.Excerpt.Lines) > 0 {
			b.WriteString("\n" + fenced(excerptLines(f.Excerpt, f.Location.Column)))
		}
	}
	if n := len(list) - shownExamples; n > 0 {
		b.WriteString("\n" + count(n, "more finding") + " of this rule.\n")
	}
	b.WriteString("\n</details>\n")
	return b.String()
}

// wideExcerpt is how many columns of a line an excerpt on a page shows.
const wideExcerpt = 160

// excerptLines are the lines with their numbers, the faulty one marked, as plain text.
func excerptLines(e *verdict.Excerpt, column int) []string {
	digits := len(strconv.Itoa(e.First + len(e.Lines) - 1))
	lines := make([]string, 0, len(e.Lines))
	for i, line := range e.Lines {
		mark, from := "  ", 0
		if e.First+i == e.Marked {
			mark = "▸ "
			from, _ = aim(line, column, wideExcerpt)
		}
		lines = append(lines, strings.TrimRight(fmt.Sprintf("%s%*d │ %s", mark, digits, e.First+i, window(line, from, wideExcerpt)), " "))
	}
	return lines
}
