package advisory

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// affects is the schema's own evaluation of one range (ossf.github.io/osv-schema, "Evaluation": BeforeLimits, IncludedInRanges), over
// whole numbers; "0" as introduced is before all.
func affects(events []map[string]string, version int) bool {
	number := func(text string) int {
		n, _ := strconv.Atoi(strings.TrimSuffix(text, ".0.0"))
		return n
	}
	limited, below := false, false
	for _, e := range events {
		if limit, ok := e["limit"]; ok {
			limited = true
			below = below || limit == "*" || version < number(limit)
		}
	}
	if limited && !below {
		return false
	}
	sorted := slices.Clone(events)
	at := func(e map[string]string) int {
		return number(cmp.Or(e["introduced"], e["fixed"], e["last_affected"], e["limit"]))
	}
	slices.SortStableFunc(sorted, func(a, b map[string]string) int { return cmp.Compare(at(a), at(b)) })
	vulnerable := false
	for _, e := range sorted {
		if v, ok := e["introduced"]; ok && (v == "0" || version >= number(v)) {
			vulnerable = true
		}
		if v, ok := e["fixed"]; ok && version >= number(v) {
			vulnerable = false
		}
		if v, ok := e["last_affected"]; ok && version > number(v) {
			vulnerable = false
		}
	}
	return vulnerable
}

// TestLimits holds ranges, through an index, to the schema's evaluation.
func TestLimits(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		events := []map[string]string{{"introduced": "0"}}
		if random.IntN(3) == 0 {
			events = []map[string]string{{"introduced": "2.0.0"}}
		}
		from := 3
		for range random.IntN(3) {
			end := from + random.IntN(3)
			events = append(events, map[string]string{[]string{"fixed", "last_affected"}[random.IntN(2)]: fmt.Sprintf("%d.0.0", end)})
			from = end + 1 + random.IntN(3)
			if random.IntN(2) == 0 {
				break
			}
			events = append(events, map[string]string{"introduced": fmt.Sprintf("%d.0.0", from)})
			from++
		}
		for range random.IntN(3) {
			limit := fmt.Sprintf("%d.0.0", random.IntN(14))
			if random.IntN(8) == 0 {
				limit = "*"
			}
			events = append(events, map[string]string{"limit": limit})
		}
		random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		var list []string
		for _, e := range events {
			for kind, version := range e {
				list = append(list, fmt.Sprintf(`{%q:%q}`, kind, version))
			}
		}
		text := strings.Join(list, ",")
		x := indexOf(t, `{"id":"X-1","affected":[{"package":{"ecosystem":"npm","name":"a"},"ranges":[{"type":"SEMVER","events":[`+text+`]}]}]}`,
			`{"id":"X-2","affected":[{"package":{"ecosystem":"npm","name":"b"},"versions":["1.0.0"]}]}`)
		for version := range 16 {
			a := askOne(t, x, "npm", "a", fmt.Sprintf("%d.0.0", version))
			if len(a.Unknown) > 0 {
				t.Fatalf("%s of %d: %+v", text, version, a.Unknown)
			}
			if got, want := len(a.Findings) > 0, affects(events, version); got != want {
				t.Fatalf("%s: %d is affected %v, want %v", text, version, got, want)
			}
		}
	}
}

// TestLimitMendsNothing asks that the end of what a range speaks of is not told as a fix.
func TestLimitMendsNothing(t *testing.T) {
	x := indexOf(t, `{"id":"X-1","affected":[{"package":{"ecosystem":"npm","name":"a"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"limit":"2.0.0"},{"fixed":"3.0.0"}]}]}]}`)
	a := askOne(t, x, "npm", "a", "1.9.9")
	if len(a.Findings) != 1 || a.Findings[0].FixedIn != "" {
		t.Errorf("1.9.9: %+v", a.Findings)
	}
	for _, version := range []string{"2.0.0", "2.5.0", "9.0.0"} {
		if a := askOne(t, x, "npm", "a", version); len(a.Findings)+len(a.Unknown) > 0 {
			t.Errorf("%s, at the limit or after it: %+v", version, a)
		}
	}
}

// indexOf is an index of records in JSON.
func indexOf(t testing.TB, texts ...string) *Index {
	t.Helper()
	var records []*Record
	for _, text := range texts {
		r, err := ParseRecord([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	x, err := Open(writeIndex(t, records...))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func askOne(t testing.TB, x *Index, ecosystem, name, version string) *Answer {
	t.Helper()
	a, err := x.Match(&Question{Packages: []Package{{Ecosystem: ecosystem, Name: name, Version: version}}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}
