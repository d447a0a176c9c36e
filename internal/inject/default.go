package inject

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/fix"
	"github.com/coaming/coaming/internal/policy"
	"github.com/coaming/coaming/internal/rule"
)

// choice is the rules that an entry of the plan's defaults chooses, and whether it names each to the letter.
type choice struct {
	where *enforcement.Selection
	named map[string]bool
}

// choices are those of all entries; the error tells of patterns that fit no rule.
func (in *Injector) chooseDefaults() error {
	var errs []error
	for i := range in.Plan.Defaults {
		e := &in.Plan.Defaults[i]
		c := choice{&e.Where, map[string]bool{}}
		for _, pattern := range e.Rules {
			fits := false
			for _, id := range in.fixable {
				if !enforcement.Matches(pattern, id) {
					continue
				}
				if fits = true; !in.elsewhere(policy.FixName(id)) {
					c.named[id] = c.named[id] || pattern == id
				}
			}
			if !fits {
				errs = append(errs, fmt.Errorf("line %d: no rule on pods with a fix is called %q", e.At.Line, pattern))
			}
		}
		in.defaulting = append(in.defaulting, c)
	}
	return errors.Join(errs...)
}

// wanted are the rules whose fixes the plan asks for at a place, and of these those that it names to the letter: whoever
// names a rule agrees to what its fix asks a person.
func (in *Injector) wanted(at enforcement.Place, refused Refused) (wanted, named map[string]bool) {
	wanted, named = map[string]bool{}, map[string]bool{}
	for _, c := range in.defaulting {
		if holds, known := c.where.Holds(at); !holds || !known {
			continue
		}
		for id, byName := range c.named {
			if !refused.has("defaults", id) {
				wanted[id], named[id] = true, named[id] || byName
			}
		}
	}
	return wanted, named
}

// defaults makes the fixes of rules that clear their findings, each proved as 'coaming fix' proves: on a copy that judge
// judges again, by every rule that may see a difference. What is not proved is not made.
func (in *Injector) defaults(ctx context.Context, o *fact.Object, at enforcement.Place, server string, refused Refused) (document.Value, map[string]string, error) {
	wanted, named := in.wanted(at, refused)
	if len(wanted) == 0 {
		return o.Root, nil, nil
	}
	b := &bench{in: in, object: o, among: in.among(at), version: server, wanted: wanted, ctx: ctx}
	_, proposals := b.judge(o, asked)
	if err := ctx.Err(); err != nil {
		return o.Root, nil, fmt.Errorf("look for defaults: %w", err)
	}
	if len(proposals) == 0 {
		return o.Root, nil, nil
	}
	b.by, b.fields = touched, in.reach(wanted)
	res, err := b.prove(ctx, proposals, named)
	if err == nil && b.short {
		b.by = all
		res, err = b.prove(ctx, proposals, named)
	}
	if err != nil {
		return o.Root, nil, fmt.Errorf("prove defaults: %w", err)
	}
	return in.made(o, res)
}

// prove is what becomes of the fixes that are proposed, by the rules of the bench: nothing new may come of them.
func (b *bench) prove(ctx context.Context, proposals []fix.Proposal, named map[string]bool) (*fix.Result, error) {
	before := b.found()
	proposals = slices.DeleteFunc(slices.Clone(proposals), func(p fix.Proposal) bool { // what is excused is not fixed
		return b.exempt[p.Finding.Fingerprint] || b.in.injects(b.object, p.Changes)
	})
	place, err := fix.ServedPlace(b.object)
	if err != nil {
		return nil, err
	}
	cases := fix.Collect(proposals, func(_ *fact.Object, changes []rule.Change) ([]fix.Route, string) {
		return []fix.Route{{Edits: []fix.Edit{{Place: place, Changes: changes}}}}, ""
	})
	agreed := func(c *fix.Case) int {
		if named[c.Finding.Rule] && !slices.ContainsFunc(c.Changes, func(c rule.Change) bool { return c.Op == rule.FixChoose }) {
			return 0
		}
		return -1
	}
	choose := func(c *fix.Case, candidates []fix.Candidate) int {
		if len(candidates) == 0 || !candidates[0].Proved {
			return -1
		}
		return agreed(c)
	}
	return fix.Prove(ctx, cases, before, b, fix.Options{Choose: choose, Agreed: agreed})
}

// made is the object with the fixes that were proved, and why each was made.
func (in *Injector) made(o *fact.Object, res *fix.Result) (document.Value, map[string]string, error) {
	if len(res.Objects) == 0 || len(res.Added) > 0 {
		return o.Root, nil, nil
	}
	why := map[string]string{}
	for i := range res.Outcomes {
		if f := &res.Outcomes[i].Finding; res.Outcomes[i].State == fix.Proved {
			why["rule "+f.Rule] = "rule " + f.Rule + ": " + oneLine(in.byID[f.Rule].Title)
		}
	}
	return res.Objects[0].After, why, nil
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

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
