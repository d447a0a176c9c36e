package catalog

import (
	"cmp"
	"sync"
)

// SystemEndOfLife is the date, "2028-06-30", until which a distribution mends its release, by ID and VERSION_ID
// of os-release; ok is false where the calendar does not know the release, or that it will end.
func SystemEndOfLife(id, version string) (date string, ok bool) {
	if version == "" {
		return "", false
	}
	for cycle, end := range systemCalendar()[id] {
		if within(version, cycle) {
			if end == open {
				return "", false
			}
			return end, true
		}
	}
	return "", false
}

// systemCalendar is by ID the end of each release.
var systemCalendar = sync.OnceValue(func() map[string]map[string]string {
	calendar := map[string]map[string]string{}
	root, err := support("systems.yaml")
	if err != nil {
		return calendar // TestSupport reads the same file and fails
	}
	for _, entry := range root.Get("systems").Items() {
		cycles := imageCalendar().images[entry.Get("image").Str()]
		if cycles == nil {
			cycles = map[string]string{}
			for cycle, end := range entry.Get("cycles").Fields() {
				cycles[cycle] = cmp.Or(end.Text(), open)
			}
		}
		for _, id := range entry.Get("ids").Items() {
			calendar[id.Str()] = cycles
		}
	}
	return calendar
})
