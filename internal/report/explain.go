package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// Explain writes one finding in full: its place and evidence, its rule's reason and remedy, and
// the controls of frameworks that it breaks.
func Explain(w io.Writer, res *verdict.Result, f *verdict.Finding, opts TerminalOptions) error {
	opts.Verbose = true
	p := newPrinter(w, res, opts)
	for _, place := range group([]verdict.Finding{*f}) {
		p.place(place)
	}
	p.line("")
	p.line("  path         " + visible(f.Path))
	if r := p.rules[f.Rule]; r != nil {
		p.line("  rule         " + r.ID + ": " + r.Title)
		names := make([]string, 0, len(r.Maps))
		for name := range r.Maps {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			p.line(fmt.Sprintf("  %-12s %s", name, strings.Join(r.Maps[name], ", ")))
		}
	}
	p.line("  fingerprint  " + f.Fingerprint)
	p.line("")
	p.line("  " + p.opts.Program + " rules " + f.Rule + " shows the rule with good and bad examples.")
	if err := p.out.Flush(); err != nil {
		return fmt.Errorf("write explanation: %w", err)
	}
	return nil
}
