package clearance

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/assay"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/vulndb"
)

// OpenBench opens the index of advisories in a file, with the statements that suppress; close ends it. A path "" is no index:
// then all is unknown because of that. By an index that is older than so many days what passes is unknown; 0 takes any age.
func OpenBench(path string, now time.Time, most int, vex []advisory.Statement) (opened *assay.Bench, end func() error, err error) {
	today := now.UTC().Format(time.DateOnly)
	if path == "" {
		return assay.NewBench(nil, today, vex), func() error { return nil }, nil
	}
	db, err := vulndb.Open(path)
	if err != nil {
		return nil, nil, err
	}
	opened = assay.NewBench(db.Index, today, vex)
	opened.NoKEV, opened.Standing = db.About.Exploited == 0, db.About.Standing(now, most)
	return opened, db.Close, nil
}

// bench is what images are judged by now.
type bench struct {
	mu     sync.RWMutex // held by who judges: an index that is judged by is not closed
	bench  *assay.Bench
	rules  []*rule.Compiled
	told   rule.Settings
	end    func() error
	stamp  string // of the file and the day that it is of
	opened time.Time
}

// mostRulings is how many packages a bench remembers what is published about: some 20 MB.
const mostRulings = 20_000

// take keeps the bench as it is until it is given back.
func (b *bench) take() { b.mu.RLock() }

func (b *bench) giveBack() {
	large := b.bench.Rulings() > mostRulings
	b.mu.RUnlock()
	if !large {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bench.Rulings() > mostRulings {
		b.bench = b.bench.Anew()
	}
}

func (b *bench) swap(next *assay.Bench, end func() error, stamp string, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.end
	b.bench, b.end, b.stamp, b.opened = next, end, stamp, now
	if before == nil {
		return nil
	}
	return before()
}

func (b *bench) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	end := b.end
	b.bench, b.end = assay.NewBench(nil, "", nil), nil
	if end == nil {
		return nil
	}
	return end()
}

// SetRules takes other rules, and what users told of their own estate: everything is judged again by those that are about images.
func (c *Clearance) SetRules(rules []*rule.Compiled, told rule.Settings) {
	var own []*rule.Compiled
	for _, r := range rules {
		if r.Match.Fact == "image" {
			own = append(own, r)
		}
	}
	c.bench.mu.Lock()
	defer c.bench.mu.Unlock()
	if c.generation.Load() > 0 && sameRules(own, c.bench.rules) && reflect.DeepEqual(told, c.bench.told) {
		return
	}
	c.bench.rules, c.bench.told = own, told
	c.generation.Add(1)
}

// sameRules says whether rules say the same, compiled anew or not.
func sameRules(a, b []*rule.Compiled) bool {
	return slices.EqualFunc(a, b, func(a, b *rule.Compiled) bool { return reflect.DeepEqual(a.Rule, b.Rule) })
}

// stampOf tells one state of the index's file from another, on a day: whose support has ended depends on it.
func stampOf(path, today string) string {
	info, err := os.Stat(path)
	if path == "" || err != nil {
		return today
	}
	return fmt.Sprint(today, " ", info.Size(), " ", info.ModTime().UnixNano(), " ", fileNumber(info))
}

// reopen opens the index where it, or the day, is another than it was, so that everything is judged again. One that cannot be
// opened does not take the place of one that could.
func (c *Clearance) reopen() error {
	today := c.Now().UTC().Format(time.DateOnly)
	stamp := stampOf(c.Index, today)
	c.bench.mu.RLock()
	same, first := stamp == c.bench.stamp, c.bench.bench == nil
	c.bench.mu.RUnlock()
	if same {
		return nil
	}
	path := c.Index
	if _, err := os.Stat(path); first && errors.Is(err, fs.ErrNotExist) {
		path = "" // it may come later; until then nothing is known
	}
	next, end, err := OpenBench(path, c.Now(), cmp.Or(c.IndexAge, advisory.MostDays), c.VEX)
	if err != nil {
		return err
	}
	err = c.bench.swap(next, end, stamp, c.Now())
	c.generation.Add(1)
	return err
}
