package admission

import (
	"context"
	"errors"
	"hash/maphash"

	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/verdict"
)

// Validate decides a review. An error is Refused, and there is no answer. A context that ends while judging leaves
// the rest unknown.
func (d *Desk) Validate(ctx context.Context, class Class, body string) ([]byte, *Outcome, error) {
	q, err := readReview(body)
	if r, is := errors.AsType[*Refused](err); is && r.named != nil {
		answer, out := d.unread(class, r.named, r.trouble)
		return answer, out, nil
	}
	if err != nil {
		return nil, nil, err
	}
	out := &Outcome{Allowed: true}
	if q.changes() {
		if at := d.place(q); !d.Plan.Excludes(at.Namespace) && !q.settled() {
			d.decide(q.about(ctx), class, q, at, out)
		}
	}
	return out.answer(q), out, nil
}

// mostFindings is after how many findings of an object the rest of it is not judged: nobody reads more, and what
// strangers write holds millions.
const mostFindings = 2000

// Large is from how many bytes on a review is a large one: no object that people write comes near. What is enforced is judged first
// of it, and where there is not time enough, that is the object's own doing.
const Large = 256 << 10

// heavy is from what burden on it is the object's own doing that its judgement does not come to an end in time, however busy the
// machine is: of the pods and workloads that people write hardly one comes near. The burden is how often rules were asked, by how many values
// the object holds, some dozens of which cost no more than to ask; it does not depend on the time that anything takes.
const (
	heavy         = 100_000
	valuesOfAsked = 64
)

// trial is one object before the court.
type trial struct {
	*Desk
	burden int
	court  *court
	at     enforcement.Place
	class  Class
	ctx    context.Context //nolint:containedctx // it lives as long as the request
}

// end is how far a judgement came.
type end uint8

const (
	whole end = iota // to the end
	full             // to so many findings that the rest was left out
	late             // to the end of the time for it
)

func (d *Desk) decide(ctx context.Context, class Class, q *request, at enforcement.Place, out *Outcome) {
	t := &trial{Desk: d, court: d.courtAt(at, class), at: at, class: class, ctx: ctx}
	o := q.subject(q.object)
	if t.court.asked > 0 {
		t.rules(q, o, out)
	}
	t.images(q, o, class, out)
}

// rules judges the object by the rules of the place: by all at once, as nearly always there is time and room for them. Else what is
// enforced comes first, so that what is only told of takes neither from it.
func (t *trial) rules(q *request, o *fact.Object, out *Outcome) {
	if q.size < Large || t.court.alike() {
		findings, end := t.findings(q, o, t.court.rules)
		if end != full || t.court.alike() {
			t.enter(q, findings, end, t.court.settings, out)
			return
		}
	}
	for _, p := range t.parts(t.court) {
		if len(p.settings) > 0 {
			findings, end := t.findings(q, o, p.rules)
			t.enter(q, findings, end, p.settings, out)
		}
	}
}

// findings is what rules find of an object that was not found of it before, and is excused by nothing.
func (t *trial) findings(q *request, o *fact.Object, rules *judge.Prepared) ([]verdict.Finding, end) {
	seen := map[string][]uint64{} // what the findings of an update rest on
	noticed := func(n judge.Notice) {
		key := noticeKey(n.Finding)
		seen[key] = append(seen[key], maphash.Bytes(seed, n.Seen))
	}
	if q.operation != "UPDATE" {
		noticed = nil
	}
	findings, end := t.judge(rules, o, nil, noticed)
	if t.excusable(findings) {
		excusing := t.excuses(o, findings)
		findings, end = t.judge(rules, o, excusing, nil)
	}
	if q.operation == "UPDATE" && len(findings) > 0 {
		before := t.before(rules, q)
		kept := findings[:0:0]
		for i := range findings {
			f := &findings[i]
			if f.Verdict != verdict.Exempt && before.had(f, seen) {
				if f.Verdict != verdict.Fail {
					continue
				}
				f.Stood = true
			}
			kept = append(kept, *f)
		}
		findings = kept
	}
	return findings, end
}

