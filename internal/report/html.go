package report

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/coaming/coaming/internal/verdict"
)

// Bounds of the page, which a browser must still open: so many findings in full, so many more as a line
// each, and so many entries of every other list.
const (
	fullFindings = 2_000
	lineFindings = 20_000
	pageEntries  = 1_000
	openDetails  = 50 // findings whose evidence is unfolded at first
	pageText     = 1_000
)

//go:embed page.html.tmpl
var pageTemplate string

//go:embed page.css
var pageStyle string

// page is the page's parts; each is executed by itself, so that the whole is never in memory.
var page = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{"thousands": thousands, "count": count}).Parse(pageTemplate))
})

// HTML writes one file that is read offline and without script: what was found by severity and object, what
// was not looked at, and every rule's reason and remedy. Nothing in it loads anything, and a policy in it
// forbids that anything does.
func HTML(w io.Writer, res *verdict.Result, meta Meta) error {
	p := &pageHTML{outcome: newOutcome(res, meta.FailOn, meta.AllowUnknown), out: bufio.NewWriterSize(w, 1<<16), rules: rulesByID(res), linked: map[string]bool{}}
	p.head(meta)
	p.gaps()
	p.changes()
	p.findings(shownFindings(res, false))
	p.objects()
	p.controls()
	p.reference()
	p.part("foot", nil)
	if p.err == nil {
		p.err = p.out.Flush()
	}
	if p.err != nil {
		return fmt.Errorf("write report: %w", p.err)
	}
	return nil
}

// pageHTML is the page while it is written. Whatever comes from the input goes through visible, which shows
// what would act or hide, and then through html/template, which escapes it for its place.
type pageHTML struct {
	outcome

	out   *bufio.Writer
	rules map[string]*verdict.RuleInfo
	err   error
	told  int // findings written so far
	// linked is what may be linked to: anchors of findings that the page has.
	linked map[string]bool
}

// part writes one part of the page. A writer that fails ends it; its error is kept for the end.
func (p *pageHTML) part(name string, data any) {
	if p.err == nil {
		p.err = page().ExecuteTemplate(p.out, name, data)
	}
}

type (
	htmlHead struct {
		Style                template.CSS
		Policy               string
		Version, Sources     string
		Exit                 int
		Because, Tone        string
		Grades               []htmlGrade
		Coverage             *verdict.Coverage
		Advisories           string
		Tally                []verdict.Tally
		Total                verdict.Tally
		Diff, Controls, Gaps bool
		Excluded             []string
		MoreExcluded         int
	}
	htmlGrade struct {
		Word, Mark string
		Count      int
		Linked     bool
	}
)

var tones = map[int]string{verdict.ExitClean: "clean", verdict.ExitFindings: "findings", verdict.ExitUnknown: "unknown"}

func (p *pageHTML) head(meta Meta) {
	sum := sha256.Sum256([]byte(pageStyle))
	c := &p.res.Coverage
	h := htmlHead{
		Style:   template.CSS(pageStyle), //nolint:gosec // our own file
		Policy:  "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'",
		Version: visible(meta.Version), Sources: visible(join(c.Sources)), Exit: p.exit(), Because: visible(p.because()),
		Tone: tones[p.exit()], Coverage: c, Diff: p.res.Diff != nil, Controls: len(p.res.Frameworks) > 0, Gaps: len(c.Gaps) > 0,
		Total: verdict.Tally{Practice: "all"},
	}
	if c.Advisories != nil {
		h.Advisories = AdvisoriesText(c.Advisories)
	}
	if p.nothingJudged() != "" {
		h.Tone = "unknown"
	}
	var told [grades]int
	for _, f := range shownFindings(p.res, false) {
		told[gradeOf(&f)]++
	}
	for _, g := range shownGrades(&p.count) {
		h.Grades = append(h.Grades, htmlGrade{looks[g].word, looks[g].mark, p.count[g], told[g] > 0})
	}
	for _, t := range p.res.Tally {
		t.Practice = visible(t.Practice)
		h.Tally = append(h.Tally, t)
		h.Total.Rules, h.Total.Pass, h.Total.Fail = h.Total.Rules+t.Rules, h.Total.Pass+t.Pass, h.Total.Fail+t.Fail
		h.Total.Unknown, h.Total.Exempt = h.Total.Unknown+t.Unknown, h.Total.Exempt+t.Exempt
	}
	shown := c.Exclusions[:min(len(c.Exclusions), pageEntries)]
	for i := range shown {
		h.Excluded = append(h.Excluded, visible(excluded(&shown[i])))
	}
	h.MoreExcluded = len(c.Exclusions) - len(shown)
	p.part("head", h)
}

