package fix

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/rule"
)

// item is a case on its way to a proof.
type item struct {
	*Case
	group  string
	at     int // which route is tried
	choice int // which candidate, -1 for none yet
	state  State
	reason string
	tried  []Candidate
	// along is set where the fixes of other findings clear this one too.
	along bool
	// more is what must change beside, by candidate: the fixes of what this one brings to light.
	more map[int]sequel
}

// sequel is what a fix brings with it, and what a person must know before that is changed.
type sequel struct {
	edits []Edit
	asks  []string
}

func (it *item) route() *Route { return &it.Routes[it.at] }

// edits are those of the route, and what they bring with them.
func (it *item) edits() []Edit {
	return append(slices.Clip(it.route().Edits), it.more[it.choice].edits...)
}

// patch is that of the candidate that is tried, and the chart that it is for.
func (it *item) patch() (source, patch string) {
	r := it.route()
	if len(r.Patches) == 0 {
		return "", ""
	}
	return r.Source, r.Patches[min(max(it.choice, 0), len(r.Patches)-1)]
}

// asks are what a person must know for what comes along with any of the candidates.
func (it *item) asks() []string {
	var list []string
	for _, n := range slices.Sorted(maps.Keys(it.more)) {
		for _, about := range it.more[n].asks {
			if !slices.Contains(list, about) {
				list = append(list, about)
			}
		}
	}
	return list
}

// values are what a change sets, with the candidate that is tried.
func (it *item) values(c *rule.Change) []document.Value {
	if c.Op == rule.FixChoose {
		return c.Values[max(it.choice, 0):][:1]
	}
	return c.Values
}

// maxRounds bounds how often everything is judged again, and mostAgain how often before what was refused is left so.
const (
	maxRounds = 400
	mostAgain = maxRounds * 3 / 4
)

// errSpent is the error of a trial for which no judgement is left.
var errSpent = fmt.Errorf("fixes were not proved in %d judgements: choose fewer, with --rule or --finding", maxRounds)

// prover makes copies and has them judged.
type prover struct {
	Options
	ctx      context.Context // of the one Prove that it lives in
	court    Court
	before   census
	items    []*item
	accepted []*item
	sheets   *sheets
	rounds   int
	most     int    // how often it may judge, for now
	last     census // what the judgement of exactly the accepted fixes found
	tried    *trial // the last one, and of which fixes it was
	recipe   string
}

// run proves first what needs no person, then each candidate of every choice on top of that, and
// last what was chosen.
func (p *prover) run() error {
	p.most = maxRounds
	var plain, choices []*item
	for _, it := range p.items {
		switch {
		case it.Refused != "" || len(it.Routes) == 0:
			it.state, it.reason = Unproved, it.Refused
		case it.Choices > 0:
			choices = append(choices, it)
		default:
			plain = append(plain, it)
		}
	}
	if p.Agreed != nil {
		done, rest, err := p.together(plain, choices)
		if err != nil {
			return err
		}
		if done {
			plain, choices = nil, rest
		}
	}
	if err := p.routes(plain); err != nil {
		return err
	}
	if err := p.candidates(choices); err != nil {
		return err
	}
	if err := p.chosen(choices); err != nil {
		return err
	}
	return p.again()
}

// routes proves fixes by their first route, those that fail by their second, and so on.
func (p *prover) routes(items []*item) error {
	for len(items) > 0 {
		kept, failed, err := p.prove(p.sift(items))
		if err != nil {
			return err
		}
		p.accepted = append(p.accepted, kept...)
		for _, it := range kept {
			it.state = Proved
		}
		items = nil
		for it, reason := range failed {
			if it.reason == "" {
				it.reason = reason
			}
			it.state = Unproved
			if it.at+1 < len(it.Routes) {
				it.at++
				items = append(items, it)
			}
		}
		slices.SortStableFunc(items, byWorth)
	}
	return p.confirm()
}

// sift leaves out what clashes with a fix before it.
func (p *prover) sift(items []*item) []*item {
	l := newLedger()
	for _, it := range p.accepted {
		l.enter(it)
	}
	var kept []*item
	for _, it := range items {
		if other := l.clash(it); other != nil {
			it.state, it.reason = Clashed, fmt.Sprintf("it wants otherwise what the fix of %s changes; fix that, then look again", other.Finding.Rule)
			continue
		}
		l.enter(it)
		kept = append(kept, it)
	}
	return kept
}

