package catalog_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

func frameworks(t *testing.T) []*catalog.Framework {
	t.Helper()
	all, err := catalog.Frameworks()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func ruleInfos(t *testing.T) []verdict.RuleInfo {
	t.Helper()
	rules, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	var infos []verdict.RuleInfo
	for _, r := range rules {
		infos = append(infos, r.Info())
	}
	return infos
}

// TestFrameworksAreThere holds the list of frameworks that users were promised.
func TestFrameworksAreThere(t *testing.T) {
	var ids []string
	for _, f := range frameworks(t) {
		ids = append(ids, f.ID)
	}
	want := []string{
		"bsi", "cis", "cis-docker", "coaming", "hipaa", "iso27001", "mitre", "nist-800-190", "nsa", "owasp", "owasp-2025", "pci", "pss", "slsa", "soc2",
	}
	if !slices.Equal(ids, want) {
		t.Errorf("frameworks are %v, want %v", ids, want)
	}
}

// TestPracticesAreControls: each practice that users were promised is a control of Coaming's own framework, and
// what is only partly judged says what is left to a person.
func TestPracticesAreControls(t *testing.T) {
	own := catalog.FrameworkOf(frameworks(t), "coaming")
	var ids []string
	for i := range own.Controls {
		c := &own.Controls[i]
		ids = append(ids, c.ID)
		if c.Unjudged == "" && !slices.Contains(c.Practices, c.ID) {
			t.Errorf("control %s is not judged by its own practice", c.ID)
		}
		if c.Unjudged == "" && c.Manual == "" && c.ID != "pod" {
			t.Errorf("control %s says that rules alone judge it, as they do pod security", c.ID)
		}
	}
	slices.Sort(ids)
	if want := slices.Sorted(slices.Values(rule.Practices)); !slices.Equal(ids, want) {
		t.Errorf("the controls are %v, the practices %v", ids, want)
	}
}

// TestFrameworksName demands that what a framework names exists, and that every control is judged, or says
// why it is not.
func TestFrameworksName(t *testing.T) {
	all, rules := frameworks(t), ruleInfos(t)
	for _, f := range all {
		judged := f.Judged(all, rules)
		for i := range f.Controls {
			c := &f.Controls[i]
			at := f.ID + " " + c.ID
			for _, id := range c.Rules {
				if !slices.ContainsFunc(rules, func(r verdict.RuleInfo) bool { return r.ID == id }) {
					t.Errorf("%s: there is no rule %s", at, id)
				}
			}
			for _, practice := range c.Practices {
				if !slices.Contains(rule.Practices, practice) {
					t.Errorf("%s: there is no practice %s", at, practice)
				}
			}
			for id, controls := range c.Like {
				for _, control := range controls {
					if like := catalog.FrameworkOf(all, id); like == nil || like.Control(control) == nil {
						t.Errorf("%s: %s has no control %s", at, id, control)
					} else if len(like.Judged(all, rules)[control]) == 0 {
						t.Errorf("%s: it is like %s of %s, which no rule judges", at, control, id)
					}
				}
			}
			parts := slices.ContainsFunc(f.Controls, func(p catalog.Control) bool { return p.PartOf == c.ID })
			switch n := len(judged[c.ID]); {
			case n == 0 && c.Manual == "" && c.Unjudged == "" && !parts:
				t.Errorf("%s: no rule judges it, and it says neither manual nor unjudged", at)
			case c.Manual != "" && c.Unjudged != "":
				t.Errorf("%s: it says both manual and unjudged", at)
			case n > 0 && c.Unjudged != "":
				t.Errorf("%s: it says unjudged, and %s judges it", at, judged[c.ID][0])
			}
		}
	}
}

// TestRulesServeFrameworks demands that each control that a rule's maps name exists, and that where a
// control has parts, the rule serves one of them. It prints what a new rule has yet to be mapped to.
func TestRulesServeFrameworks(t *testing.T) {
	all := frameworks(t)
	for _, r := range ruleInfos(t) {
		served := 0
		for _, f := range all {
			judged := f.Judged(all, []verdict.RuleInfo{r})
			served += len(judged)
			for _, id := range r.Maps[f.ID] {
				if f.Control(id) == nil {
					t.Errorf("rule %s maps to %s %s, which does not exist", r.ID, f.ID, id)
				}
			}
			if f.ID != "pss" {
				continue
			}
			for _, level := range r.Maps[f.ID] {
				if !slices.ContainsFunc(f.Controls, func(c catalog.Control) bool { return c.PartOf == level && len(judged[c.ID]) > 0 }) {
					t.Errorf("rule %s maps to %s %s and to no part of it: name it in frameworks/%s.yaml", r.ID, f.ID, level, f.ID)
				}
			}
		}
		for id := range r.Maps {
			if catalog.FrameworkOf(all, id) == nil {
				t.Errorf("rule %s maps to %s, which is no framework", r.ID, id)
			}
		}
		if served == 0 {
			t.Errorf("no framework names rule %s", r.ID)
		}
	}
}

// TestPodSecurityPartsAreExact: a part of a level is judged by no rule that the level's maps do not name,
// or a pod would fail a standard that it meets.
func TestPodSecurityPartsAreExact(t *testing.T) {
	all := frameworks(t)
	f := catalog.FrameworkOf(all, "pss")
	for _, r := range ruleInfos(t) {
		for id := range f.Judged(all, []verdict.RuleInfo{r}) {
			level, _, _ := strings.Cut(id, "/")
			// What baseline forbids, restricted forbids too.
			if !slices.Contains(r.Maps["pss"], level) && (level != "restricted" || !slices.Contains(r.Maps["pss"], "baseline")) {
				t.Errorf("%s is judged by %s, whose maps do not name %s", id, r.ID, level)
			}
		}
	}
}

func TestFrameworkTextsRead(t *testing.T) {
	capital := regexp.MustCompile(`^(\p{Lu}|cluster-admin )`)
	for _, f := range frameworks(t) {
		for _, c := range f.Controls {
			if n := len([]rune(c.Title)); n > 90 || !capital.MatchString(c.Title) || strings.HasSuffix(c.Title, ".") {
				t.Errorf("%s %s: want a title with a capital, no full stop and at most 90 characters: %s", f.ID, c.ID, c.Title)
			}
			for _, text := range []string{c.Manual, c.Unjudged} {
				if text != "" && (!capital.MatchString(text) || !strings.HasSuffix(text, ".")) {
					t.Errorf("%s %s: no sentence: %s", f.ID, c.ID, text)
				}
			}
		}
	}
}

func TestParseFrameworkRefuses(t *testing.T) {
	head := "id: a\ntitle: A\nversion: \"1\"\nsource: s\n"
	for text, want := range map[string]string{
		"":                   "one YAML map",
		"id: a\n":            "is missing",
		"a: b\n" + head:      `unknown key "a"`,
		head + "controls: 1": "no list",
		head + "controls:\n- {id: x, title: T, ruels: [a]}":          `f:6:21: unknown key "ruels"`,
		head + "controls:\n- {id: x, title: T}\n- {id: x, title: T}": "stands there twice",
		head + "controls:\n- {id: x, title: T, part-of: other}":      "does not stand before it",
		head + "controls:\n- {id: x, title: T, rules: []}":           "no list with something in it",
		head + "controls:\n- {id: x, title: T, rules: [a, a]}":       "twice",
		head + "controls:\n- {title: T}":                             "is missing",
		head + "controls:\n- {id: x, title: T, like: 1}":             "like is no map",
		head + "controls: [": "f: line",
	} {
		if _, err := catalog.ParseFramework("f", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one about %q", text, err, want)
		}
	}
}
