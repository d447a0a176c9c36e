// Package rehearsal says what a plan of enforcement would make of objects that are there, were each made anew as it stands:
// which would be refused, warned of, or noted in the audit log, by a native policy or by the webhook. judge decides, as in
// a scan; the plan, and what policies and webhooks are shown, say what becomes of it. It is pure.
package rehearsal

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/policy"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// Input is everything that a rehearsal depends on.
type Input struct {
	Objects []*fact.Object
	// Live says that a server sent the objects.
	Live     bool
	Coverage verdict.Coverage
	Version  string
	Rules    []*rule.Compiled
	Plan     *enforcement.Plan
	// Mode is taken for that of every rule that is not off; nil leaves it to the plan.
	Mode       *enforcement.Mode
	Settings   rule.Settings
	Exceptions []verdict.Exception
	Lifetime   time.Duration
	Now        time.Time
	Width      int
	// Progress is told how many of how many objects are judged; may be nil.
	Progress func(done, total int)
}

// Entry is one rule's word on one object.
type Entry struct {
	Mode     enforcement.Mode `json:"mode"`
	Verdict  verdict.Verdict  `json:"verdict"`
	Rule     string           `json:"rule"`
	Severity verdict.Severity `json:"severity"`
	Subject  verdict.Subject  `json:"subject"`
	// MadeBy is the controller that made the object, "Kind/name"; "" of what nobody did.
	MadeBy   string           `json:"madeBy,omitempty"`
	Message  string           `json:"message"`
	Reason   string           `json:"reason,omitempty"`
	Path     string           `json:"path,omitempty"`
	Location verdict.Location `json:"location"`
	// By is what would say so: "policy" or "webhook".
	By string `json:"by"`
	// Refuses says that the object would not be let in for it; an unknown verdict refuses where errors do, and where it is the object's own doing.
	Refuses bool `json:"refuses"`
}

// Result is what would become of the objects.
type Result struct {
	Entries []Entry `json:"entries"`
	// Objects are those that were looked at, Refused, Warned and Noted those of which the worst is that.
	Objects int `json:"objects"`
	Refused int `json:"refused"`
	Warned  int `json:"warned"`
	Noted   int `json:"noted"`
	// Made are the refused ones that a controller made of another.
	Made int `json:"made"`
	// Excluded counts objects in namespaces where nothing holds, Excused what exceptions let through.
	Excluded int `json:"excluded"`
	Excused  int `json:"excused"`
	// Policies and Webhooks are how many rules would be enforced by each; NotAsked are those by neither, by the reason.
	Policies int            `json:"policies"`
	Webhooks int            `json:"webhooks"`
	NotAsked map[string]int `json:"notAsked,omitempty"`
	// Uncertain are namespaces by whose labels the plan goes and that nobody told: the stricter was taken.
	Uncertain []string      `json:"uncertain,omitempty"`
	Gaps      []verdict.Gap `json:"gaps,omitempty"`
}

// The words of Entry.By.
const (
	ByPolicy  = "policy"
	ByWebhook = "webhook"
)

// rehearsal is one run.
type rehearsal struct {
	Input
	places   map[string]enforcement.Place
	native   []*rule.Compiled
	webhook  []*rule.Compiled
	byID     map[string]*rule.Compiled
	exempted *policy.Exempted
	result   *Result
	worst    map[*fact.Object]enforcement.Mode
	unsure   map[string]bool
}

// Rehearse asks what would become of the objects.
func Rehearse(in Input) *Result {
	in.Objects = asMade(in.Objects)
	in.Exceptions, _ = exception.Held(in.Exceptions)
	r := &rehearsal{
		Input: in, byID: map[string]*rule.Compiled{}, exempted: policy.Exempt(in.Exceptions, in.Now, in.Lifetime),
		result: &Result{Entries: []Entry{}, NotAsked: map[string]int{}, Gaps: in.Coverage.Gaps}, worst: map[*fact.Object]enforcement.Mode{}, unsure: map[string]bool{},
	}
	r.places = Places(in.Objects)
	r.sort()
	r.askPolicies()
	r.askWebhook()
	r.count()
	return r.result
}

// asMade takes what has an owner that controls it to be sent by a controller, as it would be were it made anew.
func asMade(objects []*fact.Object) []*fact.Object {
	list := slices.Clone(objects)
	for i, o := range list {
		if uid, kind := fact.Controller(o); uid+kind != "" {
			made := *o
			made.Made = true
			list[i] = &made
		}
	}
	return list
}

