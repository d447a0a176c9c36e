package judge

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// excuses finds the exceptions that match a finding without asking all of them: each stands in one
// bucket for each of its rules, by the narrowest part of its scope.
type excuses struct {
	entries []entry
	buckets map[bucket][]int32
	labels  map[string]bool // the rules for which a bucket goes by a label
	within  map[inObject]*spans
	seen    *traits
	made    bool // some of what failed was made by a controller
}

// bucket is what exceptions and findings meet in.
type bucket struct {
	rule string
	by   scopePart
	is   string
}

type scopePart uint8

const (
	byFingerprint scopePart = iota
	byName
	byImage
	byNamespace
	byLabel
)

// inObject is where exceptions stand that are for the object they stand in.
type inObject struct {
	rule, source, file    string
	kind, namespace, name string
}

func newExcuses(in *Input, _ *verdict.Result, seen *traits) *excuses {
	x := &excuses{
		entries: make([]entry, len(in.Exceptions)), buckets: map[bucket][]int32{},
		labels: map[string]bool{}, within: map[inObject]*spans{}, seen: seen,
	}
	for i := range in.Exceptions {
		e := in.Exceptions[i]
		e.Owner, e.Reason, e.Ticket, e.Fault = saying(e.Owner), saying(e.Reason), saying(e.Ticket), saying(e.Fault)
		x.entries[i].Exception = e
		if e.Fault != "" {
			continue
		}
		rules := slices.Compact(slices.Sorted(slices.Values(e.Rules)))
		for _, rule := range rules {
			if w := e.Within; w != nil {
				at := inObject{rule, w.From.Source, w.From.File, groupKind(&w.Object), w.Object.Namespace, w.Object.Name}
				if x.within[at] == nil {
					x.within[at] = new(spans)
				}
				x.within[at].add(w, int32(i))
				continue
			}
			x.enter(rule, &e, int32(i))
		}
	}
	for _, s := range x.within {
		s.nest()
	}
	return x
}

func (x *excuses) enter(rule string, e *verdict.Exception, n int32) {
	add := func(by scopePart, is string) {
		b := bucket{rule, by, is}
		x.buckets[b] = append(x.buckets[b], n)
	}
	switch {
	case len(e.Fingerprints) > 0:
		for _, f := range slices.Compact(slices.Sorted(slices.Values(e.Fingerprints))) {
			add(byFingerprint, f)
		}
	case e.Selector.Name != "":
		add(byName, e.Selector.Name)
	case e.Image != "":
		add(byImage, e.Image)
	case len(e.Selector.Labels) > 0:
		key := slices.Min(keysOf(e.Selector.Labels))
		x.labels[rule] = true
		add(byLabel, key+"="+e.Selector.Labels[key])
	case e.Namespace != "":
		add(byNamespace, e.Namespace)
	}
}

func keysOf(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}

// match is an exception that matches a fail, and as which: what a controller made of an object is excused as that object is.
type match struct {
	exception int32
	as        *verdict.Finding
}

// matching is the exceptions that match a fail, in their order, each once.
func (x *excuses) matching(f *verdict.Finding) []match {
	var found []match
	add := func(list []int32, as *verdict.Finding) {
		for _, n := range list {
			found = append(found, match{n, as})
		}
	}
	add(x.naming(f, f), f)
	add(x.inside(f), f)
	if variants := x.seen.of(f.Fingerprint); len(variants) > 0 {
		for i := range variants[0].makers {
			as := *f
			as.Subject, as.Fingerprint = variants[0].makers[i].Subject, variants[0].makers[i].fingerprint
			add(x.naming(&as, f), &as)
			x.made = true
		}
	}
	slices.SortStableFunc(found, func(a, b match) int { return cmp.Compare(a.exception, b.exception) })
	return slices.CompactFunc(found, func(a, b match) bool { return a.exception == b.exception })
}

