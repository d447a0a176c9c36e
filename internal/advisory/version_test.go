package advisory

import (
	"strings"
	"testing"
)

// TestNoVersions asks that what is no version is unknown, and neither vulnerable nor clean.
func TestNoVersions(t *testing.T) {
	record, err := ParseRecord([]byte(`{"id":"X-1","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm","name":"a"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"2.0.0"}]}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	file := writeIndex(t, record)
	x, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]string{
		"1.0.0": "found", "v1.0.0-rc.1": "found", "2.0.0": "clean", "2": "clean",
		"": "unknown", "v": "unknown", "latest": "unknown", "x.1": "unknown", "*": "unknown", "1.0.0\n fake": "unknown", "1.0.0\x1b[1m": "unknown", "3.0.0\u0085": "unknown", "vlatest": "unknown",
	} {
		answer, err := x.Match(&Question{Packages: []Package{{Ecosystem: "npm", Name: "a", Version: version}}})
		if err != nil {
			t.Fatal(err)
		}
		got := "clean"
		switch {
		case len(answer.Unknown) > 0 && len(answer.Findings) == 0:
			got = "unknown"
		case len(answer.Findings) > 0 && len(answer.Unknown) == 0:
			got = "found"
		}
		if got != want {
			t.Errorf("%q: %s, want %s: %+v", version, got, want, answer)
		}
		if got == "unknown" && !strings.Contains(answer.Unknown[0].Reason, "no version") {
			t.Errorf("%q: %s", version, answer.Unknown[0].Reason)
		}
	}
}
