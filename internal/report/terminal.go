package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// TerminalOptions is how a report for people is to look, and the policy it explains.
type TerminalOptions struct {
	// Color allows ANSI colours; the caller knows whether somebody is looking.
	Color bool
	// Width is the terminal's columns; 0 is not known.
	Width int
	// Verbose tells each finding's reason, remedy and excerpt every time, not once a rule, and every gap.
	Verbose bool
	// Program is what the program calls itself in hints; "" is coaming.
	Program string
	// FailOn and AllowUnknown are the policy that the exit code follows from.
	FailOn       verdict.Gate
	AllowUnknown bool
	// Baseline lists what the baseline excuses, too; it is counted in any case.
	Baseline bool
}

// Bounds of the page.
const (
	defaultWidth = 100
	leastWidth   = 40
	mostProse    = 110 // longer lines of prose are hard to read, however wide the screen
	shownPerList = 10  // entries of a list before "and N more"
	listedInJSON = "--format json lists them all"
)

// Terminal writes the report for people: what is wrong, worst first, then what was looked at and what
// was not, then why the exit code is what it is.
func Terminal(w io.Writer, res *verdict.Result, opts TerminalOptions) error {
	p := newPrinter(w, res, opts)
	packages, rest := splitPackages(p.listed(shownFindings(res, opts.Verbose)))
	for i, place := range group(rest) {
		if i > 0 {
			p.line("")
		}
		p.place(place)
	}
	if len(rest) > 0 && len(packages) > 0 {
		p.line("")
	}
	p.packages(packages)
	p.remedies()
	p.summary()
	p.ledger()
	p.frameworks()
	p.diff()
	p.coverage()
	p.conclusion()
	if err := p.out.Flush(); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// printer holds the page while it is written. The writer keeps the first error to itself until the
// last flush.
type printer struct {
	outcome

	out   *bufio.Writer
	opts  TerminalOptions
	width int
	rules map[string]*verdict.RuleInfo
	told  map[string]bool // rules whose why was shown
}

func newPrinter(w io.Writer, res *verdict.Result, opts TerminalOptions) *printer {
	p := &printer{
		outcome: newOutcome(res, opts.FailOn, opts.AllowUnknown),
		out:     bufio.NewWriterSize(w, 1<<16), opts: opts, width: opts.Width,
		rules: rulesByID(res), told: make(map[string]bool),
	}
	if p.width <= 0 {
		p.width = defaultWidth
	}
	p.width = max(p.width, leastWidth)
	p.opts.Program = cmp.Or(p.opts.Program, "coaming")
	return p
}

func rulesByID(res *verdict.Result) map[string]*verdict.RuleInfo {
	rules := make(map[string]*verdict.RuleInfo, len(res.Rules))
	for i := range res.Rules {
		rules[res.Rules[i].ID] = &res.Rules[i]
	}
	return rules
}

// line writes its parts and ends the line.
func (p *printer) line(parts ...string) {
	for _, part := range parts {
		p.write(part)
	}
	p.write("\n")
}

// write leaves an error to the last flush, which bufio tells it again.
func (p *printer) write(s string) { _, _ = p.out.WriteString(s) }

// text writes already visible text behind a label, wrapped, its further lines under its first.
func (p *printer) text(label string, labelled style, s string, set style) {
	indent := widthOf(label)
	for i, line := range wrap(s, min(p.width, mostProse)-indent) {
		if i == 0 {
			p.line(p.paint(labelled, label), p.paint(set, line))
			continue
		}
		p.line(strings.Repeat(" ", indent), p.paint(set, line))
	}
}

// heading is a title with a rule behind it to the right margin.
func (p *printer) heading(title, note string) {
	used := widthOf(title) + 1
	if note != "" {
		used += widthOf(note) + 2
		note = "  " + p.paint(dim, note)
	}
	p.line(p.paint(bold, title), note, " ", p.paint(dim, strings.Repeat("─", max(3, p.width-used))))
}
