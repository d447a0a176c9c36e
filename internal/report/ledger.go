package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/coaming/coaming/internal/verdict"
)

// grantWord says by what an exception was granted; what stands in the judged text itself is never
// left unsaid.
var grantWord = map[verdict.Grant]string{
	verdict.GrantFile:       "a file of exceptions",
	verdict.GrantComment:    "a comment in what was scanned",
	verdict.GrantAnnotation: "an annotation in what was scanned",
	verdict.GrantManifest:   "an Exception among what was scanned",
	verdict.GrantCluster:    "an Exception in the cluster",
	verdict.GrantBaseline:   "the baseline",
}

// standingLook is how a standing is told.
type standingLook struct {
	standing verdict.Standing
	look     style
	shown    int // entries that are told one by one unless Verbose is set
}

// standingOrder is the order in which the ledger is told, and how each standing looks.
var standingOrder = [...]standingLook{
	{verdict.Refused, red, shownPerList},
	{verdict.Expired, yellow, shownPerList},
	{verdict.Applied, dim, shownPerList},
	{verdict.Unused, yellow, shownPerList},
	{verdict.Unasked, dim, 0},
}

// listed are the findings that the page lists: those that the baseline excuses only on demand.
func (p *printer) listed(findings []verdict.Finding) []verdict.Finding {
	if p.opts.Baseline || p.res.Ledger == nil || p.res.Ledger.Baseline == nil {
		return findings
	}
	list := make([]verdict.Finding, 0, len(findings))
	for i := range findings {
		if x := findings[i].Exemption; x == nil || x.Grant != verdict.GrantBaseline {
			list = append(list, findings[i])
		}
	}
	return list
}

// ledger tells what became of the exceptions and of the baseline.
func (p *printer) ledger() {
	l := p.res.Ledger
	if l == nil {
		return
	}
	p.line("")
	p.heading("Exceptions", "")
	for _, of := range standingOrder {
		p.standing(l, of.standing, of.look, of.shown)
	}
	if l.Baseline != nil {
		p.baseline(l.Baseline)
	}
}

func (p *printer) standing(l *verdict.Ledger, standing verdict.Standing, look style, most int) {
	n := l.Count(standing)
	if n == 0 {
		return
	}
	word := string(standing)
	if standing == verdict.Unasked {
		word = "not asked"
	}
	p.line("  ", p.paint(look, word), strings.Repeat(" ", max(1, 11-len(word))), p.paint(look, thousands(n)))
	shown := 0
	for i := range l.Exceptions {
		e := &l.Exceptions[i]
		// What the scanned text excuses in itself is always shown.
		inline := standing == verdict.Applied && e.Grant.Inline()
		switch {
		case e.Standing != standing:
		case shown < most || p.opts.Verbose || inline:
			shown++
			p.text("    ", plain, exceptionText(e), plain)
		}
	}
	if most > 0 {
		p.more(n-shown, "    ")
	}
}

// exceptionText is one entry in a sentence or two.
func exceptionText(e *verdict.LedgerEntry) string {
	text := exceptionPlace(&e.Location) + "  " + visible(join(e.Rules))
	if e.Owner != "" {
		text += ", by " + visible(e.Owner)
	}
	if !e.Expires.IsZero() {
		text += " until " + e.Expires.UTC().Format(time.DateOnly)
	}
	if e.Grant != verdict.GrantFile {
		text += ", in " + grantWord[e.Grant]
	}
	switch {
	case e.Standing == verdict.Applied:
		text += ": excuses " + count(e.Findings, "finding")
	case e.Findings > 0 && e.Problem == "":
		text += ": would have excused " + count(e.Findings, "finding")
	}
	if e.Problem != "" {
		text += ": " + visible(sentence(e.Problem))
	}
	if e.Advice != "" && e.Standing == verdict.Refused {
		text += " " + visible(e.Advice)
	}
	return text
}

func (p *printer) baseline(b *verdict.BaselineLedger) {
	p.line("  ", p.paint(dim, "baseline"), "   ", visible(b.File), p.paint(dim, fmt.Sprintf("  %s of %s still there", thousands(b.Old+b.Graver+b.Spread), count(b.Entries, "entry"))))
	if b.Old > 0 && !p.opts.Baseline {
		p.line("    ", thousands(b.Old), " old and not shown: --show-baseline lists them")
	}
	if b.Graver > 0 {
		p.line("    ", p.paint(red, thousands(b.Graver)), " became graver than they were, and fail")
	}
	if b.Spread > 0 {
		p.line("    ", p.paint(red, thousands(b.Spread)), " stand at more places than they did, and fail")
	}
	if n := len(b.Fixed); n > 0 {
		p.line("    ", p.paint(green, thousands(n)), " not found any more: ", p.opts.Program, " exception prune --baseline ", visible(b.File), " SOURCE… removes them")
	}
	if b.Unasked > 0 {
		p.line("    ", thousands(b.Unasked), " of rules that were not asked")
	}
}

// exceptionPlace is file:line.
func exceptionPlace(l *verdict.Location) string {
	short := *l
	short.Column = 0
	if short.File == "" && short.Source == "" {
		return "?"
	}
	return position(&short)
}

// Descriptors of notifications about exceptions, and how grave each is.
var ledgerNotes = map[verdict.Standing]struct{ id, level string }{
	verdict.Refused: {"exception-refused", "warning"},
	verdict.Expired: {"exception-expired", "warning"},
	verdict.Unused:  {"exception-unused", "note"},
}

// ledgerNotification tells of an exception that changed nothing; ok is false for others.
func ledgerNotification(e *verdict.LedgerEntry) (n sarifNotification, ok bool) {
	note, ok := ledgerNotes[e.Standing]
	if !ok {
		return n, false
	}
	n = sarifNotification{
		Descriptor: sarifReference{ID: note.id}, Level: note.level,
		Message: messageOf("Exception " + string(e.Standing) + ": " + exceptionText(e)),
	}
	if location := locationOf(&e.Location, nil); location != nil {
		n.Locations = []sarifLocation{*location}
	}
	return n, true
}
