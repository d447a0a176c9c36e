package verdict

// Change says how a finding stands to an earlier result.
type Change string

// The changes. A finding that is gone stands in [Diff].
const (
	New       Change = "new"       // the earlier result has no such fingerprint
	Changed   Change = "changed"   // it has, with another verdict or severity
	Unchanged Change = "unchanged" // it has the same
)

// Was is what a changed finding was.
type Was struct {
	Verdict  Verdict  `json:"verdict"`
	Severity Severity `json:"severity"`
}

// Known says that the finding is no worse than in the result it was compared with: the same verdict,
// of no higher severity. What was compared with nothing is not known.
func (f *Finding) Known() bool {
	switch f.Change {
	case Unchanged:
		return true
	case Changed:
		return f.Was != nil && f.Was.Verdict == f.Verdict && f.Severity <= f.Was.Severity
	case New:
	}
	return false
}

// Diff is what became of an earlier result's findings. Those that are still there stand in the
// result, each with its [Change]; what is counted here is those, by their change.
type Diff struct {
	Against   string `json:"against"` // what was compared with, as it was named
	New       int    `json:"new"`
	Changed   int    `json:"changed"`
	Unchanged int    `json:"unchanged"`
	// Fixed are findings of the earlier result whose place was looked at again, and which are gone.
	Fixed []Finding `json:"fixed"`
	// NotLookedAt are those of which nothing is known now; Reason says why.
	NotLookedAt []Finding `json:"notLookedAt"`
}
