package fix

import "slices"

// together tries what needs no person and what was agreed to beforehand in one judgement. Where that finds no fault all of it is
// done, and rest are the choices that are left; else nothing is.
func (p *prover) together(plain, choices []*item) (done bool, rest []*item, err error) {
	batch := slices.Clone(plain)
	for _, it := range choices {
		if n := p.Agreed(it.Case); n >= 0 && n < it.Choices {
			it.choice = n
			batch = append(batch, it)
		} else {
			rest = append(rest, it)
		}
	}
	if len(batch) == 0 {
		return false, choices, nil
	}
	if done, err = p.holds(batch); !done {
		for _, it := range batch {
			it.state, it.reason, it.choice = "", "", -1
		}
		return false, choices, err
	}
	for _, it := range batch {
		it.state = Proved
		if it.Choices > 0 {
			it.tried = make([]Candidate, it.Choices)
			it.tried[it.choice] = Candidate{Value: it.candidate(it.choice), Proved: true}
		}
	}
	p.accepted = batch
	return true, rest, nil
}

// holds says whether all the fixes can be made, nothing is left of what they fix, and nothing new comes of them.
func (p *prover) holds(items []*item) (bool, error) {
	if len(p.sift(items)) < len(items) {
		return false, nil
	}
	t, err := p.try(items)
	if err != nil || t.outside(items) {
		return false, err
	}
	return !slices.ContainsFunc(byGroup(items), func(g []*item) bool { return t.blame(g) != "" }), nil
}
