package report

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// csvColumns are the columns of every row. New ones are added at the end.
var csvColumns = []string{
	"record", "verdict", "severity", "practice", "rule", "title", "kind", "namespace", "name", "container", "message", "reason",
	"path", "source", "file", "line", "column", "fingerprint", "change", "remedy", "apiVersion", "framework", "control",
	"risk", "riskWhy",
}

// The records of a CSV table, one kind of row each.
const (
	recordFinding     = "finding"
	recordGap         = "gap"
	recordFixed       = "fixed"
	recordNotLookedAt = "not-looked-at"
	recordControl     = "control"
	recordAdvisories  = "advisories"
)

// CSV writes one table (RFC 4180: every cell quoted, lines end in CR LF) of findings, of what was not looked
// at, of which day the advisories are, of what became of an earlier result's findings, and of controls; the first column says which. A cell
// that a spreadsheet would take for a formula begins with an apostrophe.
func CSV(w io.Writer, res *verdict.Result, _ Meta) error {
	t := &table{out: bufio.NewWriterSize(w, 1<<16), rules: rulesByID(res)}
	for i, name := range csvColumns {
		t.cell(i, name)
	}
	t.end()
	t.findings(recordFinding, res.Findings)
	if a := res.Coverage.Advisories; a != nil {
		t.row(map[string]string{"record": recordAdvisories, "message": AdvisoriesText(a), "reason": a.Stale})
	}
	for i := range res.Coverage.Gaps {
		t.gap(&res.Coverage.Gaps[i])
	}
	if d := res.Diff; d != nil {
		t.findings(recordFixed, d.Fixed)
		t.findings(recordNotLookedAt, d.NotLookedAt)
	}
	for i := range res.Frameworks {
		for k := range res.Frameworks[i].Controls {
			t.control(&res.Frameworks[i], &res.Frameworks[i].Controls[k])
		}
	}
	if err := t.out.Flush(); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// table writes rows; the writer keeps the first error to itself until the last flush.
type table struct {
	out   *bufio.Writer
	rules map[string]*verdict.RuleInfo
}

func (t *table) row(cells map[string]string) {
	for i, name := range csvColumns {
		t.cell(i, cells[name])
	}
	t.end()
}

func (t *table) end() { t.out.WriteString("\r\n") }

func (t *table) cell(i int, s string) {
	if i > 0 {
		t.out.WriteByte(',')
	}
	t.out.WriteByte('"')
	if isFormula(s) {
		t.out.WriteByte('\'')
	}
	t.out.WriteString(strings.ReplaceAll(visible(s), `"`, `""`))
	t.out.WriteByte('"')
}

// isFormula says that a spreadsheet would compute the cell rather than show it. Some skip blanks before
// they look, and take the full-width forms for the same.
func isFormula(s string) bool {
	s = strings.TrimLeft(s, " \t\r\n\u00a0\u3000")
	return s != "" && strings.ContainsRune("=+-@|%\uff1d\uff0b\uff0d\uff20", []rune(s[:min(len(s), 4)])[0])
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func (t *table) findings(record string, list []verdict.Finding) {
	for i := range list {
		f := &list[i]
		cells := map[string]string{
			"record": record, "verdict": f.Verdict.String(), "severity": severityWord(f), "practice": f.Practice,
			"rule": f.Rule, "kind": f.Subject.Kind, "namespace": f.Subject.Namespace, "name": f.Subject.Name, "container": f.Subject.Container,
			"message": f.Message, "reason": f.Reason, "path": f.Path, "fingerprint": f.Fingerprint, "change": string(f.Change),
			"apiVersion": f.Subject.APIVersion,
		}
		if f.Risk != nil {
			cells["risk"], cells["riskWhy"] = number(f.Risk.Score), f.Risk.Why
		}
		t.place(cells, &f.Location)
		if r := t.rules[f.Rule]; r != nil {
			cells["title"], cells["remedy"] = prose(r.Title), prose(r.Remedy)
		}
		t.row(cells)
	}
}

func (t *table) place(cells map[string]string, l *verdict.Location) {
	cells["source"], cells["file"], cells["line"], cells["column"] = l.Source, l.File, number(l.Line), number(l.Column)
}

func (t *table) gap(g *verdict.Gap) {
	cells := map[string]string{
		"record": recordGap, "verdict": verdict.Unknown.String(), "rule": string(g.Code), "title": gapMeaning[g.Code],
		"kind": strings.Join(g.Kinds, " "), "namespace": g.Namespace, "message": g.Message, "remedy": g.Remedy,
	}
	t.place(cells, &g.Location)
	t.row(cells)
}

func (t *table) control(f *verdict.FrameworkResult, c *verdict.ControlResult) {
	t.row(map[string]string{
		"record": recordControl, "verdict": string(c.Status), "title": c.Title, "rule": strings.Join(c.Rules, " "),
		"message": evidenceOf(c), "reason": c.Reason, "remedy": c.Manual, "framework": f.ID, "control": c.ID,
	})
}
