package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/coaming/coaming/internal/verdict"
)

func sarifResultOf(f *verdict.Finding, index map[string]int) *sarifResult {
	r := &sarifResult{
		RuleID: f.Rule, Kind: "fail", Level: sarifGrade[min(f.Severity, verdict.Critical)].level,
		Message:      messageOf(f.Message + " (" + f.Subject.String() + ")."),
		Fingerprints: sarifFingerprints{f.Fingerprint},
		Suppressions: []sarifSuppression{},
		Properties:   sarifResultProperties{Verdict: f.Verdict, Severity: severityWord(f), Reason: f.Reason},
	}
	r.Baseline = sarifBaseline[f.Change]
	if f.Risk != nil {
		rank := float64(min(max(f.Risk.Score, 0), 100))
		r.Rank, r.Properties.Risk = &rank, visible(f.Risk.Why)
	}
	if i, ok := index[f.Rule]; ok {
		r.RuleIndex = &i
	}
	switch f.Verdict {
	case verdict.Unknown: // any kind but fail must have the level none (§3.27.10)
		r.Kind, r.Level = "open", "none"
		r.Message = messageOf("Not decided: " + f.Message + " (" + f.Subject.String() + "). " + f.Reason)
	case verdict.Exempt:
		kind := "external"
		if f.Exemption != nil && f.Exemption.Grant.Inline() {
			kind = "inSource" // §3.35.2
		}
		r.Suppressions = []sarifSuppression{{Kind: kind, Status: "accepted", Justification: visible(f.Reason)}}
	case verdict.Fail, verdict.Pass:
	}
	location := locationOf(&f.Location, f.Excerpt)
	if location == nil {
		location = &sarifLocation{}
	}
	location.Logical = []sarifLogical{logicalOf(f)}
	r.Locations = []sarifLocation{*location}
	for i := range f.Also[:min(len(f.Also), githubRelated)] {
		if again := locationOf(&f.Also[i], nil); again != nil {
			r.Related = append(r.Related, *again)
		}
	}
	return r
}

// sarifBaseline are SARIF's words for how a finding stands to an earlier result.
var sarifBaseline = map[verdict.Change]string{verdict.New: "new", verdict.Changed: "updated", verdict.Unchanged: "unchanged"}

// logicalOf is the object and the field in it, which stay when lines move.
func logicalOf(f *verdict.Finding) sarifLogical {
	subject := f.Subject
	subject.Container = ""
	l := sarifLogical{Name: visible(subject.String()), Kind: "object"}
	l.Qualified = l.Name
	if f.Path != "" {
		l.Name, l.Kind = visible(f.Path), "property"
		l.Qualified += ":" + l.Name
	}
	return l
}

// locationOf is the place as SARIF has it; nil when no file is known. Lines of a rendered file are
// told in words: the template has other ones.
func locationOf(l *verdict.Location, e *verdict.Excerpt) *sarifLocation {
	if l.File == "" {
		return nil
	}
	where := &sarifPhysical{Artifact: artifactOf(l)}
	if l.Rendered {
		said := messageOf("Rendered from it by " + l.Source + ".")
		if l.Line > 0 {
			said = messageOf(fmt.Sprintf("Line %d, column %d of what %s rendered from it.", l.Line, l.Column, l.Source))
		}
		return &sarifLocation{Physical: where, Message: &said}
	}
	if l.Line > 0 {
		where.Region, where.Context = regionsOf(l, e)
	}
	return &sarifLocation{Physical: where}
}

// regionsOf is the faulty place, to the end of its line, and the excerpt around it. Without the line
// the column stays out: it counts bytes and SARIF counts UTF-16 code units.
func regionsOf(l *verdict.Location, e *verdict.Excerpt) (at, around *sarifRegion) {
	at = &sarifRegion{StartLine: l.Line}
	if e == nil || len(e.Lines) == 0 {
		return at, nil
	}
	around = &sarifRegion{
		StartLine: e.First, EndLine: e.First + len(e.Lines) - 1,
		Snippet: &sarifText{strings.Join(e.Lines, "\n")},
	}
	i := l.Line - e.First
	if i < 0 || i >= len(e.Lines) {
		return at, nil // not an excerpt of this place
	}
	line := e.Lines[i]
	at.StartColumn = utf16Column(line, l.Column)
	if at.StartColumn > 0 {
		line = line[l.Column-1:]
	}
	at.Snippet = &sarifText{line}
	return at, around
}

// utf16Column turns a column that counts bytes into one that counts UTF-16 code units; 0 when the line
// does not reach so far or is not text up to there.
func utf16Column(line string, column int) int {
	if column < 1 || column > len(line)+1 || !utf8.ValidString(line[:column-1]) {
		return 0
	}
	units := 1
	for _, r := range line[:column-1] {
		units++
		if r > 0xffff {
			units++
		}
	}
	return units
}
