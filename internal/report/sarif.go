package report

import (
	"fmt"
	"io"

	"github.com/coaming/coaming/internal/verdict"
)

// SARIF's fixed words, and the limits of GitHub code scanning, which rejects a file with more
// (docs.github.com, "SARIF results exceed one or more limits").
const (
	sarifVersion  = "2.1.0"
	sarifSchema   = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	homepage      = "https://github.com/coaming/coaming"
	sourceRoot    = "%SRCROOT%"
	githubResults = 25_000
	githubBytes   = 10 << 20 // of gzip
	githubRelated = 100      // places of one result that are shown
	githubTags    = 20
)

// Descriptors of notifications that are not gaps.
const (
	noteExcluded = "excluded"
	noteLimit    = "github-limit"
	noteNothing  = "nothing-judged"
)

// SARIF writes a SARIF 2.1.0 log with one run. Fails are results of kind fail, unknowns of kind open,
// exempt ones are suppressed; gaps are notifications, of level error unless unknown is allowed, so that
// no reader takes the results for complete. Over the limits of GitHub, which rejects a larger log whole, it
// keeps the gravest findings and a notification says how many there are.
func SARIF(w io.Writer, res *verdict.Result, meta Meta) error {
	kept := sarifKept(res, meta)
	s := newStream(w)
	writeSARIF(s, res, meta, kept)
	return s.close()
}

// writeSARIF writes a log with the findings of those indices.
func writeSARIF(s *stream, res *verdict.Result, meta Meta, kept []int) {
	s.open("", "{")
	s.value("$schema", sarifSchema)
	s.value("version", sarifVersion)
	s.open("runs", "[")
	s.open("", "{")
	writeDriver(s, res, meta)
	writeInvocation(s, res, meta, len(kept))
	s.value("columnKind", "utf16CodeUnits")
	s.value("originalUriBaseIds", baseIDs(res))
	s.value("properties", sarifRunProperties{Tally: res.Tally, Coverage: coverageCounts(&res.Coverage)})
	index := make(map[string]int, len(res.Rules))
	for i := range res.Rules {
		index[res.Rules[i].ID] = i
	}
	s.list("results", len(kept), func(i int) any { return sarifResultOf(&res.Findings[kept[i]], index) })
	s.shut("}")
	s.shut("]")
	s.shut("}")
}

func writeDriver(s *stream, res *verdict.Result, meta Meta) {
	s.open("tool", "{")
	s.open("driver", "{")
	s.value("name", toolName)
	if meta.Version != "" {
		s.value("version", meta.Version)
	}
	s.value("informationUri", homepage)
	s.list("rules", len(res.Rules), func(i int) any { return sarifRuleOf(&res.Rules[i]) })
	notes := notifiable()
	s.list("notifications", len(notes), func(i int) any { return notes[i] })
	s.shut("}")
	s.shut("}")
}

// notifiable describes every kind of notification.
func notifiable() []sarifDescriptor {
	list := make([]sarifDescriptor, 0, len(gapOrder)+6)
	for _, code := range gapOrder {
		list = append(list, notifiableAs(string(code), "error", "Not looked at: "+gapMeaning[code]+".",
			"What was not looked at is not known to be safe. The notification says what to do about it."))
	}
	return append(list,
		notifiableAs(noteExcluded, "note", "Left out on purpose.", "Somebody asked for it or the design says so."),
		notifiableAs("exception-refused", "warning", "An exception that does not count.",
			"It is not whole, reaches too far ahead, or would hide more than it names. What it is for fails."),
		notifiableAs("exception-expired", "warning", "An exception whose day has come.", "What it was for fails again."),
		notifiableAs("exception-unused", "note", "An exception that excuses nothing.", "It can be removed: coaming exception prune."),
		notifiableAs(noteLimit, "warning", "Larger than GitHub code scanning accepts.",
			"Scan the parts one by one, each with its own category."),
		notifiableAs(noteNothing, "warning", "Nothing was judged.",
			"An empty list of results says nothing about the security of what was given."),
	)
}