// Places are the namespaces among objects, with their labels, by name.
func Places(objects []*fact.Object) map[string]enforcement.Place {
	places := map[string]enforcement.Place{}
	for _, o := range objects {
		if o.GroupKind() != "Namespace" {
			continue
		}
		at := enforcement.Place{Namespace: o.Name, Labels: map[string]string{}, LabelsKnown: true}
		for _, label := range o.Root.At("metadata", "labels").Fields() {
			at.Labels[label.Key()] = label.Str()
		}
		places[o.Name] = at
	}
	return places
}

// sort says which rules native policies enforce, and which the webhook.
func (r *rehearsal) sort() {
	o := policy.Options{Version: r.Version, Settings: r.Settings}
	for _, one := range r.Rules {
		r.byID[one.ID] = one
		if !r.Plan.Asks(one.Rule) {
			r.result.NotAsked["the plan has them off everywhere"]++
			continue
		}
		why := policy.Native(one.Rule, o)
		_, unasked := policy.Webhook(one.Rule)
		switch {
		case why == nil:
			r.native = append(r.native, one)
		case judge.AsksWhole(one):
			r.result.NotAsked["they ask how the whole cluster hangs together, of which a request shows a part"]++
		case unasked != "":
			r.result.NotAsked[unasked]++
		default:
			r.webhook = append(r.webhook, one)
		}
	}
	r.result.Policies, r.result.Webhooks = len(r.native), len(r.webhook)
}

// place is where an object is; what names no namespace is put into default.
func (r *rehearsal) place(o *fact.Object) enforcement.Place {
	name := o.Namespace
	switch {
	case o.GroupKind() == "Namespace":
		name = o.Name
	case fact.ClusterScoped(o.GroupKind()):
		return enforcement.Place{LabelsKnown: true}
	case name == "" && r.Live:
		return enforcement.Place{LabelsKnown: true} // of a kind that belongs to no namespace
	case name == "":
		name = "default"
	}
	if at, known := r.places[name]; known {
		return at
	}
	return enforcement.Place{Namespace: name}
}

// askPolicies judges each object by itself, as a policy does.
func (r *rehearsal) askPolicies() {
	prepared := judge.Prepare(r.native, r.Settings, 1)
	for i, o := range r.Objects {
		if r.Progress != nil {
			r.Progress(i, len(r.Objects))
		}
		if o.Kind == "List" || policy.Unseen(o.GroupKind()) {
			continue
		}
		at := r.place(o)
		if r.Plan.Excludes(at.Namespace) {
			r.result.Excluded++
			continue
		}
		r.result.Objects++
		sent := asSent(o)
		res := prepared.Judge(judge.Input{
			Inventory: fact.NewInventory([]*fact.Object{sent}, r.Version, r.Live), Now: r.Now, Terse: true, Width: 1,
		})
		for n := range res.Findings {
			f := &res.Findings[n]
			if one := r.byID[f.Rule]; policy.Shows(one.Rule, o) {
				r.enter(f, o, at, ByPolicy)
			}
		}
	}
}

// askWebhook judges what the installed webhook is shown among all that is there, as the webhook does.
func (r *rehearsal) askWebhook() {
	if len(r.webhook) == 0 {
		return
	}
	narrowed := func(e verdict.Exception) bool { return exception.Narrowed(&e) != "" }
	res := judge.Judge(judge.Input{
		Inventory: fact.NewInventory(r.Objects, r.Version, r.Live), Coverage: r.Coverage, Rules: r.webhook, Settings: r.Settings,
		Exceptions: slices.DeleteFunc(slices.Clone(r.Exceptions), narrowed), Now: r.Now, Lifetime: r.Lifetime, Width: r.Width, Terse: true,
	})
	bySubject := map[verdict.Subject]*fact.Object{}
	for _, o := range r.Objects {
		bySubject[subjectOf(o)] = o
	}
	for i := range res.Findings {
		f := &res.Findings[i]
		key := f.Subject
		key.Container = ""
		o := bySubject[key]
		if o == nil || !policy.WebhookShows(r.byID[f.Rule].Rule, o) {
			continue
		}
		if at := r.place(o); !r.Plan.Excludes(at.Namespace) {
			r.enter(f, o, at, ByWebhook)
		}
	}
}

