package judge

import (
	"regexp"
	"slices"
	"strings"
)

// asksGraph finds conditions about where attackers get on to, or whether they come.
var asksGraph = regexp.MustCompile(`\b(leadsTo|exposed|reached)\.(there|admin|node|secrets|cloud)\b`)

// ofGraph is in every condition that asksGraph finds: most conditions need not be searched by it.
var ofGraph = []string{"leadsTo.", "exposed.", "reached."}

// rulesOfGraph are the rules whose fault is what the graph of attacks says of the subject: such a finding
// stands at a pod template or at a name, where no step has its evidence.
func (j *judgement) rulesOfGraph() map[string]bool {
	ids := map[string]bool{}
	for _, r := range j.Rules {
		named := func(fact string) bool { return strings.Contains(r.Assert, fact) }
		if slices.ContainsFunc(ofGraph, named) && asksGraph.MatchString(r.Assert) {
			ids[r.ID] = true
		}
	}
	return ids
}
