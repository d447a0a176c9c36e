package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/rule"
)

// TestPages demands that docs/rules.md, docs/frameworks.md and docs/rules/ are of the rules as they are now.
func TestPages(t *testing.T) {
	rules, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	checked, err := check(rules)
	if err != nil {
		t.Fatal(err)
	}
	index, pages, err := write(rules, checked)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "../../docs/rules.md", index)
	for _, r := range rules {
		if !strings.Contains(index, "| ["+r.ID+"](rules/"+r.ID+".md) |") {
			t.Errorf("docs/rules.md does not link to %s", r.ID)
		}
	}
	for name, text := range pages {
		compare(t, filepath.Join("../../docs/rules", name), text)
	}
	frameworks, err := frameworksPage(rules)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "../../docs/frameworks.md", frameworks)
	there, err := os.ReadDir("../../docs/rules")
	if err != nil {
		t.Fatal(err)
	}
	if len(there) != len(pages) {
		t.Errorf("docs/rules holds %d files for %d rules: run 'make gen'", len(there), len(pages))
	}
}

func compare(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s is stale: run 'make gen' (%v)", path, err)
	}
}

func TestReplace(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"gone.md", "stale.md", "other.txt"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := replace(folder, map[string]string{"stale.md": "new", "fresh.md": "new"}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"gone.md": "", "stale.md": "new", "fresh.md": "new", "other.txt": "old"} {
		got, _ := os.ReadFile(filepath.Join(folder, name))
		if string(got) != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
}

func TestPagesKnowEveryPractice(t *testing.T) {
	for _, practice := range rule.Practices {
		if _, _, err := write([]*rule.Rule{{ID: "a", Practice: practice, Match: rule.Match{Fact: "object"}, Assert: "true", Says: "'s'"}}, nil); err != nil {
			t.Error(err)
		}
	}
}
