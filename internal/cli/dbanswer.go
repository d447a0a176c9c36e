package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/report"
	"github.com/coaming/coaming/internal/verdict"
)

func writeAnswer(env *Env, names []string, a *advisory.Answer, gaps []verdict.Gap, about *verdict.Advisories) error {
	w := tabwriter.NewWriter(env.Stdout, 0, 4, 2, ' ', 0)
	suppressed := 0
	for i, f := range a.Findings {
		if f.Suppressed != nil {
			suppressed++
			continue
		}
		if i-suppressed == 0 {
			_, _ = fmt.Fprintln(w, "PACKAGE\tVULNERABILITY\tSEVERITY\tFIXED IN\tSIGNS\tADVISORIES")
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", printed(names[f.Package]), printed(f.Vulnerability), severityWord(&f), printed(f.FixedIn), signs(&f), printed(strings.Join(f.Advisories, " ")))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, u := range a.Unknown {
		_, _ = fmt.Fprintf(env.Stderr, "unknown: %s of %s: %s\n", counted(len(u.Packages), "package"), printed(u.Ecosystem), printed(u.Reason))
	}
	for i := range gaps {
		_, _ = fmt.Fprintf(env.Stderr, "unknown: %s: %s\n", printable(gapPlace(&gaps[i])), printable(gaps[i].Message))
	}
	_, _ = fmt.Fprintf(env.Stderr, "advisories %s\n", report.AdvisoriesText(about))
	_, _ = fmt.Fprintf(env.Stderr, "%s in %s; %d suppressed by VEX\n", counted(len(a.Findings)-suppressed, "finding"), counted(len(names), "package"), suppressed)
	return nil
}

// printed takes away what would move a terminal's cursor.
func printed(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}

func severityWord(f *advisory.Finding) string {
	if !f.Rated {
		return "unrated"
	}
	if f.Vector == "" {
		return f.Severity.String()
	}
	return fmt.Sprintf("%s (%.1f)", f.Severity, f.Score)
}

func signs(f *advisory.Finding) string {
	var list []string
	if f.Exploited {
		list = append(list, "exploited")
	}
	if f.Unimportant {
		list = append(list, "unimportant")
	}
	if len(f.Imports) > 0 {
		list = append(list, "may not be linked")
	}
	if f.Likelihood >= 0 {
		list = append(list, fmt.Sprintf("EPSS %.3f", f.Likelihood))
	}
	return strings.Join(list, ", ")
}

// jsonFinding is a finding in the JSON answer; fields that are not known are left out.
type jsonFinding struct {
	Package       string   `json:"package"`
	Vulnerability string   `json:"vulnerability"`
	Aliases       []string `json:"aliases,omitempty"`
	Advisories    []string `json:"advisories"`
	Summary       string   `json:"summary,omitempty"`
	Severity      string   `json:"severity,omitempty"`
	Score         float64  `json:"score,omitempty"`
	Vector        string   `json:"vector,omitempty"`
	Exploited     bool     `json:"exploited"`
	Unimportant   bool     `json:"unimportant,omitempty"`
	Imports       []string `json:"imports,omitempty"`
	Likelihood    *float64 `json:"likelihood,omitempty"`
	FixedIn       string   `json:"fixedIn,omitempty"`
	Published     string   `json:"published,omitempty"`
	Suppressed    string   `json:"suppressed,omitempty"` // who says so, and why
}

type jsonUnknown struct {
	Ecosystem string   `json:"ecosystem"`
	Packages  []string `json:"packages"`
	Reason    string   `json:"reason"`
}

func writeAnswerJSON(w io.Writer, names []string, a *advisory.Answer, gaps []verdict.Gap, about *verdict.Advisories) error {
	out := struct {
		Findings []jsonFinding `json:"findings"`
		Unknown  []jsonUnknown `json:"unknown"`
		Gaps     []verdict.Gap `json:"gaps,omitempty"`

		Advisories *verdict.Advisories `json:"advisories"`
	}{[]jsonFinding{}, []jsonUnknown{}, gaps, about}
	for _, f := range a.Findings {
		j := jsonFinding{
			Package: names[f.Package], Vulnerability: f.Vulnerability, Aliases: f.Aliases, Advisories: f.Advisories, Summary: f.Summary,
			Score: f.Score, Vector: f.Vector, Exploited: f.Exploited, FixedIn: f.FixedIn,
			Unimportant: f.Unimportant, Imports: f.Imports,
		}
		if f.Rated {
			j.Severity = f.Severity.String()
		}
		if f.Likelihood >= 0 {
			j.Likelihood = &f.Likelihood
		}
		if !f.Published.IsZero() {
			j.Published = f.Published.Format(time.DateOnly)
		}
		if s := f.Suppressed; s != nil {
			j.Suppressed = fmt.Sprintf("%s: %s %s", s.Source, s.Status, s.Reason)
		}
		out.Findings = append(out.Findings, j)
	}
	for _, u := range a.Unknown {
		j := jsonUnknown{Ecosystem: u.Ecosystem, Reason: u.Reason}
		for _, i := range u.Packages {
			j.Packages = append(j.Packages, names[i])
		}
		out.Unknown = append(out.Unknown, j)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(&out)
}