// enter tells of findings by how their rules hold, and of what the judgement did not come to.
func (t *trial) enter(q *request, findings []verdict.Finding, end end, settings map[string]enforcement.Setting, out *Outcome) {
	for i := range findings {
		if s, holds := settings[findings[i].Rule]; holds { // rules that hold elsewhere may have been asked, too
			out.add(s, &findings[i], t.byID[findings[i].Rule])
		}
	}
	switch {
	case end == full:
		t.undecided(q.kind, settings, tooMany, out)
	case end == late && (q.size >= Large || t.burden >= heavy):
		t.undecided(q.kind, settings, TooSlow, out)
	case end == late:
		t.unfinished(q.kind, settings, out)
	}
}

// judge is what judge finds of an object among what stands around it.
func (t *trial) judge(rules *judge.Prepared, o *fact.Object, exceptions []verdict.Exception, noticed func(judge.Notice)) ([]verdict.Finding, end) {
	in := t.among().Input(o, t.Version)
	in.Exceptions, in.Lifetime, in.Now, in.Terse, in.Uncounted, in.Noticed = exceptions, t.Lifetime, t.Now(), true, true, noticed
	end, each := whole, 1+o.Root.Nodes()/valuesOfAsked
	in.Stop = func(findings int) bool {
		t.burden += each
		switch {
		case end != whole:
		case t.ctx.Err() != nil:
			end = late
		case findings > mostFindings:
			end = full
		}
		return end != whole
	}
	return rules.Judge(in).Findings, end
}

// among is what stands around the object, where the rules ask for it.
func (t *trial) among() *judge.Among {
	switch {
	case len(t.court.around) == 0:
		return nothing
	case t.Surroundings == nil:
		return judge.NewAmong(nil, []verdict.Gap{{
			Code: verdict.GapUnreachable, Location: verdict.Location{Source: "cluster"}, Kinds: t.court.around,
			Message: "No cluster was named whose objects could be looked at.",
		}})
	}
	return t.Surroundings.Among(t.at.Namespace)
}

// nothing is around what rules judge by itself.
var nothing = judge.NewAmong(nil, nil)

// excusable says whether a fail may be excused by something that is known, so that it is worth to judge again.
func (t *trial) excusable(findings []verdict.Finding) bool {
	for i := range findings {
		if f := &findings[i]; f.Verdict == verdict.Fail && (t.Inline || len(t.excusing[f.Rule]) > 0) {
			return true
		}
	}
	return false
}

// excuses are the exceptions for rules that failed.
func (t *trial) excuses(o *fact.Object, findings []verdict.Finding) []verdict.Exception {
	var list []verdict.Exception
	done := map[string]bool{}
	for i := range findings {
		if id := findings[i].Rule; !done[id] {
			done[id] = true
			list = append(list, t.excusing[id]...)
		}
	}
	if t.Inline {
		list = append(list, exception.Of([]*fact.Object{o}, true, false)...)
	}
	return list
}

// stood is what failed, or was unknown, before an update: by its key, what it rested on.
type stood map[resting]bool

// resting is a finding with what it rests on, of which a part of the object's size is not kept.
type resting struct {
	key  string
	seen uint64
}

// seed keeps writers from finding two texts that look the same.
var seed = maphash.MakeSeed()

// before judges the object as it was.
func (t *trial) before(rules *judge.Prepared, q *request) stood {
	before := stood{}
	t.judge(rules, q.subject(q.old), nil, func(n judge.Notice) { before[resting{noticeKey(n.Finding), maphash.Bytes(seed, n.Seen)}] = true })
	return before
}

// had says whether a finding was there before, and nothing of it changed that its rule judges.
func (s stood) had(f *verdict.Finding, seen map[string][]uint64) bool {
	key := noticeKey(f)
	if len(seen[key]) == 0 {
		return false
	}
	for _, part := range seen[key] {
		if !s[resting{key, part}] {
			return false
		}
	}
	return true
}

func noticeKey(f *verdict.Finding) string {
	return f.Rule + "\x00" + f.Fingerprint + "\x00" + f.Verdict.String() + "\x00"
}

// unfinished tells that there was not time enough: what was not judged is unknown.
func (t *trial) unfinished(kind string, settings map[string]enforcement.Setting, out *Outcome) {
	strictest := enforcement.Setting{}
	for _, s := range settings {
		strictest = stricter(strictest, s)
	}
	name, _ := fact.SplitKind(kind)
	out.add(strictest, &verdict.Finding{
		Verdict: verdict.Unknown, Rule: "unfinished", Message: name + " was not judged to its end", Reason: "it took too long",
	}, nil)
}
