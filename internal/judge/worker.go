package judge

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// worker judges one subject after the other; one goroutine's.
type worker struct {
	*judgement
	cluster  rule.Fact // one for all subjects, as all are judged for the same version
	findings []verdict.Finding
	tallies  tallies
	memory   *memory
	joins    joins
	masker   masker
	hider    hider
	walk     document.Walk
}

// matched is the fact that a rule is asked about.
type matched struct {
	value document.Value // what paths begin at
	// path is where value stands in the object; kind keeps fingerprints of different facts apart.
	path      []document.Step
	kind      string
	object    *fact.Object
	workload  *fact.Workload // nil where the fact is no part of one
	image     *fact.Image    // nil where the fact is no part of one
	container string
	role      string // of the container
	doubt     string // why nothing of it is known to be well; "" for nearly all
}

// leftOpen says whether the fault is that something is missing which the template leaves to others to fill in.
func (m *matched) leftOpen(r *rule.Compiled, item document.Value) bool {
	if m.workload == nil || r.EachName != "" || len(r.At) == 0 || exists(item, r.At) {
		return false
	}
	return m.workload.Leaves == fact.Anything || m.workload.Leaves == fact.PodFields && m.kind == "workload"
}

func (w *worker) judge(s subject) {
	scope := rule.Scope{Cluster: w.cluster, Settings: w.settings, Support: w.support()}
	if s.image != nil {
		w.judgeImage(s.image, scope)
		return
	}
	if s.object == nil {
		m := matched{kind: "cluster"}
		w.ask(&w.clusters, m, &scope)
		return
	}
	scope.Object, scope.API, scope.Nodes = rule.Of(s.object.Root), w.api(s.object), s.object.Root.Nodes()
	if s.workload != nil {
		w.judgeWorkload(s.workload, scope)
		return
	}
	m := matched{value: s.object.Root, kind: "object", object: s.object}
	w.ask(&w.objects, m, &scope)
	kind := s.object.GroupKind()
	if kind == "Namespace" {
		scope.Namespace = w.namespace(s.object)
		m.kind = "namespace"
		w.ask(&w.namespaces, m, &scope)
		m.kind = "object"
	}
	rules := w.kinds[kind]
	if rules == nil {
		return
	}
	if kind == rbac.RoleBindingKind || kind == rbac.ClusterRoleBindingKind {
		scope.Binding = w.binding(s.object)
	}
	if kind == serviceAccount {
		scope.Account = w.accountFact(s.object)
	}
	scope.Beside, scope.Everywhere = w.beside(s.object), w.everywhere()
	if podSelectors[kind] != nil {
		scope.Selected = w.selected(s.object)
	}
	w.ask(rules, m, &scope)
}

func (w *worker) judgeWorkload(wl *fact.Workload, scope rule.Scope) {
	scope.Workload = w.workload(wl)
	template := wl.Path[:len(wl.Path)-1]
	doubt := wl.Doubt()
	w.ask(&w.workloads, matched{value: wl.Template, path: template, kind: "workload", object: wl.Object, workload: wl, doubt: doubt}, &scope)
	if doubt != "" {
		w.judgeMalformed(wl, doubt)
	}
	for i := range wl.Containers {
		c := &wl.Containers[i]
		role := c.Role.String()
		scope.Container, scope.Role = rule.Of(c.Value), rule.Text(role)
		path := append(slices.Clip(wl.Path), document.Step{Key: c.Field}, document.Step{Index: c.Index})
		name := c.Name
		if name == "" {
			name = strconv.Itoa(c.Index)
		}
		w.ask(&w.containers, matched{
			value: c.Value, path: path, kind: "container", object: wl.Object, workload: wl, container: name, role: role, doubt: doubt,
		}, &scope)
	}
}

// judgeMalformed answers for containers that cannot be told, because the API would refuse what
// stands in their place.
func (w *worker) judgeMalformed(wl *fact.Workload, doubt string) {
	for _, field := range fact.ContainerFields {
		list := wl.Spec.Get(field)
		if k := list.Kind(); k <= document.Null || k == document.List {
			continue
		}
		path := append(slices.Clip(wl.Path), document.Step{Key: field})
		for _, r := range w.containers.rules {
			w.note(r, matched{value: list, path: path, kind: "container", object: wl.Object, workload: wl}, list, nil, ownDoing(r, doubt))
		}
	}
}

