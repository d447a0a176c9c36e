package catalog_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/credential"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/kubetype"
	"github.com/coaming/coaming/internal/rule"
)

// lint runs a check on every rule.
func lint(t *testing.T, check func(t *testing.T, r *rule.Rule)) {
	t.Helper()
	rules, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		t.Run(r.ID, func(t *testing.T) { check(t, r) })
	}
}

func TestRuleNamesAreUnique(t *testing.T) {
	ids, titles := map[string]string{}, map[string]string{}
	lint(t, func(t *testing.T, r *rule.Rule) {
		if other := ids[r.ID]; other != "" {
			t.Errorf("the id is also that of %s", other)
		}
		if other := titles[r.Title]; other != "" {
			t.Errorf("the title is also that of %s", other)
		}
		ids[r.ID], titles[r.Title] = r.File, r.File
	})
}

// maxTitle is what a terminal of 80 columns shows of a title beside what stands before it.
const maxTitle = 60

func TestRuleTextsRead(t *testing.T) {
	capital := regexp.MustCompile(`^[A-Z]`)
	lint(t, func(t *testing.T, r *rule.Rule) {
		if n := utf8.RuneCountInString(r.Title); n > maxTitle {
			t.Errorf("the title has %d characters, want %d at most", n, maxTitle)
		}
		if !capital.MatchString(r.Title) || strings.HasSuffix(r.Title, ".") {
			t.Errorf("want a title with a capital and no full stop: %s", r.Title)
		}
		for key, text := range map[string]string{"why": r.Why, "remedy": r.Remedy} {
			if !capital.MatchString(text) || !strings.HasSuffix(text, ".") {
				t.Errorf("%s is no sentence: %s", key, text)
			}
			if strings.Contains(text, "\n") || strings.Contains(text, "  ") {
				t.Errorf("%s is more than one paragraph of words with single spaces: %s", key, text)
			}
		}
		for _, e := range r.Bad {
			for _, message := range messages(t, r, e) {
				if strings.HasSuffix(message, ".") || strings.Contains(message, "\n") {
					t.Errorf("want a message of one line and no full stop: %s", message)
				}
			}
		}
	})
}

// controls are the forms of the ids of each framework.
var controls = map[string]*regexp.Regexp{
	"pss":   regexp.MustCompile(`^(baseline|restricted)$`),
	"cis":   regexp.MustCompile(`^[1-5]\.[1-9]\.[1-9][0-9]?$`),
	"nsa":   regexp.MustCompile(`^(pod-security|network-separation|authentication-authorization|application-security|upgrades)$`),
	"mitre": regexp.MustCompile(`^T1[0-9]{3}(\.0[0-9]{2})?$`),
	"owasp": regexp.MustCompile(`^K(0[1-9]|10)$`),
}

func TestRulesMapToFrameworks(t *testing.T) {
	lint(t, func(t *testing.T, r *rule.Rule) {
		if len(r.Maps) == 0 {
			t.Error("the rule maps to nothing")
		}
		for framework, ids := range r.Maps {
			form := controls[framework]
			if form == nil {
				t.Errorf("no framework is called %s", framework)
				continue
			}
			for i, id := range ids {
				if !form.MatchString(id) || slices.Contains(ids[:i], id) {
					t.Errorf("%s has no %s, or it stands there twice", framework, id)
				}
			}
		}
	})
}

// TestRulePathsExist reads each path of at and fix from the rule's facts, as a rule that asks for
// it would: a misspelt field does not pass the check of types.
func TestRulePathsExist(t *testing.T) {
	lint(t, func(t *testing.T, r *rule.Rule) {
		paths := []string{strings.Join(quoted(r.At), ".")}
		for _, f := range r.Fix {
			paths = append(paths, strings.Join(quoted(f.Path), "."))
		}
		for _, path := range paths {
			if path == "" {
				continue
			}
			if r.Match.Fact == "cluster" {
				t.Errorf("a cluster has no %s", path)
				continue
			}
			reads := *r
			reads.When, reads.Assert, reads.Says = "", reading(r, path), `"read"`
			if _, err := kubetype.Check(&reads); err != nil {
				t.Errorf("no fact has %s: %v", path, err)
			}
		}
	})
}

func TestRulePathsExistNotices(t *testing.T) {
	rules, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(rules, func(r *rule.Rule) bool { return r.ID == "privileged-container" })
	reads := *rules[i]
	for path, want := range map[string]bool{
		"securityContext.privileged": true, "securityContext.priviledged": false, "resources.limits[a.b/c]": true, "spec.hostPID": false,
	} {
		reads.When, reads.Assert, reads.Says = "", reading(&reads, path), `"read"`
		if _, err := kubetype.Check(&reads); (err == nil) != want {
			t.Errorf("%s: exists: %t, want %t (%v)", path, err == nil, want, err)
		}
	}
}

