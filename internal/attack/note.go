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

// Notes are those of the world, and whether secrets that nobody has read lie on the way from the entries to
// sinks of other kinds: the token of an account in one of them leads on.
func (g *Graph) Notes(entries, sinks []int32) []string {
	notes := g.World.Notes()
	isSecret := func(n Node) bool { return n.Kind == Secret || n.Kind == Scope && n.Name == SecretsIn("").Name }
	all := g.World.Inventory
	if !all.Live || len(all.OfKind("Secret")) > 0 || !slices.ContainsFunc(sinks, func(i int32) bool { return !isSecret(g.Nodes[i]) }) {
		return notes
	}
	seen := g.search(entries, fewest, false, nil)
	for i, n := range g.Nodes {
		if isSecret(n) && seen.cost[i] != unreached {
			return append(notes, "more may be possible: "+n.Title()+" can be read, and no secret is read from a cluster: tokens of service accounts in them lead on")
		}
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