// ask judges one fact, or each of its items, by the rules.
func (w *worker) ask(list *ruleList, m matched, scope *rule.Scope) {
	q := question{grouping: list.split(w.recall), matched: &m, scope: scope}
	w.memory.begin(len(q.parts), w.tallies)
	for _, q.ruleGroup = range q.groups {
		if w.stopped() {
			return
		}
		if w.Only != nil && !slices.ContainsFunc(q.rules, func(r *rule.Compiled) bool { return w.Only[r.ID] }) {
			continue // whole groups: what is remembered of a group is remembered of all its rules
		}
		if q.eachName == "" {
			w.askGroup(&q, m.value, nil)
			continue
		}
		items, keys := m.value, make([]document.Step, 0, len(q.eachPath)+1)
		for _, key := range q.eachPath {
			if items.Kind() != document.Map {
				break
			}
			items = items.Get(key)
			keys = append(keys, document.Step{Key: key})
		}
		w.askEach(&q, items, keys)
	}
}

// stopped says that the rest is not wanted.
func (w *worker) stopped() bool { return w.Stop != nil && w.Stop(len(w.findings)) }

// question is a group of rules about one fact.
type question struct {
	*matched
	*ruleGroup
	*grouping
	scope *rule.Scope
	entry bool // the item is an entry of a map
}

// mostOfOne is after how many findings in one list or map the rest of it is not looked at: nobody reads
// more, and what strangers write holds millions.
const mostOfOne = 10_000

// askEach judges every item of a list or entry of a map, which stands below the fact by keys.
func (w *worker) askEach(q *question, items document.Value, keys []document.Step) {
	whole := len(keys) == len(q.eachPath)
	q.scope.ItemName, q.entry = q.eachName, items.Kind() == document.Map
	before := len(w.findings)
	enough := func() bool {
		if w.stopped() {
			return true
		}
		if len(w.findings)-before < mostOfOne {
			return false
		}
		for _, r := range q.rules {
			w.note(r, *q.matched, items, keys, ownDoing(r, fmt.Sprintf("more than %d findings here: the rest was not looked at", mostOfOne)))
		}
		return true
	}
	switch kind := items.Kind(); {
	case kind == document.List && whole:
		for i, item := range items.Items() {
			q.scope.Item = rule.Of(item)
			if w.askGroup(q, item, append(keys, document.Step{Index: i})); enough() {
				break
			}
		}
	case kind == document.Map && whole:
		for key, entry := range items.Fields() {
			if entry.Kind() == document.Null {
				continue // as if it were not there
			}
			q.scope.Item = rule.Entry(key, entry)
			if w.askGroup(q, entry, append(keys, document.Step{Key: key})); enough() {
				break
			}
		}
	case kind > document.Null:
		for _, r := range q.rules {
			w.note(r, *q.matched, items, keys, unknown(r, rule.WrongType))
		}
	}
	w.unseenItems(q, items, keys)
	q.scope.ItemName, q.scope.Item = "", nil
}

// askGroup judges one fact or item by the rules of a group; item is where the rules' paths begin,
// below the fact by steps.
func (w *worker) askGroup(q *question, item document.Value, steps []document.Step) {
	var known *outcomes
	if q.doubt == "" && q.object != nil && q.object.Doubt == "" {
		key := ""
		if len(steps) > 0 {
			key = steps[len(steps)-1].Key
		}
		known = w.memory.find(q, item, key)
	}
	if known == nil {
		for _, r := range q.rules {
			v, applies, reason := w.put(q, r, steps)
			if applies || q.doubt != "" {
				w.settle(q, r, v, reason, item, steps)
			}
		}
		return
	}
	if known.times == 0 {
		for _, r := range q.rules {
			switch v, applies, reason := w.put(q, r, steps); {
			case !applies:
			case v == verdict.Pass:
				known.passed = append(known.passed, r)
			default:
				known.others = append(known.others, told{r, v, reason})
			}
		}
	}
	if known.times++; w.memory.lasting {
		for _, r := range known.passed {
			w.tallies.count(r.ID, verdict.Pass)
		}
	}
	for _, o := range known.others {
		w.settle(q, o.rule, o.verdict, o.reason, item, steps)
	}
}