// naming is the exceptions that name a fail, which was judged as another says.
func (x *excuses) naming(f, judged *verdict.Finding) []int32 {
	var found []int32
	look := func(by scopePart, is string) {
		for _, n := range x.buckets[bucket{f.Rule, by, is}] {
			if x.covers(&x.entries[n].Exception, f, judged) {
				found = append(found, n)
			}
		}
	}
	look(byFingerprint, f.Fingerprint)
	look(byName, f.Subject.Name)
	if ns := namespaceOf(&f.Subject); ns != "" {
		look(byNamespace, ns)
	}
	for i, t := range x.seen.of(judged.Fingerprint) {
		if i > 0 {
			break // what does not match the first of several variants matches not all of them
		}
		if t.image != "" {
			look(byImage, t.image)
		}
		if x.labels[f.Rule] {
			for key, value := range t.labels.Fields() {
				look(byLabel, key+"="+value.Str())
			}
		}
	}
	return found
}

// inside is the exceptions that stand in the text around the finding.
func (x *excuses) inside(f *verdict.Finding) []int32 {
	if len(x.within) == 0 {
		return nil
	}
	var found []int32
	at := inObject{rule: f.Rule, kind: groupKind(&f.Subject), namespace: f.Subject.Namespace, name: f.Subject.Name}
	look := func(l *verdict.Location) {
		at.source, at.file = l.Source, l.File
		s := x.within[at]
		if s == nil {
			return
		}
		for _, n := range s.around(l) {
			if x.covers(&x.entries[n].Exception, f, f) {
				found = append(found, n)
			}
		}
	}
	look(&f.Location)
	for i := range f.Also {
		look(&f.Also[i])
	}
	return found
}

// covers says whether every part of the scope matches the finding, in each variant that was read.
func (x *excuses) covers(e *verdict.Exception, f, judged *verdict.Finding) bool {
	s := &e.Selector
	switch {
	case len(e.Fingerprints) > 0 && !slices.Contains(e.Fingerprints, f.Fingerprint),
		s.Name != "" && s.Name != f.Subject.Name,
		s.Kind != "" && s.Kind != f.Subject.Kind && s.Kind != groupKind(&f.Subject),
		e.Namespace != "" && e.Namespace != namespaceOf(&f.Subject),
		e.Container != "" && e.Container != f.Subject.Container:
		return false
	case e.Image == "" && len(s.Labels) == 0:
		return true
	}
	variants := x.seen.of(judged.Fingerprint)
	for _, t := range variants {
		if e.Image != "" && e.Image != t.image {
			return false
		}
		for key, value := range s.Labels {
			if label := t.labels.Get(key); label.Kind() != document.String || label.Str() != value {
				return false
			}
		}
	}
	return len(variants) > 0
}

// groupKind is "Kind" or "Kind.group".
func groupKind(s *verdict.Subject) string {
	if group, _, found := strings.Cut(s.APIVersion, "/"); found {
		return s.Kind + "." + group
	}
	return s.Kind
}

// namespaceOf is the namespace that an object belongs to: its own, or itself; "" for what belongs to
// none. What names none is put into default by kubectl.
func namespaceOf(s *verdict.Subject) string {
	switch kind := groupKind(s); {
	case kind == "Namespace":
		return s.Name
	case s.Namespace == "" && (kind == "Cluster" || kind == "Image" || fact.ClusterScoped(kind)):
		return ""
	}
	return fact.Place(s.Namespace)
}

// trait is what a finding does not tell of the object and container that it is about.
type trait struct {
	labels document.Value
	image  string // the digest in the container's image reference
	makers []maker
}

// maker is an object that a controller made another of, and what the other's fault is called where it stands in that one.
type maker struct {
	verdict.Subject

	fingerprint string
}

// traits are those of the fails, by fingerprint: one for each variant of the object. Nil when no
// exception asks.
type traits struct {
	mu   sync.Mutex
	list map[string][]trait
}

