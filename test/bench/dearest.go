package main

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
)

const (
	shown      = 10                     // of the dearest rules
	dear       = 5                      // times the median, from which a rule wants a reason
	measured   = 3 * time.Millisecond   // that one run takes at least
	repeats    = 5                      // of which the fastest counts
	copies     = 50                     // of each example
	noisyBelow = 50 * time.Nanosecond   // differences from asking nothing that mean nothing
	nobody     = "true"                 // a rule that asks nothing
	whatever   = "(" + "%s" + ")||true" // a rule that asks the same and never fails
)

// price is what one rule costs for one fact that it matches.
type price struct {
	rule *rule.Rule
	cost time.Duration
}

// dearest asks each rule about the objects of its own examples, remembering nothing, and prints
// the dearest. What finding something costs is left out: it is the same for all.
func dearest() error {
	rules, err := catalog.Rules()
	if err != nil {
		return err
	}
	var prices []price
	for _, r := range rules {
		if r.Match.Fact == "cluster" {
			continue // asked once
		}
		cost, err := priceOf(r)
		if err != nil {
			return fmt.Errorf("measure %s: %w", r.ID, err)
		}
		prices = append(prices, price{r, cost})
	}
	slices.SortFunc(prices, func(a, b price) int { return int(b.cost - a.cost) })
	median := prices[len(prices)/2].cost
	fmt.Printf("\n%d rules; the median costs %v for each fact that it matches. The dearest:\n", len(prices), median)
	unexplained := 0
	for i, p := range prices {
		over := p.cost > dear*median
		if i >= shown && !over {
			break
		}
		reason := p.rule.Cost
		if over && reason == "" {
			reason = "NO REASON WRITTEN"
			unexplained++
		}
		fmt.Printf("%-40s %10v %6.1f times the median  %s\n", p.rule.ID, p.cost, float64(p.cost)/float64(median), reason)
	}
	if unexplained > 0 {
		fmt.Printf("%d rules over %d times the median have no written reason: make them cheaper, or say why in their cost.\n", unexplained, dear)
	}
	return nil
}

func priceOf(r *rule.Rule) (time.Duration, error) {
	asks := *r
	asks.Assert = fmt.Sprintf(whatever, r.Assert)
	nothing := *r
	nothing.When, nothing.Assert = "", nobody
	with, facts, err := timeOf(&asks, r)
	if err != nil {
		return 0, err
	}
	without, all, err := timeOf(&nothing, r)
	if err != nil {
		return 0, err
	}
	facts = max(facts, all) // a rule that does not apply was asked, too
	return max(with-without, noisyBelow) / time.Duration(max(facts, 1)), nil
}

// timeOf is how long one judgement of the examples takes, and how many facts were judged.
func timeOf(r, examples *rule.Rule) (time.Duration, int, error) {
	c, err := rule.Compile(r, nil)
	if err != nil {
		return 0, 0, err
	}
	input := judge.Input{Inventory: fact.NewInventory(crowd(examples), catalog.Newest, false), Rules: []*rule.Compiled{c}, Now: time.Now(), Forgetful: true}
	facts := 0
	once := func() { facts = judge.Judge(input).Coverage.Evaluations }
	once()
	fastest := time.Duration(1 << 62)
	for range repeats {
		start, err := processTime()
		if err != nil {
			return 0, 0, err
		}
		rounds := 0
		for spent := time.Duration(0); spent < measured; {
			once()
			rounds++
			now, err := processTime()
			if err != nil {
				return 0, 0, err
			}
			spent = now - start
			if spent >= measured {
				fastest = min(fastest, spent/time.Duration(rounds))
			}
		}
	}
	return fastest, facts, nil
}

// crowd is the objects of a rule's examples, many times over, each time in other namespaces: what a
// judgement does once, such as indexing what is joined, is to count once for many.
func crowd(r *rule.Rule) []*fact.Object {
	var objects []*fact.Object
	for n := range copies {
		for i, e := range append(slices.Clip(r.Bad), r.Good...) {
			for _, v := range e {
				o := fact.NewObject(v, &fact.Origin{Source: "files", File: "example.yaml"})
				mark := fmt.Sprintf("-%d-%d", i, n)
				if o.Namespace == "" {
					o.Name += mark
				} else {
					o.Namespace += mark
				}
				objects = append(objects, o)
			}
		}
	}
	return objects
}

// processTime is the processor time that this process has taken: other work on the machine does not count.
func processTime() (time.Duration, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, fmt.Errorf("read resource usage: %w", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}