// cleared takes out those whose findings are gone with the fixes of others: nobody need choose.
func (p *prover) cleared(items []*item) []*item {
	if len(p.accepted) == 0 {
		return items
	}
	return slices.DeleteFunc(slices.Clone(items), func(it *item) bool {
		if p.last.keeps(&it.Finding) {
			return false
		}
		it.state, it.along = Proved, true
		return true
	})
}

// candidates proves every candidate of every choice: the first of all together, then the second.
func (p *prover) candidates(items []*item) error {
	items = p.cleared(items)
	most := 0
	for _, it := range items {
		most = max(most, it.Choices)
		it.tried = make([]Candidate, it.Choices)
	}
	for n := range most {
		var batch []*item
		for _, it := range items {
			if n < it.Choices {
				it.choice = n
				batch = append(batch, it)
			}
		}
		for len(batch) > 0 {
			kept, failed, err := p.prove(p.sift(batch))
			if err != nil {
				return err
			}
			for _, it := range kept {
				it.tried[n].Proved = true
				it.state, it.reason = Offered, ""
			}
			batch = nil
			for it, reason := range failed {
				it.tried[n].Reason = reason
				if it.at+1 < len(it.Routes) && !slices.ContainsFunc(it.tried, func(c Candidate) bool { return c.Proved }) {
					it.at++
					batch = append(batch, it)
				}
			}
			slices.SortStableFunc(batch, byWorth)
		}
	}
	for _, it := range items {
		it.choice = -1
		p.settleChoice(it)
	}
	return nil
}

// settleChoice says what became of a choice.
func (p *prover) settleChoice(it *item) {
	for n := range it.tried {
		it.tried[n].Value = it.candidate(n)
		if it.tried[n].Proved {
			it.state, it.reason = Offered, "a person must choose"
		}
	}
	if it.state == "" {
		it.state = Unproved
		if it.reason = it.tried[0].Reason; it.reason == "" {
			it.reason = "no candidate was proved"
		}
	}
}

func (it *item) candidate(n int) string {
	for _, c := range it.Changes {
		if c.Op == rule.FixChoose && n < len(c.Values) {
			return valueText(c.Values[n])
		}
	}
	return "yes"
}

// chosen proves what a person chose, all together.
func (p *prover) chosen(items []*item) error {
	if p.Choose == nil {
		return nil
	}
	var batch []*item
	for _, it := range items {
		if it.state != Offered {
			continue
		}
		if n := p.Choose(it.Case, it.tried); n >= 0 && n < len(it.tried) && it.tried[n].Proved {
			it.choice = n
			batch = append(batch, it)
		}
	}
	kept, failed, err := p.prove(p.sift(batch))
	if err != nil {
		return err
	}
	for _, it := range kept {
		it.state, it.reason = Proved, ""
	}
	for it, reason := range failed {
		it.state, it.reason, it.choice = Unproved, "not together with the rest: "+reason, -1
	}
	p.accepted = append(p.accepted, kept...)
	return p.confirm()
}

// trial is what one judgement says of fixes that were made together.
type trial struct {
	failed  map[*item]string // by themselves: the finding stays, or the text cannot be edited
	news    map[string]string
	faults  map[string][]*fault // what is new, by object
	propose map[string]Proposal
	foreign string // something new at an object that none of them is about
	census  census
}

