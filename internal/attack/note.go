package attack

import (
	"fmt"
	"slices"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// mostNotes is how many things that were not looked at are told one by one.
const mostNotes = 5

// Notes say what was not looked at in which something may stand that allows more steps, and which
// bindings give what nobody has read.
func (w *World) Notes() []string {
	var notes []string
	kinds := Kinds()
	more := 0
	for _, reason := range w.Rights.Unread() {
		if len(notes) == mostNotes {
			more++
			continue
		}
		notes = append(notes, "more may be possible: "+reason)
	}
	for i := range w.in.Gaps {
		gap := &w.in.Gaps[i]
		if gap.Code == verdict.GapDuplicate || gap.Code == verdict.GapWrongType {
			continue // the object is there, and in doubt
		}
		if len(gap.Kinds) > 0 && !slices.ContainsFunc(gap.Kinds, func(kind string) bool { return matters(kind, kinds) }) {
			continue
		}
		if len(notes) == mostNotes {
			more++
			continue
		}
		notes = append(notes, "more may be possible: not everything was looked at: "+gap.Place())
	}
	if more > 0 {
		notes = append(notes, fmt.Sprintf("and %d more things were not looked at", more))
	}
	return notes
}

// matters says whether a kind, of which a gap may know only the name, is one that steps look at.
func matters(kind string, kinds []string) bool {
	return slices.ContainsFunc(kinds, func(known string) bool {
		name, _ := fact.SplitKind(known)
		return kind == known || kind == name
	})
}