type htmlGap struct {
	Code, Meaning, Place, Message, Remedy, Hides string
	Known                                        bool
}

func (p *pageHTML) gaps() {
	gaps := p.res.Coverage.Gaps
	p.part("gaps-open", len(gaps))
	if len(gaps) == 0 {
		return
	}
	for i := range gaps[:min(len(gaps), pageEntries)] {
		g := &gaps[i]
		hides := "anything"
		if len(g.Kinds) > 0 {
			hides = visible(join(g.Kinds))
		}
		if g.Namespace != "" {
			hides += " in namespace " + visible(g.Namespace)
		}
		p.part("gap", htmlGap{
			visible(string(g.Code)), gapMeaning[g.Code], position(&g.Location), bounded(g.Message), bounded(g.Remedy), hides, g.Known,
		})
	}
	p.part("gaps-close", max(0, len(gaps)-pageEntries))
}

// bounded is text from the input, no longer than a page may show.
func bounded(s string) string { return cut(visible(s), pageText) }

type (
	htmlGone struct {
		Title, ID string
		List      []htmlFinding
		More      int
	}
	htmlChanges struct {
		Against string
		Counts  string
		Parts   []htmlGone
	}
)

func (p *pageHTML) changes() {
	d := p.res.Diff
	if d == nil {
		return
	}
	c := htmlChanges{Against: bounded(d.Against), Counts: diffCounts(d)}
	for _, part := range []struct {
		title, id string
		list      []verdict.Finding
	}{{"Not looked at this time, and so not known to be fixed", "not-looked-at", d.NotLookedAt}, {"Fixed", "fixed", d.Fixed}} {
		gone := htmlGone{Title: part.title, ID: part.id, More: max(0, len(part.list)-pageEntries)}
		for i := range part.list[:min(len(part.list), pageEntries)] {
			gone.List = append(gone.List, p.finding(&part.list[i]))
		}
		if len(gone.List) > 0 {
			c.Parts = append(c.Parts, gone)
		}
	}
	p.part("changes", c)
}

type (
	htmlFinding struct {
		ID, Fingerprint, Word, Mark, Message, Subject, Place, Path, Reason string
		Rule, RuleID, Title, Remedy, Change, Risk                          string
		Also                                                               []string
		MoreAlso                                                           int
		Lines                                                              []htmlLine
		Open                                                               bool
	}
	htmlLine struct {
		Number int
		Text   string
		Marked bool
	}
)

func (p *pageHTML) finding(f *verdict.Finding) htmlFinding {
	look := looks[gradeOf(f)]
	h := htmlFinding{
		ID: anchor("f", f.Fingerprint), Fingerprint: visible(f.Fingerprint), Word: look.word, Mark: look.mark, Message: bounded(f.Message),
		Subject: bounded(f.Subject.String()), Place: position(&f.Location), Path: bounded(f.Path), Reason: bounded(f.Reason),
		Rule: bounded(f.Rule), RuleID: anchor("rule", f.Rule), Change: changeWord(f),
		Risk: bounded(riskText(f, true)),
	}
	if r := p.rules[f.Rule]; r != nil {
		h.Title, h.Remedy = bounded(prose(r.Title)), bounded(prose(r.Remedy))
	} else {
		h.RuleID = ""
	}
	for i := range f.Also[:min(len(f.Also), shownPerList)] {
		also := position(&f.Also[i])
		if f.Also[i].Source != "files" && f.Also[i].Source != "" {
			also += ", " + bounded(f.Also[i].Source)
		}
		h.Also = append(h.Also, also)
	}
	h.MoreAlso = max(0, len(f.Also)-shownPerList)
	if f.Excerpt != nil {
		for i, line := range f.Excerpt.Lines[:min(len(f.Excerpt.Lines), shownPerList*2)] {
			marked, from := f.Excerpt.First+i == f.Excerpt.Marked, 0
			if marked {
				from, _ = aim(line, f.Location.Column, wideExcerpt)
			}
			h.Lines = append(h.Lines, htmlLine{f.Excerpt.First + i, window(line, from, wideExcerpt), marked})
		}
	}
	return h
}

