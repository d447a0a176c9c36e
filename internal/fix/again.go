package fix

import (
	"errors"
	"slices"
)

// mostPasses bounds how often what was refused is tried once more.
const mostPasses = 4

// again tries what was refused on top of what was accepted since, until nothing more holds: what a fix would have
// brought may be mended by another, and what it clashed with may have been refused itself. Where that takes too many
// judgements, all stays as it was before the pass.
func (p *prover) again() error {
	p.most = mostAgain
	defer func() { p.most = maxRounds }()
	for range mostPasses {
		before := len(p.accepted)
		var plain, choices []*item
		for _, it := range p.items {
			switch {
			case it.Refused != "" || len(it.Routes) == 0 || it.state != Unproved && it.state != Clashed:
			case it.Choices > 0:
				choices = append(choices, it)
			default:
				plain = append(plain, it)
			}
		}
		if before == 0 || len(plain)+len(choices) == 0 || p.rounds > maxRounds/4 {
			return nil
		}
		restore := p.restorable()
		if err := p.retry(plain, choices); errors.Is(err, errSpent) {
			restore()
			return nil
		} else if err != nil {
			return err
		}
		if len(p.accepted) <= before {
			return nil
		}
	}
	return nil
}

// retry proves fixes as if they had not been tried.
func (p *prover) retry(plain, choices []*item) error {
	for _, it := range slices.Concat(plain, choices) {
		it.state, it.reason, it.at, it.choice, it.more = "", "", 0, -1, nil
	}
	if err := p.routes(p.cleared(plain)); err != nil {
		return err
	}
	if err := p.candidates(choices); err != nil {
		return err
	}
	return p.chosen(choices)
}

// restorable gives what brings back all that is known now.
func (p *prover) restorable() func() {
	accepted, last := slices.Clone(p.accepted), p.last
	items := make([]item, len(p.items))
	for i, it := range p.items {
		items[i] = *it
	}
	return func() {
		p.accepted, p.last = accepted, last
		for i, it := range p.items {
			*it = items[i]
		}
	}
}