// newTraits is nil unless an exception goes by labels or images, or objects are known to be made by controllers.
func newTraits(in *Input) *traits {
	asks := func(e verdict.Exception) bool { return e.Image != "" || len(e.Selector.Labels) > 0 }
	made := func(o *fact.Object) bool { return o.Made }
	if in.Granted != nil || slices.ContainsFunc(in.Exceptions, asks) || len(in.Exceptions) > 0 && slices.ContainsFunc(in.Inventory.Objects, made) {
		return &traits{list: map[string][]trait{}}
	}
	return nil
}

func (t *traits) of(fingerprint string) []trait {
	if t == nil {
		return nil
	}
	return t.list[fingerprint]
}

// note notes those of a finding, whose fault stands at a path as fingerprints keep it.
func (t *traits) note(f *verdict.Finding, m *matched, path string) {
	own := trait{labels: m.object.Labels()}
	switch m.kind {
	case imageMatch:
		own.image, own.labels = m.image.Digest, m.object.Root.At("config", "labels")
	case "container":
		_, own.image, _ = strings.Cut(m.value.Get("image").Str(), "@")
	}
	if m.object.Made {
		own.makers = makersOf(f, m, path)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list[f.Fingerprint] = append(t.list[f.Fingerprint], own)
}

// makersOf are the objects that a controller made a finding's object of. The template of a pod has the pod's paths below its own.
func makersOf(f *verdict.Finding, m *matched, path string) []maker {
	var list []maker
	inPod, isBelow := strings.CutPrefix(path, templateOf[m.object.Kind])
	for _, subject := range exception.Makers(m.object) {
		subject.Container = f.Subject.Container
		one := maker{Subject: subject}
		if isBelow {
			one.fingerprint = fingerprint(f.Rule, &subject, m.kind+" "+templateOf[subject.Kind]+inPod)
		}
		list = append(list, one)
	}
	return list
}

// templateOf is where kinds have the templates of their pods, as paths write it.
var templateOf = map[string]string{
	"Deployment": inSpec, "ReplicaSet": inSpec, "StatefulSet": inSpec, "DaemonSet": inSpec, "ReplicationController": inSpec, "Job": inSpec,
	"CronJob": "spec.jobTemplate." + inSpec,
}

const inSpec = "spec.template."

// spans are the exceptions of one rule that stand in one object, nested as the text is.
type spans struct{ list []span }

type span struct {
	*verdict.Within

	exception int32
	outer     int // the index of the span around it, -1 for none
}

func (s *spans) add(w *verdict.Within, n int32) { s.list = append(s.list, span{w, n, -1}) }

// nest puts the spans in the order of the text, the outer before the inner.
func (s *spans) nest() {
	slices.SortStableFunc(s.list, func(a, b span) int {
		return cmp.Or(
			cmp.Compare(a.From.Line, b.From.Line), cmp.Compare(a.From.Column, b.From.Column),
			cmp.Compare(b.ToLine, a.ToLine), cmp.Compare(b.ToColumn, a.ToColumn),
		)
	})
	open := -1
	for i := range s.list {
		for open >= 0 && !s.list[open].Contains(&s.list[i].From) {
			open = s.list[open].outer
		}
		s.list[i].outer, open = open, i
	}
}

// around is the exceptions whose spans a place is in.
func (s *spans) around(l *verdict.Location) []int32 {
	after, _ := slices.BinarySearchFunc(s.list, l, func(sp span, l *verdict.Location) int {
		if c := cmp.Or(cmp.Compare(sp.From.Line, l.Line), cmp.Compare(sp.From.Column, l.Column)); c != 0 {
			return c
		}
		return -1 // those that begin at the very place, too
	})
	var found []int32
	for i := after - 1; i >= 0; i = s.list[i].outer {
		if s.list[i].Contains(l) {
			found = append(found, s.list[i].exception)
		}
	}
	return found
}
