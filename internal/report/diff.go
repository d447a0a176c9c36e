package report

import (
	"slices"

	"github.com/coaming/coaming/internal/verdict"
)

// shownFindings are the findings that a page tells in full: of a comparison only what is new or changed,
// unless all are asked for.
func shownFindings(res *verdict.Result, all bool) []verdict.Finding {
	if res.Diff == nil || all {
		return res.Findings
	}
	return slices.DeleteFunc(slices.Clone(res.Findings), func(f verdict.Finding) bool { return f.Change == verdict.Unchanged })
}

// changeWord is how a finding changed: "new", "was medium", "was unknown"; "" when it did not.
func changeWord(f *verdict.Finding) string {
	switch {
	case f.Change == verdict.New:
		return "new"
	case f.Change != verdict.Changed || f.Was == nil:
		return ""
	case f.Was.Verdict != f.Verdict:
		return "was " + f.Was.Verdict.String()
	}
	return "was " + min(f.Was.Severity, verdict.Critical).String()
}

// diffCounts is what became of the earlier findings, in one line.
func diffCounts(d *verdict.Diff) string {
	return thousands(d.New) + " new, " + thousands(d.Changed) + " changed, " + thousands(d.Unchanged) + " unchanged, " +
		thousands(len(d.Fixed)) + " fixed, " + thousands(len(d.NotLookedAt)) + " not looked at"
}

// diff tells what became of the earlier result's findings.
func (p *printer) diff() {
	d := p.res.Diff
	if d == nil {
		return
	}
	p.line("")
	p.heading("Changes", "against "+visible(d.Against))
	p.line("  ", diffCounts(d))
	p.gone("✓ fixed", green, d.Fixed)
	p.gone("? not looked at", magenta, d.NotLookedAt)
	if d.Unchanged > 0 && !p.opts.Verbose {
		p.line("")
		p.line("  ", p.paint(dim, "what did not change is not shown; --verbose shows it"))
	}
}

// gone lists findings of the earlier result that this one does not have.
func (p *printer) gone(title string, set style, list []verdict.Finding) {
	if len(list) == 0 {
		return
	}
	p.line("")
	p.line("  ", p.paint(set, title), p.paint(dim, "  "+thousands(len(list))))
	shown := list
	if len(shown) > shownPerList && !p.opts.Verbose {
		shown = shown[:shownPerList]
	}
	for i := range shown {
		f := &shown[i]
		p.line("    ", p.at(f), p.tail(f))
		p.text("      ", plain, visible(f.Message), plain)
		if f.Reason != "" {
			p.text("      because  ", dim, visible(f.Reason), plain)
		}
	}
	p.more(len(list)-len(shown), "    ")
}
