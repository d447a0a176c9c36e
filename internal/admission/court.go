package admission

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
)

// courts are the courts of all places. How rules hold may differ from each namespace to the next, and costs little to keep; to
// make rules ready costs more than to judge, and what they remember takes memory: few sets of rules are made ready.
type courts struct {
	mutex    sync.Mutex
	places   map[placeKey]*placed
	byRoll   map[string]*court   // by how all rules hold there
	prepared map[string]*bench   // by which rules they are
	whole    [Failing + 1]*bench // all rules that hold anywhere, by class: for courts that find no bench of their own
	kept     int                 // settings of all courts
	clock    uint64
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
	rules    *judge.Prepared                // these, and perhaps others that hold elsewhere
	exact    bool                           // no others
	around   []string                       // kinds that the rules ask for beside the object
	asked    int
	images   map[string]enforcement.Setting // the rules on what images hold

	once sync.Once
	used uint64 // when it was asked for last
	kept int    // settings that are counted
}

// bench is rules made ready.
type bench struct {
	once  sync.Once
	rules *judge.Prepared
}

// The most that is kept. Of courts those go that were not asked for longest; of places all do, for where their court
// is known they are found again in a moment.
const (
	mostPlaces   = 10_000
	mostSettings = 1 << 17 // of all courts, some MB: of those where every rule holds four hundred
	mostBenches  = 16
)

func newCourts() *courts {
	c := &courts{places: map[placeKey]*placed{}, byRoll: map[string]*court{}, prepared: map[string]*bench{}}
	for i := range c.whole {
		c.whole[i] = &bench{}
	}
	return c
}

// courtAt is the court of a place.
func (d *Desk) courtAt(at enforcement.Place, class Class) *court {
	key := placeKey{at.Namespace, class}
	if c := d.known(key, &at); c != nil {
		return c
	}
	settings, roll := d.settingsAt(at, class) // nobody else waits meanwhile
	c := d.court(roll)
	c.once.Do(func() { d.convene(c, settings, class) })
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if c.kept == 0 && d.byRoll[roll] == c {
		c.kept = 1 + len(c.settings) + len(c.images)
		for d.kept += c.kept; d.kept > mostSettings && len(d.byRoll) > 1; {
			d.dismiss()
		}
	}
	if len(d.places) >= mostPlaces {
		clear(d.places)
	}
	d.places[key] = &placed{labels: maps.Clone(at.Labels), known: at.LabelsKnown, court: c}
	return c
}

// known is the court of a place that was asked for before.
func (d *Desk) known(key placeKey, at *enforcement.Place) *court {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	p := d.places[key]
	if p == nil || p.known != at.LabelsKnown || !maps.Equal(p.labels, at.Labels) {
		return nil
	}
	d.clock++
	p.court.used = d.clock
	return p.court
}

// settingsAt is how each rule holds at a place, and the same as text.
func (d *Desk) settingsAt(at enforcement.Place, class Class) (settings []enforcement.Setting, roll string) {
	rules := slices.Concat(d.rules, d.onImages)
	settings = make([]enforcement.Setting, len(rules))
	var text strings.Builder
	text.WriteByte('0' + byte(class))
	for i, r := range rules {
		s := d.Plan.Of(r.Rule, at)
		if !class.takes(s) {
			s.Mode = enforcement.Off
		}
		settings[i] = s
		text.WriteByte('0' + byte(s.Mode))
		if s.Fail {
			text.WriteByte('!')
		}
	}
	return settings, text.String()
}

// court is the court where all rules hold in one way; whoever is first to ask convenes it.
func (d *Desk) court(roll string) *court {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	c := d.byRoll[roll]
	if c == nil {
		c = &court{}
		d.byRoll[roll] = c
	}
	d.clock++
	c.used = d.clock
	return c
}

// dismiss forgets the court that was not asked for longest.
func (d *Desk) dismiss() {
	oldest := ""
	for roll, c := range d.byRoll {
		if oldest == "" || c.used < d.byRoll[oldest].used {
			oldest = roll
		}
	}
	gone := d.byRoll[oldest]
	delete(d.byRoll, oldest)
	d.kept -= gone.kept
	maps.DeleteFunc(d.places, func(_ placeKey, p *placed) bool { return p.court == gone })
}

// convene fills a court.
func (d *Desk) convene(c *court, settings []enforcement.Setting, class Class) {
	c.settings, c.images = make(map[string]enforcement.Setting, len(settings)), map[string]enforcement.Setting{}
	for i, r := range d.onImages {
		if s := settings[len(d.rules)+i]; s.Mode != enforcement.Off {
			c.images[r.ID] = s
		}
	}
	var asked []*rule.Compiled
	around := map[string]bool{}
	for i, r := range d.rules {
		if settings[i].Mode == enforcement.Off {
			continue
		}
		asked = append(asked, r)
		c.settings[r.ID] = settings[i]
		for _, kind := range judge.Around(r) {
			around[kind] = true
		}
	}
	c.asked = len(asked)
	c.around = slices.Sorted(maps.Keys(around))
	c.rules, c.exact = d.ready(asked, class)
}

// ready is rules made ready: how they hold is nothing to who judges. Where there are too many sets of rules, it is all rules of the
// class that hold anywhere.
func (d *Desk) ready(asked []*rule.Compiled, class Class) (rules *judge.Prepared, exact bool) {
	var names strings.Builder
	for _, r := range asked {
		names.WriteString(r.ID + " ")
	}
	d.mutex.Lock()
	b := d.prepared[names.String()]
	exact = true
	switch {
	case b != nil:
	case len(d.prepared) < mostBenches:
		b = &bench{}
		d.prepared[names.String()] = b
	default:
		b, exact = d.whole[class], false
		asked = slices.DeleteFunc(slices.Clone(d.rules), func(r *rule.Compiled) bool { return !d.mayHold(r.Rule) || !d.mayBeOf(class, r.Rule) })
	}
	d.mutex.Unlock()
	b.once.Do(func() { b.rules = judge.Prepare(asked, d.Settings, d.Width) })
	return b.rules, exact
}

// part is some of a court's rules, made ready for one trial.
type part struct {
	settings map[string]enforcement.Setting
	rules    *judge.Prepared
}

// parts are the rules of a court that are enforced, and then the others.
func (d *Desk) parts(c *court) [2]part {
	var asked [2][]*rule.Compiled
	var parts [2]part
	for i := range parts {
		parts[i].settings = map[string]enforcement.Setting{}
	}
	for _, r := range d.rules {
		s, holds := c.settings[r.ID]
		if !holds {
			continue
		}
		i := 1
		if s.Mode == enforcement.Enforce {
			i = 0
		}
		asked[i] = append(asked[i], r)
		parts[i].settings[r.ID] = s
	}
	for i := range parts {
		parts[i].rules = judge.Prepare(asked[i], d.Settings, 1)
	}
	return parts
}

// alike says whether the rules that are asked are all enforced, or none is.
func (c *court) alike() bool {
	if !c.exact {
		return false
	}
	enforced := 0
	for _, s := range c.settings {
		if s.Mode == enforcement.Enforce {
			enforced++
		}
	}
	return enforced == 0 || enforced == len(c.settings)
}
