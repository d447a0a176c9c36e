package admission

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
)

// Class is which rules a request is about: a webhook is called once for those whose errors refuse, and once for the others.
type Class uint8

// The classes.
const (
	Everything Class = iota
	Ignoring         // rules of onError: ignore
	Failing          // rules of onError: fail
)

// takes says whether a rule of that setting is of the class.
func (c Class) takes(s enforcement.Setting) bool {
	return c == Everything || s.Fail == (c == Failing)
}

// Unjudged is why a rule is not judged when a request comes in, but in the background alone; "" for one that is judged.
func Unjudged(r *rule.Compiled) string {
	switch {
	case r.Match.Fact == "image":
		return "it judges what an image holds, which the verdicts of images tell"
	case r.Match.Fact == "cluster":
		return "it judges the cluster itself"
	case judge.AsksWhole(r):
		return "it asks how the whole cluster hangs together, of which a request shows a part"
	}
	why := ""
	for _, kind := range r.Match.Kinds {
		if why = catalog.Hidden(kind); why == "" {
			return ""
		}
	}
	return why
}

// placeKey names a place for one class.
type placeKey struct {
	namespace string
	class     Class
}

// placed is the court of a place, as long as the labels of its namespace stay as they were.
type placed struct {
	labels map[string]string
	known  bool
	court  *court
}

// court is the rules that hold somewhere, prepared, with how they hold.
type court struct {
	settings map[string]enforcement.Setting // by rule
	rules    *judge.Prepared
	around   []string // kinds that the rules ask for beside the object
	asked    int
	images   map[string]enforcement.Setting // the rules on what images hold
}

// The most that is kept: all is dropped where there is more, for it is made again in a moment.
const (
	mostPlaces = 10_000
	mostCourts = 16
)

// courtAt is the court of a place.
func (d *Desk) courtAt(at enforcement.Place, class Class) *court {
	key := placeKey{at.Namespace, class}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if p := d.places[key]; p != nil && p.known == at.LabelsKnown && maps.Equal(p.labels, at.Labels) {
		return p.court
	}
	if len(d.places) >= mostPlaces {
		clear(d.places)
	}
	c := d.convene(at, class)
	d.places[key] = &placed{labels: maps.Clone(at.Labels), known: at.LabelsKnown, court: c}
	return c
}

// convene finds the court of those that hold the same rules in the same way.
func (d *Desk) convene(at enforcement.Place, class Class) *court {
	rules := slices.Concat(d.rules, d.onImages)
	settings := make([]enforcement.Setting, len(rules))
	var signature strings.Builder
	for i, r := range rules {
		s := d.Plan.Of(r.Rule, at)
		if !class.takes(s) {
			s.Mode = enforcement.Off
		}
		settings[i] = s
		signature.WriteByte('0' + byte(s.Mode))
		if s.Fail {
			signature.WriteByte('!')
		}
	}
	if c := d.courts[signature.String()]; c != nil {
		return c
	}
	if len(d.courts) >= mostCourts {
		clear(d.courts)
		clear(d.prepared)
		clear(d.places)
	}
	c := d.newCourt(settings)
	d.courts[signature.String()] = c
	return c
}

func (d *Desk) newCourt(settings []enforcement.Setting) *court {
	c := &court{settings: make(map[string]enforcement.Setting, len(settings)), images: map[string]enforcement.Setting{}}
	for i, r := range d.onImages {
		if s := settings[len(d.rules)+i]; s.Mode != enforcement.Off {
			c.images[r.ID] = s
		}
	}
	var asked []*rule.Compiled
	around := map[string]bool{}
	var signature strings.Builder
	for i, r := range d.rules {
		if settings[i].Mode == enforcement.Off {
			continue
		}
		asked = append(asked, r)
		signature.WriteString(strconv.Itoa(i) + " ")
		c.settings[r.ID] = settings[i]
		for _, kind := range judge.Around(r) {
			around[kind] = true
		}
	}
	c.asked = len(asked)
	c.around = slices.Sorted(maps.Keys(around))
	if c.rules = d.prepared[signature.String()]; c.rules == nil { // how rules hold is nothing to who judges
		c.rules = judge.Prepare(asked, d.Settings, d.Width)
		d.prepared[signature.String()] = c.rules
	}
	return c
}

// Around are the kinds of objects that rules of a plan ask for beside the object of a request, wherever they hold, and of
// these the ones of which they want the objects of all namespaces; both sorted.
func (d *Desk) Around() (kinds, everywhere []string) {
	all, wide := map[string]bool{}, map[string]bool{}
	for _, r := range d.rules {
		if !d.mayHold(r.Rule) {
			continue
		}
		for _, kind := range judge.Around(r) {
			all[kind] = true
		}
		for _, kind := range judge.Everywhere(r) {
			wide[kind] = true
		}
	}
	return slices.Sorted(maps.Keys(all)), slices.Sorted(maps.Keys(wide))
}

// mayHold says whether the plan lets a rule hold anywhere.
func (d *Desk) mayHold(r *rule.Rule) bool {
	if d.Plan.Default.Mode != enforcement.Off {
		return true
	}
	for i := range d.Plan.Entries {
		if m := d.Plan.Entries[i].Mode; m != nil && *m != enforcement.Off && d.Plan.Chooses(i, r) {
			return true
		}
	}
	return false
}
