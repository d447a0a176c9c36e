package reach

import (
	"maps"
	"os"
	"strconv"
	"testing"
)

// inAllWorlds is the verdict that holds whatever the answers to questions are that nobody can answer:
// unknown where they matter. It asks for each question once, in every combination that is reached.
func inAllWorlds(judge func(ask func(question string) bool) bool) Verdict {
	seen := map[bool]bool{}
	var walk func(fixed map[string]bool)
	walk = func(fixed map[string]bool) {
		var asked []string
		now := maps.Clone(fixed)
		seen[judge(func(question string) bool {
			answer, known := now[question]
			if !known {
				now[question] = false
				asked = append(asked, question)
			}
			return answer
		})] = true
		before := maps.Clone(fixed)
		for _, question := range asked {
			if len(seen) == 2 {
				return
			}
			other := maps.Clone(before)
			other[question] = true
			walk(other)
			before[question] = false
		}
	}
	walk(map[string]bool{})
	switch {
	case len(seen) == 2:
		return Unknown
	case seen[true]:
		return Open
	}
	return Closed
}

// truthCases is how many random connections a judge is asked about: COAMING_TRUTH says how many times
// as many as `make test` asks.
func truthCases(t testing.TB) int {
	t.Helper()
	const cases = 50_000
	if times, err := strconv.Atoi(os.Getenv("COAMING_TRUTH")); err == nil && times > 0 {
		return cases * times
	}
	return cases
}
