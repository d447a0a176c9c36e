package rule_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/cel-go/common/types"
	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/rule"
)

// whole is a rule without faults.
const whole = `id: a-rule
title: A title
practice: pod
severity: high
why: because
remedy: do this
match: container
each: {port: ports}
when: has(container.ports)
assert: port.containerPort > 1024
says: '"port " + string(port.containerPort)'
at: hostPort
fix:
  - remove: ports
  - {set: "metadata.annotations[example.com/a.b]", to: 1}
  - {choose: a, from: [1, 2]}
maps: {pss: [baseline], cis: [5.2.2]}
examples:
  bad: [{kind: Pod}, [{kind: Pod}, {kind: Pod}]]
  good: []
`

func TestParse(t *testing.T) {
	r, err := rule.Parse("a.yaml", whole)
	if err != nil {
		t.Fatal(err)
	}
	if r.EachName != "port" || len(r.Fix) != 3 || len(r.Bad) != 2 || len(r.Bad[1]) != 2 || r.Match.Fact != "container" {
		t.Errorf("parsed %+v", r)
	}
	if diff := cmp.Diff(map[string][]string{"pss": {"baseline"}, "cis": {"5.2.2"}}, r.Maps); diff != "" {
		t.Errorf("maps (-want +got):\n%s", diff)
	}
	if of, err := rule.Parse("a.yaml", whole+"  version: '1.21'\n"); err != nil || of.ExampleVersion != "1.21" || r.ExampleVersion != "" {
		t.Errorf("examples for another version: %+v, %v", of, err)
	}
	if diff := cmp.Diff([]string{"hostPort"}, r.At); diff != "" {
		t.Errorf("at (-want +got):\n%s", diff)
	}
}