func subjectOf(o *fact.Object) verdict.Subject {
	return verdict.Subject{APIVersion: o.APIVersion, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}
}

// enter enters what a rule says of an object, as it holds there.
func (r *rehearsal) enter(f *verdict.Finding, o *fact.Object, at enforcement.Place, by string) {
	one := r.byID[f.Rule]
	s := r.Plan.Of(one.Rule, at)
	if s.Mode == enforcement.Off {
		return
	}
	if !at.LabelsKnown && s != r.Plan.Of(one.Rule, enforcement.Place{Namespace: at.Namespace, LabelsKnown: true}) {
		r.unsure[at.Namespace] = true
	}
	if f.Verdict == verdict.Exempt || by == ByPolicy && r.exempted.Excuses(f.Rule, o, r.Now) {
		r.result.Excused++
		return
	}
	if r.Mode != nil {
		s.Mode = *r.Mode
	}
	e := Entry{
		Mode: s.Mode, Verdict: f.Verdict, Rule: f.Rule, Severity: f.Severity, Subject: f.Subject, MadeBy: madeBy(o), Message: f.Message, Reason: f.Reason,
		Path: f.Path, Location: f.Location, By: by, Refuses: s.Mode == enforcement.Enforce && (f.Verdict == verdict.Fail || s.Fail || by == ByPolicy || f.Own),
	}
	e.Subject.Namespace = cmp.Or(e.Subject.Namespace, o.Namespace)
	switch {
	case by == ByPolicy && f.Verdict == verdict.Unknown && !s.Fail && !e.Refuses:
		e.Mode = enforcement.Off // the API server says nothing of what a policy that ignores errors cannot decide
	case s.Mode == enforcement.Enforce && !e.Refuses:
		e.Mode = enforcement.Warn
	}
	r.worst[o] = max(r.worst[o], e.Mode)
	r.result.Entries = append(r.result.Entries, e)
}

// count counts the objects by the worst that would become of each.
func (r *rehearsal) count() {
	for o, mode := range r.worst {
		switch mode {
		case enforcement.Enforce:
			r.result.Refused++
			if madeBy(o) != "" {
				r.result.Made++
			}
		case enforcement.Warn:
			r.result.Warned++
		case enforcement.Audit:
			r.result.Noted++
		case enforcement.Off:
		}
	}
	r.result.Uncertain = slices.Sorted(maps.Keys(r.unsure))
	slices.SortStableFunc(r.result.Entries, func(a, b Entry) int {
		return cmp.Or(int(b.Mode)-int(a.Mode), strings.Compare(a.Location.File, b.Location.File), a.Location.Line-b.Location.Line, strings.Compare(a.Rule, b.Rule))
	})
}

// madeBy is the controller that made an object.
func madeBy(o *fact.Object) string {
	for _, owner := range o.Root.At("metadata", "ownerReferences").Items() {
		if owner.Get("controller").Bool() {
			return owner.Get("kind").Str() + "/" + owner.Get("name").Str()
		}
	}
	return ""
}

// given are the fields of metadata that a server fills in when an object is made.
var given = []string{"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"}

// asSent is an object that a server keeps as one would send it to be made.
func asSent(o *fact.Object) *fact.Object {
	if !o.Root.At("metadata", "uid").Exists() && !o.Root.Get("status").Exists() {
		return o
	}
	var content map[string]any
	if json.Unmarshal(o.Root.AppendJSON(nil), &content) != nil {
		return o // no object is no map; what it is judge says
	}
	delete(content, "status")
	if meta, ok := content["metadata"].(map[string]any); ok {
		for _, key := range given {
			delete(meta, key)
		}
	}
	text, err := json.Marshal(content)
	if err != nil {
		return o
	}
	doc, bad := document.ParseJSON(string(text))
	if bad != nil {
		return o
	}
	sent := fact.NewObject(doc.Root(), o.Origin)
	sent.Kind, sent.APIVersion, sent.Namespace, sent.Name = o.Kind, o.APIVersion, o.Namespace, o.Name
	return sent
}

// Summary is the result in a sentence.
func (r *Result) Summary() string {
	return fmt.Sprintf("%d of %d objects would be refused (%d of them made by a controller), %d warned of, %d noted in the audit log; %d are excused, %d stand where nothing holds",
		r.Refused, r.Objects, r.Made, r.Warned, r.Noted, r.Excused, r.Excluded)
}
