package main

import (
	"os"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/rule"
)

// TestPage demands that docs/rules.md is of the rules as they are now.
func TestPage(t *testing.T) {
	rules, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	want, err := page(rules)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/rules.md is stale: run 'make gen'")
	}
	for _, r := range rules {
		if !strings.Contains(want, "\n### "+r.ID+"\n") {
			t.Errorf("docs/rules.md lacks %s", r.ID)
		}
	}
}

// TestFrameworksPage demands that docs/frameworks.md is of the frameworks and rules as they are now.
func TestFrameworksPage(t *testing.T) {
	rules, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	want, err := frameworksPage(rules)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/frameworks.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/frameworks.md is stale: run 'make gen'")
	}
}

func TestPageKnowsEveryPractice(t *testing.T) {
	if _, err := page([]*rule.Rule{{ID: "a", Practice: "no-such"}}); err == nil {
		t.Error("a practice without a heading is no error")
	}
}

func TestPlain(t *testing.T) {
	if got, want := plain("spec.tls[].hosts, <all> of *, \\ and NET_RAW"), `spec.tls\[].hosts, \<all> of \*, \\ and NET_RAW`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