// try makes fixes on a copy and judges it, unless just that was done last.
func (p *prover) try(items []*item) (*trial, error) {
	recipe := recipeOf(items)
	if p.tried != nil && p.recipe == recipe {
		p.last = p.tried.census
		return p.tried, nil
	}
	if p.rounds >= p.most {
		return nil, errSpent
	}
	p.rounds++
	c, failed := p.sheets.compose(items)
	res, proposals, err := p.court.Judge(p.ctx, c)
	if err != nil {
		return nil, err
	}
	after := takeCensus(res)
	p.last = after
	t := &trial{census: after, failed: failed, news: map[string]string{}, faults: map[string][]*fault{}, propose: map[string]Proposal{}}
	for _, proposal := range proposals {
		t.propose[proposal.Finding.Fingerprint] = proposal
	}
	groups, asked := map[string]bool{}, map[string]bool{}
	for _, it := range items {
		groups[it.group], asked[it.Finding.Fingerprint] = true, true
		if t.failed[it] == "" && after.keeps(&it.Finding) {
			t.failed[it] = "the finding stays"
		}
	}
	for _, f := range after.news(p.before, asked) {
		if groups[f.group] && f.group != "" {
			t.faults[f.group] = append(t.faults[f.group], f)
			t.news[f.group] = "it would bring " + f.text + ": " + f.message
		} else {
			t.foreign = "it would bring " + f.text + ": " + f.message
		}
	}
	p.tried, p.recipe = t, recipe
	return t, nil
}

// prove finds the fixes that hold on top of those that were accepted. Where a judgement finds fault
// with those of an object they are tried by halves, those of all objects in the same judgement: the
// number of judgements grows with the most faults of one object, not with their sum.
func (p *prover) prove(items []*item) (kept []*item, failed map[*item]string, err error) {
	failed = map[*item]string{}
	queue := [][]*item{items}
	for len(queue) > 0 {
		batch := queue[0]
		queue = queue[1:]
		if len(batch) == 0 {
			continue
		}
		t, err := p.try(slices.Concat(p.accepted, kept, batch))
		if err != nil {
			return nil, nil, err
		}
		groups := byGroup(batch)
		if t.outside(p.accepted, kept) && len(groups) > 1 {
			half := len(groups) / 2
			queue = append(queue, slices.Concat(groups[:half]...), slices.Concat(groups[half:]...))
			continue
		}
		var first, second []*item
		for _, g := range groups {
			reason := t.blame(g)
			if reason == "" && t.outside(p.accepted, kept) {
				reason = t.foreign
				if reason == "" {
					reason = "another fix no longer holds with it"
				}
			}
			switch {
			case reason == "":
				kept = append(kept, g...)
			case len(g) == 1 && p.follow(t, g[0]):
				first = append(first, g[0])
			case len(g) == 1:
				failed[g[0]] = reason
			default:
				half := (len(g) + 1) / 2
				first, second = append(first, g[:half]...), append(second, g[half:]...)
			}
		}
		queue = append(queue, first, second)
	}
	return kept, failed, nil
}

// mostFollowed bounds how much a fix may bring with it.
const mostFollowed = 16

// follow adds to a fix those of what it brought to light: a container that is no longer privileged is
// asked what it was excused from. It says whether that is worth another trial. What a person must be asked
// comes along only with a fix that asks already.
func (p *prover) follow(t *trial, it *item) bool {
	faults := t.faults[it.group]
	if t.failed[it] != "" || len(faults) == 0 || len(it.more[it.choice].edits)+len(faults) > mostFollowed {
		return false
	}
	var more []Edit
	var asks []string
	for _, f := range faults {
		proposal, found := t.propose[f.fingerprint]
		if !found || proposal.Err != nil || candidateCount(proposal.Changes) > 0 || ask(proposal.Changes) != "" && it.Choices == 0 {
			return false
		}
		if about := ask(proposal.Changes); about != "" && !slices.Contains(asks, about) {
			asks = append(asks, about)
		}
		edits := p.sequels(it, &proposal)
		if len(edits) == 0 {
			return false
		}
		more = append(more, edits...)
	}
	before := it.more[it.choice]
	if it.more == nil {
		it.more = map[int]sequel{}
	}
	it.more[it.choice] = sequel{append(before.edits, more...), append(before.asks, asks...)}
	return true
}

// sequels are the edits of what a fix brings to light, by the route that the fix takes.
func (p *prover) sequels(it *item, proposal *Proposal) []Edit {
	var edits []Edit
	if len(it.Routes) == 1 {
		for _, e := range it.route().Edits {
			edits = append(edits, Edit{e.Place, proposal.Changes})
		}
		return edits
	}
	if p.Trace == nil {
		return nil
	}
	routes, _ := p.Trace(proposal.Object, proposal.Changes)
	for _, r := range routes {
		if r.Through == it.route().Through {
			return r.Edits
		}
	}
	return nil
}

