package judge

import "github.com/coaming/coaming/internal/verdict"

// Found are verdicts that were made elsewhere: of what images hold.
type Found struct {
	Rules    []verdict.RuleInfo
	Findings []verdict.Finding
	// Passed counts by rule what has no finding.
	Passed map[string]int
}

// found enters the verdicts into the counts. What an exception for an image wants to know of a finding is noted with the others.
func (in *Input) found(counts tallies, seen *traits) []verdict.Finding {
	for i := range in.Found.Findings {
		f := &in.Found.Findings[i]
		counts.count(f.Rule, f.Verdict)
		if v := f.Vulnerability; v != nil && seen != nil {
			seen.list[f.Fingerprint] = append(seen.list[f.Fingerprint], trait{image: v.Digest})
		}
	}
	for id, n := range in.Found.Passed {
		counts.add(id, verdict.Pass, n)
	}
	return in.Found.Findings
}
