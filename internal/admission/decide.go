package admission

import (
	"context"
	"fmt"

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
	if err != nil {
		return nil, nil, err
	}
	out := &Outcome{Allowed: true}
	if q.changes() {
		if at := d.place(q); !d.Plan.Excludes(at.Namespace) && !q.leaving() {
			d.decide(q.about(ctx), class, q, at, out)
		}
	}
	return out.answer(q), out, nil
}

// mostFindings is after how many findings of an object the rest of it is not judged: nobody reads more, and what
// strangers write holds millions.
const mostFindings = 2000

// trial is one object before the court.
type trial struct {
	*Desk
	court *court
	at    enforcement.Place
	ctx   context.Context //nolint:containedctx // it lives as long as the request
	// cut is set when the judgement was stopped before its end.
	cut bool
}

func (d *Desk) decide(ctx context.Context, class Class, q *request, at enforcement.Place, out *Outcome) {
	t := &trial{Desk: d, court: d.courtAt(at, class), at: at, ctx: ctx}
	o := q.subject(q.object)
	if t.court.asked > 0 {
		t.rules(q, o, out)
	}
	t.images(q, o, class, out)
}

// rules judges the object by the rules of the place.
func (t *trial) rules(q *request, o *fact.Object, out *Outcome) {
	seen := map[string][]string{} // what the findings of an update rest on
	noticed := func(n judge.Notice) {
		key := noticeKey(n.Finding)
		seen[key] = append(seen[key], string(n.Seen))
	}
	if q.operation != "UPDATE" {
		noticed = nil
	}
	findings := t.judge(o, nil, noticed)
	if t.excusable(findings) {
		excusing := t.excuses(o, findings)
		findings = t.judge(o, excusing, nil)
	}
	if q.operation == "UPDATE" && len(findings) > 0 {
		before := t.before(q)
		kept := findings[:0:0]
		for i := range findings {
			if f := &findings[i]; f.Verdict == verdict.Exempt || !before.had(f, seen) {
				kept = append(kept, *f)
			}
		}
		findings = kept
	}
	for i := range findings {
		f := &findings[i]
		out.add(t.court.settings[f.Rule], f, t.byID[f.Rule])
	}
	if t.cut {
		t.unfinished(o, out)
	}
}

// judge is what judge finds of an object among what stands around it.
func (t *trial) judge(o *fact.Object, exceptions []verdict.Exception, noticed func(judge.Notice)) []verdict.Finding {
	in := t.among().Input(o, t.Version)
	in.Exceptions, in.Lifetime, in.Now, in.Terse, in.Uncounted, in.Noticed = exceptions, t.Lifetime, t.Now(), true, true, noticed
	in.Stop = func(findings int) bool {
		t.cut = t.cut || findings > mostFindings || t.ctx.Err() != nil
		return t.cut
	}
	return t.court.rules.Judge(in).Findings
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

// stood is what failed, or was unknown, before an update.
type stood map[string]bool

// before judges the object as it was.
func (t *trial) before(q *request) stood {
	before := stood{}
	t.judge(q.subject(q.old), nil, func(n judge.Notice) { before[noticeKey(n.Finding)+string(n.Seen)] = true })
	return before
}

// had says whether a finding was there before, and nothing of it changed that its rule judges.
func (s stood) had(f *verdict.Finding, seen map[string][]string) bool {
	key := noticeKey(f)
	if len(seen[key]) == 0 {
		return false
	}
	for _, part := range seen[key] {
		if !s[key+part] {
			return false
		}
	}
	return true
}

func noticeKey(f *verdict.Finding) string {
	return f.Rule + "\x00" + f.Fingerprint + "\x00" + f.Verdict.String() + "\x00"
}

// unfinished tells that the judgement was stopped: what was not judged is unknown.
func (t *trial) unfinished(o *fact.Object, out *Outcome) {
	strictest := enforcement.Setting{}
	for _, s := range t.court.settings {
		if s.Mode > strictest.Mode || s.Mode == strictest.Mode && s.Fail {
			strictest = s
		}
	}
	out.add(strictest, &verdict.Finding{
		Verdict: verdict.Unknown, Rule: "unfinished", Subject: verdict.Subject{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name},
		Message: fmt.Sprintf("%s was not judged to its end", o.Kind),
		Reason:  fmt.Sprintf("it took too long, or there are more than %d findings", mostFindings),
	}, nil)
}