// blame is why the fixes of one object do not hold; "" when they do.
func (t *trial) blame(g []*item) string {
	for _, it := range g {
		if reason := t.failed[it]; reason != "" {
			return reason
		}
	}
	return t.news[g[0].group]
}

// outside says whether something is wrong that is not of the objects at hand.
func (t *trial) outside(lists ...[]*item) bool {
	if t.foreign != "" {
		return true
	}
	for _, list := range lists {
		for _, it := range list {
			if t.failed[it] != "" {
				return true
			}
		}
	}
	return false
}

// byGroup sorts fixes by their object, in order.
func byGroup(items []*item) [][]*item {
	at := map[string]int{}
	var groups [][]*item
	for _, it := range items {
		n, known := at[it.group]
		if !known {
			n = len(groups)
			at[it.group] = n
			groups = append(groups, nil)
		}
		groups[n] = append(groups[n], it)
	}
	return groups
}

// confirm judges exactly what was accepted; what no longer holds goes, with all of its object.
func (p *prover) confirm() error {
	for len(p.accepted) > 0 {
		t, err := p.try(p.accepted)
		if err != nil {
			return err
		}
		bad := map[string]string{}
		for _, g := range byGroup(p.accepted) {
			if reason := t.blame(g); reason != "" {
				bad[g[0].group] = reason
			}
		}
		if len(bad) == 0 && t.foreign != "" {
			bad[p.accepted[len(p.accepted)-1].group] = t.foreign
		}
		if len(bad) == 0 {
			return nil
		}
		p.accepted = slices.DeleteFunc(p.accepted, func(it *item) bool {
			reason, out := bad[it.group]
			if out {
				it.state, it.reason = Unproved, "not together with the rest: "+reason
			}
			return out
		})
	}
	return nil
}

// result is what became of everything.
func (p *prover) result() (*Result, error) {
	if p.Private {
		if err := p.hide(); err != nil {
			return nil, err
		}
	}
	res := &Result{Patches: map[string][]string{}}
	var err error
	if res.Files, res.Objects, res.Added, err = p.sheets.finished(p.accepted); err != nil {
		return nil, err
	}
	for _, it := range p.accepted {
		if source, patch := it.patch(); patch != "" && !slices.Contains(res.Patches[source], patch) {
			res.Patches[source] = append(res.Patches[source], patch)
		}
	}
	for _, it := range p.items {
		o := Outcome{Case: it.Case, State: it.state, Reason: it.reason, Candidates: it.tried, Chosen: it.choice, Asks: it.asks()}
		if it.state == Offered || it.state == Proved && !it.along {
			o.Route = it.route()
		}
		if it.state == Proved {
			o.Reason = ""
		}
		res.Outcomes = append(res.Outcomes, o)
	}
	res.Rounds, res.after = p.rounds, p.last
	if len(p.accepted) == 0 {
		res.after = nil
	}
	return res, nil
}

// hide leaves out the fixes whose changed lines hold a credential: a patch shows them.
func (p *prover) hide() error {
	files, _, _, err := p.sheets.finished(p.accepted)
	if err != nil {
		return err
	}
	secret := map[string]bool{}
	for i := range files {
		if files[i].hunks(p.Hides).anyHidden() {
			secret[files[i].Path] = true
		}
	}
	before := len(p.accepted)
	p.accepted = slices.DeleteFunc(p.accepted, func(it *item) bool {
		for _, e := range it.edits() {
			if secret[e.Place.File] && p.shows(it) {
				it.state, it.reason = Unproved, "its patch would show a credential; --apply makes it without showing it"
				return true
			}
		}
		return false
	})
	if len(p.accepted) == before {
		return nil
	}
	return p.confirm()
}

// shows says whether the fix alone changes a line that holds a credential.
func (p *prover) shows(it *item) bool {
	files, _, _, err := newSheets().finished([]*item{it})
	if err != nil {
		return true
	}
	return slices.ContainsFunc(files, func(f File) bool { return f.hunks(p.Hides).anyHidden() })
}
