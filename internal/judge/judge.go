// Package judge is the one decision function: an inventory, rules and exceptions in, a
// verdict.Result out. It is pure: no I/O, no clock, no goroutine that outlives the call, and the
// same input gives the same result. Pipeline, admission and hub all decide through it.
package judge

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// Input is everything that a judgement depends on.
type Input struct {
	Inventory *fact.Inventory
	// Coverage is what the sources could look at; its gaps make what needed them unknown.
	Coverage verdict.Coverage
	Rules    []*rule.Compiled
	// Found is what was judged elsewhere, of images; exceptions and the baseline count for it as for all.
	Found Found
	// Settings is what users told of their own estate.
	Settings rule.Settings
	// Exceptions excuse named findings; Now is the moment that decides whether they have expired, and
	// Lifetime how far behind it they may expire at most; 0 is DefaultLifetime.
	Exceptions []verdict.Exception
	Now        time.Time
	Lifetime   time.Duration
	// Baseline is what was there before; nil for none.
	Baseline *verdict.Baseline
	// Namespaces limits what is judged, not what is known; empty for all.
	Namespaces []string
	// Width is how many goroutines judge; at least 1 is used.
	Width int
	// Progress is told how many of how many subjects are judged; may be nil.
	Progress func(done, total int)
	// About limits what is judged to some objects, not what is known; nil for all.
	About func(o *fact.Object) bool
	// Stop is asked before each fact and item whether to leave the rest, and told how many findings one goroutine has; may be nil.
	// Who stops a judgement knows that its result is not whole.
	Stop func(findings int) bool
	// Terse leaves out the lines around a finding.
	Terse bool
	// Uncounted leaves out how many verdicts of each kind there are (Tally, ByRule): for who wants the findings alone, of one object
	// among many.
	Uncounted bool
	// Noticed is told of every finding as it is made, before exceptions; may be nil. Several goroutines call it, in no order.
	Noticed func(Notice)
	// Forgetful asks every rule about every fact afresh: the result is the same and takes longer.
	// For measuring, and for tests.
	Forgetful bool
	// Rate asks for the risk of every finding.
	Rate bool
	// Propose is told of every fail of a rule that has a fix what the fix comes to there, and of what is unknown because the
	// field that the fix changes is of a wrong type; may be nil.
	// Several goroutines call it, in no order.
	Propose func(Proposal)
	// Asked is told of every question before it is answered, by one goroutine at a time when Width
	// is 1; may be nil.
	Asked Asked

	// What was worked out before of what stands around: what was not seen of it, who may do what, and what selects and scales pods;
	// nil for nothing.
	missed    func() *verdict.GapIndex
	access    func() *rbac.Model
	selecting func() map[kindIn]*selecting
	scalers   func() map[scaled][]*fact.Object
}

// Proposal is what a rule's fix comes to at one finding.
type Proposal struct {
	Finding verdict.Finding
	Object  *fact.Object
	Changes []rule.Change
	Err     error // why there are none
}

// Asked is told which rule is asked about which part of which object, and what the rule sees of it.
type Asked func(r *rule.Compiled, o *fact.Object, path string, s *rule.Scope)

// Judge asks every rule about every fact that it matches.
func Judge(in Input) *verdict.Result { return prepare(in.Rules, in.Settings).judge(in) }

func (p *Prepared) judge(in Input) *verdict.Result {
	in.Rules, in.Settings = p.rules, p.Settings
	seen := newTraits(in.Exceptions)
	j := newJudgement(in, p, seen)
	var findings []verdict.Finding
	var tallies []tallies
	images := map[string]*runs{}
	if len(in.Inventory.Worlds) == 0 {
		findings, tallies = j.run()
		j.locateImages(images)
	}
	for i, world := range in.Inventory.Worlds {
		own := in
		if own.Inventory = world; i == 0 { // images are of no overlay
			whole := *world
			whole.Images = in.Inventory.Images
			own.Inventory = &whole
		}
		part := newJudgement(own, p, seen)
		found, counts := part.run()
		findings, tallies = append(findings, found...), append(tallies, counts...)
		part.locateImages(images)
	}
	in.settleImages(images)
	findings = append(findings, in.enter(tallies[0], seen)...)
	slices.SortStableFunc(findings, byPlace)
	if findings == nil {
		findings = []verdict.Finding{}
	}
	res := &verdict.Result{Findings: fold(findings, tallies[0]), Coverage: in.Coverage, Rules: p.infos}
	if len(in.Found.Rules) > 0 {
		res.Rules = slices.Concat(res.Rules, in.Found.Rules)
		slices.SortFunc(res.Rules, byID)
	}
	in.excuse(res, tallies[0], seen)
	if in.Baseline != nil {
		accept(res, in.Baseline, tallies[0])
	}
	if !in.Uncounted {
		res.ByRule = byRule(res.Rules, tallies)
		res.Tally = byPractice(res.Rules, res.ByRule)
	}
	c := &res.Coverage
	c.Version, c.Namespaces = in.Inventory.Version, in.Namespaces
	c.Objects, c.Workloads, c.Rules = len(in.Inventory.Objects), len(in.Inventory.Workloads), len(res.Rules)
	for _, t := range res.Tally {
		c.Evaluations += t.Pass + t.Fail + t.Unknown + t.Exempt
	}
	if j.outside > 0 {
		c.Exclusions = append(slices.Clone(c.Exclusions), verdict.Exclusion{
			What: "objects outside the chosen namespaces", Reason: "--namespace", Count: j.outside,
		})
	}
	return res
}

