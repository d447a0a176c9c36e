package rule

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/verdict"
)

// TestImage holds references and their parts as github.com/distribution/reference normalises them.
func TestImage(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0a", 32)
	tests := map[string]imageRef{
		"nginx":                             {"docker.io", "library/nginx", "", "", true},
		"nginx:1.27":                        {"docker.io", "library/nginx", "1.27", "", true},
		"nginx@" + digest:                   {"docker.io", "library/nginx", "", digest, true},
		"nginx:1.27@" + digest:              {"docker.io", "library/nginx", "1.27", digest, true},
		"library/nginx":                     {"docker.io", "library/nginx", "", "", true},
		"docker.io/nginx":                   {"docker.io", "library/nginx", "", "", true},
		"docker.io/library/nginx":           {"docker.io", "library/nginx", "", "", true},
		"index.docker.io/nginx:1":           {"docker.io", "library/nginx", "1", "", true},
		"grafana/grafana:11":                {"docker.io", "grafana/grafana", "11", "", true},
		"a/b/c":                             {"docker.io", "a/b/c", "", "", true},
		"quay.io/a/b":                       {"quay.io", "a/b", "", "", true},
		"localhost/a":                       {"localhost", "a", "", "", true},
		"localhost:5000/a:b":                {"localhost:5000", "a", "b", "", true},
		"registry:5000/a":                   {"registry:5000", "a", "", "", true},
		"registry/a":                        {"docker.io", "registry/a", "", "", true},
		"127.0.0.1:5000/a/b:c":              {"127.0.0.1:5000", "a/b", "c", "", true},
		"[::1]:5000/a:b":                    {"[::1]:5000", "a", "b", "", true},
		"REGISTRY/a":                        {"REGISTRY", "a", "", "", true},
		"Nginx":                             {valid: false},
		"quay.io/A/b":                       {valid: false},
		"":                                  {valid: false},
		" nginx":                            {valid: false},
		"nginx latest":                      {valid: false},
		"nginx:":                            {valid: false},
		"nginx@":                            {valid: false},
		"nginx@sha256":                      {valid: false},
		"nginx@sha256:abc":                  {valid: false},
		"nginx@" + digest + "@" + digest:    {valid: false},
		":1":                                {valid: false},
		"@" + digest:                        {valid: false},
		"quay.io/":                          {valid: false},
		"quay.io//a":                        {valid: false},
		"/nginx":                            {valid: false},
		"$(IMAGE)":                          {valid: false},
		"{{ .Values.image }}":               {valid: false},
		"<image>":                           {valid: false},
		"https://quay.io/a":                 {valid: false},
		"nginx:la test":                     {valid: false},
		"nginx:.1":                          {valid: false},
		"nginx:" + strings.Repeat("a", 128): {"docker.io", "library/nginx", strings.Repeat("a", 128), "", true},
		"nginx:" + strings.Repeat("a", 129): {valid: false},
		"a_b/c--d/e__f.g-h":                 {"docker.io", "a_b/c--d/e__f.g-h", "", "", true},
		"-a":                                {valid: false},
		"a-":                                {valid: false},
		"a..b":                              {valid: false},
		strings.Repeat("a", 256):            {valid: false},
		"nginx@sha512:" + strings.Repeat("a", 128): {"docker.io", "library/nginx", "", "sha512:" + strings.Repeat("a", 128), true},
	}
	for s, want := range tests {
		got := parseImage(s)
		if !got.valid {
			got = imageRef{}
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(imageRef{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", s, diff)
		}
	}
}

// judgeObject is what an assertion on an object says of it.
func judgeObject(t *testing.T, assert, object string) (verdict.Verdict, string) {
	t.Helper()
	r, err := Parse("a.yaml", "id: a\ntitle: t\npractice: pod\nseverity: low\nwhy: w\nremedy: r\nmatch: object\nsays: '\"s\"'\nassert: |\n  "+assert)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compile(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	docs, errs := document.Read(document.NewText(object), 1)
	if len(errs) > 0 {
		t.Fatal(errs[0])
	}
	root := docs[0].Root()
	v, _, reason := c.Judge(&Scope{Object: Of(root), Nodes: root.Nodes()})
	return v, reason
}

// TestGrants is RBAC's own reading of rules (kubernetes.io/docs/reference/access-authn-authz/rbac).
func TestGrants(t *testing.T) {
	tests := map[string]struct {
		rules, verb, group, resource string
		want                         verdict.Verdict
	}{
		"the very thing":           {`[{verbs: [get], apiGroups: [""], resources: [secrets]}]`, "get", "", "secrets", verdict.Pass},
		"another verb":             {`[{verbs: [list], apiGroups: [""], resources: [secrets]}]`, "get", "", "secrets", verdict.Fail},
		"another group":            {`[{verbs: [get], apiGroups: [apps], resources: [secrets]}]`, "get", "", "secrets", verdict.Fail},
		"another resource":         {`[{verbs: [get], apiGroups: [""], resources: [pods]}]`, "get", "", "secrets", verdict.Fail},
		"any verb":                 {`[{verbs: ["*"], apiGroups: [""], resources: [secrets]}]`, "get", "", "secrets", verdict.Pass},
		"any group":                {`[{verbs: [get], apiGroups: ["*"], resources: [secrets]}]`, "get", "", "secrets", verdict.Pass},
		"any resource":             {`[{verbs: [get], apiGroups: [""], resources: ["*"]}]`, "get", "", "secrets", verdict.Pass},
		"any resource, sub":        {`[{verbs: [create], apiGroups: [""], resources: ["*"]}]`, "create", "", "pods/exec", verdict.Pass},
		"the resource, not sub":    {`[{verbs: [create], apiGroups: [""], resources: [pods]}]`, "create", "", "pods/exec", verdict.Fail},
		"all of a resource's sub":  {`[{verbs: [create], apiGroups: [""], resources: [pods/*]}]`, "create", "", "pods/exec", verdict.Fail},
		"a sub of any resource":    {`[{verbs: [create], apiGroups: [""], resources: ["*/exec"]}]`, "create", "", "pods/exec", verdict.Pass},
		"another sub of any":       {`[{verbs: [create], apiGroups: [""], resources: ["*/log"]}]`, "create", "", "pods/exec", verdict.Fail},
		"sub of any, no sub":       {`[{verbs: [get], apiGroups: [""], resources: ["*/secrets"]}]`, "get", "", "secrets", verdict.Fail},
		"no prefix wildcards":      {`[{verbs: ["ge*"], apiGroups: [""], resources: ["sec*"]}]`, "get", "", "secrets", verdict.Fail},
		"by name only":             {`[{verbs: [get], apiGroups: [""], resources: [secrets], resourceNames: [a]}]`, "get", "", "secrets", verdict.Fail},
		"empty names":              {`[{verbs: [get], apiGroups: [""], resources: [secrets], resourceNames: []}]`, "get", "", "secrets", verdict.Pass},
		"null names":               {`[{verbs: [get], apiGroups: [""], resources: [secrets], resourceNames: null}]`, "get", "", "secrets", verdict.Pass},
		"split over rules":         {`[{verbs: [get], apiGroups: [apps], resources: [secrets]}, {verbs: [list], apiGroups: [""], resources: [secrets]}]`, "get", "", "secrets", verdict.Fail},
		"the second rule":          {`[{verbs: [x], apiGroups: [], resources: []}, {verbs: [get], apiGroups: [""], resources: [secrets]}]`, "get", "", "secrets", verdict.Pass},
		"URLs":                     {`[{verbs: ["*"], nonResourceURLs: ["*"]}]`, "get", "", "secrets", verdict.Fail},
		"no rules":                 {`[]`, "get", "", "secrets", verdict.Fail},
		"verbs are text":           {`[{verbs: "*", apiGroups: [""], resources: [secrets]}]`, "get", "", "secrets", verdict.Unknown},
		"names are text":           {`[{verbs: [get], apiGroups: [""], resources: [secrets], resourceNames: a}]`, "get", "", "secrets", verdict.Unknown},
		"a rule is text":           {`["*"]`, "get", "", "secrets", verdict.Unknown},
		"a rule is null":           {`[null]`, "get", "", "secrets", verdict.Unknown},
		"rules are a map":          {`{verbs: ["*"]}`, "get", "", "secrets", verdict.Unknown},
		"malformed beside granted": {`[{verbs: [get], apiGroups: [""], resources: [secrets]}, 3]`, "get", "", "secrets", verdict.Unknown},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, assert := range []string{
				fmt.Sprintf("grants(object.rules, %q, %q, %q)", test.verb, test.group, test.resource),
				fmt.Sprintf("grants(object.rules, [%q, 'never'], %q, ['nothing', %q])", test.verb, test.group, test.resource),
			} {
				got, reason := judgeObject(t, assert, "{rules: "+test.rules+"}")
				if got != test.want || (got == verdict.Unknown) != (reason == WrongType) {
					t.Errorf("%s: %s (%s), want %s", assert, got, reason, test.want)
				}
			}
		})
	}
}

// TestValues holds how expressions see what stands in a document.
func TestValues(t *testing.T) {
	const object = `{a: 1, nothing: null, text: x, list: [1, null, {b: 2}], big: 18446744073709551616, float: 1.5, sure: true, empty: {}, nested: {a: null, b: {c: [x, x]}}}`
	tests := map[string]verdict.Verdict{
		`object.a == 1 && object.a < 2.5 && object.float == 1.5 && object.sure`:              verdict.Pass,
		`!has(object.nothing) && !has(object.absent) && !("nothing" in object)`:              verdict.Pass,
		`object.?nothing.orValue("none") == "none" && object.?nothing.?more.orValue(3) == 3`: verdict.Pass,
		`size(object.nested) == 1 && object.nested.all(k, k == "b")`:                         verdict.Pass,
		`object.nested == {"b": {"c": ["x", "x"]}}`:                                          verdict.Pass,
		`object.nested.b.c == ["x", "x"] && object.nested.b.c + ["z"] == ["x", "x", "z"]`:    verdict.Pass,
		`size(object.list) == 3 && object.list[1] == null && object.list[2].b == 2`:          verdict.Pass,
		`2 in [1, 2] && "x" in object.nested.b.c && !("z" in object.nested.b.c)`:             verdict.Pass,
		`object.nested.b.c.join("-") == "x-x"`:                                               verdict.Pass,
		`sets.contains(object.nested.b.c, ["x"])`:                                            verdict.Pass,
		`object.big > 1`: verdict.Pass,
		`object.nested.transformList(k, v, k) == ["b"]`:           verdict.Pass,
		`type(object.list) == list && type(object.nested) == map`: verdict.Pass,
		`object.absent`:                                      verdict.Unknown,
		`object.nothing == 1`:                                verdict.Unknown,
		`object.text.more == 1`:                              verdict.Unknown,
		`object.text.?more.orValue(true)`:                    verdict.Pass, // CEL has it so: hence fact.Workload.Doubt
		`object.list.?more.orValue(true)`:                    verdict.Unknown,
		`object.text`:                                        verdict.Unknown,
		`object.list[7] == 1`:                                verdict.Unknown,
		`object.list[-1] == 1`:                               verdict.Unknown,
		`object.text < 3`:                                    verdict.Unknown,
		`object.list.all(x, x.b == 2)`:                       verdict.Unknown,
		`object.text.all(x, x == 2)`:                         verdict.Unknown,
		`!object.text`:                                       verdict.Unknown,
		`credential("password", object.a) == ""`:             verdict.Unknown,
		`image(object.list).valid`:                           verdict.Unknown,
		`quantity(object.text).isGreaterThan(quantity("1"))`: verdict.Unknown,
		`1 / (object.a - 1) == 1`:                            verdict.Unknown,
		`container.name == ""`:                               verdict.Unknown,
		`base64text("aHVudGVyMg==") == "hunter2" && credential("password", "hunter2") == "password"`: verdict.Pass,
		`image("nginx").tag == "" && image("a b").valid == false`:                                    verdict.Pass,
	}
	for assert, want := range tests {
		if got, reason := judgeObject(t, assert, object); got != want || (got == verdict.Unknown) != (reason != "") {
			t.Errorf("%s: %s (%s), want %s", assert, got, reason, want)
		}
	}
}

// TestCostBound demands that what takes too long is unknown, soon, and says so.
func TestCostBound(t *testing.T) {
	long := "[" + strings.Repeat("1,", 3000) + "1]"
	for name, assert := range map[string]string{
		"loops in loops": `object.list.all(a, object.list.all(b, object.list.all(c, a + b + c > 0)))`,
		"a loop between": `object.list.map(a, object.list.filter(b, b == a)).all(l, l.all(x, object.list.exists(y, y > 1)))`,
	} {
		t.Run(name, func(t *testing.T) {
			got, reason := judgeObject(t, assert, "{list: "+long+"}")
			if got != verdict.Unknown || reason != "the object is too large for the rule's cost bound" {
				t.Errorf("%s (%s)", got, reason)
			}
		})
	}
	if got, reason := judgeObject(t, `object.list.all(a, a == 1) && object.list.exists(b, b == 1)`, "{list: "+long+"}"); got != verdict.Pass {
		t.Errorf("one loop over a long list: %s (%s)", got, reason)
	}
}

// TestCounted demands that counting the cost changes no verdict.
func TestCounted(t *testing.T) {
	r, err := Parse("a.yaml", "id: a\ntitle: t\npractice: pod\nseverity: low\nwhy: w\nremedy: r\nmatch: object\nsays: '\"s\"'\nassert: 'object.list.all(a, a.?b.orValue(0) < object.?most.orValue(3))'")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compile(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range []string{"{list: []}", "{list: [{b: 1}]}", "{list: [{b: 5}]}", "{list: [{b: x}]}", "{list: {}}", "{}", "{list: [1]}", "{list: [{b: 1}], most: null}"} {
		docs, errs := document.Read(document.NewText(object), 1)
		if len(errs) > 0 {
			t.Fatal(errs[0])
		}
		free, _, why := c.Judge(&Scope{Object: Of(docs[0].Root()), Nodes: 1})
		counted, _, whyCounted := c.Judge(&Scope{Object: Of(docs[0].Root()), Nodes: maxSteps + 1})
		if free != counted || why != whyCounted {
			t.Errorf("%s: %s (%s), counted %s (%s)", object, free, why, counted, whyCounted)
		}
	}
}

// TestMostNodes holds how the size up to which nothing is counted falls with the depth of loops.
func TestMostNodes(t *testing.T) {
	for depth, want := range map[int]int{0: maxSteps, 1: maxSteps, 2: 1000, 3: 99, 4: 31} {
		if got := mostNodes(depth); got != want && got != want+1 {
			t.Errorf("depth %d: %d nodes, want %d", depth, got, want)
		}
	}
}

// TestReads holds what a rule says that it reads.
func TestReads(t *testing.T) {
	r, err := Parse("a.yaml", "id: a\ntitle: t\npractice: pod\nseverity: low\nwhy: w\nremedy: r\nmatch: container\nsays: '\"s\"'\nwhen: has(workload.spec.hostNetwork)\nassert: 'container.?securityContext[?\"privileged\"].orValue(false) || workload.networkPolicies.exists(p, p.spec == workload.labels) || object.data[?\"a.b\"].hasValue()'")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compile(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"container.securityContext.privileged", "object.data[a.b]", "workload.labels", "workload.networkPolicies", "workload.spec.hostNetwork"}
	if diff := cmp.Diff(want, c.Reads()); diff != "" {
		t.Errorf("reads (-want +got):\n%s", diff)
	}
	if !c.ReadsFact("workload.networkPolicies") || c.ReadsFact("workload.services") || c.ReadsFact("workload.net") {
		t.Error("facts that are read are told wrongly")
	}
	if !c.ReadsFact("workload.networkPolicies.spec") || c.ReadsFact("workload.networkPolicies.labels") {
		t.Error("what a loop reads of its items is told wrongly")
	}
	if keys := Keys("object.data[a.b]"); !slices.Equal(keys, []string{"object", "data", "a.b"}) || !c.ReadsFact("object.data") {
		t.Errorf("a key with dots is taken apart: %q", keys)
	}
}

// TestPanic demands that a panic below an expression is that rule's own unknown.
func TestPanic(t *testing.T) {
	r, err := Parse("a.yaml", "id: a\ntitle: A title\npractice: pod\nseverity: low\nwhy: w\nremedy: r\nmatch: object\nsays: object.name\nassert: object.name == \"\"")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compile(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, nodes := range []int{1, maxSteps + 1} {
		scope := &Scope{Object: Lazy(func(string) (Fact, error) { panic("a fault of ours") }), Nodes: nodes}
		if v, applies, reason := c.Judge(scope); v != verdict.Unknown || !applies || reason != "the rule could not be evaluated" {
			t.Errorf("%s, applies %v: %s", v, applies, reason)
		}
		if got := c.Message(scope); got != "A title" {
			t.Errorf("message %q", got)
		}
	}
}

// TestQuantityReasons: an amount that is no quantity, an empty text among them, is told as such.
func TestQuantityReasons(t *testing.T) {
	for _, text := range []string{`""`, `" "`, `1.2.3`, `4 Gi`, `1Gb`, `x`} {
		got, reason := judgeObject(t, `quantity(string(object.amount)).isGreaterThan(quantity("1"))`, "{amount: "+text+"}")
		if got != verdict.Unknown || !strings.Contains(reason, "an amount") && !strings.Contains(reason, "not of the form") {
			t.Errorf("%s: %s (%s)", text, got, reason)
		}
	}
}
