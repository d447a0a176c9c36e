package report

import (
	"io"

	"github.com/coaming/coaming/internal/verdict"
)

// Schema names the JSON format; docs/schema/result-v1.json describes it. What a reader of it may rely
// on never changes under this name.
const Schema = "coaming.dev/result/v1"

// JSON writes the whole result, one finding a line. ReadJSON reads it back.
func JSON(w io.Writer, res *verdict.Result, meta Meta) error {
	s := newStream(w)
	s.open("", "{")
	s.value("schema", Schema)
	s.value("tool", toolJSON{toolName, meta.Version})
	s.value("exit", res.Exit(meta.FailOn, meta.AllowUnknown))
	s.list("findings", len(res.Findings), func(i int) any { return findingJSON(&res.Findings[i]) })
	s.list("rules", len(res.Rules), func(i int) any { return &res.Rules[i] })
	s.list("tally", len(res.Tally), func(i int) any { return &res.Tally[i] })
	if len(res.ByRule) > 0 {
		s.list("byRule", len(res.ByRule), func(i int) any { return &res.ByRule[i] })
	}
	writeCoverage(s, &res.Coverage)
	if res.Ledger != nil {
		writeLedger(s, res.Ledger)
	}
	if len(res.Frameworks) > 0 {
		s.open("frameworks", "[")
		for i := range res.Frameworks {
			writeFramework(s, &res.Frameworks[i])
		}
		s.shut("]")
	}
	if len(res.Advice) > 0 {
		s.list("advice", len(res.Advice), func(i int) any { return &res.Advice[i] })
	}
	if res.Diff != nil {
		writeDiff(s, res.Diff)
	}
	s.shut("}")
	return s.close()
}

// writeCoverage streams what may be long; TestJSONCarriesEveryField holds it to verdict.Coverage.
func writeCoverage(s *stream, c *verdict.Coverage) {
	s.open("coverage", "{")
	s.value("sources", nonNil(c.Sources))
	s.value("files", c.Files)
	s.value("documents", c.Documents)
	s.value("objects", c.Objects)
	s.value("workloads", c.Workloads)
	if c.Images > 0 {
		s.value("images", c.Images)
		s.value("packages", c.Packages)
	}
	if c.Advisories != nil {
		own := *c.Advisories
		own.Sources = nonNil(own.Sources)
		s.value("advisories", &own)
	}
	s.value("rules", c.Rules)
	s.value("evaluations", c.Evaluations)
	if c.Version != "" {
		s.value("version", c.Version)
	}
	if len(c.Namespaces) > 0 {
		s.value("namespaces", c.Namespaces)
	}
	if len(c.Gaps) > 0 {
		s.list("gaps", len(c.Gaps), func(i int) any { return &c.Gaps[i] })
	}
	if len(c.Exclusions) > 0 {
		s.list("exclusions", len(c.Exclusions), func(i int) any { return &c.Exclusions[i] })
	}
	s.shut("}")
}

// writeLedger streams what may be long, too.
func writeLedger(s *stream, l *verdict.Ledger) {
	s.open("exceptions", "{")
	s.list("entries", len(l.Exceptions), func(i int) any { return &l.Exceptions[i] })
	if l.Baseline != nil {
		s.value("baseline", l.Baseline)
	}
	s.shut("}")
}

func writeFramework(s *stream, f *verdict.FrameworkResult) {
	s.open("", "{")
	s.value("id", f.ID)
	s.value("title", f.Title)
	s.value("version", f.Version)
	s.value("source", f.Source)
	s.list("controls", len(f.Controls), func(i int) any {
		c := f.Controls[i]
		c.Rules = nonNil(c.Rules)
		return &c
	})
	s.shut("}")
}

func writeDiff(s *stream, d *verdict.Diff) {
	s.open("diff", "{")
	s.value("against", d.Against)
	s.value("new", d.New)
	s.value("changed", d.Changed)
	s.value("unchanged", d.Unchanged)
	s.list("fixed", len(d.Fixed), func(i int) any { return findingJSON(&d.Fixed[i]) })
	s.list("notLookedAt", len(d.NotLookedAt), func(i int) any { return findingJSON(&d.NotLookedAt[i]) })
	s.shut("}")
}

// findingJSON is the finding without a null where the schema promises a list.
func findingJSON(f *verdict.Finding) any {
	if f.Excerpt == nil || f.Excerpt.Lines != nil {
		return f
	}
	whole, excerpt := *f, *f.Excerpt
	excerpt.Lines = []string{}
	whole.Excerpt = &excerpt
	return &whole
}

func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

type toolJSON struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}
