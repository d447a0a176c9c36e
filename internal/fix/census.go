package fix

import (
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// fault is one thing that a judgement found, with how often: what must not become more.
type fault struct {
	count         int
	group, text   string
	file, message string
	fingerprint   string // of a finding
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

// news are what is in c more often than before.
func (c census) news(before census) []*fault {
	var list []*fault
	for key, f := range c {
		if old := before[key]; old == nil || old.count < f.count {
			list = append(list, f)
		}
	}
	return list
}