// linkable is a finding as it stands on the page itself; only the first of a fingerprint has an id.
func (p *pageHTML) linkable(f *verdict.Finding) htmlFinding {
	h := p.finding(f)
	if p.linked[h.ID] {
		h.ID = ""
	}
	p.linked[h.ID] = true
	return h
}

// anchor is an id within the page, of letters, digits and hyphens whatever the name is.
func anchor(kind, name string) string {
	name = name[:min(len(name), 1<<10)]
	for i := range len(name) {
		if c := name[i]; (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' {
			sum := sha256.Sum256([]byte(name))
			return kind + "-x" + strconv.FormatUint(uint64(sum[0])<<24|uint64(sum[1])<<16|uint64(sum[2])<<8|uint64(sum[3]), 16)
		}
	}
	return kind + "-" + name
}

type htmlSeverity struct {
	Word, Mark, About string
	Count             int
}

var gradeAbout = [grades]string{
	gradeCritical: "Gives the node or the cluster by itself.",
	gradeHigh:     "One step from the node or the cluster, or gives a namespace's secrets.",
	gradeMedium:   "Removes a layer of defence.",
	gradeUnrated:  "A published vulnerability that nobody has rated: how grave it is is not known.",
	gradeLow:      "Makes an incident wider or harder to see.",
	gradeUnknown:  "Could not be decided, and so is not known to be safe.",
	gradeExempt:   "Fails, and is excused by an exception.",
}

// findings writes a section for each grade, in it a group for each object.
func (p *pageHTML) findings(list []verdict.Finding) {
	p.part("findings-open", map[string]any{"Shown": len(list), "All": len(p.res.Findings), "Diff": p.res.Diff != nil})
	var byGrade [grades][]*verdict.Finding
	for i := range list {
		g := gradeOf(&list[i])
		byGrade[g] = append(byGrade[g], &list[i])
	}
	for g, found := range byGrade {
		if len(found) > 0 {
			slices.SortStableFunc(found, byRisk)
			p.part("severity-open", htmlSeverity{looks[g].word, looks[g].mark, gradeAbout[g], len(found)})
			p.severity(found)
			p.part("severity-close", nil)
		}
	}
	p.part("findings-close", nil)
}

// severity writes findings of one grade: in full while the page has room, then a line each.
func (p *pageHTML) severity(found []*verdict.Finding) {
	full := min(len(found), max(0, fullFindings-p.told))
	for _, group := range bySubject(found[:full]) {
		p.part("object-open", map[string]string{"Name": subjectName(group[0].Subject), "Place": bounded(group[0].Location.File)})
		for _, f := range group {
			h := p.linkable(f)
			h.Open = p.told < openDetails
			p.told++
			p.part("finding", h)
		}
		p.part("object-close", nil)
	}
	rest := found[full:]
	lines := min(len(rest), max(0, lineFindings-p.told))
	if lines > 0 {
		p.part("lines-open", nil)
		for _, f := range rest[:lines] {
			p.told++
			p.part("line", p.linkable(f))
		}
		p.part("lines-close", nil)
	}
	if more := len(rest) - lines; more > 0 {
		p.part("more", more)
	}
}

// bySubject gathers findings by their object, in the order in which objects first come.
func bySubject(found []*verdict.Finding) [][]*verdict.Finding {
	index := map[objectKeyHTML]int{}
	var groups [][]*verdict.Finding
	for _, f := range found {
		key := objectKeyHTML{f.Location.Source, f.Location.File, f.Subject}
		key.subject.Container = ""
		i, seen := index[key]
		if !seen {
			i = len(groups)
			index[key] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], f)
	}
	return groups
}

type objectKeyHTML struct {
	source, file string
	subject      verdict.Subject
}

type htmlObject struct {
	Name, Place, First string
	Counts             []int
	count              [grades]int
}

