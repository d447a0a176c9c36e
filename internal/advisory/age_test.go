package advisory

import (
	"io"
	"testing"
	"time"
)

func TestStanding(t *testing.T) {
	a := &About{Created: day.Unix(), Sequence: 3, Records: 5, Sources: []Source{{Name: "npm/all.zip"}}}
	for name, of := range map[string]struct {
		after time.Duration
		most  int
		days  int
		stale bool
	}{
		"new":                 {0, 30, 0, false},
		"a month":             {30*24*time.Hour + 23*time.Hour, 30, 30, false},
		"more than a month":   {31 * 24 * time.Hour, 30, 31, true},
		"any age":             {9999 * 24 * time.Hour, 0, 9999, false},
		"another zone":        {-26 * time.Hour, 30, 0, false},
		"yet to come":         {-49 * time.Hour, 30, 0, true},
		"yet to come, at all": {-9999 * 24 * time.Hour, 0, 0, false},
	} {
		s := a.Standing(day.Add(of.after), of.most)
		if s.Days != of.days || (s.Stale != "") != of.stale || s.Sequence != 3 || s.Records != 5 || len(s.Sources) != 1 || !s.Created.Equal(day) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// TestDoubt asks that what has an answer keeps it, and all else is unknown.
func TestDoubt(t *testing.T) {
	packages := []Package{{Ecosystem: "npm", Name: "found"}, {Ecosystem: "npm", Name: "unknown"}, {Ecosystem: "npm", Name: "owned", Owner: "x"}, {Ecosystem: "npm", Name: "clean"}, {Ecosystem: "PyPI", Name: "clean"}}
	a := &Answer{Findings: []Finding{{Package: 0}}, Unknown: []Unknown{{Ecosystem: "npm", Packages: []int{1}, Reason: "x"}}}
	a.Doubt(packages, "too old")
	if len(a.Unknown) != 3 || a.Unknown[1].Packages[0] != 3 || len(a.Unknown[1].Packages) != 1 || a.Unknown[2].Packages[0] != 4 || a.Unknown[2].Reason != "too old" {
		t.Errorf("%+v", a.Unknown)
	}
}

// TestImpossibleDates asks that an index says a day that every report can write.
func TestImpossibleDates(t *testing.T) {
	b := NewBuilder()
	b.Add(Source{}, []*Record{{ID: "X"}})
	for _, at := range []time.Time{{}, time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if _, err := b.Write(io.Discard, at, 1); err == nil {
			t.Errorf("an index of %v was made", at)
		}
	}
}