// TestParseFaults replaces lines of the whole rule and holds all that is said of it.
func TestParseFaults(t *testing.T) {
	tests := map[string]struct {
		old, new string
		want     []string
	}{
		"no YAML":               {whole, "id: [", []string{"a.yaml:1:1: YAML: did not find expected node content"}},
		"nothing":               {whole, "", []string{"a.yaml:1:1: want one YAML map"}},
		"a list":                {whole, "- a", []string{"a.yaml:1:1: want one YAML map"}},
		"two documents":         {whole, whole + "---\n" + whole, []string{"a.yaml:1:1: want one YAML map"}},
		"unknown key":           {"at: hostPort", "att: hostPort", []string{`a.yaml:12:1: unknown key "att"`}},
		"a key twice":           {"at: hostPort", "at: hostPort\nat: x", []string{`a.yaml:13:1: key "at" stands twice in one map; only the last is judged`}},
		"nothing but an id":     {whole, "id: a-rule", []string{"a.yaml:1:1: title is missing", "a.yaml:1:1: practice is missing", "a.yaml:1:1: severity is missing", "a.yaml:1:1: why is missing", "a.yaml:1:1: remedy is missing", "a.yaml:1:1: match is missing", "a.yaml:1:1: assert is missing", "a.yaml:1:1: says is missing"}},
		"several faults":        {"practice: pod\nseverity: high", "practice: pods\nseverity: grave", []string{`a.yaml:3:1: practice "pods" is none of`, `a.yaml:4:1: severity "grave" is none of`}},
		"id":                    {"id: a-rule", "id: A_Rule", []string{`a.yaml:1:1: id "A_Rule" is not lower-case words`}},
		"title is no text":      {"title: A title", "title: [a]", []string{"a.yaml:2:1: title is no text", "a.yaml:1:1: title is missing"}},
		"match a fact":          {"match: container", "match: containers", []string{`a.yaml:7:1: match "containers" is neither`, "a.yaml:1:1: match is missing"}},
		"match a kind":          {"match: container", "match: [Pod, deployment]", []string{`a.yaml:7:14: "deployment" is no object kind`}},
		"match no kind":         {"match: container", "match: []", []string{"a.yaml:7:1: match names no kind"}},
		"match a map":           {"match: container", "match: {a: b}", []string{"a.yaml:7:1: match", "a.yaml:1:1: match is missing"}},
		"with a word":           {"match: container", "match: container\nwith: a-rule", []string{"a.yaml:8:1: with is no list of ids"}},
		"with nothing":          {"match: container", "match: container\nwith: []", []string{"a.yaml:8:1: with is no list of ids"}},
		"with no id":            {"match: container", "match: container\nwith: [a-rule, A, 1]", []string{`a.yaml:8:16: with: "A" is no id`, `a.yaml:8:19: with: "1" is no id`}},
		"each of two":           {"{port: ports}", "{port: ports, x: z}", []string{"a.yaml:8:1: each wants one entry"}},
		"each is text":          {"{port: ports}", "ports", []string{"a.yaml:8:1: each wants one entry"}},
		"each without a path":   {"{port: ports}", "{port: }", []string{"a.yaml:8:8: each is no text"}},
		"each with a number":    {"{port: ports}", "{port: 3}", []string{"a.yaml:8:8: each is no text"}},
		"each hides a variable": {"{port: ports}", "{object: ports}", []string{`a.yaml:8:8: each: "object" is no name for an item`}},
		"each has no name":      {"{port: ports}", "{a-b: ports}", []string{`a.yaml:8:8: each: "a-b" is no name for an item`}},
		"at is no path":         {"at: hostPort", "at: a..b", []string{`a.yaml:12:1: at: "a..b" is no path`}},
		"at ends in a dot":      {"at: hostPort", "at: a.", []string{`a.yaml:12:1: at: "a." is no path`}},
		"at with a bracket":     {"at: hostPort", "at: 'a[b'", []string{`a.yaml:12:1: at: "a[b" is no path`}},
		"at is a list":          {"at: hostPort", "at: [a]", []string{"a.yaml:12:1: at is no text"}},
		"fix of no kind":        {"- remove: ports", "- delete: ports", []string{"a.yaml:14:5: a fix is one of remove"}},
		"fix without a value":   {", to: 1}", "}", []string{"a.yaml:15:5: set wants to, or expr"}},
		"fix without choice":    {", from: [1, 2]}", "}", []string{"a.yaml:16:5: choose wants from, or expr"}},
		"fix is a map":          {"fix:\n  - remove: ports\n", "fix: {remove: ports}\nx:\n", []string{"a.yaml:13:1: fix is no list", `a.yaml:14:1: unknown key "x"`}},
		"maps is a list":        {"maps: {pss: [baseline], cis: [5.2.2]}", "maps: [a]", []string{"a.yaml:17:1: maps is no map"}},
		"maps to text":          {"{pss: [baseline]", "{pss: baseline", []string{"a.yaml:17:8: maps.pss is no list"}},
		"examples misspelt":     {"good: []", "god: []", []string{`a.yaml:20:3: unknown key "god" in examples`}},
		"examples' version":     {"good: []", "version: 1.3", []string{`a.yaml:20:3: "1.3" is no version like "1.36"`}},
		"examples' words":       {"good: []", "version: latest", []string{`a.yaml:20:3: "latest" is no version like "1.36"`}},
		"examples are a map":    {"good: []", "good: {}", []string{"a.yaml:20:3: examples are no list"}},
		"no assertion":          {"assert: port.containerPort > 1024", "assert: ''", []string{"a.yaml:10:1: assert is no text", "a.yaml:1:1: assert is missing"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(whole, test.old, test.new, 1)
			if text == whole && test.new != whole {
				t.Fatal("nothing was replaced")
			}
			_, err := rule.Parse("a.yaml", text)
			if err == nil {
				t.Fatal("no fault")
			}
			got := strings.Split(err.Error(), "\n")
			if len(got) != len(test.want) {
				t.Fatalf("got %d faults, want %d:\n%v", len(got), len(test.want), err)
			}
			for i, want := range test.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("got  %s\nwant %s", got[i], want)
				}
			}
		})
	}
}

