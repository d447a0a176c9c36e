package report

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"

	"github.com/coaming/coaming/internal/verdict"
)

// JUnit writes the XML that CI servers show as tests: a suite for each practice, a case for each finding and
// for each rule without one. A fail is a failure, an unknown an error, an exempt one skipped; what was not
// looked at is a suite of errors. Of a comparison, what is no worse than before is skipped.
func JUnit(w io.Writer, res *verdict.Result, _ Meta) error {
	j := &junit{out: bufio.NewWriterSize(w, 1<<16), res: res, rules: rulesByID(res)}
	if res.Diff != nil {
		j.against = res.Diff.Against
	}
	suites := j.suites()
	all := suite{name: toolName}
	for i := range suites {
		all.tests += suites[i].tests
		all.failures += suites[i].failures
		all.errors += suites[i].errors
		all.skipped += suites[i].skipped
	}
	j.out.WriteString(xml.Header)
	j.open("testsuites", &all)
	for i := range suites {
		j.open("testsuite", &suites[i])
		for _, c := range suites[i].cases {
			c()
		}
		j.out.WriteString("  </testsuite>\n")
	}
	j.out.WriteString("</testsuites>\n")
	if err := j.out.Flush(); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

type junit struct {
	out   *bufio.Writer
	res   *verdict.Result
	rules map[string]*verdict.RuleInfo

	against string // what the result was compared with
}

// suite is a test suite: its numbers, and its cases as what writes them.
type suite struct {
	name                             string
	tests, failures, errors, skipped int
	cases                            []func()
}

func (s *suite) add(counter *int, c func()) {
	s.tests++
	if counter != nil {
		*counter++
	}
	s.cases = append(s.cases, c)
}

// suites are the practices in the catalogue's order, then those that only findings name, then coverage.
func (j *junit) suites() []suite {
	index := map[string]int{}
	var list []suite
	of := func(practice string) *suite {
		i, found := index[practice]
		if !found {
			i = len(list)
			index[practice] = i
			list = append(list, suite{name: toolName + "." + practice})
		}
		return &list[i]
	}
	for i := range j.res.Tally {
		of(j.res.Tally[i].Practice)
	}
	found := map[string]bool{}
	for i := range j.res.Findings {
		f := &j.res.Findings[i]
		found[f.Rule] = true
		j.finding(of(f.Practice), f)
	}
	passed := map[string]int{}
	for _, t := range j.res.ByRule {
		passed[t.Rule] = t.Pass
	}
	for i := range j.res.Rules {
		if r := &j.res.Rules[i]; !found[r.ID] {
			j.quiet(of(r.Practice), r, passed[r.ID])
		}
	}
	if c := &j.res.Coverage; len(c.Gaps) > 0 || c.Advisories != nil || j.nothing() != "" {
		list = append(list, j.coverage())
	}
	return list
}

func (j *junit) nothing() string {
	o := newOutcome(j.res, verdict.Low, false)
	return o.nothingJudged()
}

func (j *junit) finding(s *suite, f *verdict.Finding) {
	counter, element := &s.failures, "failure"
	switch {
	case f.Known():
		counter, element = &s.skipped, "skipped"
	case f.Verdict == verdict.Unknown:
		counter, element = &s.errors, "error"
	case f.Verdict == verdict.Exempt || f.Verdict == verdict.Pass:
		counter, element = &s.skipped, "skipped"
	}
	s.add(counter, func() {
		message, kind := f.Message, severityWord(f)
		switch {
		case f.Known():
			message = "known since " + j.against + ": " + message
		case f.Verdict == verdict.Exempt:
			message = f.Reason
		}
		j.testcase(f.Rule, f.Subject.String()+" "+f.Path+" "+f.Fingerprint)
		j.child(element, message, kind, j.body(f))
	})
}

// body is what a reader of a failure needs: where, why, and what to do.
func (j *junit) body(f *verdict.Finding) string {
	text := position(&f.Location) + "\n" + visible(f.Message) + "\n"
	if f.Reason != "" {
		text += "because: " + visible(f.Reason) + "\n"
	}
	if r := j.rules[f.Rule]; r != nil {
		text += "why: " + prose(r.Why) + "\nfix: " + prose(r.Remedy) + "\n"
	}
	return text
}

// quiet is a rule that found nothing: passed, or skipped where it was given no verdict.
func (j *junit) quiet(s *suite, r *verdict.RuleInfo, passed int) {
	if passed > 0 {
		s.add(nil, func() {
			j.testcase(r.ID, prose(r.Title)+": none of "+thousands(passed))
			j.out.WriteString("/>\n")
		})
		return
	}
	s.add(&s.skipped, func() {
		j.testcase(r.ID, prose(r.Title))
		j.child("skipped", "it applies to nothing that was read", "", "")
	})
}

func (j *junit) coverage() suite {
	s := suite{name: toolName + ".coverage"}
	if why := j.nothing(); why != "" {
		s.add(&s.errors, func() {
			j.testcase("coverage", "something was judged")
			j.child("error", "nothing was judged: "+why, noteNothing, "")
		})
	}
	if a := j.res.Coverage.Advisories; a != nil {
		s.add(nil, func() {
			j.testcase("coverage.advisories", AdvisoriesText(a))
			j.out.WriteString("/>\n")
		})
	}
	for i := range j.res.Coverage.Gaps {
		g := &j.res.Coverage.Gaps[i]
		counter, element := &s.errors, "error"
		if g.Known {
			counter, element = &s.skipped, "skipped"
		}
		s.add(counter, func() {
			j.testcase("coverage."+string(g.Code), position(&g.Location))
			j.child(element, "not looked at: "+g.Message, string(g.Code), visible(g.Remedy))
		})
	}
	return s
}

func (j *junit) open(element string, s *suite) {
	if element == "testsuite" {
		j.out.WriteString("  ")
	}
	j.out.WriteString("<" + element)
	j.attribute("name", s.name)
	for _, a := range []struct {
		name string
		n    int
	}{{"tests", s.tests}, {"failures", s.failures}, {"errors", s.errors}, {"skipped", s.skipped}} {
		j.attribute(a.name, strconv.Itoa(a.n))
	}
	j.attribute("time", "0")
	j.out.WriteString(">\n")
}

// testcase begins a case; its child or its end is the caller's.
func (j *junit) testcase(class, name string) {
	j.out.WriteString("    <testcase")
	j.attribute("classname", toolName+"."+class)
	j.attribute("name", name)
	j.attribute("time", "0")
}

func (j *junit) child(element, message, kind, text string) {
	j.out.WriteString("><" + element)
	j.attribute("message", message)
	if kind != "" && element != "skipped" {
		j.attribute("type", kind)
	}
	j.out.WriteString(">")
	j.escape(text)
	j.out.WriteString("</" + element + "></testcase>\n")
}

func (j *junit) attribute(name, value string) {
	j.out.WriteString(" " + name + `="`)
	j.escape(cut(visible(value), maxText))
	j.out.WriteString(`"`)
}

// escape leaves an error to the last flush, which bufio tells it again.
func (j *junit) escape(s string) { _ = xml.EscapeText(j.out, []byte(s)) }
