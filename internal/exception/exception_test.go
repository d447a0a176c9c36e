package exception_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/specimen"
)

var manifest = fact.Origin{Source: "files", File: "a.yaml"}

// TestSpellings demands that the four spellings give the same record.
func TestSpellings(t *testing.T) {
	want := verdict.Exception{
		Rules: []string{"host-pid", "host-network"}, Fingerprints: []string{"0123456789abcdef", "0000000000000001"}, Container: "app", Image: "sha256:" + strings.Repeat("0a", 32),
		AtMost: 3, Owner: "ann", Reason: `the "second" one`, Ticket: "SEC-1", Expires: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC),
	}
	record := `rules: [host-pid, host-network]
fingerprints: [0123456789abcdef, "0000000000000001"]
container: app
image: ` + want.Image + `
atMost: 3
owner: ann
reason: the "second" one
ticket: SEC-1
expires: 2027-01-31
`
	line := `host-pid,host-network fingerprints=0123456789abcdef,0000000000000001 container=app image=` + want.Image + ` atMost=3 owner=ann reason="the \"second\" one" ticket=SEC-1 expires=2027-01-31`
	indented := "  " + strings.ReplaceAll(strings.TrimSpace(record), "\n", "\n  ") + "\n"
	pod := "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n"
	spelt := map[string][]verdict.Exception{
		"object":     exception.Of(specimen.Objects(t, manifest, "apiVersion: coaming.dev/v1alpha1\nkind: Exception\nmetadata: {name: a, namespace: coaming-system}\nspec:\n"+indented), true, true),
		"annotation": exception.Of(specimen.Objects(t, manifest, pod+"  annotations:\n    coaming.dev/ignore: |\n      "+line+"\n"), true, true),
		"comment":    exception.Of(specimen.Objects(t, manifest, "# coaming:ignore "+line+"\n"+pod), true, true),
	}
	list, err := exception.File("f", "exceptions:\n- "+strings.TrimSpace(indented)+"\n")
	if err != nil {
		t.Fatal(err)
	}
	spelt["file"] = list
	if list, err = exception.File("f", "apiVersion: coaming.dev/v1alpha1\nkind: Exception\nmetadata: {name: a, namespace: coaming-system}\nspec:\n"+indented); err != nil {
		t.Fatal(err)
	}
	spelt["object in a file"] = list
	for name, got := range spelt {
		if diff := cmp.Diff([]verdict.Exception{want}, got, cmpopts.IgnoreFields(verdict.Exception{}, "Grant", "Location", "Within")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestFileRefuses holds what a file is refused for, with the place.
func TestFileRefuses(t *testing.T) {
	whole := "owner: a, reason: b, expires: 2027-01-01"
	tests := map[string]struct{ text, want string }{
		"no list":             {"a: b\n", "f:1:1: no list of exceptions"},
		"a list at the top":   {"- a\n", "f:1:1: no list of exceptions"},
		"a text":              {"exceptions: all\n", "f:1:1: exceptions is of type string"},
		"an item that is one": {"exceptions:\n- host-pid\n", "f:2:3: an exception is of type string"},
		"two of a key":        {"exceptions:\n- {rules: [a], rules: [b], " + whole + "}\n", "rules"},
		"broken":              {"exceptions:\n- {rules: [a}\n", "f:2:"},
		"binary":              {"exceptions:\x00", "f:1:12"},
		"a practice":          {"exceptions:\n- {practice: pod, namespace: a, atMost: 1, " + whole + "}\n", `f:2:4: unknown key "practice"`},
		"digits alone":        {"exceptions:\n- {rules: [a], fingerprints: [0000000000000001], " + whole + "}\n", "an item of fingerprints is of type integer, not a string. Put it in quotes"},
		"a pattern":           {"exceptions:\n- {rules: [host-*], namespace: a, atMost: 1, " + whole + "}\n", `f:2:4: rule "host-*" is no rule's id`},
		"rule alone":          {"exceptions:\n- {rules: [a], " + whole + "}\n", "it has no scope"},
		"a container alone":   {"exceptions:\n- {rules: [a], container: b, " + whole + "}\n", "it has no scope"},
		"a kind alone":        {"exceptions:\n- {rules: [a], selector: {kind: Pod}, atMost: 1, " + whole + "}\n", "it has no scope"},
		"a name alone":        {"exceptions:\n- {rules: [a], selector: {name: b}, " + whole + "}\n", "selector has a name and no kind"},
		"a namespace":         {"exceptions:\n- {rules: [a], namespace: b, " + whole + "}\n", "does not say how many"},
		"labels":              {"exceptions:\n- {rules: [a], selector: {labels: {b: c}}, " + whole + "}\n", "does not say how many"},
		"an image by its tag": {"exceptions:\n- {rules: [a], image: 'nginx:1', atMost: 1, " + whole + "}\n", "is no digest"},
		"a label's number":    {"exceptions:\n- {rules: [a], selector: {labels: {b: 1}}, atMost: 1, " + whole + "}\n", "selector.labels.b is of type integer"},
		"atMost 0":            {"exceptions:\n- {rules: [a], namespace: b, atMost: 0, " + whole + "}\n", "atMost is no number from 1"},
		"atMost words":        {"exceptions:\n- {rules: [a], namespace: b, atMost: all, " + whole + "}\n", "atMost is no number from 1"},
		"a null owner":        {"exceptions:\n- {rules: [a], namespace: b, atMost: 1, owner: , reason: b, expires: 2027-01-01}\n", "owner is of type null"},
		"a day that is none":  {"exceptions:\n- {rules: [a], namespace: b, atMost: 1, owner: a, reason: b, expires: 2027-02-30}\n", `"2027-02-30" is no day`},
		"another kind":        {"apiVersion: v1\nkind: Pod\n", "f:1:1: v1 Pod is no exception"},
		"another version":     {"apiVersion: coaming.dev/v2\nkind: Exception\nspec: {}\n", "coaming.dev/v2 Exception is no exception"},
		"no spec":             {"apiVersion: coaming.dev/v1alpha1\nkind: Exception\n", "spec is missing"},
	}
	for name, test := range tests {
		list, err := exception.File("f", test.text)
		if err == nil || !strings.Contains(err.Error(), test.want) || list != nil {
			t.Errorf("%s: %v, %v; want %q", name, list, err, test.want)
		}
	}
	for name, text := range map[string]string{"empty": "", "comments": "# a\n", "null": "exceptions:\n", "none": "exceptions: []\n"} {
		if list, err := exception.File("f", text); err != nil || len(list) > 0 {
			t.Errorf("%s: %v %v", name, list, err)
		}
	}
}

// TestDirectives holds what a line is refused for.
func TestDirectives(t *testing.T) {
	const rest = " owner=a reason=b expires=2027-01-01"
	tests := map[string]string{
		"":                             "rules is missing",
		"owner=a":                      "rules is missing",
		"a" + rest + " owner=b":        "owner is given twice",
		"a" + rest + " more":           `"more" stands where KEY=VALUE is wanted`,
		"a" + rest + ` ticket="x`:      "the value of ticket has no end",
		"a" + rest + ` ticket="x"y`:    "the value of ticket has no end",
		"a" + rest + " ticket=":        "ticket is empty",
		"a" + rest + " kind=Pod":       "for that object alone",
		"a" + rest + " namespace=b":    "for that object alone",
		"a" + rest + " on=b":           `unknown key "on"`,
		"a" + rest + " atMost=-1":      "atMost is no number",
		"*" + rest:                     `rule "*" is no rule's id`,
		"a owner=a reason=b":           "expires is missing",
		"a owner=a expires=2027-01-01": "reason is missing",
		"a owner=a reason=b expires=x": `"x" is no day`,
		"a" + rest + " container=*":    "a pattern in it",
	}
	for text, want := range tests {
		quoted := strings.ReplaceAll(text, "'", "''")
		list := exception.Of(specimen.Objects(t, manifest, "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  annotations:\n    coaming.dev/ignore: '"+quoted+"'\n"), true, true)
		if len(list) != 1 || !strings.Contains(list[0].Fault, want) {
			t.Errorf("%q: %+v, want %q", text, list, want)
		}
	}
}

// TestComments holds which object a comment is for.
func TestComments(t *testing.T) {
	const at = "coaming:ignore host-pid owner=a reason=b expires=2027-01-01"
	text := "apiVersion: v1\nkind: List\nitems: # " + at + "\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n  spec:\n    # " + at + "\n    hostPID: true\n- # " + at + "\n  apiVersion: v1\n  kind: Pod\n  metadata: {name: b}\n"
	list := exception.Of(specimen.Objects(t, manifest, text), true, true)
	if len(list) != 3 {
		t.Fatalf("%d exceptions, want 3: %+v", len(list), list)
	}
	if list[0].Fault != "the comment stands at more than one object" {
		t.Errorf("above the objects: %+v", list[0])
	}
	for i, name := range map[int]string{1: "a", 2: "b"} {
		if e := list[i]; e.Fault != "" || e.Within.Object.Name != name {
			t.Errorf("at %s: %+v %+v", name, e, e.Within)
		}
	}
	const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"
	for place, text := range map[string]string{
		"on the --- line":               "--- # " + at + "\n" + pod,
		"on the --- line of the second": pod + "--- # " + at + "\n" + strings.Replace(pod, "a}", "b}", 1),
		"above the first ---":           "# " + at + "\n---\n" + pod,
		"above the second ---":          pod + "# " + at + "\n---\n" + pod,
		"on an empty document's ---":    pod + "--- # " + at + "\n---\n" + pod,
	} {
		list := exception.Of(specimen.Objects(t, manifest, text), true, true)
		if len(list) != 1 || list[0].Fault != "the comment stands at nothing" || list[0].Location.Line != 1+strings.Count(text[:strings.Index(text, at)], "\n") {
			t.Errorf("%s: %+v", place, list)
		}
	}
	if got := exception.Of(specimen.Objects(t, manifest, text), false, true); len(got) > 0 {
		t.Errorf("comments count though inline exceptions are off: %+v", got)
	}
	served := manifest
	served.Served = true
	if got := exception.Of(specimen.Objects(t, served, text), true, true); len(got) > 0 {
		t.Errorf("what a server sent has comments: %+v", got)
	}
}

// TestEdits demands that adding and removing leave everything else as it stands.
func TestEdits(t *testing.T) {
	e := verdict.Exception{
		Rules: []string{"host-pid"}, Fingerprints: []string{"0123456789abcdef"}, Owner: "no", Reason: `it's "so": # really`,
		Expires: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC),
	}
	const one = "rules: [a], selector: {kind: Pod, name: b}, owner: a, reason: b, expires: 2027-01-01"
	for name, text := range map[string]string{
		"new":           "",
		"empty list":    "# x\nexceptions: [] # y\n",
		"null list":     "exceptions: # y\n",
		"no line end":   "exceptions:\n- {" + one + "}",
		"indented":      "exceptions:\n  # first\n  - {" + one + "}\n  # last\n",
		"block at end":  "exceptions:\n- rules: [a]\n  selector: {kind: Pod, name: b}\n  owner: a\n  expires: 2027-01-01\n  reason: |\n    b\n    # c\n",
		"two documents": "exceptions:\n- {" + one + "}\n---\napiVersion: coaming.dev/v1alpha1\nkind: Exception\nmetadata: {name: a}\nspec: {" + one + "}\n",
		"objects alone": "apiVersion: coaming.dev/v1alpha1\nkind: Exception\nmetadata: {name: a}\nspec: {" + one + "}\n",
		"anchors":       "exceptions:\n- &x {" + one + "}\n",
		"windows":       "exceptions:\r\n- {" + one + "}\r\n",
	} {
		added, err := exception.Append("f", text, &e, map[string]string{e.Fingerprints[0]: "Pod/a\nb"})
		if err != nil {
			t.Errorf("%s: add: %v", name, err)
			continue
		}
		back, removed, _, err := exception.Remove("f", added, func(_ int, x *verdict.Exception) bool { return x.Owner == "no" })
		if err != nil || len(removed) != 1 {
			t.Errorf("%s: remove: %v %v", name, removed, err)
			continue
		}
		if list, err := exception.File("f", back); err != nil || len(list) != strings.Count(text, "rules:") {
			t.Errorf("%s: %v %v", name, list, err)
		}
		if text != "" && !strings.Contains(name, "list") && name != "objects alone" && strings.TrimSpace(back) != strings.TrimSpace(text) {
			t.Errorf("%s: was\n%s\nis\n%s", name, text, back)
		}
		for line := range strings.Lines(text) {
			if strings.Contains(line, "#") && !strings.Contains(back, strings.Replace(strings.TrimSpace(line), " []", "", 1)) && name != "empty list" {
				t.Errorf("%s: %q is gone from\n%s", name, line, back)
			}
		}
	}
	if _, err := exception.Append("f", "exceptions: [{"+one+"}]\n", &e, nil); err == nil || !strings.Contains(err.Error(), "block style") {
		t.Errorf("a list in flow style is edited: %v", err)
	}
}

// TestBaselineHoldsNothingElse demands that a baseline tells no more than its entries.
func TestBaselineHoldsNothingElse(t *testing.T) {
	findings := []verdict.Finding{
		{Fingerprint: "0000000000000002", Verdict: verdict.Fail, Rule: "b", Severity: verdict.High, Subject: verdict.Subject{Kind: "Pod", Name: "x\ny"}, Message: "hunter2", Path: "hunter2", Excerpt: &verdict.Excerpt{Lines: []string{"hunter2"}}},
		{Fingerprint: "0000000000000001", Verdict: verdict.Unknown, Rule: "a"},
		{Fingerprint: "0000000000000003", Verdict: verdict.Exempt, Rule: "a", Exemption: &verdict.Exemption{Grant: verdict.GrantFile}},
		{Fingerprint: "0000000000000004", Verdict: verdict.Exempt, Rule: "a", Subject: verdict.Subject{Kind: "Pod", Name: "a"}, Exemption: &verdict.Exemption{Grant: verdict.GrantBaseline}},
	}
	var out strings.Builder
	if err := exception.WriteBaseline(&out, findings); err != nil {
		t.Fatal(err)
	}
	b, err := exception.ReadBaseline("f", out.String())
	if err != nil {
		t.Fatal(err)
	}
	want := []verdict.BaselineEntry{
		{Fingerprint: "0000000000000002", Rule: "b", Severity: verdict.High, Subject: `"Pod/x\ny"`, Line: 3},
		{Fingerprint: "0000000000000004", Rule: "a", Severity: verdict.Low, Subject: "Pod/a", Line: 4},
	}
	if diff := cmp.Diff(want, b.Entries); diff != "" || strings.Contains(out.String(), "hunter2") {
		t.Errorf("(-want +got):\n%s\n%s", diff, out.String())
	}
	spread := "# coaming.dev/baseline/v1\n0000000000000002 b high*3 Pod/x\n"
	if b, err := exception.ReadBaseline("f", spread); err != nil || b.Entries[0].Places != 3 || b.Entries[0].Severity != verdict.High {
		t.Errorf("three places: %+v %v", b, err)
	}
	for _, places := range []string{"", "1", "-2", "x", "99999999999999999999"} {
		if _, err := exception.ReadBaseline("f", strings.Replace(spread, "*3", "*"+places, 1)); err == nil {
			t.Errorf("places %q are read", places)
		}
	}
	twice, err := exception.ReadBaseline("f", out.String()+"0000000000000002 b low Pod/x\n")
	if err != nil || len(twice.Entries) != 2 || twice.Entries[0].Severity != verdict.Low {
		t.Errorf("of an entry given twice the lesser severity does not count: %+v %v", twice, err)
	}
}

// BenchmarkNone looks for exceptions in 10,000 objects that hold none.
func BenchmarkNone(b *testing.B) {
	text := strings.Repeat("---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  annotations: {a: b}\nspec:\n  # comments of coaming's users\n  containers:\n"+strings.Repeat("  - name: c\n    image: registry.example.com/c:1 # c\n    command: [c, cc, ccc]\n", 10), 10_000)
	list := specimen.Objects(b, manifest, text)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if len(exception.Of(list, true, true)) > 0 {
			b.Fatal("found some")
		}
	}
}