// TestCompileFaults demands the place in the file of what is wrong inside an expression.
func TestCompileFaults(t *testing.T) {
	tests := map[string]struct{ old, new, want string }{
		"syntax":               {"assert: port.containerPort > 1024", "assert: 'port.'", "a.yaml:10:15: assert: Syntax error: no viable alternative at input '.'"},
		"syntax of a when":     {"when: has(container.ports)", "when: 'has('", "a.yaml:9:12: when: Syntax error: the expression ends too soon"},
		"syntax of a message":  {`says: '"port " + string(port.containerPort)'`, `says: '"'`, "a.yaml:11:8: says: Syntax error: token recognition error at: '\"'"},
		"unknown variable":     {"assert: port.containerPort > 1024", "assert: ports == 1", "a.yaml:10:9: assert: undeclared reference to 'ports'; did you mean 'port'?"},
		"unknown function":     {"assert: port.containerPort > 1024", "assert: images(1)", "a.yaml:10:15: assert: undeclared reference to 'images'; did you mean 'image'?"},
		"no boolean":           {"assert: port.containerPort > 1024", `assert: '"a"'`, "a.yaml:10:1: assert: gives string, want bool"},
		"no text":              {`says: '"port " + string(port.containerPort)'`, "says: 1 + 1", "a.yaml:11:1: says: gives int, want string"},
		"a wrong argument":     {"assert: port.containerPort > 1024", "assert: image(1).valid", "a.yaml:10:14: assert: found no matching overload for 'image'"},
		"second line":          {"assert: port.containerPort > 1024", "assert: |\n  true &&\n  port.", "a.yaml:12:8: assert: Syntax error"},
		"folded lines":         {"assert: port.containerPort > 1024", "assert: >-\n  true &&\n  ports.size() > 1", "a.yaml:12:3: assert: undeclared reference to 'ports'"},
		"single quotes":        {"assert: port.containerPort > 1024", "assert: 'port.name != ''x'' && ports == 1'", "a.yaml:10:32: assert: undeclared reference to 'ports'"},
		"double quotes":        {"assert: port.containerPort > 1024", `assert: "port.name != \"x\" && ports == 1"`, "a.yaml:10:32: assert: undeclared reference to 'ports'"},
		"plain lines":          {"assert: port.containerPort > 1024", "assert: true\n  && ports == 1", "a.yaml:11:6: assert: undeclared reference to 'ports'"},
		"no pattern":           {"assert: port.containerPort > 1024", "assert: port.name.matches('a(b')", "a.yaml:10:27: assert: error parsing regexp: missing closing )"},
		"a fix":                {"{set: \"metadata.annotations[example.com/a.b]\", to: 1}", "{set: a, expr: ports}", "a.yaml:15:20: fix.1: undeclared reference to 'ports'"},
		"a reserved item name": {"{port: ports}", "{in: ports}", "a.yaml:10:9: assert: undeclared reference to 'port'"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := rule.Parse("a.yaml", strings.Replace(whole, test.old, test.new, 1))
			if err != nil {
				t.Fatal(err)
			}
			if _, err = rule.Compile(r, nil); strings.HasPrefix(name, "a fix") {
				_, err = rule.Check(r, types.NewEmptyRegistry(), []map[string]*types.Type{{"container": types.DynType, "port": types.DynType}})
			}
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

var hasPlace = regexp.MustCompile(`^a\.yaml:[1-9][0-9]*:[1-9][0-9]*: `)

// FuzzParse demands that a rule file never panics and that every fault of it has its place.
func FuzzParse(f *testing.F) {
	f.Add(whole)
	f.Add("id: [")
	rules, err := catalog.Rules()
	if err != nil {
		f.Fatal(err)
	}
	for _, r := range rules[:min(len(rules), 20)] {
		f.Add(strings.Join([]string{"id: " + r.ID, "when: '" + r.When + "'", "assert: |\n  " + strings.ReplaceAll(r.Assert, "\n", "\n  "), "match: " + r.Match.Fact}, "\n"))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 10_000 {
			return
		}
		r, err := rule.Parse("a.yaml", text)
		if err == nil {
			_, err = rule.Compile(r, nil)
			if err != nil && !hasPlace.MatchString(err.Error()) {
				t.Errorf("no place: %v", err)
			}
			return
		}
		list := []error{err}
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			list = joined.Unwrap()
		}
		for _, e := range list {
			if !hasPlace.MatchString(e.Error()) {
				t.Errorf("no place: %v", e)
			}
		}
	})
}
