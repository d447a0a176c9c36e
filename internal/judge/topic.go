package judge

import (
	"maps"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// The topics that are no kind.
const (
	podTopic = "pods"   // whatever makes pods, and their containers
	anyTopic = "object" // any object at all, and the cluster
)

// topics are what a rule is about: pods, kinds of objects, or anything.
func topics(m rule.Match) []string {
	switch m.Fact {
	case "container", "workload":
		return []string{podTopic}
	case "namespace":
		return []string{"Namespace"}
	case "image":
		return []string{fact.ImageKind}
	case "kinds":
		list := make([]string, len(m.Kinds))
		for i, kind := range m.Kinds {
			if list[i] = kind; slices.Contains(fact.PodKinds(), kind) {
				list[i] = podTopic
			}
		}
		slices.Sort(list)
		return slices.Compact(list)
	}
	return []string{anyTopic}
}

// core is the topics that most rules of a control are about. A rule that any object passes counts
// only where there is no other, and pods come before what as many rules are about.
func (c *controls) core(rules []string) []string {
	count := map[string]int{}
	for _, id := range rules {
		for _, topic := range topics(c.matches[id]) {
			count[topic]++
		}
	}
	if len(count) > 1 {
		delete(count, anyTopic)
	}
	if len(count) > 1 && !c.opened(rules) {
		delete(count, fact.ImageKind) // manifests were judged, and no image was opened
	}
	most := slices.Max(append(slices.Collect(maps.Values(count)), 0))
	if count[podTopic] == most {
		return []string{podTopic}
	}
	maps.DeleteFunc(count, func(_ string, n int) bool { return n < most })
	return slices.Sorted(maps.Keys(count))
}

// opened says whether any rule on images was asked of one.
func (c *controls) opened(rules []string) bool {
	return slices.ContainsFunc(rules, func(id string) bool { return c.tallies[id] != nil && c.matches[id].Fact == imageMatch })
}

// beside says what a control is about when none of it was judged, only what a few of its rules judge
// too: that these pass says little of the control. It is "" when what the control is about was judged.
func (c *controls) beside(r *verdict.ControlResult) string {
	core := c.core(r.Rules)
	for _, id := range r.Rules {
		t := c.tallies[id]
		if t != nil && t.Pass > 0 && slices.ContainsFunc(topics(c.matches[id]), func(topic string) bool { return slices.Contains(core, topic) }) {
			return ""
		}
	}
	return strings.Join(core, ", ")
}
