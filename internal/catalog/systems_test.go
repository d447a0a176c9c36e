package catalog_test

import (
	"regexp"
	"testing"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
)

// checkSystems holds the form of the calendar of distributions: each has cycles of its own or those of an image.
func checkSystems(t *testing.T, root document.Value) {
	only(t, root, "systems")
	id := regexp.MustCompile(`^[a-z][a-z_-]*$`)
	seen := map[string]bool{}
	for _, entry := range root.Get("systems").Items() {
		only(t, entry, "ids", "image", "cycles")
		if entry.Get("ids").Len() == 0 || (entry.Get("image").Str() == "") == (entry.Get("cycles").Len() == 0) {
			t.Error("an entry without ids, or not with one of image and cycles")
		}
		for _, n := range entry.Get("ids").Items() {
			if !id.MatchString(n.Str()) || seen[n.Str()] {
				t.Errorf("%q is no ID, or stands there twice", n.Str())
			}
			seen[n.Str()] = true
		}
		for cycle, end := range entry.Get("cycles").Fields() {
			if end.Kind() != document.Null && !day.MatchString(end.Text()) {
				t.Errorf("%s ends on %q", cycle, end.Text())
			}
		}
	}
}

func TestSystemEndOfLife(t *testing.T) {
	for system, want := range map[[2]string]string{
		{"debian", "12"}: "2028-06-30", {"debian", ""}: "", {"alpine", "3.20.3"}: "2026-04-01", {"alpine", "3.2"}: "2017-05-01", {"alpine", "9.1"}: "",
		{"rhel", "9.4"}: "2032-05-31", {"rhel", "90"}: "", {"sles", "15.5"}: "2024-12-31", {"opensuse-leap", "15.6"}: "2026-04-30", {"amzn", "2"}: "2026-06-30",
		{"amzn", "2023"}: "2029-06-30", {"wolfi", "20230201"}: "", {"fedora", "44"}: "", {"fedora", "40"}: "2025-05-13", {"centos", "7"}: "2024-06-30",
	} {
		if got, ok := catalog.SystemEndOfLife(system[0], system[1]); got != want || ok != (want != "") {
			t.Errorf("%v: %q, want %q", system, got, want)
		}
	}
}
