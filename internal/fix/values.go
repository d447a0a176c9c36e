package fix

import (
	"cmp"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/rule"
)

// The bounds of what is looked at in a chart's values.
const (
	mostValues     = 5000
	mostCandidates = 6
)

// guess is a place in a chart's values that a rendered field may come from.
type guess struct {
	steps []document.Step
	rest  int // how many of the field's last keys stand below it
	worth int
}

// Values are ways to make changes of a rendered object in the chart's values: for every field the
// places whose names are like its own. They are guesses: rendering again proves one, or none.
func Values(place Place, changes []rule.Change) []Route {
	var routes []Route
	for _, c := range changes {
		if c.Op == rule.FixAdd {
			return nil
		}
	}
	var first []guess
	for i, c := range changes {
		found := guesses(place.Doc.Root(), c.Steps)
		if i == 0 {
			first = found
		}
		if len(found) == 0 {
			return nil
		}
	}
	for n := range first {
		var moved []rule.Change
		for _, c := range changes {
			found := guesses(place.Doc.Root(), c.Steps)
			g := found[min(n, len(found)-1)]
			c.Steps = append(slices.Clone(g.steps), c.Steps[len(c.Steps)-g.rest:]...)
			moved = append(moved, c)
		}
		routes = append(routes, Route{Edits: []Edit{{place, moved}}, Through: place.File})
	}
	return routes
}

// guesses are the places in values that may be what is rendered at a path, the likeliest first.
func guesses(values document.Value, path []document.Step) []guess {
	var found []guess
	seen := 0
	var walk func(v document.Value, at []document.Step)
	walk = func(v document.Value, at []document.Step) {
		for key, child := range v.Fields() {
			if seen++; seen > mostValues {
				return
			}
			here := append(slices.Clip(at), document.Step{Key: key})
			if g, like := likeness(key, child, path); like {
				g.steps = here
				g.worth = g.worth*10 + familiarity(here, path) - len(here)
				found = append(found, g)
			}
			walk(child, here)
		}
	}
	walk(values, nil)
	slices.SortStableFunc(found, func(a, b guess) int { return cmp.Compare(b.worth, a.worth) })
	return found[:min(len(found), mostCandidates)]
}

// likeness says whether a key of the values is like one of the last keys of the path, with a value
// that the rest of the path can stand in.
func likeness(key string, v document.Value, path []document.Step) (guess, bool) {
	for rest := 0; rest < len(path) && rest < 4; rest++ {
		s := path[len(path)-1-rest]
		if s.Key == "" {
			break
		}
		holds := rest == 0 || v.Kind() == document.Map || v.Kind() == document.Null
		same := strings.EqualFold(key, s.Key)
		if holds && (same || strings.HasSuffix(strings.ToLower(key), strings.ToLower(s.Key))) {
			worth := 2
			if same {
				worth = 3
			}
			return guess{rest: rest, worth: worth}, true
		}
	}
	return guess{}, false
}

// familiarity counts the keys of the values' path that speak of the container or of the pod, as the field's does.
func familiarity(at, path []document.Step) int {
	inContainer := slices.ContainsFunc(path, func(s document.Step) bool { return s.Key == "containers" || s.Key == "initContainers" })
	n := 0
	for _, s := range at {
		lower := strings.ToLower(s.Key)
		switch {
		case strings.Contains(lower, "pod"):
			n += map[bool]int{true: -5, false: 5}[inContainer]
		case strings.Contains(lower, "container"):
			n += map[bool]int{true: 5, false: -5}[inContainer]
		}
	}
	return n
}
