package judge

import (
	"fmt"

	"github.com/coaming/coaming/internal/verdict"
)

// Accept turns the fails that a baseline names into exempt ones, unless their severity rose since or they
// spread to more places, and tells what became of its entries. What is unknown stays unknown, whatever the baseline says.
func Accept(res *verdict.Result, b *verdict.Baseline) {
	counts := make([]tallies, 1)
	counts[0] = tallies{}
	accept(res, b, counts[0])
	practices := map[string]int{}
	for i := range res.Tally {
		practices[res.Tally[i].Practice] = i
	}
	for i := range res.Rules {
		if n := counts[0][res.Rules[i].ID]; n != nil {
			t := &res.Tally[practices[res.Rules[i].Practice]]
			t.Fail += n[verdict.Fail]
			t.Exempt += n[verdict.Exempt]
		}
	}
	for i := range res.ByRule {
		t := &res.ByRule[i]
		if n := counts[0][t.Rule]; n != nil {
			t.Fail += n[verdict.Fail]
			t.Exempt += n[verdict.Exempt]
		}
	}
}

func accept(res *verdict.Result, b *verdict.Baseline, counts tallies) {
	type fault struct{ fingerprint, rule string }
	entries := make(map[fault]int, len(b.Entries))
	for i := range b.Entries {
		e := &b.Entries[i]
		entries[fault{e.Fingerprint, e.Rule}] = i
	}
	ledger := &verdict.BaselineLedger{File: b.File, Entries: len(b.Entries)}
	found := make([]bool, len(b.Entries))
	for i := range res.Findings {
		f := &res.Findings[i]
		at, known := entries[fault{f.Fingerprint, f.Rule}]
		if !known {
			continue
		}
		found[at] = true
		e := &b.Entries[at]
		switch {
		case f.Exemption != nil && f.Exemption.Grant == verdict.GrantBaseline:
			ledger.Old++
			f.Reason = oldReason(b)
			f.Exemption.Location = verdict.Location{Source: "files", File: b.File, Line: e.Line}
		case f.Verdict != verdict.Fail:
		case f.Severity > e.Severity:
			ledger.Graver++
			f.Reason = "it was " + e.Severity.String() + " when the baseline was written"
		case f.Places() > max(e.Places, 1):
			ledger.Spread++
			f.Reason = fmt.Sprintf("it stands at %d places, and the baseline knows %d", f.Places(), max(e.Places, 1))
		default:
			ledger.Old++
			counts.discount(f.Rule, verdict.Fail)
			counts.count(f.Rule, verdict.Exempt)
			f.Verdict = verdict.Exempt
			f.Reason = oldReason(b)
			f.Exemption = &verdict.Exemption{
				Grant: verdict.GrantBaseline, Location: verdict.Location{Source: "files", File: b.File, Line: e.Line},
			}
		}
	}
	asked := make(map[string]bool, len(res.Rules))
	for i := range res.Rules {
		asked[res.Rules[i].ID] = true
	}
	for i := range b.Entries {
		switch e := b.Entries[i]; {
		case found[i]:
		case !asked[e.Rule]:
			ledger.Unasked++
		default:
			ledger.Fixed = append(ledger.Fixed, e)
		}
	}
	if res.Ledger == nil {
		res.Ledger = &verdict.Ledger{}
	}
	res.Ledger.Baseline = ledger
}

func oldReason(b *verdict.Baseline) string { return "it was there before: in the baseline " + b.File }
