package coaming

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
)

// Where documents and help texts name rules: lists of plans and exceptions, flags, comments and annotations that excuse, and links.
var namesRules = []*regexp.Regexp{
	regexp.MustCompile(`\brules: *\[([^\]]*)\]`),
	regexp.MustCompile(`--rule[ =]([a-z0-9,*-]+)`),
	regexp.MustCompile(`coaming:ignore ([a-z0-9,-]+)`),
	regexp.MustCompile(`coaming\.dev/exception\.([a-z0-9-]+)`),
	regexp.MustCompile(`rules\.md#([a-z0-9-]+)`),
	regexp.MustCompile(`coaming\.dev/mutate: "?([a-z0-9,-]+)`),
}

// defines is where an example makes a rule of its own.
var defines = regexp.MustCompile(`(?m)^ *id: ([a-z0-9-]+)`)

// notRules are words that stand where rules do: parts of mutations, shipped templates, names that stand for any, and what is found
// of images without a rule of the catalogue.
var notRules = []string{"vulnerable-package", "off", "pin", "sidecars", "defaults", "resources", "audit-forwarder", "falco-agent", "the-rule", ""}

// TestNamedRulesExist holds what documents and help texts name to the catalogue: who copies an example gets a plan, and no error.
func TestNamedRulesExist(t *testing.T) {
	rules, err := catalog.Brief()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, r := range rules {
		known[r.ID] = true
	}
	var files []string
	for _, pattern := range []string{"README.md", "docs/*.md", "internal/cli/*.go", "deploy/crd/*.yaml", "deploy/ci/*", "deploy/chart/values.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	named := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || strings.HasSuffix(file, "_test.go") {
			continue // a folder
		}
		own := slices.Clone(notRules)
		for _, m := range defines.FindAllStringSubmatch(string(text), -1) {
			own = append(own, m[1])
		}
		for _, pattern := range namesRules {
			for _, m := range pattern.FindAllStringSubmatch(string(text), -1) {
				for id := range strings.SplitSeq(m[1], ",") {
					id = strings.Trim(id, ` "'`)
					if named++; !slices.Contains(own, id) && !matches(known, id) {
						t.Errorf("%s names the rule %q, which there is not: %s", file, id, m[0])
					}
				}
			}
		}
	}
	if named < 200 {
		t.Errorf("only %d names of rules were found: the test looks at nothing", named)
	}
}

func matches(known map[string]bool, id string) bool {
	if known[id] {
		return true
	}
	for other := range known {
		if strings.Contains(id, "*") && enforcement.Matches(id, other) {
			return true
		}
	}
	return false
}
