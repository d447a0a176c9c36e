package report

import (
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// place writes one file with everything found in it.
func (p *printer) place(in *place) {
	title, note := cut(visible(in.file), maxPlace), visible(in.source)
	if title == "" {
		title, note = note, ""
	}
	if in.source == "files" {
		note = ""
	}
	if in.rendered {
		note = "rendered by " + note
	}
	p.heading(title, note)
	for _, o := range in.objects {
		p.line("")
		p.line("  ", p.paint(bold, subjectName(o.subject)), "  ", p.counts(&o.count))
		for _, b := range o.blocks {
			p.line("")
			p.block(b)
		}
	}
}

// subjectName is the object as a reader says it: "Deployment payments/checkout".
func subjectName(s verdict.Subject) string {
	name := s.Name
	if s.Namespace != "" {
		name = s.Namespace + "/" + name
	}
	return cut(visible(strings.TrimSpace(s.Kind+" "+name)), maxPlace)
}

// counts is "2 critical · 1 unknown".
func (p *printer) counts(count *[grades]int) string {
	var parts []string
	for g, n := range count {
		if n > 0 {
			parts = append(parts, p.paint(looks[g].style, thousands(n)+" "+looks[g].word))
		}
	}
	return strings.Join(parts, p.paint(dim, " · "))
}

// block writes one rule's verdicts on one object: a headline, where, the evidence, why and what to do.
func (p *printer) block(b *block) {
	first := b.findings[0]
	look := looks[b.grade]
	label := "  " + look.mark + " " + look.word + strings.Repeat(" ", 10-len(look.word))
	p.text(label, look.style, p.headline(b), bold)
	if len(b.findings) == 1 {
		p.line("    ", p.at(first), p.tail(first))
		p.also(first)
		p.risk(first)
	} else {
		p.every(b)
	}
	if len(b.findings) == 1 || !p.opts.Verbose {
		p.evidence(first, b.grade)
	}
	p.advice(first, b.grade)
}

// risk tells what a finding matters to attackers.
func (p *printer) risk(f *verdict.Finding) {
	if text := riskText(f, p.opts.Verbose); text != "" {
		p.text("      risk ", yellow, visible(text), plain)
	}
}

// headline is the finding's own message, or what several have in common.
func (p *printer) headline(b *block) string {
	first := b.findings[0]
	if len(b.findings) == 1 {
		return visible(first.Message)
	}
	if b.grade == gradeUnknown {
		return thousands(len(b.findings)) + " verdicts could not be given"
	}
	title := first.Rule
	if rule := p.rules[first.Rule]; rule != nil && rule.Title != "" {
		title = prose(rule.Title)
	}
	return visible(title) + " (" + thousands(len(b.findings)) + " times)"
}

// every writes each finding of a block on its own line.
func (p *printer) every(b *block) {
	shown := b.findings
	if len(shown) > shownPerList && !p.opts.Verbose {
		shown = shown[:shownPerList]
	}
	for _, f := range shown {
		p.line("    ", p.at(f), p.tail(f))
		p.also(f)
		p.text("      ", plain, visible(f.Message), plain)
		p.risk(f)
		if p.opts.Verbose {
			p.evidence(f, b.grade)
		}
	}
	p.more(len(b.findings)-len(shown), "    ")
}

func (p *printer) more(n int, indent string) {
	if n > 0 {
		p.line(indent, p.paint(dim, "and "+thousands(n)+" more: "+listedInJSON))
	}
}

// at is the position in the form that terminals and editors open at a click.
func (p *printer) at(f *verdict.Finding) string { return p.paint(cyan, position(&f.Location)) }

// position is file:line:column. Of a rendered file the line counts in what was rendered, so that
// the template itself stands without one.
func position(l *verdict.Location) string {
	text := cut(visible(l.File), maxPlace)
	if text == "" {
		return cut(visible(l.Source), maxPlace)
	}
	if l.Line <= 0 {
		return text
	}
	number := strconv.Itoa(l.Line)
	if l.Column > 0 {
		number += ":" + strconv.Itoa(l.Column)
	}
	if l.Rendered {
		return text + " (rendered line " + number + ")"
	}
	return text + ":" + number
}

// tail names the finding: its rule, and the fingerprint to ask for.
func (p *printer) tail(f *verdict.Finding) string {
	tail := p.paint(dim, "  "+visible(f.Rule)+"  "+visible(f.Fingerprint))
	if change := changeWord(f); change != "" {
		tail += "  " + p.paint(bold, change)
	}
	return tail
}

// also lists where else the same fault was read.
func (p *printer) also(f *verdict.Finding) {
	shown := f.Also
	if len(shown) > shownPerList && !p.opts.Verbose {
		shown = shown[:shownPerList]
	}
	for i := range shown {
		p.line("    ", p.paint(cyan, position(&shown[i])), p.paint(dim, "  also read here"))
	}
	p.more(len(f.Also)-len(shown), "    ")
}

// evidence shows the lines of the input; what was excused needs none unless it was asked for.
func (p *printer) evidence(f *verdict.Finding, g grade) {
	if f.Excerpt != nil && (g != gradeExempt || p.opts.Verbose) {
		p.excerpt(f.Excerpt, f.Location.Column, looks[g].style)
	}
}

// advice says why it matters, once a rule, and what to do about it.
func (p *printer) advice(f *verdict.Finding, g grade) {
	if f.Reason != "" {
		p.text("    because  ", dim, visible(f.Reason), plain)
	}
	rule := p.rules[f.Rule]
	if rule == nil || g >= gradeUnknown && !p.opts.Verbose {
		return
	}
	if !p.told[rule.ID] || p.opts.Verbose {
		p.told[rule.ID] = true
		p.text("    why  ", dim, prose(rule.Why), dim)
	}
	p.text("    fix  ", dim, prose(rule.Remedy), plain)
}
