package inject

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/fix"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// courts are what is kept from one object to the next: rules made ready, and what stands around without its pods.
type courts struct {
	mutex    sync.Mutex
	prepared map[string]*judge.Prepared    // by the kind of object, and by which rules
	without  map[*judge.Among]*judge.Among // what stands around, without pods, by all of it
	alone    *judge.Among                  // where nothing is known
}

// The most that is kept; it is made again in a moment.
const (
	mostPrepared = 64
	mostAround   = 256
	// atATime is how many judgements by the same rules at a time are remembered.
	atATime = 4
)

// scope is which rules judge.
type scope byte

const (
	asked   scope = 'a' // those whose fixes are asked for
	touched scope = 't' // those that may come out otherwise by what the fixes of these may change
	all     scope = '*' // every one
)

// prepare is the rules of a scope that have something to say of a kind of object that carries pods.
func (in *Injector) prepare(kind string, wanted map[string]bool, of scope) *judge.Prepared {
	key := string(of) + kind
	if of != all {
		key += " " + strings.Join(slices.Sorted(maps.Keys(wanted)), " ")
	}
	c := &in.courts
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if p := c.prepared[key]; p != nil {
		return p
	}
	if len(c.prepared) >= mostPrepared || c.prepared == nil {
		c.prepared = map[string]*judge.Prepared{}
	}
	list, fields := []*rule.Compiled{}, in.reach(wanted)
	for _, r := range in.Rules {
		if of == asked && !wanted[r.ID] || judge.AsksWhole(r) { // without the other workloads these are unknown, before as after
			continue
		}
		if of == touched && !fields.sees(r) {
			continue
		}
		switch r.Match.Fact {
		case "container", "workload", "object":
			list = append(list, r)
		case "kinds":
			if slices.Contains(r.Match.Kinds, kind) {
				list = append(list, r)
			}
		}
	}
	c.prepared[key] = judge.Prepare(list, in.Settings, atATime)
	return c.prepared[key]
}

// reach is what the fixes of rules may change.
func (in *Injector) reach(wanted map[string]bool) *reach {
	var rules []*rule.Compiled
	for id := range wanted {
		rules = append(rules, in.byID[id])
	}
	return reachOf(rules)
}

// among is what stands around a place, but for workloads: other pods say nothing of this one's fields, and judging them
// would take a namespace's time for each pod in it.
func (in *Injector) among(at enforcement.Place) *judge.Among {
	c := &in.courts
	var all *judge.Among
	if in.Around != nil {
		all = in.Around(at.Namespace)
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if all == nil {
		if c.alone == nil {
			c.alone = judge.NewAmong(nil, []verdict.Gap{{Code: verdict.GapMissing, Message: "one object is under review, and nothing else was looked at", Remedy: "Ask a scan."}})
		}
		return c.alone
	}
	if without := c.without[all]; without != nil {
		return without
	}
	if len(c.without) >= mostAround || c.without == nil {
		c.without = map[*judge.Among]*judge.Among{}
	}
	var objects []*fact.Object
	for _, o := range all.Objects {
		if !slices.Contains(fact.PodKinds(), o.GroupKind()) {
			objects = append(objects, o)
		}
	}
	c.without[all] = judge.NewAmong(objects, append(slices.Clip(all.Gaps), verdict.Gap{
		Code: verdict.GapMissing, Message: "one workload is under review, and no other was looked at", Remedy: "Ask a scan.", Kinds: fact.PodKinds(),
	}))
	return c.without[all]
}

// bench judges copies of one object.
type bench struct {
	in      *Injector
	object  *fact.Object
	among   *judge.Among
	version string
	wanted  map[string]bool
	// by are the rules that judge the copies, fields what may be changed for these to be enough, and short whether it was not.
	by     scope
	fields *reach
	// before is what was found of the object as it is, by fingerprint, and exempt what of it an exception excuses.
	before, exempt map[string]bool
	short          bool
	ctx            context.Context //nolint:containedctx // of the one review that it lives in
}

// Judge judges the object as it would be.
func (b *bench) Judge(ctx context.Context, c fix.Copy) (*verdict.Result, []fix.Proposal, error) {
	if len(c.Added) > 0 {
		return nil, nil, errors.New("a mutation makes no other objects")
	}
	own := *b.object
	for _, v := range c.Objects {
		own.Root = v
	}
	res, proposals := b.judge(&own, b.by)
	if err := ctx.Err(); err != nil {
		return nil, nil, err // it may have been stopped before its end
	}
	if b.by == all {
		return res, proposals, nil
	}
	// What was found before is nobody's to follow; what is new, and is mended elsewhere, wants all rules.
	return res, slices.DeleteFunc(proposals, func(p fix.Proposal) bool {
		if b.before[p.Finding.Fingerprint] || b.fields.within(b.in.byID[p.Finding.Rule]) {
			return false
		}
		b.short = true
		return true
	}), nil
}

// found is what the rules find of the object as it is.
func (b *bench) found() *verdict.Result {
	alone := *b.object
	alone.Twins = nil
	res := b.in.prepare(alone.GroupKind(), b.wanted, b.by).Judge(b.input(&alone))
	b.before, b.exempt = make(map[string]bool, len(res.Findings)), map[string]bool{}
	for i := range res.Findings {
		f := &res.Findings[i]
		b.before[f.Fingerprint] = true
		b.exempt[f.Fingerprint] = b.exempt[f.Fingerprint] || f.Verdict == verdict.Exempt
	}
	return res
}

func (b *bench) input(o *fact.Object) judge.Input {
	in := b.among.Input(o, b.version)
	in.Exceptions, in.Now, in.Terse, in.Uncounted = b.in.Exceptions, b.in.Now(), true, true
	in.Stop = func(int) bool { return b.ctx.Err() != nil }
	return in
}

// judge judges an object by the rules of a scope, and says what their fixes come to.
func (b *bench) judge(o *fact.Object, by scope) (*verdict.Result, []fix.Proposal) {
	var proposals []fix.Proposal
	alone := *o
	alone.Twins = nil
	in := b.input(&alone)
	in.Propose = func(p judge.Proposal) { // one goroutine judges
		if p.Object == &alone {
			p.Object = b.object
			proposals = append(proposals, fix.Proposal(p))
		}
	}
	return b.in.prepare(o.GroupKind(), b.wanted, by).Judge(in), proposals
}
