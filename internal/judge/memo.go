package judge

import (
	"fmt"
	"slices"
	"sync"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// How a rule comes out depends on nothing but what it reads. Most rules read a small part of a
// fact, and a cluster's facts have the same few values there: the same securityContext a thousand
// times. So rules that read the same parts are kept in one group, and a group's outcomes are
// remembered by the values of its parts.

// ruleList is the rules that match one kind of fact, in groups that are made when they are first needed.
type ruleList struct {
	rules    []*rule.Compiled
	remember bool
	once     sync.Once
	groups   []*ruleGroup
	parts    []part // those of all groups, each once
}

func (l *ruleList) add(r *rule.Compiled) { l.rules = append(l.rules, r) }

// ruleGroup is rules that read the same parts of a fact, and of the same each.
type ruleGroup struct {
	rules    []*rule.Compiled
	eachName string
	eachPath []string
	// parts are what the rules read, as indexes into the list's; recalled is whether outcomes can
	// be remembered by them.
	parts    []int
	recalled bool
}

// part is a piece of what a rule reads: a field of a variable, a field of the pod spec.
type part struct {
	root string // "container", "workload", "object", or "role", "api", "beside"
	keys []string
}

const (
	mostParts    = 5       // of a group whose outcomes are remembered, its item included
	mostBytes    = 1 << 10 // of a part's value: longer ones are seldom met twice
	mostValues   = 1 << 15 // remembered values of parts, before all is forgotten
	trial        = 512     // facts after which a group that seldom remembers gives up
	fewSubjects  = 200     // below, remembering costs more than it saves
	neverTheSame = 1       // the number of a value that is not remembered
)

// split makes the groups; without memory every rule is one of its own.
func (l *ruleList) split() []*ruleGroup {
	l.once.Do(func() {
		byKey := map[string]*ruleGroup{}
		for _, r := range l.rules {
			var parts []part
			recalled := false
			if l.remember {
				parts, recalled = partsOf(r)
			}
			g := &ruleGroup{eachName: r.EachName, eachPath: r.EachPath, parts: l.indexes(parts), recalled: recalled}
			key := fmt.Sprint(g.eachName, g.eachPath, g.parts)
			switch {
			case !recalled:
				l.groups = append(l.groups, g)
			case byKey[key] == nil:
				byKey[key] = g
				l.groups = append(l.groups, g)
			default:
				g = byKey[key]
			}
			g.rules = append(g.rules, r)
		}
	})
	return l.groups
}

// indexes are the places of parts among those of the list, sorted.
func (l *ruleList) indexes(parts []part) []int {
	var list []int
	for _, p := range parts {
		i := slices.IndexFunc(l.parts, p.is)
		if i < 0 {
			i = len(l.parts)
			l.parts = append(l.parts, p)
		}
		list = append(list, i)
	}
	slices.Sort(list)
	return list
}

func (p part) is(other part) bool { return p.root == other.root && slices.Equal(p.keys, other.keys) }

// partsOf is what a rule reads beside its item; recalled is false where outcomes cannot be
// remembered by it: it reads a whole fact, or what is joined from objects that are not looked up here.
func partsOf(r *rule.Compiled) (parts []part, recalled bool) {
	if r.Origin != "" {
		return nil, false // what such a rule may spend depends on the size of the object
	}
	for _, path := range r.Reads() {
		keys := rule.Keys(path)
		root, keys := keys[0], keys[1:]
		depth := 0
		switch root {
		case r.EachName, "cluster", "settings", "support", "everywhere":
			continue // the item is looked at by itself; the others are the same for all facts
		case "role", "api", "beside":
		case "container":
			depth = 1
		case "object":
			depth = min(2, max(1, len(keys)))
		case "workload":
			switch {
			case len(keys) == 0:
				return nil, false
			case keys[0] == "spec":
				depth = 2
			case workloadParts[keys[0]] == nil:
				return nil, false
			default:
				depth = 1
			}
		default:
			return nil, false
		}
		if len(keys) < depth {
			return nil, false
		}
		if p := (part{root, keys[:depth]}); !slices.ContainsFunc(parts, p.is) {
			parts = append(parts, p)
		}
	}
	most := mostParts
	if r.EachName != "" {
		most--
	}
	return parts, len(parts) <= most
}

// memory is what one goroutine remembers.
type memory struct {
	numbers map[string]uint32 // of the values of parts; they begin behind neverTheSame
	groups  map[*ruleGroup]*remembered
	buffer  []byte
	read    []uint32 // the numbers of the parts of the fact at hand; 0 for one that was not looked at
}

// remembered is what is remembered of one group.
type remembered struct {
	outcomes       map[[mostParts]uint32]*outcomes
	lookups, finds int
	hopeless       bool // hardly a value was met twice
}

// outcomes are how the rules of a group came out on the same values.
type outcomes struct {
	passed []*rule.Compiled
	others []told
	times  int // how often they were met: the passes are counted at the end
}

// told is how one rule came out, where that is no pass.
type told struct {
	rule    *rule.Compiled
	verdict verdict.Verdict
	reason  string
}

// begin turns to another fact, of which that many parts may be read.
func (m *memory) begin(parts int, counts tallies) {
	if len(m.numbers) >= mostValues {
		m.settle(counts)
	}
	m.read = slices.Grow(m.read[:0], parts)[:parts]
	clear(m.read)
}

// find is where the outcomes of a group on the values at hand are kept; nil where they are not.
func (m *memory) find(g *ruleGroup, list *ruleList, fact *matched, item document.Value, key string) *outcomes {
	if !g.recalled {
		return nil
	}
	r := m.groups[g]
	switch {
	case r == nil:
		r = &remembered{outcomes: map[[mostParts]uint32]*outcomes{}}
		if m.groups == nil {
			m.groups = map[*ruleGroup]*remembered{}
		}
		m.groups[g] = r
	case r.hopeless:
		return nil
	}
	var values [mostParts]uint32
	for i, p := range g.parts {
		if m.read[p] == 0 {
			m.buffer = fact.encode(m.buffer[:0], list.parts[p])
			m.read[p] = m.number(m.buffer)
		}
		values[i] = m.read[p]
	}
	if g.eachName != "" {
		m.buffer = document.AppendExact(append(append(m.buffer[:0], key...), 0), item)
		values[mostParts-1] = m.number(m.buffer)
	}
	r.lookups++
	found := r.outcomes[values]
	if found != nil {
		r.finds++
		return found
	}
	r.hopeless = r.lookups > trial && r.finds*2 < r.lookups
	if slices.Contains(values[:], neverTheSame) {
		return nil
	}
	found = &outcomes{}
	r.outcomes[values] = found
	return found
}

// number is the number of a value.
func (m *memory) number(encoded []byte) uint32 {
	n, known := m.numbers[string(encoded)]
	switch {
	case known:
		return n
	case len(encoded) > mostBytes || len(m.numbers) > 2*mostValues:
		return neverTheSame
	case m.numbers == nil:
		m.numbers = map[string]uint32{}
	}
	n = neverTheSame + 1 + uint32(len(m.numbers))
	m.numbers[string(encoded)] = n
	return n
}

// settle counts the passes that were remembered, and forgets all values.
func (m *memory) settle(counts tallies) {
	for _, r := range m.groups {
		for _, o := range r.outcomes {
			for _, passed := range o.passed {
				counts.add(passed.ID, verdict.Pass, o.times)
			}
		}
		clear(r.outcomes)
	}
	clear(m.numbers)
}

// encode appends the value of a part of the fact; equal bytes mean the same value.
func (m *matched) encode(b []byte, p part) []byte {
	switch p.root {
	case "container":
		return appendAt(b, m.value, p.keys)
	case "object":
		return appendAt(b, m.object.Root, p.keys)
	case "api":
		return append(append(b, m.object.APIVersion+" "...), m.object.Kind...)
	case "role":
		return append(b, m.role...)
	case "beside":
		return append(b, m.object.Namespace...)
	}
	if p.keys[0] == "spec" {
		return appendAt(b, m.workload.Spec, p.keys[1:])
	}
	return workloadParts[p.keys[0]](b, m.workload)
}

// workloadParts appends what decides a field of the variable workload. Of a fact that is joined from
// other objects that is what they are joined by.
var workloadParts = map[string]func(b []byte, w *fact.Workload) []byte{
	"kind":              func(b []byte, w *fact.Workload) []byte { return append(b, w.Object.Kind...) },
	"name":              func(b []byte, w *fact.Workload) []byte { return append(b, w.Object.Name...) },
	"namespace":         func(b []byte, w *fact.Workload) []byte { return append(b, w.Object.Namespace...) },
	"os":                func(b []byte, w *fact.Workload) []byte { return append(b, w.OS()...) },
	"labels":            func(b []byte, w *fact.Workload) []byte { return document.AppendExact(b, w.Labels()) },
	"annotations":       func(b []byte, w *fact.Workload) []byte { return document.AppendExact(b, w.Annotations()) },
	"limitRanges":       func(b []byte, w *fact.Workload) []byte { return append(b, w.Object.Namespace...) },
	"networkPolicies":   appendPods,
	"services":          appendPods,
	"disruptionBudgets": appendPods,
	"autoscalers":       appendOwner,
	"serviceAccount":    appendAccount,
	"bindings":          appendAccount,
}

// appendPods appends what selectors see of a workload's pods.
func appendPods(b []byte, w *fact.Workload) []byte {
	return document.AppendExact(append(append(b, w.Object.Namespace...), 0), w.Labels())
}

// appendOwner appends what references see of the object that carries the pods.
func appendOwner(b []byte, w *fact.Workload) []byte {
	return append(append(append(b, w.Object.Kind...), 0), w.Object.Namespace+"\x00"+w.Object.Name...)
}

// appendAccount appends the account that the pods run as.
func appendAccount(b []byte, w *fact.Workload) []byte {
	return append(append(append(b, w.Object.Namespace...), 0), w.ServiceAccount()...)
}

// appendAt appends what stands at a path, or what stands in its way.
func appendAt(b []byte, v document.Value, keys []string) []byte {
	for _, key := range keys {
		if k := v.Kind(); k != document.Map && k != document.Missing {
			b = append(b, '!')
			break
		}
		v = v.Get(key)
	}
	return document.AppendExact(b, v)
}
