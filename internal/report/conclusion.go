package report

import (
	"fmt"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// conclusion says why the exit code is what it is, and what to try next.
func (p *printer) conclusion() {
	p.line("")
	p.heading("Verdict", "")
	code, set := p.exit(), plain
	switch {
	case code == verdict.ExitFindings:
		set = alarm
	case code == verdict.ExitUnknown:
		set = magenta
	case p.nothingJudged() != "":
		set = yellow
	case code == verdict.ExitClean:
		set = green
	}
	p.text(fmt.Sprintf("  exit %d  ", code), set, p.because(), plain)
	p.next()
}

// next names the commands that lead on from the gravest finding.
func (p *printer) next() {
	f := p.gravest()
	if f == nil {
		return
	}
	explain, rules := p.opts.Program+" explain "+visible(f.Fingerprint), p.opts.Program+" rules "+visible(f.Rule)
	wide := max(widthOf(explain), widthOf(rules)) + 3
	p.suggest("  next    ", explain, wide, "the gravest: what it means and how to fix it")
	p.suggest("          ", rules, wide, "its rule, with good and bad examples")
}

func (p *printer) suggest(label, command string, wide int, why string) {
	p.line(label, command, strings.Repeat(" ", wide-widthOf(command)), p.paint(dim, why))
}