// judgement is what stays the same while one inventory is judged.
type judgement struct {
	Input
	*ruleLists
	prepared   *Prepared
	recall     recall
	subjects   []subject
	outside    int
	gaps       gaps
	traits     *traits
	settings   rule.Fact
	scalers    func() map[scaled][]*fact.Object
	access     func() *rbac.Model
	selecting  func() map[kindIn]*selecting
	selectable func() map[string]*selectable
	operated   func() map[string]bool
	volumes    func() *volumes
	around     func() *surroundings
	naming     func() map[string]map[*fact.Workload]bool
	secretive  sync.Map // documents whose parts have no known place -> whether they hold a secret
}

// subject is one object, one workload or one image that is to be judged; of the cluster all are nil.
type subject struct {
	object   *fact.Object
	workload *fact.Workload
	image    *fact.Image
}

func newJudgement(in Input, p *Prepared, seen *traits) *judgement {
	j := &judgement{Input: in, ruleLists: p.listed, prepared: p, traits: seen}
	if in.missed != nil {
		j.gaps = gaps{in.missed()}
	} else {
		j.gaps = gaps{verdict.IndexGaps(in.Coverage.Gaps)}
	}
	j.settings = p.settings
	if j.scalers = in.scalers; j.scalers == nil {
		j.scalers = sync.OnceValue(func() map[scaled][]*fact.Object { return indexScalers(j.Inventory) })
	}
	if j.access = in.access; j.access == nil {
		j.access = sync.OnceValue(func() *rbac.Model { return accessOf(j.Inventory, j.Coverage.Gaps) })
	}
	if j.selecting = in.selecting; j.selecting == nil {
		j.selecting = sync.OnceValue(func() map[kindIn]*selecting { return indexSelecting(j.Inventory) })
	}
	j.selectable, j.operated = sync.OnceValue(j.indexSelectable), sync.OnceValue(j.indexOperated)
	j.volumes = sync.OnceValue(j.indexVolumes)
	j.around, j.naming = sync.OnceValue(j.survey), sync.OnceValue(j.indexDependents)
	for _, o := range in.Inventory.Objects {
		switch {
		case !j.within(o):
			j.outside++
		case len(j.objects.rules) > 0 || j.kinds[o.GroupKind()] != nil || o.GroupKind() == "Namespace":
			j.subjects = append(j.subjects, subject{object: o})
		}
	}
	for _, w := range in.Inventory.Workloads {
		if j.within(w.Object) {
			j.subjects = append(j.subjects, subject{object: w.Object, workload: w})
		}
	}
	switch {
	case in.Forgetful:
	case p.memories != nil:
		j.recall = lasting
	case len(j.subjects) >= fewSubjects:
		j.recall = passing
	}
	if in.Inventory.Live && len(j.clusters.rules) > 0 {
		j.subjects = append(j.subjects, subject{})
	}
	if len(j.images.rules) > 0 && len(in.Inventory.Images) > 0 {
		for _, img := range in.Inventory.Images {
			j.subjects = append(j.subjects, subject{image: img})
		}
	}
	return j
}

func (j *judgement) within(o *fact.Object) bool {
	if j.About != nil && !j.About(o) {
		return false
	}
	if len(j.Namespaces) == 0 {
		return true
	}
	if o.GroupKind() == "Namespace" {
		return slices.Contains(j.Namespaces, o.Name)
	}
	return slices.Contains(j.Namespaces, o.Namespace) || o.Namespace == "" && slices.Contains(j.Namespaces, "default") && !j.Inventory.Live
}

// batch is how many subjects a goroutine takes at a time.
const batch = 64

