package report

import "github.com/coaming/coaming/internal/verdict"

// style is a way to set text apart; without colour every style is plain.
type style uint8

const (
	plain style = iota
	bold
	dim
	red
	yellow
	cyan
	magenta
	green
	alarm // bold red
)

// ANSI's own eight colours, so that the reader's theme decides how they look.
var codes = [...]string{
	plain: "", bold: "1", dim: "2", red: "31", yellow: "33", cyan: "36",
	magenta: "35", green: "32", alarm: "1;31",
}

// paint sets the text in the style when colours are wanted.
func (p *printer) paint(s style, text string) string {
	if !p.opts.Color || s == plain || text == "" {
		return text
	}
	return "\x1b[" + codes[s] + "m" + text + "\x1b[0m"
}

// grade is the order in which a reader wants to see findings: failures by severity, then what could
// not be decided, then what was excused.
type grade uint8

const (
	gradeCritical grade = iota
	gradeHigh
	gradeMedium
	gradeUnrated // a vulnerability that nobody has rated: at least low, and nobody knows more
	gradeLow
	gradeUnknown
	gradeExempt
	grades
)

var looks = [grades]struct {
	word, mark string
	style      style
}{
	gradeCritical: {"critical", "✗", alarm},
	gradeHigh:     {"high", "▲", red},
	gradeMedium:   {"medium", "◆", yellow},
	gradeUnrated:  {"unrated", "◇", yellow},
	gradeLow:      {"low", "○", cyan},
	gradeUnknown:  {"unknown", "?", magenta},
	gradeExempt:   {"exempt", "–", dim},
}

func gradeOf(f *verdict.Finding) grade {
	switch f.Verdict {
	case verdict.Unknown:
		return gradeUnknown
	case verdict.Exempt, verdict.Pass:
		return gradeExempt
	case verdict.Fail:
	}
	switch {
	case f.Unrated():
		return gradeUnrated
	case f.Severity == verdict.Low:
		return gradeLow
	}
	return gradeCritical + grade(verdict.Critical-min(f.Severity, verdict.Critical))
}

// shownGrades are the grades that a table has columns for: the unrated only where there are some.
func shownGrades(count *[grades]int) []grade {
	list := make([]grade, 0, grades)
	for g := range grades {
		if g != gradeUnrated || count[g] > 0 {
			list = append(list, g)
		}
	}
	return list
}

// severityWord is how grave a finding is, or that nobody has rated it.
func severityWord(f *verdict.Finding) string {
	if f.Unrated() {
		return looks[gradeUnrated].word
	}
	return min(f.Severity, verdict.Critical).String()
}
