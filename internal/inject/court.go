package inject

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/exception"
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

// prepare is the rules of some ids that have something to say of a kind of object that carries pods, all for nil.
func (in *Injector) prepare(kind string, wanted map[string]bool) *judge.Prepared {
	key := kind + " " + strings.Join(slices.Sorted(maps.Keys(wanted)), " ")
	c := &in.courts
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if p := c.prepared[key]; p != nil {
		return p
	}
	if len(c.prepared) >= mostPrepared || c.prepared == nil {
		c.prepared = map[string]*judge.Prepared{}
	}
	var list []*rule.Compiled
	for _, r := range in.Rules {
		if wanted != nil && !wanted[r.ID] || judge.AsksWhole(r) { // without the other workloads these are unknown, before as after
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
}

// Judge judges the object as it would be, by every rule.
func (b *bench) Judge(_ context.Context, c fix.Copy) (*verdict.Result, []fix.Proposal, error) {
	if len(c.Added) > 0 {
		return nil, nil, errors.New("a mutation makes no other objects")
	}
	own := *b.object
	for _, v := range c.Objects {
		own.Root = v
	}
	res, proposals := b.judge(&own, nil)
	return res, proposals, nil
}

// found is what all rules find of an object.
func (b *bench) found(o *fact.Object) *verdict.Result {
	alone := *o
	alone.Twins = nil
	return b.in.prepare(o.GroupKind(), nil).Judge(b.input(&alone))
}

func (b *bench) input(o *fact.Object) judge.Input {
	in := b.among.Input(o, b.version)
	in.Now, in.Terse, in.Uncounted = b.in.Now(), true, true
	for i := range b.in.held {
		if e := &b.in.held[i]; exception.Reaches(e, b.object.Namespace) {
			in.Exceptions = append(in.Exceptions, *e)
		}
	}
	return in
}

// judge judges an object by the rules of some ids, nil for all, and says what their fixes come to.
func (b *bench) judge(o *fact.Object, wanted map[string]bool) (*verdict.Result, []fix.Proposal) {
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
	return b.in.prepare(o.GroupKind(), wanted).Judge(in), proposals
}
