package judge

import (
	"slices"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

const (
	mostParts    = 5       // of a group whose outcomes are remembered, its item included
	mostBytes    = 1 << 10 // of a part's value: longer ones are seldom met twice
	mostValues   = 1 << 15 // remembered values of parts, before all is forgotten
	fewValues    = 1 << 12 // for which there is room from the beginning
	trial        = 512     // facts after which a group that seldom remembers gives up
	fewSubjects  = 200     // below, remembering for one judgement costs more than it saves
	mostLasting  = 1 << 12 // remembered values that last, and
	mostOutcomes = 1 << 13 // outcomes on them, before all is forgotten: some MB
	neverTheSame = 1       // the number of a value that is not remembered
)

// memory is what one goroutine remembers: while it judges one inventory, or with lasting longer.
type memory struct {
	lasting bool
	room    int // for how many values there is room from the beginning
	epoch   epoch
	kept    int                // outcomes, of a memory that lasts
	numbers map[string]uint32  // of the values of parts; they begin behind neverTheSame
	shown   map[*lens][]uint32 // of what lenses show, by the numbers of the values; 0 for those not looked at
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

// epoch is what rules read beside the objects; what lasts, lasts while it is the same.
type epoch struct {
	version string
	live    bool
	today   string
}

// turnTo forgets what was so in another epoch.
func (m *memory) turnTo(e epoch) {
	if m.epoch != e {
		m.forget()
		m.epoch = e
	}
}

// begin turns to another fact, of which that many parts may be read.
func (m *memory) begin(parts int, counts tallies) {
	switch {
	case m.lasting && (len(m.numbers) >= mostLasting || m.kept >= mostOutcomes):
		m.forget()
	case len(m.numbers) >= mostValues:
		m.settle(counts)
	}
	m.read = slices.Grow(m.read[:0], parts)[:parts]
	clear(m.read)
}

// find is where the outcomes of a group on the values at hand are kept; nil where they are not.
func (m *memory) find(q *question, item document.Value, key string) *outcomes {
	g := q.ruleGroup
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
	for i, n := range g.reads {
		if m.read[n] == 0 {
			p := &q.parts[n]
			m.buffer = q.encode(m.buffer[:0], p)
			m.read[n] = m.look(p.seen, rule.Viewed{Value: q.value}, q.scope)
		}
		values[i] = m.read[n]
	}
	if g.eachName != "" {
		m.buffer = append(m.buffer[:0], truth(q.entry))
		m.buffer = document.AppendExact(append(append(m.buffer, key...), 0), item)
		values[mostParts-1] = m.look(g.item, rule.Viewed{Value: item, Entry: q.entry, Key: key}, q.scope)
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
	m.kept++
	return found
}

// look is the number of what a lens shows of the value whose exact form is in the buffer.
func (m *memory) look(l *lens, of rule.Viewed, s *rule.Scope) uint32 {
	n := m.number(m.buffer)
	if l == nil {
		return n
	}
	known := m.shown[l]
	if n < uint32(len(known)) && known[n] != 0 {
		return known[n]
	}
	m.buffer = m.buffer[:0]
	for _, a := range l.aspects {
		m.buffer = a.Append(m.buffer, &of, s)
	}
	shown := m.number(m.buffer)
	if n == neverTheSame {
		return shown
	}
	if more := int(n) + 1 - len(known); more > 0 {
		known = append(known, make([]uint32, more)...)
	}
	known[n] = shown
	if m.shown == nil {
		m.shown = map[*lens][]uint32{}
	}
	m.shown[l] = known
	return shown
}

// number is the number of a value.
func (m *memory) number(encoded []byte) uint32 {
	n, known := m.numbers[string(encoded)]
	switch {
	case known:
		return n
	case len(encoded) > mostBytes || len(m.numbers) > 2*mostValues || m.lasting && len(m.numbers) > 2*mostLasting:
		return neverTheSame
	case m.numbers == nil:
		m.numbers = make(map[string]uint32, m.room)
	}
	n = neverTheSame + 1 + uint32(len(m.numbers))
	m.numbers[string(encoded)] = n
	return n
}

// settle counts the passes that were remembered, and forgets all values. What lasts has been counted.
func (m *memory) settle(counts tallies) {
	if m.lasting {
		return
	}
	for _, r := range m.groups {
		for _, o := range r.outcomes {
			for _, passed := range o.passed {
				counts.add(passed.ID, verdict.Pass, o.times)
			}
		}
	}
	m.forget()
}

// forget forgets all values.
func (m *memory) forget() {
	m.kept = 0
	for _, r := range m.groups {
		clear(r.outcomes)
		if m.lasting {
			r.lookups, r.finds, r.hopeless = 0, 0, false
		}
	}
	clear(m.numbers)
	for _, known := range m.shown {
		clear(known)
	}
}

// encode appends the value of a part of the fact; equal bytes mean the same value.
func (m *matched) encode(b []byte, p *part) []byte {
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
	"volumes":           func(b []byte, w *fact.Workload) []byte { return document.AppendExact(b, w.Spec.Get("volumes")) },
	"mounts":            appendMounts,
	"limitRanges":       func(b []byte, w *fact.Workload) []byte { return append(b, w.Object.Namespace...) },
	"networkPolicies":   appendPods,
	"services":          appendPods,
	"disruptionBudgets": appendPods,
	"autoscalers":       appendOwner,
	"serviceAccount":    appendAccount,
	"bindings":          appendAccount,
}

// ownParts are the fields of the variable workload that the workload says by itself, and not others of it.
var ownParts = map[string]bool{
	"kind": true, "name": true, "namespace": true, "os": true, "labels": true, "annotations": true, "volumes": true, "mounts": true,
}

// appendMounts appends the mounts of all containers.
func appendMounts(b []byte, w *fact.Workload) []byte {
	for i := range w.Containers {
		b = document.AppendExact(b, w.Containers[i].Value.Get("volumeMounts"))
	}
	return b
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

func truth(b bool) byte {
	if b {
		return 1
	}
	return 0
}