// put asks one rule, and tells who wants to know what is asked.
func (w *worker) put(q *question, r *rule.Compiled, steps []document.Step) (v verdict.Verdict, applies bool, reason string) {
	if w.Asked != nil {
		path := ""
		if q.object != nil {
			path, _ = w.pathOf(q.object.Root, append(slices.Clip(q.path), steps...))
		}
		w.Asked(r, q.object, path, q.scope)
	}
	return r.Judge(q.scope)
}

// settle counts a verdict, and records what is to be told of it.
func (w *worker) settle(q *question, r *rule.Compiled, v verdict.Verdict, reason string, item document.Value, steps []document.Step) {
	switch {
	case q.doubt != "" && v == verdict.Pass:
		w.note(r, *q.matched, item, steps, ownDoing(r, q.doubt))
		w.propose(r, q, steps)
	case v == verdict.Pass && q.object != nil && q.object.Doubt != "":
		// What is judged may not be what is meant. The ledger's gap tells it once.
		w.tallies.count(r.ID, verdict.Unknown)
	case v == verdict.Pass:
		w.tallies.count(r.ID, verdict.Pass)
	case v == verdict.Unknown:
		w.note(r, *q.matched, item, steps, unknown(r, reason))
		w.propose(r, q, steps)
	case q.leftOpen(r, item):
	default:
		w.note(r, *q.matched, item, steps, outcome{verdict: v, message: w.masker.saying(r.Message(q.scope))})
		w.propose(r, q, steps)
	}
}

// propose tells what the rule's fix comes to at the fail that was noted last.
func (w *worker) propose(r *rule.Compiled, q *question, steps []document.Step) {
	f := &w.findings[len(w.findings)-1]
	if w.Propose == nil || q.object == nil || f.Verdict != verdict.Fail && q.doubt == "" || len(r.Fix) == 0 {
		return
	}
	changes, err := r.Changes(q.scope, append(slices.Clip(q.path), steps...))
	if f.Verdict != verdict.Fail && (err != nil || !mistyped(q.workload, changes)) {
		return
	}
	if q.workload != nil {
		for i := range changes {
			changes[i].Steps = q.workload.Place(changes[i].Steps)
		}
	}
	w.Propose(Proposal{Finding: *f, Object: q.object, Changes: changes, Err: err})
}

// mistyped says whether changes set a field right that the API server refuses for its type: the rule could not
// decide, and its fix is the right type of what is secure.
func mistyped(w *fact.Workload, changes []rule.Change) bool {
	return w != nil && slices.ContainsFunc(changes, func(c rule.Change) bool { return w.Refuses(c.Steps) })
}

// outcome is what a finding tells of a judgement.
type outcome struct {
	verdict         verdict.Verdict
	message, reason string
	own             bool // the reason is what the object says
}

func unknown(r *rule.Compiled, reason string) outcome {
	return outcome{verdict.Unknown, r.Title + ": could not be decided", reason, rule.IsOwn(reason)}
}

// ownDoing is an unknown whose reason is what the object says.
func ownDoing(r *rule.Compiled, reason string) outcome {
	out := unknown(r, reason)
	out.own = true
	return out
}

// note records a finding.
func (w *worker) note(r *rule.Compiled, m matched, item document.Value, steps []document.Step, out outcome) {
	f := verdict.Finding{Verdict: out.verdict, Rule: r.ID, Practice: r.Practice, Severity: r.Severity, Message: out.message, Reason: out.reason, Own: out.own}
	stable := ""
	if m.object == nil {
		f.Subject = verdict.Subject{Kind: "Cluster", Name: w.Inventory.Version}
		f.Fingerprint = fingerprint(r.ID, &f.Subject, "")
		f.Location = verdict.Location{Source: w.source()}
	} else if m.kind == imageMatch {
		w.locateImage(&f, r, m, steps)
	} else {
		stable = w.locate(&f, r, m, item, steps)
	}
	if w.traits != nil && f.Verdict == verdict.Fail && m.object != nil {
		w.traits.note(&f, &m, stable)
	}
	w.tallies.count(r.ID, f.Verdict)
	w.findings = append(w.findings, f)
	w.notice(&w.findings[len(w.findings)-1], r, &m, item)
}

func (w *worker) source() string {
	if s := w.Coverage.Sources; len(s) > 0 {
		return s[0]
	}
	return ""
}
