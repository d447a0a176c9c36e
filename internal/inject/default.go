package inject

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/fix"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/policy"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// wanted are the rules whose fixes the plan asks for at a place, and of these those that it names to the letter: whoever
// names a rule agrees to what its fix asks a person.
func (in *Injector) wanted(at enforcement.Place, refused Refused) (wanted, named map[string]bool) {
	wanted, named = map[string]bool{}, map[string]bool{}
	for i := range in.Plan.Defaults {
		e := &in.Plan.Defaults[i]
		if holds, known := e.Where.Holds(at); !holds || !known {
			continue
		}
		for _, id := range in.fixable {
			if in.elsewhere(policy.FixName(id)) {
				continue
			}
			for _, pattern := range e.Rules {
				if enforcement.Matches(pattern, id) && !refused.has("defaults", id) {
					wanted[id] = true
					named[id] = named[id] || pattern == id
				}
			}
		}
	}
	return wanted, named
}

// defaults makes the fixes of rules that clear their findings, each proved as 'coaming fix' proves: on a copy that judge
// judges again, by every rule. What is not proved is not made.
func (in *Injector) defaults(ctx context.Context, o *fact.Object, at enforcement.Place, server string, refused Refused) (document.Value, map[string]string, error) {
	wanted, named := in.wanted(at, refused)
	if len(wanted) == 0 {
		return o.Root, nil, nil
	}
	b := in.bench(o, at, server)
	before, proposals, err := b.judge(o, b.only(wanted))
	if err != nil || len(proposals) == 0 {
		return o.Root, nil, err
	}
	// The proof is by every rule: nothing new may come of it.
	if before, _, err = b.judge(o, b.rules); err != nil {
		return o.Root, nil, err
	}
	proposals = slices.DeleteFunc(proposals, func(p fix.Proposal) bool { return excused(before, &p.Finding) || in.injects(o, p.Changes) })
	cases := fix.Collect(proposals, func(o *fact.Object, changes []rule.Change) ([]fix.Route, string) {
		place, err := fix.ServedPlace(o)
		if err != nil {
			return nil, err.Error()
		}
		return []fix.Route{{Edits: []fix.Edit{{Place: place, Changes: changes}}}}, ""
	})
	agree := func(c *fix.Case, candidates []fix.Candidate) int {
		isChoice := slices.ContainsFunc(c.Changes, func(c rule.Change) bool { return c.Op == rule.FixChoose })
		if isChoice || !named[c.Finding.Rule] || len(candidates) == 0 || !candidates[0].Proved {
			return -1
		}
		return 0
	}
	res, err := fix.Prove(ctx, cases, before, b, fix.Options{Choose: agree})
	if err != nil {
		return o.Root, nil, fmt.Errorf("prove defaults: %w", err)
	}
	return in.made(o, res)
}

// made is the object with the fixes that were proved, and why each was made.
func (in *Injector) made(o *fact.Object, res *fix.Result) (document.Value, map[string]string, error) {
	if len(res.Objects) == 0 || len(res.Added) > 0 {
		return o.Root, nil, nil
	}
	why := map[string]string{}
	for i := range res.Outcomes {
		if f := &res.Outcomes[i].Finding; res.Outcomes[i].State == fix.Proved {
			why["rule "+f.Rule] = "rule " + f.Rule + ": " + oneLine(in.titles[f.Rule])
		}
	}
	return res.Objects[0].After, why, nil
}

// excused says whether an exception excuses a finding: what is excused is not fixed.
func excused(res *verdict.Result, f *verdict.Finding) bool {
	return slices.ContainsFunc(res.Findings, func(other verdict.Finding) bool {
		return other.Fingerprint == f.Fingerprint && other.Verdict == verdict.Exempt
	})
}

// injects says whether changes are of a container that a template gave: what stands in it is the template's.
func (in *Injector) injects(o *fact.Object, changes []rule.Change) bool {
	return slices.ContainsFunc(changes, func(c rule.Change) bool {
		for n := range c.Steps {
			if c.Steps[n].Key != "" || n == 0 || !slices.Contains(fact.ContainerFields, c.Steps[n-1].Key) {
				continue
			}
			return in.isInjected(o, o.Root.Follow(c.Steps[:n+1]).Get("name").Str())
		}
		return false
	})
}

// bench judges copies of one object.
type bench struct {
	in      *Injector
	object  *fact.Object
	beside  []*fact.Object
	gaps    []verdict.Gap
	version string
	rules   []*rule.Compiled
}

// bench knows what stands around an object, but for workloads: other pods say nothing of this one's fields, and judging
// them would take a namespace's time for each pod in it.
func (in *Injector) bench(o *fact.Object, at enforcement.Place, server string) *bench {
	b := &bench{in: in, object: o, version: server, rules: in.rulesFor(o)}
	if in.Around == nil {
		b.gaps = []verdict.Gap{{Code: verdict.GapMissing, Message: "one object is under review, and nothing else was looked at", Remedy: "Ask a scan."}}
		return b
	}
	objects, gaps := in.Around(at.Namespace)
	b.gaps = append(slices.Clone(gaps), verdict.Gap{
		Code: verdict.GapMissing, Message: "one workload is under review, and no other was looked at", Remedy: "Ask a scan.", Kinds: fact.PodKinds(),
	})
	for _, other := range objects {
		if !slices.Contains(fact.PodKinds(), other.GroupKind()) {
			b.beside = append(b.beside, other)
		}
	}
	return b
}

// only are the rules of some ids.
func (b *bench) only(wanted map[string]bool) []*rule.Compiled {
	var list []*rule.Compiled
	for _, r := range b.rules {
		if wanted[r.ID] {
			list = append(list, r)
		}
	}
	return list
}

// Judge judges the object as it would be.
func (b *bench) Judge(_ context.Context, c fix.Copy) (*verdict.Result, []fix.Proposal, error) {
	if len(c.Added) > 0 {
		return nil, nil, errors.New("a mutation makes no other objects")
	}
	own := *b.object
	for _, v := range c.Objects {
		own.Root = v
	}
	return b.judge(&own, b.rules)
}

func (b *bench) judge(o *fact.Object, rules []*rule.Compiled) (*verdict.Result, []fix.Proposal, error) {
	var mutex sync.Mutex
	var proposals []fix.Proposal
	alone := *o
	alone.Twins = nil
	res := judge.Judge(judge.Input{
		Inventory: fact.NewInventory(append(slices.Clip(b.beside), &alone), b.version, true),
		Coverage:  verdict.Coverage{Gaps: b.gaps},
		Rules:     rules, Settings: b.in.Settings, Exceptions: b.in.Exceptions, Now: b.in.Now(), Width: 1,
		Propose: func(p judge.Proposal) {
			mutex.Lock()
			defer mutex.Unlock()
			if p.Object == &alone {
				p.Object = b.object
				proposals = append(proposals, fix.Proposal(p))
			}
		},
	})
	return res, proposals, nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
