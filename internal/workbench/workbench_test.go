package workbench_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/kubetype"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/workbench"
	"github.com/coaming/coaming/test/specimen"
)

var now = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

func file(name, text string) rule.File {
	return rule.File{Name: name, Text: text, Origin: "ours"}
}

const plain = "id: %s\ntitle: T\npractice: pod\nseverity: low\nwhy: W.\nremedy: R.\nmatch: container\nassert: %s\nsays: '\"s\"'\n"

// TestReadTellsAll demands every fault of every file, sorted by its place.
func TestReadTellsAll(t *testing.T) {
	_, err := workbench.Read([]rule.File{
		file("b.yaml", fmt.Sprintf(plain, "taken", "'true'")),
		file("a.yaml", fmt.Sprintf(plain, "a", "container.nam == '' || container.imag == ''")),
		file("c.yaml", "id: x\nfoo: 1\n"),
		file("d.yaml", fmt.Sprintf(plain, "taken", "nothing")),
	}, map[string]string{"taken": "a built-in rule"})
	if err == nil {
		t.Fatal("no fault")
	}
	var places []string
	for _, e := range rule.Faults(err) {
		place, _, _ := strings.Cut(e.Error(), ": ")
		places = append(places, place)
	}
	want := "a.yaml:8:19 a.yaml:8:42 b.yaml:1:1 c.yaml:1:1 c.yaml:1:1 c.yaml:1:1 c.yaml:1:1 c.yaml:1:1 c.yaml:1:1 c.yaml:1:1 c.yaml:1:1 c.yaml:2:1 d.yaml:1:1 d.yaml:8:9"
	if got := strings.Join(places, " "); got != want {
		t.Errorf("got  %s\nwant %s\n%v", got, want, err)
	}
}

// TestReadHostile reads files that are hard to parse or to check, and demands an answer in time.
func TestReadHostile(t *testing.T) {
	for name, text := range map[string]string{
		"deep parentheses": fmt.Sprintf(plain, "a", strings.Repeat("(", 5000)+"true"+strings.Repeat(")", 5000)),
		"deep lists":       fmt.Sprintf(plain, "a", "'"+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+" == []'"),
		"nested loops":     fmt.Sprintf(plain, "a", strings.Repeat("[1].all(x, ", 240)+"true"+strings.Repeat(")", 240)),
		"a long list":      fmt.Sprintf(plain, "a", "'["+strings.Repeat("1,", 45000)+"1].size() == 0'"),
		"a long chain":     fmt.Sprintf(plain, "a", "container.name"+strings.Repeat(".trim()", 10000)+" == ''"),
		"many conditions":  fmt.Sprintf(plain, "a", strings.Repeat("container.name == '' || ", 4000)+"true"),
		"too long":         fmt.Sprintf(plain, "a", strings.Repeat("true || ", 100_000)+"true"),
		"nested choices":   fmt.Sprintf(plain, "a", strings.Repeat("container.name == 'a' ? (", 200)+"true"+strings.Repeat(") : false", 200)),
		"deep YAML":        "id: " + strings.Repeat("[", 100_000),
		"deep maps":        strings.Repeat("{a: ", 100_000),
		"aliases":          "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n",
		"NUL":              "id: \x00\n",
		"a pattern":        fmt.Sprintf(plain, "a", "container.name.matches('"+strings.Repeat("(a{1000}){1000}", 2)+"')"),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			rules, err := workbench.Read([]rule.File{file("a.yaml", text)}, nil)
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
			if err == nil && len(rules) == 1 {
				workbench.Judge(rules[0], specimen.Values(t, "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a}]}"), workbench.Bench{Now: now}, nil)
				return
			}
			for _, e := range rule.Faults(err) {
				if !strings.HasPrefix(e.Error(), "a.yaml:") {
					t.Errorf("no place: %v", e)
				}
				if len(e.Error()) > 5000 {
					t.Errorf("%d bytes: %.200s", len(e.Error()), e)
				}
			}
		})
	}
}

// TestScaffold demands of a new rule on every kind of fact, and every kind of object, that it
// passes its own trial.
func TestScaffold(t *testing.T) {
	matches := append(workbench.Matches(), "Widget.example.com", "Application.argoproj.io")
	if len(matches) < 60 {
		t.Errorf("%d facts and kinds", len(matches))
	}
	for _, match := range matches {
		text, err := workbench.Scaffold(workbench.Draft{ID: "a-rule", Practice: "pod", Severity: "low", Match: match})
		if err != nil {
			t.Errorf("%s: %v", match, err)
			continue
		}
		rules, err := workbench.Read([]rule.File{file("a.yaml", text)}, nil)
		if err != nil {
			t.Errorf("%s: %v", match, err)
			continue
		}
		if err := workbench.Lint(rules[0], workbench.Bench{Now: now}); err != nil {
			t.Errorf("%s: %v", match, err)
		}
		if err := workbench.Try(rules[0], workbench.Bench{Now: now}); err != nil {
			t.Errorf("%s: %v", match, err)
		}
	}
	for _, kind := range kubetype.Kinds() {
		if kubetype.Version(kind) == "" {
			t.Errorf("%s has no version", kind)
		}
	}
}

// TestExplainMasks computes with a password in many ways.
func TestExplainMasks(t *testing.T) {
	pod := specimen.Values(t, `{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a, image: a, args: [--password=Correct9Horse], env: [{name: DB_PASSWORD, value: Correct9Horse}]}]}}`)
	secret := specimen.Values(t, `{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {k: Q29ycmVjdDlIb3JzZQ==}, stringData: {x: Correct9Horse}}`)
	for _, test := range []struct {
		match, assert string
		objects       []document.Value
	}{
		{"container", `container.env[0].value == "x"`, pod},
		{"container", `container.env[0].value.lowerAscii() == "x"`, pod},
		{"container", `(container.env[0].value + "1") == "x"`, pod},
		{"container", `container.env[0].value.substring(2) == "x"`, pod},
		{"container", `container.env.map(e, e.value) == []`, pod},
		{"container", `container.env.map(e, {"v": e.value}) == []`, pod},
		{"container", `container.args.all(a, a == "x")`, pod},
		{"container", `container.args[0].split("=")[1] == "x"`, pod},
		{"Secret", `object.data.k == "x"`, secret},
		{"Secret", `base64text(object.data.k) == "x"`, secret},
		{"Secret", `string(object.stringData.x) == "x" && object.data == {}`, secret},
		{"Secret", `object.stringData.all(k, object.stringData[k] == "x")`, secret},
	} {
		rules, err := workbench.Read([]rule.File{file("a.yaml", fmt.Sprintf(strings.Replace(plain, "container", test.match, 1), "a", "'"+test.assert+"'")+"")}, nil)
		if err != nil {
			t.Fatal(err)
		}
		rules[0].Says = `"s"`
		var out strings.Builder
		if _, err := workbench.Explain(&out, rules[0], test.objects, workbench.Bench{Now: now}); err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"correct9horse", "rrect9horse", "q29ycmvjd"} {
			if strings.Contains(strings.ToLower(out.String()), part) {
				t.Errorf("%s shows %s:\n%s", test.assert, part, out.String())
			}
		}
		if !strings.Contains(out.String(), "[masked]") {
			t.Errorf("%s shows no mask:\n%s", test.assert, out.String())
		}
	}
}