func notifiableAs(id, level, short, help string) sarifDescriptor {
	return sarifDescriptor{
		ID: id, Name: nameOf(id), Short: sarifText{short}, Full: sarifText{short + " " + help},
		Help: sarifHelp{Text: help, Markdown: help}, Config: sarifConfig{level},
	}
}

func writeInvocation(s *stream, res *verdict.Result, meta Meta, kept int) {
	o := newOutcome(res, meta.FailOn, meta.AllowUnknown)
	s.open("invocations", "[")
	s.open("", "{")
	s.value("executionSuccessful", o.exit() != verdict.ExitError)
	s.value("exitCode", o.exit())
	s.value("exitCodeDescription", o.because())
	s.open("toolExecutionNotifications", "[")
	for i := range res.Coverage.Gaps {
		s.value("", gapNotification(&res.Coverage.Gaps[i], meta.AllowUnknown))
	}
	for _, e := range res.Coverage.Exclusions {
		s.value("", sarifNotification{
			Descriptor: sarifReference{ID: noteExcluded}, Level: "note",
			Message: messageOf("Left out: " + excluded(&e)),
		})
	}
	if l := res.Ledger; l != nil {
		for i := range l.Exceptions {
			if n, ok := ledgerNotification(&l.Exceptions[i]); ok {
				s.value("", n)
			}
		}
	}
	if why := o.nothingJudged(); why != "" {
		s.value("", sarifNotification{
			Descriptor: sarifReference{ID: noteNothing}, Level: "warning", Message: messageOf("Nothing was judged: " + why),
		})
	}
	if n := len(res.Findings); n > kept {
		s.value("", overLimit(n, kept))
	}
	s.shut("]")
	s.shut("}")
	s.shut("]")
}

func overLimit(n, kept int) sarifNotification {
	return sarifNotification{
		Descriptor: sarifReference{ID: noteLimit}, Level: "warning",
		Message: messageOf(fmt.Sprintf("GitHub code scanning takes at most %s results and %d MB of gzip: of %s findings these are the gravest %s. "+
			"Scan the parts one by one, each with its own category, or read the JSON report, which has them all.",
			thousands(githubResults), githubBytes>>20, thousands(n), thousands(kept))),
	}
}

// gapNotification has the level error, which says that the results are not complete (§3.20.21); where
// that was allowed it is a warning.
func gapNotification(g *verdict.Gap, allowed bool) sarifNotification {
	level := "error"
	if allowed {
		level = "warning"
	}
	text := g.Message
	if g.Remedy != "" {
		text = sentence(text) + " " + g.Remedy
	}
	n := sarifNotification{
		Descriptor: sarifReference{ID: string(g.Code)}, Level: level, Message: messageOf(text),
	}
	if location := locationOf(&g.Location, nil); location != nil {
		n.Locations = []sarifLocation{*location}
	}
	if len(g.Kinds) > 0 || g.Namespace != "" {
		n.Properties = &sarifGapProperties{g.Kinds, g.Namespace}
	}
	return n
}

// baseIDs describes the roots that relative references in the log stand under.
func baseIDs(res *verdict.Result) map[string]sarifBase {
	bases := map[string]sarifBase{sourceRoot: {sarifText{"The directory that coaming was run in"}}}
	add := func(l *verdict.Location) {
		if id := baseID(l.Source); id != sourceRoot {
			if _, ok := bases[id]; !ok {
				bases[id] = sarifBase{sarifText{"What was read from " + sarifPlain(l.Source)}}
			}
		}
	}
	for i := range res.Findings {
		add(&res.Findings[i].Location)
		for k := range res.Findings[i].Also {
			add(&res.Findings[i].Also[k])
		}
	}
	for i := range res.Coverage.Gaps {
		add(&res.Coverage.Gaps[i].Location)
	}
	if res.Ledger != nil {
		for i := range res.Ledger.Exceptions {
			add(&res.Ledger.Exceptions[i].Location)
		}
	}
	return bases
}

func coverageCounts(c *verdict.Coverage) verdict.Coverage {
	counts := *c
	counts.Sources, counts.Gaps, counts.Exclusions = nonNil(c.Sources), nil, nil
	return counts
}
