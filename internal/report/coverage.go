package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/coaming/coaming/internal/verdict"
)

// gapMeaning says what a gap's code stands for.
var gapMeaning = map[verdict.GapCode]string{
	verdict.GapSyntax:      "does not parse",
	verdict.GapDuplicate:   "a key is given twice",
	verdict.GapTooLarge:    "over a bound",
	verdict.GapBinary:      "not text",
	verdict.GapUnreadable:  "cannot be read",
	verdict.GapTemplate:    "a template that was not rendered",
	verdict.GapRender:      "does not render",
	verdict.GapRemote:      "stands elsewhere and was not fetched",
	verdict.GapNotObject:   "looks like an object but is none",
	verdict.GapWrongType:   "a field of a type that the API would refuse",
	verdict.GapForbidden:   "the credentials may not read it",
	verdict.GapUnreachable: "the cluster could not be reached",
	verdict.GapMissing:     "named by the input and not in it",
	verdict.GapStale:       "too old to say what is known today",
}

// gapOrder is every code of gapMeaning, in the order of their declaration.
var gapOrder = [...]verdict.GapCode{
	verdict.GapSyntax, verdict.GapDuplicate, verdict.GapTooLarge, verdict.GapBinary, verdict.GapUnreadable,
	verdict.GapTemplate, verdict.GapRender, verdict.GapRemote, verdict.GapNotObject, verdict.GapWrongType,
	verdict.GapForbidden, verdict.GapUnreachable, verdict.GapMissing, verdict.GapStale,
}

// coverage says what was looked at, what was not and why, and what was left out on purpose.
func (p *printer) coverage() {
	c := &p.res.Coverage
	p.line("")
	p.heading("Coverage", "")
	looked := []string{
		count(c.Files, "file"), count(c.Documents, "document"), count(c.Objects, "object"),
		count(c.Workloads, "workload"),
	}
	if c.Images > 0 {
		looked = append(looked, count(c.Images, "image"), count(c.Packages, "package"))
	}
	p.text("  looked at      ", dim, strings.Join(looked, ", "), plain)
	p.text("  asked          ", dim, count(c.Rules, "rule")+", "+count(c.Evaluations, "evaluation"), plain)
	if len(c.Sources) > 0 {
		p.text("  from           ", dim, visible(join(c.Sources)), plain)
	}
	if c.Advisories != nil {
		p.text("  advisories     ", dim, AdvisoriesText(c.Advisories), plain)
	}
	p.gaps(c.Gaps)
	p.exclusions(c.Exclusions)
}

// AdvisoriesText is of which day the advisories are that packages were put to.
func AdvisoriesText(a *verdict.Advisories) string {
	text := fmt.Sprintf("made %s, %s old, sequence %d, %s", a.Created.UTC().Format(time.DateOnly), count(a.Days, "day"), a.Sequence, count(a.Records, "record"))
	if a.Stale != "" {
		text += "; what passes is unknown: " + visible(a.Stale)
	}
	return text
}

// gaps lists what was not looked at, those with the same code together.
func (p *printer) gaps(gaps []verdict.Gap) {
	if len(gaps) == 0 {
		p.line("  ", p.paint(dim, "not looked at"), "  nothing that was asked for")
		return
	}
	p.line("  ", p.paint(dim, "not looked at"), "  ", p.paint(magenta, thousands(len(gaps))))
	var order []verdict.GapCode
	byCode := make(map[verdict.GapCode][]*verdict.Gap)
	for i := range gaps {
		code := gaps[i].Code
		if byCode[code] == nil {
			order = append(order, code)
		}
		byCode[code] = append(byCode[code], &gaps[i])
	}
	for _, code := range order {
		p.line("")
		p.gapsOf(code, byCode[code])
	}
}

func (p *printer) gapsOf(code verdict.GapCode, gaps []*verdict.Gap) {
	meaning := gapMeaning[code]
	if meaning != "" {
		meaning = ": " + meaning
	}
	label := p.paint(magenta, "? "+visible(string(code)))
	p.line("    ", label, meaning, p.paint(dim, "  "+thousands(len(gaps))))
	shown := gaps
	if len(shown) > shownPerList && !p.opts.Verbose {
		shown = shown[:shownPerList]
	}
	for i, g := range shown {
		p.line("      ", p.paint(cyan, position(&g.Location)))
		if i+1 < len(shown) && alike(g, shown[i+1]) && !p.opts.Verbose {
			continue // told once, below the last of them
		}
		p.text("        ", plain, visible(g.Message), plain)
		if p.opts.Verbose {
			p.hidden(g)
		}
		if g.Remedy != "" {
			p.text("        try  ", dim, visible(g.Remedy), plain)
		}
	}
	p.more(len(gaps)-len(shown), "      ")
}

func alike(a, b *verdict.Gap) bool { return a.Message == b.Message && a.Remedy == b.Remedy }

// hidden says what may have stood in the gap.
func (p *printer) hidden(g *verdict.Gap) {
	what := "anything"
	if len(g.Kinds) > 0 {
		what = join(g.Kinds)
	}
	if g.Namespace != "" {
		what += " in namespace " + g.Namespace
	}
	p.text("        may hold  ", dim, visible(what), dim)
}

// exclusions lists what was left out because somebody asked for it or the design says so.
func (p *printer) exclusions(list []verdict.Exclusion) {
	if len(list) == 0 {
		return
	}
	p.line("")
	shown := list
	if len(shown) > shownPerList && !p.opts.Verbose {
		shown = shown[:shownPerList]
	}
	label := "  left out       "
	for i := range shown {
		p.text(label, dim, visible(excluded(&shown[i])), plain)
		label = strings.Repeat(" ", len(label))
	}
	p.more(len(list)-len(shown), label)
}

func excluded(e *verdict.Exclusion) string {
	if e.Count > 0 {
		return e.What + " (" + thousands(e.Count) + "): " + e.Reason
	}
	return e.What + ": " + e.Reason
}
