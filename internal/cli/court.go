package cli

import (
	"context"
	"maps"
	"runtime"
	"slices"
	"sync"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/fix"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/source"
	"github.com/coaming/coaming/internal/verdict"
)

// court judges copies of what the arguments name, by every rule: a fix must bring nothing new,
// whichever rules it is for.
type court struct {
	*fixOptions
	env   *Env
	args  []string
	rules []*rule.Compiled
	memo  source.Memo
	// excuses are the exceptions that stand: what is excused is not fixed.
	excuses  excuses
	settings rule.Settings
	// fixed is what is read once: a cluster, a snapshot.
	fixed   *source.Reading
	version string
	// resources and chartValues are what was read to find where rendered objects come from.
	resources   map[string][]*fact.Object
	chartValues map[string]*document.Doc
	doubts      map[*fact.Object]string
}

// first judges what is there, and collects what rules propose.
func (c *court) first(ctx context.Context) (*verdict.Result, []fix.Proposal, error) {
	var err error
	bar := newProgress(c.env)
	defer bar.clear()
	if c.cluster && c.exceptionFlags.takes("cluster") {
		c.also = []string{exception.Kind}
	}
	c.fixed, err = c.readServed(ctx, c.env, c.args, judge.Needs(c.rules), bar.stage("reading"))
	if err != nil {
		return nil, nil, err
	}
	reading, err := c.read(ctx, nil)
	if err != nil {
		return nil, nil, err
	}
	if c.excuses, err = c.exceptionFlags.load(); err != nil {
		return nil, nil, err
	}
	if c.settings, err = c.settingFlags.load(); err != nil {
		return nil, nil, err
	}
	if err := checkBarred(c.settings, c.ids); err != nil {
		return nil, nil, err
	}
	c.find(&c.excuses, reading.Objects, c.ids)
	c.version = c.kubeVersion
	for _, known := range []string{reading.Version, catalog.Newest} {
		if c.version == "" {
			c.version = known
		}
	}
	res, proposals := c.judge(reading)
	return res, proposals, nil
}

// read reads the files, as they would be, beside what is read once.
func (c *court) read(ctx context.Context, replace map[string]string) (*source.Reading, error) {
	all := &source.Reading{}
	all.Join(c.fixed)
	paths := filePaths(c.args)
	if len(paths) == 0 && len(c.releases) == 0 {
		return all, nil
	}
	r, err := c.readFiles(ctx, c.env, paths, func(o *source.FileOptions) { o.Replace, o.Memo = replace, &c.memo })
	if err != nil {
		return nil, err
	}
	all.Join(r)
	return all, nil
}

func (c *court) judge(reading *source.Reading) (*verdict.Result, []fix.Proposal) {
	var mutex sync.Mutex
	var proposals []fix.Proposal
	res := judge.Judge(judge.Input{
		Inventory:  fact.NewInventory(reading.Objects, c.version, reading.Live),
		Coverage:   reading.Coverage,
		Rules:      c.rules,
		Exceptions: c.excuses.exceptions,
		Lifetime:   c.lifetime(),
		Baseline:   c.excuses.baseline,
		Settings:   c.settings,
		Now:        c.env.Now(),
		Width:      runtime.GOMAXPROCS(0),
		Propose: func(p judge.Proposal) {
			mutex.Lock()
			defer mutex.Unlock()
			proposals = append(proposals, fix.Proposal(p))
		},
	})
	return res, proposals
}

// Judge judges a copy.
func (c *court) Judge(ctx context.Context, changed fix.Copy) (*verdict.Result, []fix.Proposal, error) {
	reading, err := c.readCopy(ctx, changed)
	if err != nil {
		return nil, nil, err
	}
	res, proposals := c.judge(reading)
	return res, proposals, nil
}

// readCopy reads everything as it would be.
func (c *court) readCopy(ctx context.Context, changed fix.Copy) (*source.Reading, error) {
	reading, err := c.read(ctx, changed.Files)
	if err != nil {
		return nil, err
	}
	if len(changed.Objects) > 0 {
		reading.Objects = slices.Clone(reading.Objects)
		for i, o := range reading.Objects {
			if v, swapped := changed.Objects[o]; swapped {
				own := *o
				own.Root = v
				reading.Objects[i] = &own
			}
		}
		reading.Objects = withoutMade(reading.Objects, changed.Objects)
	}
	for _, name := range slices.Sorted(maps.Keys(changed.Patches)) {
		if err := c.patched(ctx, reading, name, changed.Patches[name]); err != nil {
			return nil, err
		}
	}
	for _, a := range changed.Added {
		reading.Objects = append(slices.Clip(reading.Objects), fact.NewObject(a.Value, a.Beside.Origin))
	}
	return reading, nil
}

// withoutMade are the objects without those that controllers made of changed ones (replica sets, pods, jobs): they are
// made anew of what the change leaves, and what was made of the old template says nothing of it.
func withoutMade(objects []*fact.Object, changed map[*fact.Object]document.Value) []*fact.Object {
	owners := map[string]bool{}
	for o := range changed {
		if uid := o.Root.At("metadata", "uid").Str(); uid != "" {
			owners[uid] = true
		}
	}
	for before := -1; before != len(owners); {
		before = len(owners)
		objects = slices.DeleteFunc(objects, func(o *fact.Object) bool {
			for _, ref := range o.Root.At("metadata", "ownerReferences").Items() {
				if ref.Get("controller").Bool() && owners[ref.Get("uid").Str()] {
					owners[o.Root.At("metadata", "uid").Str()] = true
					return true
				}
			}
			return false
		})
	}
	return objects
}
