// Package workbench is where rules are written and tried: it reads rule files from outside the
// catalogue into rules that can judge, holds a rule to its own examples and to what the catalogue
// demands of its rules, proves its fix on the bad ones, begins a new one, shows how an assertion came
// out on one object, and writes a rule's page. It reads no file and judges through internal/judge alone.
package workbench

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/kubetype"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// MaxRules bounds how many rules are read from outside.
const MaxRules = 10_000

// Read parses the files, checks every expression against the types of its facts and makes the rules
// ready to judge, sorted by practice and id as the catalogue is. taken are the ids that other rules
// have, each with where it is. Every fault of every file is told at once.
func Read(files []rule.File, taken map[string]string) ([]*rule.Compiled, error) {
	if len(files) > MaxRules {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("%d rule files, over %d", len(files), MaxRules), Remedy: "Name a smaller folder with --rules."}
	}
	var errs []error
	var rules []*rule.Compiled
	seen := map[string]*rule.Rule{}
	for _, file := range files {
		c, err := read(file)
		if c == nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, err, unused(c.Rule, taken, seen))
		seen[c.ID] = c.Rule
		rules = append(rules, c)
	}
	if err := rule.InOrder(errors.Join(errs...)); err != nil {
		return nil, err
	}
	slices.SortStableFunc(rules, func(a, b *rule.Compiled) int {
		return cmp.Or(slices.Index(rule.Practices, a.Practice)-slices.Index(rule.Practices, b.Practice), strings.Compare(a.ID, b.ID))
	})
	return rules, nil
}

// read makes one rule; it is nil when the file holds none. Both may be there: a rule with a fault.
func read(file rule.File) (*rule.Compiled, error) {
	r, err := rule.Parse(file.Name, file.Text)
	if err != nil {
		return nil, err
	}
	r.Origin = file.Origin
	checked, err := kubetype.Check(r)
	if err != nil {
		return &rule.Compiled{Rule: r}, err
	}
	return rule.Compile(r, func(key string) string { return string(checked[key]) })
}

// unused refuses an id that another rule has: a rule from outside adds, and replaces nothing.
func unused(r *rule.Rule, taken map[string]string, seen map[string]*rule.Rule) error {
	where := r.Root().Get("id")
	if other := taken[r.ID]; other != "" {
		return r.FaultAt(where, "the id %s is that of %s; give the rule an id of its own, and leave the other out with --skip if it must not be asked", r.ID, other)
	}
	if other := seen[r.ID]; other != nil {
		return r.FaultAt(where, "the id %s is also that of %s; ids are names, give each rule its own", r.ID, other.File)
	}
	return nil
}
