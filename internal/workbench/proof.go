package workbench

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/fix"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// exampleFile is the one file that an example is written into.
const exampleFile = "example.yaml"

// Prove makes the rule's fix on each of its bad examples, as Mend does, and says on how many it is
// proved. Each fault stands at the fix. Of an example that does not fail nothing is said: Try does.
func Prove(ctx context.Context, r *rule.Compiled, rules []*rule.Compiled, b Bench) (proved int, err error) {
	if len(r.Fix) == 0 {
		return 0, nil
	}
	var errs []error
	for i, e := range r.Bad {
		if len(judged(r, e, b).fails) == 0 {
			continue
		}
		if _, err := Mend(ctx, r, e, rules, b.Now); err != nil {
			errs = append(errs, r.FaultAt(r.Root().Get("fix").Index(0), "fix: bad example %d: %s", i+1, without(err.Error(), credentials(e))))
			continue
		}
		proved++
	}
	return proved, errors.Join(errs...)
}

// without is a text in which no secret stands.
func without(text string, secrets []string) string {
	for _, secret := range secrets {
		if len(secret) >= shortSecret {
			text = strings.ReplaceAll(text, secret, masked)
		}
	}
	return text
}

// Mend makes the rule's fix on a bad example of its own, written as ExampleText writes it, and gives the
// fixed texts: one for each candidate that would be offered, where there is something to choose. The error says why
// the fix is not proved: the finding stays, one of the rules, which are all that a scan asks, finds anything new,
// or a second run would change more.
func Mend(ctx context.Context, r *rule.Compiled, e rule.Example, rules []*rule.Compiled, now time.Time) ([]string, error) {
	c := &exampleCourt{rule: r, rules: rules, now: now, text: ExampleText(e)}
	before, all, err := c.judge(c.text)
	if err != nil {
		return nil, err
	}
	own := slices.DeleteFunc(all, func(p fix.Proposal) bool { return p.Finding.Rule != r.ID })
	var texts []string
	for n, more := 0, true; more; n++ {
		res, err := fix.Prove(ctx, fix.Collect(slices.Clone(own), inPlace), before, c, fix.Options{Choose: candidate(n)})
		if err != nil {
			return nil, err
		}
		more = false
		for _, o := range res.Outcomes {
			if o.State != fix.Proved {
				return nil, errors.New(string(o.State) + ": " + o.Reason)
			}
			more = more || n+1 < o.Choices
		}
		if len(res.Files) != 1 {
			return nil, errors.New("not proved: nothing is changed")
		}
		text := res.Files[0].After
		if err := c.settled(text); err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return slices.Compact(texts), nil
}

// inPlace is the one route of an example: its own text.
func inPlace(o *fact.Object, changes []rule.Change) ([]fix.Route, string) {
	return []fix.Route{{Edits: []fix.Edit{{Place: fix.PlaceOf(o), Changes: changes}}}}, ""
}

// candidate chooses the n-th, and where that is not offered the first that is.
func candidate(n int) func(*fix.Case, []fix.Candidate) int {
	return func(_ *fix.Case, list []fix.Candidate) int {
		if n < len(list) && list[n].Proved {
			return n
		}
		return slices.IndexFunc(list, func(c fix.Candidate) bool { return c.Proved })
	}
}

// exampleCourt judges an example as text, by every rule.
type exampleCourt struct {
	rule  *rule.Compiled
	rules []*rule.Compiled
	now   time.Time
	text  string
}

// Judge judges a copy of the example.
func (c *exampleCourt) Judge(_ context.Context, changed fix.Copy) (*verdict.Result, []fix.Proposal, error) {
	text := c.text
	if now, found := changed.Files[exampleFile]; found {
		text = now
	}
	return c.judge(text)
}

func (c *exampleCourt) judge(text string) (*verdict.Result, []fix.Proposal, error) {
	objects, err := readExample(text)
	if err != nil {
		return nil, nil, err
	}
	var mutex sync.Mutex
	var proposals []fix.Proposal
	res := judge.Judge(judge.Input{
		Inventory: fact.NewInventory(objects, cmp.Or(c.rule.ExampleVersion, catalog.Newest), false),
		Rules:     c.rules, Settings: c.rule.Settings, Now: c.now, Width: 1,
		Propose: func(p judge.Proposal) {
			mutex.Lock()
			defer mutex.Unlock()
			proposals = append(proposals, fix.Proposal(p))
		},
	})
	return res, proposals, nil
}

// readExample is what a scan of the file reads.
func readExample(text string) ([]*fact.Object, error) {
	docs, errs := document.Read(document.NewText(text), 1)
	if len(errs) > 0 {
		return nil, errs[0]
	}
	var objects []*fact.Object
	for _, d := range docs {
		if v := d.Root(); isObject(v) {
			objects = append(objects, fact.NewObject(v, &fact.Origin{Source: "files", File: exampleFile}))
		}
	}
	return objects, nil
}

// settled is an error where the rule's fix would change a text that it has changed already.
func (c *exampleCourt) settled(text string) error {
	_, proposals, err := c.judge(text)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(proposals, func(p fix.Proposal) bool { return p.Finding.Rule == c.rule.ID }) {
		return errors.New("not proved: a second run would change more")
	}
	return nil
}
