package advisory

import (
	"fmt"
	"time"

	"github.com/coaming/coaming/internal/verdict"
)

// MostDays is how old an index may be, in days, where nobody says: distributions publish daily, and a month's advisories are what an
// attacker tries first.
const MostDays = 30

// aheadOfUs is how far an index's date may lie ahead of the clock: clocks and time zones differ.
const aheadOfUs = 48 * time.Hour

// Standing says of which day the index is, and whether what passes by it is worth anything: by one that is older than so many days it
// is unknown, as by one that was made in a time to come. With 0 any age will do.
func (a *About) Standing(now time.Time, most int) *verdict.Advisories {
	created := time.Unix(a.Created, 0).UTC()
	age := now.Sub(created)
	s := &verdict.Advisories{Created: created, Sequence: a.Sequence, Days: max(0, int(age.Hours()/24)), Records: a.Records}
	for _, source := range a.Sources {
		s.Sources = append(s.Sources, source.Name)
	}
	switch {
	case most <= 0:
	case age < -aheadOfUs:
		s.Stale = fmt.Sprintf("the index of advisories is dated %s, which is yet to come, so that nobody knows its age", created.Format(time.DateOnly))
	case s.Days > most:
		s.Stale = fmt.Sprintf("the index of advisories is %d days old, over %d: nobody knows what was published since", s.Days, most)
	}
	return s
}

// Doubt makes unknown every package about which the answer says nothing: neither found, unknown nor left to its owner.
func (a *Answer) Doubt(packages []Package, reason string) {
	told := make([]bool, len(packages))
	for i := range a.Findings {
		told[a.Findings[i].Package] = true
	}
	for _, u := range a.Unknown {
		for _, i := range u.Packages {
			told[i] = true
		}
	}
	places := map[string]int{}
	for i := range packages {
		if told[i] || packages[i].Owner != "" {
			continue
		}
		ecosystem := NormalEcosystem(packages[i].Ecosystem)
		at, seen := places[ecosystem]
		if !seen {
			at = len(a.Unknown)
			places[ecosystem] = at
			a.Unknown = append(a.Unknown, Unknown{Ecosystem: ecosystem, Reason: reason})
		}
		a.Unknown[at].Packages = append(a.Unknown[at].Packages, i)
	}
}
