package catalog

import (
	"cmp"
	"strings"
	"sync"

	"github.com/coaming/coaming/internal/rule"
)

// ImageEndOfLife is the date, "2022-04-30", on which the project behind an image mended its release
// for the last time; ok is false where the calendar does not know the image or its tag does not tell
// the release. Of a tag that names several releases, as node:12 does, the last date counts.
func ImageEndOfLife(reference string) (date string, ok bool) {
	name, tag := rule.SplitImage(reference)
	calendar := imageCalendar()
	version, suffix, _ := strings.Cut(tag, "-")
	version = strings.TrimPrefix(version, "v")
	for cycle, end := range calendar.images[name] {
		if date < end && (within(version, cycle) || within(cycle, version)) {
			date = end
		}
	}
	// What an image is built upon may end earlier: python:3.12-buster.
	for word := range strings.SplitSeq(suffix, "-") {
		if end := calendar.bases[word]; end != "" && strings.HasPrefix(name, "docker.io/library/") && (date == "" || end < date) {
			date = end
		}
	}
	return date, date != "" && date != open
}

// open is the end of a release that is still mended: behind every other.
const open = "9999-12-31"

// within says whether a version is the cycle or one of its releases: 3.7.2 of 3.7.
func within(version, cycle string) bool {
	rest, found := strings.CutPrefix(version, cycle)
	return found && cycle != "" && (rest == "" || rest[0] == '.')
}

type calendar struct {
	images map[string]map[string]string // by registry and repository, the end of each cycle
	bases  map[string]string            // by the word in a tag that names it
}

var imageCalendar = sync.OnceValue(func() calendar {
	c := calendar{images: map[string]map[string]string{}, bases: map[string]string{}}
	root, err := support("images.yaml")
	if err != nil {
		return c // TestSupport reads the same file and fails
	}
	for _, entry := range root.Get("images").Items() {
		cycles := map[string]string{}
		for cycle, end := range entry.Get("cycles").Fields() {
			cycles[cycle] = cmp.Or(end.Text(), open)
		}
		for _, name := range entry.Get("names").Items() {
			c.images[name.Str()] = cycles
		}
	}
	for word, end := range root.Get("bases").Fields() {
		c.bases[word] = end.Text()
	}
	return c
})
