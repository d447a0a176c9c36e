package report

import (
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// statusLooks is how the statuses of controls read.
var statusLooks = map[verdict.ControlStatus]struct {
	word, mark string
	style      style
}{
	verdict.ControlFail:          {"fail", "✗", red},
	verdict.ControlUnknown:       {"unknown", "?", magenta},
	verdict.ControlExempt:        {"exempt", "–", dim},
	verdict.ControlManual:        {"manual", "☐", yellow},
	verdict.ControlNotJudged:     {"not judged", "·", dim},
	verdict.ControlNotApplicable: {"not applicable", "·", dim},
	verdict.ControlPass:          {"pass", "✓", green},
}

// statusWord is the status as a reader says it.
func statusWord(s verdict.ControlStatus) string {
	if look, ok := statusLooks[s]; ok {
		return look.word
	}
	return visible(string(s))
}

// evidenceOf is what a control's verdict rests on, in one line.
func evidenceOf(c *verdict.ControlResult) string {
	if len(c.Rules) == 0 {
		return ""
	}
	text := count(len(c.Rules), "rule")
	var parts []string
	for _, part := range []struct {
		n    int
		word string
	}{{c.Fail, "fail"}, {c.Unknown, "unknown"}, {c.Exempt, "exempt"}, {c.Pass, "pass"}} {
		if part.n > 0 {
			parts = append(parts, thousands(part.n)+" "+part.word)
		}
	}
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	if c.Subjects > 0 {
		text += "; findings on " + count(c.Subjects, "object")
	}
	return text
}

// statusCounts is "3 fail · 12 pass" in the order of concern.
func statusCounts(f *verdict.FrameworkResult) string {
	var parts []string
	for _, s := range verdict.ControlStatuses {
		if n := f.Count(s); n > 0 {
			parts = append(parts, thousands(n)+" "+statusWord(s))
		}
	}
	return strings.Join(parts, " · ")
}

// frameworkName is "CIS Kubernetes Benchmark 1.12".
func frameworkName(f *verdict.FrameworkResult) string {
	return visible(strings.TrimSpace(f.Title + " " + f.Version))
}

// frameworks lists each framework's controls with their status and evidence.
func (p *printer) frameworks() {
	for i := range p.res.Frameworks {
		f := &p.res.Frameworks[i]
		p.line("")
		p.heading("Framework "+visible(f.ID), frameworkName(f))
		wide := 0
		for k := range f.Controls {
			wide = max(wide, widthOf(visible(f.Controls[k].ID)))
		}
		wide = min(wide, 24)
		for k := range f.Controls {
			p.control(&f.Controls[k], wide)
		}
		p.line("")
		p.line("  ", statusCounts(f))
	}
}

func (p *printer) control(c *verdict.ControlResult, wide int) {
	look := statusLooks[c.Status]
	id := visible(c.ID)
	label := "  " + look.mark + " " + statusWord(c.Status) + strings.Repeat(" ", max(1, 16-len(statusWord(c.Status))))
	p.text(label+id+strings.Repeat(" ", max(1, wide+2-widthOf(id))), look.style, visible(c.Title), plain)
	if c.Status == verdict.ControlPass && !p.opts.Verbose {
		return
	}
	indent := strings.Repeat(" ", 20)
	for _, text := range []string{evidenceOf(c), c.Reason} {
		if text != "" {
			p.text(indent, plain, visible(text), dim)
		}
	}
	if c.Manual != "" {
		p.text(indent+"check  ", dim, visible(c.Manual), plain)
	}
}
