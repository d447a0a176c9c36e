package policy

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/test/specimen"
)

var oldest = sync.OnceValues(func() (*checker, error) { return newChecker(Oldest) })

// evaluate runs an expression as the API server does; object is its only variable.
func evaluate(t *testing.T, expression string, object any) any {
	t.Helper()
	c, err := oldest()
	if err != nil {
		t.Fatal(err)
	}
	tree, issues := c.env.Compile(expression)
	if issues.Err() != nil {
		t.Fatalf("%s: %v", expression, issues.Err())
	}
	program, err := c.env.Program(tree)
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := program.Eval(map[string]any{"object": object})
	if err != nil {
		return "error: " + err.Error()
	}
	return out.Value()
}

// judged is what a rule says of an object: whether its assertion holds.
func judged(t *testing.T, assert, object string) any {
	t.Helper()
	text := fmt.Sprintf("id: a\ntitle: a\npractice: pod\nseverity: low\nwhy: a\nremedy: a\nmatch: object\nsays: '\"a\"'\nassert: |-\n  %s\n", assert)
	r, err := rule.Parse("a.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	c, err := rule.Compile(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	v, _, _ := c.Judge(&rule.Scope{Object: rule.Of(specimen.Value(t, object))})
	return v.String() == "pass"
}

// references are image references of many shapes, well-formed and not.
var references = []string{
	"nginx", "nginx:1.27", "library/nginx", "docker.io/nginx", "index.docker.io/nginx:latest", "docker.io/library/nginx",
	"ghcr.io/a/b:v1", "localhost/a", "localhost:5000/a/b:tag", "host:5000/a", "registry.k8s.io/pause@sha256:" + strings.Repeat("a", 64),
	"a/b:c@sha512:" + strings.Repeat("0", 128), "a@b@c", "a:b:c", "a:b/c", ":a", "a:", "@", "", "/", "//", "A/b", "a/B", "UPPER/b:c", "[::1]:5000/a",
	"a_b/c", "a__b", "a___b", "a..b", "a.b/c.d", "-a", "a-", "a:" + strings.Repeat("t", 128), "a:" + strings.Repeat("t", 129),
	strings.Repeat("a", 256), strings.Repeat("a", 300) + "/b", "example.com:80/" + strings.Repeat("a", 255), "a b", "a\nb", "a:\n", "é/b", "É/b", "a:é", "a@sha256:abc", "a@sha256:" + strings.Repeat("A", 64),
}

// FuzzImage holds image() spelt out to the function itself.
func FuzzImage(f *testing.F) {
	for _, r := range references {
		f.Add(r)
	}
	parts := []string{"registry", "repository", "tag", "digest", "publisher"}
	f.Fuzz(func(t *testing.T, reference string) {
		reference = strings.ToValidUTF8(reference, "")
		object, err := json.Marshal(map[string]string{"x": reference})
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range append(parts, "valid") {
			e, err := imagePart(ident("object"), part)
			if err != nil {
				t.Fatal(err)
			}
			written, err := printed(e)
			if err != nil {
				t.Fatal(err)
			}
			got := evaluate(t, written, reference)
			want := fmt.Sprintf("image(object.x).%s == %q", part, got)
			if part == "valid" {
				want = fmt.Sprintf("image(object.x).valid == %v", got)
			}
			if judged(t, want, string(object)) != true {
				t.Errorf("%s of %q is %q", part, reference, got)
			}
		}
	})
}

// TestCoversInternet holds coversInternet() spelt out to the function itself.
func TestCoversInternet(t *testing.T) {
	lists := map[string]bool{
		`[]`: false, `["0.0.0.0/0"]`: true, `["0.0.0.0/1"]`: true, `["0.0.0.0/2"]`: false, `["0.0.0.0/2", "64.0.0.0/2"]`: true,
		`["0.0.0.0/2", "0.0.0.0/2"]`: false, `["0.0.0.0/2", "0.0.0.0/3", "32.0.0.0/3"]`: false, `["1.2.3.4/0"]`: true, `[" 0.0.0.0/1 "]`: true,
		`["::/0"]`: true, `["2000::/3"]`: true, `["2000::/4"]`: true, `["3000::/4", "2000::/5"]`: true, `["2000::/5", "3000::/6"]`: false, `["8000::/1"]`: true, `["::/2"]`: true,
		`["fc00::/7", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]`: false, `["", "all", "0.0.0.0", "::ffff:0.0.0.0/0"]`: false,
		`["10.0.0.0/8", "128.0.0.0/1", "0.0.0.0/25"]`: true, `["0.0.0.0/2", "::/3", "4000::/3"]`: false,
	}
	sixteen, eight := []string{}, []string{}
	for i := range 16 {
		sixteen = append(sixteen, fmt.Sprintf(`"%d.0.0.0/4"`, 16*i))
	}
	for i := range 127 {
		eight = append(eight, fmt.Sprintf(`"%d.0.0.0/8"`, i))
	}
	lists["["+strings.Join(sixteen, ",")+"]"] = true
	lists["["+strings.Join(sixteen[:8], ",")+"]"] = true
	lists["["+strings.Join(sixteen[:7], ",")+"]"] = false
	lists["["+strings.Join(eight, ",")+"]"] = false
	lists["["+strings.Join(append(eight, `"200.0.0.0/8"`), ",")+"]"] = true
	n := &native{rule: &rule.Rule{}, reads: map[string]map[string]bool{}, judged: map[string]bool{}}
	e, err := n.translate(`coversInternet(object.blocks)`)
	if err != nil {
		t.Fatal(err)
	}
	written, err := printed(e)
	if err != nil {
		t.Fatal(err)
	}
	for list, want := range lists {
		object := `{"blocks": ` + list + `}`
		var native any
		if err := json.Unmarshal([]byte(object), &native); err != nil {
			t.Fatal(err)
		}
		if got := judged(t, `coversInternet(object.blocks)`, object); got != want {
			t.Errorf("%s: %v, want %v", list, got, want)
		}
		if got := evaluate(t, written, native); got != want {
			t.Errorf("%s spelt out: %v, want %v", list, got, want)
		}
	}
}

// TestGrants holds grants() spelt out to the function itself, on every question about every rule of
// a small world.
func TestGrants(t *testing.T) {
	values := map[string][]string{
		"verbs": {`[]`, `["get"]`, `["*"]`, `["create", "get"]`}, "apiGroups": {`[""]`, `["*"]`, `["apps"]`, `[]`},
		"resources": {`["pods"]`, `["*"]`, `["*/exec"]`, `["pods/exec", "secrets"]`}, "resourceNames": {`[]`, `["a"]`},
	}
	var rules []string
	for _, v := range values["verbs"] {
		for _, g := range values["apiGroups"] {
			for _, r := range values["resources"] {
				for _, n := range values["resourceNames"] {
					rules = append(rules, fmt.Sprintf(`{"verbs": %s, "apiGroups": %s, "resources": %s, "resourceNames": %s}`, v, g, r, n))
				}
			}
		}
	}
	rules = append(rules, `{"verbs": ["get"]}`, `{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": null}`)
	for _, question := range []string{
		`grants(object.rules, "get", "", "pods")`, `grants(object.rules, "get", "", "pods/exec")`, `grants(object.rules, ["get", "list"], "", ["pods/exec", "nodes"])`,
		`["get"].exists(v, ["pods", "pods/exec"].exists(r, grants(object.rules, v, "", r)))`, `grants(object.rules, "create", "apps", "pods")`,
		`["", "apps"].exists(g, grants(object.rules, ["create"], g, ["secrets"]))`,
		`grants(object.rules, ["get", "list"], "", ["pods/exec", "nodes"]) || grants(object.rules, ["get", "list"], "apps", ["pods"])`,
		`grants(object.rules, "create", "", "secrets") || grants(object.rules, "get", "apps", "pods") || grants(object.rules, ["create"], "apps", ["nodes", "pods/exec"]) || size(object.rules) > 3`,
	} {
		n := &native{rule: &rule.Rule{}, reads: map[string]map[string]bool{}, judged: map[string]bool{}}
		e, err := n.translate(question)
		if err != nil {
			t.Fatal(err)
		}
		written, err := printed(e)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rules {
			object := `{"rules": [` + r + `]}`
			var native any
			if err := json.Unmarshal([]byte(object), &native); err != nil {
				t.Fatal(err)
			}
			if list := native.(map[string]any)["rules"].([]any)[0].(map[string]any); list["resourceNames"] == nil {
				delete(list, "resourceNames") // as the API server does
			}
			if got, want := evaluate(t, written, native), judged(t, question, object); got != want {
				t.Errorf("%s of %s: %v, want %v", question, r, got, want)
			}
		}
	}
}
