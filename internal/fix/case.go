package fix

import (
	"slices"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// Proposal is what a rule's fix comes to at one fail.
type Proposal struct {
	Finding verdict.Finding
	Object  *fact.Object
	Changes []rule.Change
	Err     error // why there are none
}

// Tracer says by which routes an object's changes reach what it was made of, and where there is no
// route, why.
type Tracer func(o *fact.Object, changes []rule.Change) (routes []Route, refused string)

// Collect makes one case of all that was proposed for one fault: in every variant of the object, and
// in every place where an equal one stands.
func Collect(proposals []Proposal, trace Tracer) []*Case {
	byFingerprint := map[string]*Case{}
	seen := map[string]map[*fact.Object]bool{}
	var cases []*Case
	slices.SortStableFunc(proposals, func(a, b Proposal) int { return byPlace(&a.Finding, &b.Finding) })
	for _, p := range proposals {
		c := byFingerprint[p.Finding.Fingerprint]
		if c == nil {
			c = &Case{Finding: p.Finding, Changes: p.Changes}
			byFingerprint[p.Finding.Fingerprint] = c
			seen[p.Finding.Fingerprint] = map[*fact.Object]bool{}
			cases = append(cases, c)
		}
		if p.Err != nil {
			c.Refused = p.Err.Error()
			continue
		}
		c.Choices = max(c.Choices, choices(p.Changes))
		for _, o := range append([]*fact.Object{p.Object}, p.Object.Twins...) {
			if !seen[p.Finding.Fingerprint][o] && !c.knows(o) {
				seen[p.Finding.Fingerprint][o] = true
				c.reach(trace(o, p.Changes))
			}
		}
	}
	for _, c := range cases {
		if c.Refused != "" {
			c.Routes = nil
		}
	}
	return cases
}

func byPlace(a, b *verdict.Finding) int {
	x, y := &item{Case: &Case{Finding: *a}}, &item{Case: &Case{Finding: *b}}
	return byWorth(x, y)
}

// choices is how many candidates there are for what a person must choose, 1 for what a person must
// only be asked; 0 where nothing is.
func choices(changes []rule.Change) int {
	if least := candidateCount(changes); least > 0 || ask(changes) == "" {
		return least
	}
	return 1
}

// candidateCount is how many candidates every choice among the changes has; 0 where there is no choice.
func candidateCount(changes []rule.Change) int {
	least := 0
	for _, c := range changes {
		if c.Op == rule.FixChoose && (least == 0 || len(c.Values) < least) {
			least = len(c.Values)
		}
	}
	return least
}

// ask is what a person must know before the changes are made.
func ask(changes []rule.Change) string {
	for _, c := range changes {
		if c.Ask != "" {
			return c.Ask
		}
	}
	return ""
}

// knows says whether the object's own text is edited already: what is read in several worlds is one text.
func (c *Case) knows(o *fact.Object) bool {
	if o.Origin.Rendered || o.Origin.Served || o.Root.Doc() == nil || len(c.Routes) == 0 {
		return false
	}
	place := PlaceOf(o)
	start, _ := place.Doc.Span()
	for _, e := range c.Routes[0].Edits {
		own, _ := e.Place.Doc.Span()
		if e.Place.File == place.File && own == start && slices.Equal(e.Place.Begin, place.Begin) {
			return true
		}
	}
	return false
}

// reach adds the routes to one more place: all places are changed together.
func (c *Case) reach(routes []Route, refused string) {
	switch {
	case refused != "":
		c.Refused = refused
	case len(c.Routes) == 0:
		c.Routes = routes
	default:
		for i := range c.Routes {
			more := routes[min(i, len(routes)-1)]
			c.Routes[i].Edits = append(slices.Clip(c.Routes[i].Edits), more.Edits...)
		}
		for _, more := range routes[min(len(c.Routes), len(routes)):] {
			last := c.Routes[len(c.Routes)-1]
			last.Edits = append(slices.Clip(last.Edits), more.Edits...)
			last.Through = more.Through
			c.Routes = append(c.Routes, last)
		}
	}
}

// PlaceOf is where an object that a file holds is written.
func PlaceOf(o *fact.Object) Place {
	return Place{File: o.Origin.File, Doc: o.Root.Doc(), Begin: o.Root.Steps()}
}

// ServedPlace is an object that a server sent, or a chart rendered, as a text of its own.
func ServedPlace(o *fact.Object) (Place, error) {
	doc, fault := document.ParseJSON(string(o.Root.AppendJSON(nil)))
	if fault != nil {
		return Place{}, fault
	}
	return Place{File: o.Origin.Source + " " + o.Origin.File + " " + o.Namespace + " " + o.Kind + " " + o.Name, Doc: doc, Served: o}, nil
}