// objects is the index by object, the worst first.
func (p *pageHTML) objects() {
	var list []*verdict.Finding
	shown := shownFindings(p.res, false)
	for i := range shown {
		list = append(list, &shown[i])
	}
	groups := bySubject(list)
	rows := make([]htmlObject, 0, len(groups))
	for _, group := range groups {
		first := slices.MinFunc(group, func(a, b *verdict.Finding) int { return int(gradeOf(a)) - int(gradeOf(b)) })
		row := htmlObject{Name: subjectName(first.Subject), Place: bounded(first.Location.File)}
		if id := anchor("f", first.Fingerprint); p.linked[id] {
			row.First = id
		}
		for _, f := range group {
			row.count[gradeOf(f)]++
		}
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, func(a, b htmlObject) int { return worse(&a.count, &b.count) })
	columns := shownGrades(&p.count)
	heads := make([]string, 0, len(columns))
	for _, g := range columns {
		heads = append(heads, looks[g].word)
	}
	p.part("objects-open", map[string]any{"Rows": len(rows), "Heads": heads})
	for i := range rows[:min(len(rows), pageEntries)] {
		for _, g := range columns {
			rows[i].Counts = append(rows[i].Counts, rows[i].count[g])
		}
		p.part("object-row", &rows[i])
	}
	p.part("objects-close", max(0, len(rows)-pageEntries))
}

type (
	htmlFramework struct {
		ID, Name, Source, Counts string
		Controls                 []htmlControl
	}
	htmlControl struct {
		ID, Title, Status, Word, Mark, Evidence, Reason, Manual string
		Part                                                    bool
		Findings                                                []htmlEvidence
		More                                                    int
	}
	htmlEvidence struct{ Fingerprint, Link string }
)

func (p *pageHTML) controls() {
	if len(p.res.Frameworks) == 0 {
		return
	}
	p.part("controls-open", nil)
	for i := range p.res.Frameworks {
		f := &p.res.Frameworks[i]
		h := htmlFramework{ID: anchor("framework", f.ID), Name: frameworkName(f), Source: bounded(f.Source), Counts: statusCounts(f)}
		for k := range f.Controls {
			c := &f.Controls[k]
			row := htmlControl{
				ID: visible(c.ID), Title: bounded(c.Title), Status: string(c.Status), Word: statusWord(c.Status), Mark: statusLooks[c.Status].mark,
				Evidence: evidenceOf(c), Reason: bounded(c.Reason), Manual: bounded(c.Manual), Part: c.PartOf != "",
			}
			for _, fingerprint := range c.Findings[:min(len(c.Findings), 5)] {
				e := htmlEvidence{Fingerprint: visible(fingerprint)}
				if link := anchor("f", fingerprint); p.linked[link] {
					e.Link = link
				}
				row.Findings = append(row.Findings, e)
			}
			row.More = max(0, c.Fail+c.Unknown+c.Exempt-len(row.Findings))
			h.Controls = append(h.Controls, row)
		}
		p.part("framework", h)
	}
	p.part("controls-close", nil)
}

type htmlRule struct {
	ID, Name, Title, Word, Practice, Why, Remedy string
	Maps                                         []string
}

// reference tells of every rule that found something why it matters and what to do.
func (p *pageHTML) reference() {
	found := map[string]bool{}
	for i := range p.res.Findings {
		found[p.res.Findings[i].Rule] = true
	}
	if d := p.res.Diff; d != nil {
		for _, f := range slices.Concat(d.Fixed, d.NotLookedAt) {
			found[f.Rule] = true
		}
	}
	p.part("rules-open", len(p.res.Rules))
	for i := range p.res.Rules {
		r := &p.res.Rules[i]
		if !found[r.ID] {
			continue
		}
		h := htmlRule{
			ID: anchor("rule", r.ID), Name: bounded(r.ID), Title: bounded(prose(r.Title)), Word: min(r.Severity, verdict.Critical).String(),
			Practice: visible(r.Practice), Why: cut(prose(r.Why), maxText), Remedy: cut(prose(r.Remedy), maxText),
		}
		for framework, ids := range r.Maps {
			h.Maps = append(h.Maps, visible(framework+" "+strings.Join(ids, ", ")))
		}
		slices.Sort(h.Maps)
		p.part("rule", h)
	}
	p.part("rules-close", nil)
}
