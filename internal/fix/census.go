package fix

import (
	"maps"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// fault is one thing that a judgement found, with how often: what must not become more.
type fault struct {
	count         int
	group, text   string
	file, message string
	fingerprint   string // of a finding
	// words are what a finding says, and of what: they outlive a fingerprint that is made of a changed item.
	words string
	// renamed says that the finding is still there under another fingerprint.
	renamed bool
}

// census is everything that a judgement found or could not look at.
type census map[string]*fault

func takeCensus(res *verdict.Result) census {
	c := census{}
	for i := range res.Findings {
		f := &res.Findings[i]
		key := findingKey(f.Fingerprint, f.Verdict)
		if c[key] == nil {
			c[key] = &fault{group: groupOf(f), file: f.Location.File, text: f.Rule + " at " + f.Subject.String(), message: f.Message, fingerprint: f.Fingerprint}
			if f.Verdict == verdict.Unknown && f.Reason != "" {
				c[key].message = f.Reason
			}
			c[key].words = strings.Join([]string{f.Rule, f.Verdict.String(), c[key].group, f.Message}, "\x00")
		}
		c[key].count += 1 + len(f.Also)
	}
	for i := range res.Coverage.Gaps {
		g := &res.Coverage.Gaps[i]
		key := strings.Join([]string{"gap", string(g.Code), g.Location.Source, g.Location.File, g.Message, g.Namespace}, "\x00")
		if c[key] == nil {
			c[key] = &fault{file: g.Location.File, text: "a gap in " + g.Location.File, message: g.Message}
		}
		c[key].count++
	}
	return c
}

func findingKey(fingerprint string, v verdict.Verdict) string {
	return "finding\x00" + fingerprint + "\x00" + v.String()
}

// holds says whether the fail of that fingerprint is still there.
func (c census) holds(fingerprint string) bool {
	return c[findingKey(fingerprint, verdict.Fail)] != nil
}

// keeps says whether a finding is still there: of what was unknown, whether it is, or fails now.
func (c census) keeps(f *verdict.Finding) bool {
	return c.holds(f.Fingerprint) || f.Verdict == verdict.Unknown && c[findingKey(f.Fingerprint, verdict.Unknown)] != nil
}

// news are what is in c more often than before. Some fingerprints are made of an item that a fix changes (a rule of
// a role): what another rule says there in the same words is no news, and not gone either. Of the findings that are
// fixed, whose fingerprints asked holds, no such is excused: they are to go. Nor is it news that what was unknown fails.
func (c census) news(before census, asked map[string]bool) []*fault {
	vanished := map[string][]string{}
	for key, old := range before {
		if c[key] == nil && old.words != "" && !asked[old.fingerprint] {
			vanished[old.words] = append(vanished[old.words], key)
		}
	}
	var list []*fault
	for _, key := range slices.Sorted(maps.Keys(c)) {
		f := c[key]
		if old := before[key]; old != nil && old.count >= f.count {
			continue
		}
		if f.fingerprint != "" && before[key] == nil && before[findingKey(f.fingerprint, verdict.Unknown)] != nil {
			continue // what was unknown is decided
		}
		if keys := vanished[f.words]; len(keys) > 0 && before[key] == nil {
			vanished[f.words] = keys[1:]
			same := *f
			same.renamed = true
			c[keys[0]] = &same
			continue
		}
		list = append(list, f)
	}
	return list
}