// run judges all subjects and returns the findings in the subjects' order, and each goroutine's counts.
func (j *judgement) run() ([]verdict.Finding, []tallies) {
	batches := (len(j.subjects) + batch - 1) / batch
	found := make([][]verdict.Finding, batches)
	width := max(1, min(j.Width, batches))
	counts := make([]tallies, width)
	var taken, done atomic.Int64
	work := func(n int) {
		w := worker{judgement: j, cluster: j.clusterFact(), tallies: counts[n], memory: j.prepared.memoryFor(&j.Input)}
		defer func() {
			w.memory.settle(w.tallies)
			j.prepared.giveBack(w.memory)
		}()
		for i := int(taken.Add(1)) - 1; i < batches; i = int(taken.Add(1)) - 1 {
			w.findings = nil
			part := j.subjects[i*batch : min((i+1)*batch, len(j.subjects))]
			for _, s := range part {
				w.judge(s)
			}
			found[i] = w.findings
			if finished := int(done.Add(int64(len(part)))); j.Progress != nil {
				j.Progress(finished, len(j.subjects))
			}
		}
	}
	var group sync.WaitGroup
	for n := range width {
		if !j.Uncounted {
			counts[n] = tallies{}
		}
		if n < width-1 {
			group.Go(func() { work(n) })
		}
	}
	work(width - 1) // one of them is who asks: a new goroutine's stack would grow anew for each review
	group.Wait()
	findings := slices.Concat(found...)
	if j.Rate && len(findings) > 0 {
		j.around().graph.Rate(findings, j.rulesOfGraph())
	}
	return findings, counts
}

// tallies counts verdicts by rule; nil counts nothing.
type tallies map[string]*[4]int

func (t tallies) count(id string, v verdict.Verdict) { t.add(id, v, 1) }

func (t tallies) add(id string, v verdict.Verdict, times int) {
	if t == nil {
		return
	}
	n := t[id]
	if n == nil {
		n = new([4]int)
		t[id] = n
	}
	n[v] += times
}

func (t tallies) discount(id string, v verdict.Verdict) {
	t.add(id, v, -1)
}

// byRule counts the verdicts of each rule that gave any.
func byRule(rules []verdict.RuleInfo, parts []tallies) []verdict.RuleTally {
	var list []verdict.RuleTally
	for _, r := range rules {
		t := verdict.RuleTally{Rule: r.ID}
		for _, part := range parts {
			if n := part[r.ID]; n != nil {
				t.Pass += n[verdict.Pass]
				t.Fail += n[verdict.Fail]
				t.Unknown += n[verdict.Unknown]
				t.Exempt += n[verdict.Exempt]
			}
		}
		if t.Pass+t.Fail+t.Unknown+t.Exempt > 0 {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b verdict.RuleTally) int { return cmp.Compare(a.Rule, b.Rule) })
	return list
}

// byPractice sums the counts of the rules of each practice that has any.
func byPractice(rules []verdict.RuleInfo, counts []verdict.RuleTally) []verdict.Tally {
	sums := map[string]*verdict.Tally{}
	practice := make(map[string]string, len(rules))
	for _, r := range rules {
		if sums[r.Practice] == nil {
			sums[r.Practice] = &verdict.Tally{Practice: r.Practice}
		}
		sums[r.Practice].Rules++
		practice[r.ID] = r.Practice
	}
	for _, t := range counts {
		sum := sums[practice[t.Rule]]
		sum.Pass, sum.Fail, sum.Unknown, sum.Exempt = sum.Pass+t.Pass, sum.Fail+t.Fail, sum.Unknown+t.Unknown, sum.Exempt+t.Exempt
	}
	var list []verdict.Tally
	for _, name := range rule.Practices {
		if sums[name] != nil {
			list = append(list, *sums[name])
		}
	}
	return list
}

func byPlace(a, b verdict.Finding) int {
	return cmp.Or(
		cmp.Compare(a.Location.Source, b.Location.Source),
		cmp.Compare(a.Location.File, b.Location.File),
		cmp.Compare(a.Location.Line, b.Location.Line),
		cmp.Compare(a.Location.Column, b.Location.Column),
		cmp.Compare(a.Path, b.Path),
		cmp.Compare(a.Rule, b.Rule),
	)
}

// fold makes one finding of several with the same fingerprint: the same fault of the same object
// that was read in several variants, as when two overlays change a base. Such a fault counts once.
func fold(findings []verdict.Finding, counts tallies) []verdict.Finding {
	type fault struct {
		fingerprint string
		verdict     verdict.Verdict
	}
	first := make(map[fault]int, len(findings))
	kept := findings[:0]
	for _, f := range findings {
		same := fault{f.Fingerprint, f.Verdict}
		if at, found := first[same]; found {
			for _, l := range append([]verdict.Location{f.Location}, f.Also...) {
				if l != kept[at].Location && !slices.Contains(kept[at].Also, l) {
					kept[at].Also = append(kept[at].Also, l)
				}
			}
			if f.RiskScore() > kept[at].RiskScore() {
				kept[at].Risk = f.Risk
			}
			counts.discount(f.Rule, f.Verdict)
			continue
		}
		first[same] = len(kept)
		kept = append(kept, f)
	}
	return kept
}