// quoted puts keys back into the form of a path.
func quoted(keys []string) []string {
	var list []string
	for _, key := range keys {
		if strings.Contains(key, ".") && len(list) > 0 {
			list[len(list)-1] += "[" + key + "]"
			continue
		}
		list = append(list, key)
	}
	return list
}

// reading is an expression that reads a path below what the rule judges.
func reading(r *rule.Rule, path string) string {
	base := map[string]string{"container": "container", "workload": "workload"}[r.Match.Fact]
	if base == "" {
		base = "object"
	}
	if r.EachName != "" {
		base = r.EachName
	}
	// The last step of a.b[c.d] is an entry of a map, and any text will do for its key.
	if strings.HasSuffix(path, "]") {
		path = path[:strings.IndexByte(path, '[')]
		return `"key" in ` + base + "." + path
	}
	// ephemeral-storage, too, is a key of a map, and no name that CEL can select: what holds it will do.
	steps := append([]string{base}, strings.Split(path, ".")...)
	if i := slices.IndexFunc(steps, func(step string) bool { return strings.Contains(step, "-") }); i >= 0 {
		steps = steps[:i]
	}
	return "has(" + strings.Join(steps, ".") + ")"
}

// TestMessagesHoldNoCredential looks for the credentials of the examples of all rules in what the
// rules say of them.
func TestMessagesHoldNoCredential(t *testing.T) {
	value := regexp.MustCompile(`\.value\b|\bargument\b|\b(command|args|data|stringData)\b`)
	literal := regexp.MustCompile(`"[^"]*"`)
	found := 0
	lint(t, func(t *testing.T, r *rule.Rule) {
		if r.Practice == "secret" {
			if says := literal.ReplaceAllString(withoutCalls(r.Says, "credential"), ""); value.MatchString(says) {
				t.Errorf("the message may hold a value: %s", r.Says)
			}
		}
		for _, e := range r.Bad {
			var secrets []string
			for _, v := range e {
				secrets = append(secrets, credentials("", v)...)
			}
			found += len(secrets)
			for _, message := range messages(t, r, e) {
				for _, secret := range secrets {
					if strings.Contains(message, secret) {
						t.Errorf("the message holds a credential: %s", message)
					}
				}
			}
		}
	})
	if found < 10 {
		t.Errorf("the examples hold %d credentials: they were not looked for where they are", found)
	}
}

// withoutCalls is an expression less the calls of a function: what those give is no part of what they are given.
func withoutCalls(expression, function string) string {
	for {
		start := strings.Index(expression, function+"(")
		if start < 0 {
			return expression
		}
		end, depth := start+len(function)+1, 1
		for ; end < len(expression) && depth > 0; end++ {
			switch expression[end] {
			case '(':
				depth++
			case ')':
				depth--
			}
		}
		expression = expression[:start] + expression[end:]
	}
}

// credentials collects the credentials that a value holds: literals under a name that gives them
// away, in env as name and value, and those of their own form; of a Secret everything.
func credentials(key string, v document.Value) []string {
	var list []string
	switch v.Kind() {
	case document.Map:
		if v.Get("kind").Str() == "Secret" {
			list = append(list, contents(v)...)
		}
		if name := v.Get("name").Str(); name != "" && v.Get("value").Exists() {
			list = append(list, credentials(name, v.Get("value"))...)
		}
		for key, field := range v.Fields() {
			list = append(list, credentials(key, field)...)
		}
	case document.List:
		for _, item := range v.Items() {
			list = append(list, credentials("", item)...)
		}
	case document.String:
		if credential.Kind(key, v.Str()) != credential.None {
			list = append(list, v.Str())
		}
	default: // no number is a credential
	}
	return slices.DeleteFunc(list, func(s string) bool { return len(s) < 4 })
}

// contents is what a Secret holds, encoded and not, less what its name tells anyway: a bootstrap token's id.
func contents(secret document.Value) []string {
	name := secret.At("metadata", "name").Str()
	var list []string
	for _, data := range []string{"data", "stringData"} {
		for _, entry := range secret.Get(data).Fields() {
			for _, text := range []string{entry.Str(), credential.Decode(entry.Str())} {
				if !strings.Contains(name, text) {
					list = append(list, text)
				}
			}
		}
	}
	return list
}

// messages is what a rule says of an example.
func messages(t *testing.T, r *rule.Rule, e rule.Example) []string {
	t.Helper()
	c, err := rule.Compile(r, catalog.Checked)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, f := range judgeExample(c, e).Findings {
		list = append(list, f.Message)
	}
	return list
}
