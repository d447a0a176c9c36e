package judge

import (
	"slices"
	"strconv"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// worker judges one subject after the other; one goroutine's.
type worker struct {
	*judgement
	findings []verdict.Finding
	tallies  tallies
}

// matched is the fact that a rule is asked about.
type matched struct {
	value document.Value // what paths begin at
	// path is where value stands in the object; kind keeps fingerprints of different facts apart.
	path      []document.Step
	kind      string
	object    *fact.Object
	container string
	doubt     string // why nothing of it is known to be well; "" for nearly all
}

func (w *worker) judge(s subject) {
	scope := rule.Scope{Cluster: w.cluster()}
	if s.object == nil {
		m := matched{kind: "cluster"}
		w.ask(w.clusters, m, &scope)
		return
	}
	scope.Object, scope.API, scope.Nodes = rule.Of(s.object.Root), w.api(s.object), s.object.Root.Nodes()
	if s.workload != nil {
		w.judgeWorkload(s.workload, scope)
		return
	}
	m := matched{value: s.object.Root, kind: "object", object: s.object}
	w.ask(w.objects, m, &scope)
	kind := s.object.GroupKind()
	if kind == "Namespace" {
		scope.Namespace = w.namespace(s.object)
		m.kind = "namespace"
		w.ask(w.namespaces, m, &scope)
		m.kind = "object"
	}
	rules := w.kinds[kind]
	if len(rules) == 0 {
		return
	}
	if kind == roleBinding || kind == clusterRoleBinding {
		scope.Binding = w.binding(s.object)
	}
	w.ask(rules, m, &scope)
}

func (w *worker) judgeWorkload(wl *fact.Workload, scope rule.Scope) {
	scope.Workload = w.workload(wl)
	template := wl.Path[:len(wl.Path)-1]
	doubt := wl.Doubt()
	w.ask(w.workloads, matched{value: wl.Template, path: template, kind: "workload", object: wl.Object, doubt: doubt}, &scope)
	if doubt != "" {
		w.judgeMalformed(wl, doubt)
	}
	for i := range wl.Containers {
		c := &wl.Containers[i]
		scope.Container, scope.Role = rule.Of(c.Value), rule.Text(c.Role.String())
		path := append(slices.Clip(wl.Path), document.Step{Key: c.Field}, document.Step{Index: c.Index})
		name := c.Name
		if name == "" {
			name = strconv.Itoa(c.Index)
		}
		w.ask(w.containers, matched{value: c.Value, path: path, kind: "container", object: wl.Object, container: name, doubt: doubt}, &scope)
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
		for _, r := range w.containers {
			w.note(r, matched{value: list, path: path, kind: "container", object: wl.Object}, list, nil, unknown(r, doubt))
		}
	}
}

// ask judges one fact, or each of its items, by the rules.
func (w *worker) ask(rules []*rule.Compiled, m matched, scope *rule.Scope) {
	for _, r := range rules {
		if r.EachName == "" {
			w.askOne(r, m, m.value, nil, scope)
			continue
		}
		list, keys := m.value, make([]document.Step, 0, len(r.EachPath)+1)
		for _, key := range r.EachPath {
			if list.Kind() != document.Map {
				break
			}
			list = list.Get(key)
			keys = append(keys, document.Step{Key: key})
		}
		w.askEach(r, m, list, keys, scope)
	}
}

// askEach judges every item of a list or entry of a map, which stands below the fact by keys.
func (w *worker) askEach(r *rule.Compiled, m matched, list document.Value, keys []document.Step, scope *rule.Scope) {
	whole := len(keys) == len(r.EachPath)
	scope.ItemName = r.EachName
	switch kind := list.Kind(); {
	case kind == document.List && whole:
		for i, item := range list.Items() {
			scope.Item = rule.Of(item)
			w.askOne(r, m, item, append(keys, document.Step{Index: i}), scope)
		}
	case kind == document.Map && whole:
		for key, entry := range list.Fields() {
			if entry.Kind() == document.Null {
				continue // as if it were not there
			}
			scope.Item = rule.Entry(key, entry)
			w.askOne(r, m, entry, append(keys, document.Step{Key: key}), scope)
		}
	case kind > document.Null:
		w.note(r, m, list, keys, unknown(r, rule.WrongType))
	}
	scope.ItemName, scope.Item = "", nil
}

// askOne judges one fact or item; item is where the rule's path begins, below the fact by steps.
func (w *worker) askOne(r *rule.Compiled, m matched, item document.Value, steps []document.Step, scope *rule.Scope) {
	v, applies, reason := r.Judge(scope)
	switch {
	case m.doubt != "" && v == verdict.Pass:
		w.note(r, m, item, steps, unknown(r, m.doubt))
	case !applies:
	case v == verdict.Pass && m.object != nil && m.object.Doubt != "":
		// What is judged may not be what is meant. The ledger's gap tells it once.
		w.tallies.count(r.ID, verdict.Unknown)
	case v == verdict.Pass:
		w.tallies.count(r.ID, verdict.Pass)
	case v == verdict.Unknown:
		w.note(r, m, item, steps, unknown(r, reason))
	default:
		w.note(r, m, item, steps, outcome{verdict: v, message: saying(r.Message(scope))})
	}
}

// outcome is what a finding tells of a judgement.
type outcome struct {
	verdict         verdict.Verdict
	message, reason string
}

func unknown(r *rule.Compiled, reason string) outcome {
	return outcome{verdict.Unknown, r.Title + ": could not be decided", reason}
}

// note records a finding.
func (w *worker) note(r *rule.Compiled, m matched, item document.Value, steps []document.Step, out outcome) {
	f := verdict.Finding{Verdict: out.verdict, Rule: r.ID, Practice: r.Practice, Severity: r.Severity, Message: out.message, Reason: out.reason}
	if m.object == nil {
		f.Subject = verdict.Subject{Kind: "Cluster", Name: w.Inventory.Version}
		f.Fingerprint = fingerprint(r.ID, &f.Subject, "")
		f.Location = verdict.Location{Source: w.source()}
	} else {
		w.locate(&f, r, m, item, steps)
	}
	for i := range w.Exceptions {
		if e := &w.Exceptions[i]; f.Verdict == verdict.Fail && e.Covers(&f, w.Now) {
			f.Verdict = verdict.Exempt
			f.Reason = e.Owner + " until " + e.Expires.Format("2006-01-02") + ": " + e.Reason
		}
	}
	w.tallies.count(r.ID, f.Verdict)
	w.findings = append(w.findings, f)
}

func (w *worker) source() string {
	if s := w.Coverage.Sources; len(s) > 0 {
		return s[0]
	}
	return ""
}
