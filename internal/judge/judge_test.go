package judge_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/specimen"
)

var now = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

// newRule is a rule with those lines ("match: container", "assert: 'false'") and what else it needs.
func newRule(t testing.TB, id string, lines ...string) *rule.Compiled {
	t.Helper()
	text := fmt.Sprintf("id: %s\npractice: pod\nseverity: high\ntitle: %s\nwhy: w\nremedy: r\n", id, id)
	text += strings.Join(append(slices.Clip(lines), ""), "\n")
	if !strings.Contains(text, "\nsays:") {
		text += "says: '\"found\"'\n"
	}
	r, err := rule.Parse(id+".yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	c, err := rule.Compile(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// all is the built-in rules.
func all(t testing.TB) []*rule.Compiled {
	t.Helper()
	rules, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	list, err := catalog.Compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// input is a judgement of one text.
func input(t testing.TB, text string, rules ...*rule.Compiled) judge.Input {
	t.Helper()
	return judge.Input{Inventory: fact.NewInventory(specimen.Objects(t, specimen.File("a.yaml"), text), catalog.Newest, false), Rules: rules, Now: now}
}

// outcomes are the findings as "rule verdict path", with the reason of an unknown.
func outcomes(r *verdict.Result) []string {
	list := []string{}
	for _, f := range r.Findings {
		text := fmt.Sprintf("%s %s %s", f.Rule, f.Verdict, f.Path)
		if f.Reason != "" {
			text += ": " + f.Reason
		}
		list = append(list, text)
	}
	return list
}
