package judge_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/specimen"
)

const shop = `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  template:
    spec:
      containers:
        - name: app
          image: app
          securityContext: {privileged: true}
          env:
            - {name: A, value: "1"}
            - {name: B, value: "2"}
        - name: proxy
          image: proxy
          securityContext: {privileged: true}
      volumes:
        - {name: a, hostPath: {path: /a}}
        - {name: b, hostPath: {path: /b}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: r, namespace: shop}
rules:
  - {verbs: ["*"], apiGroups: [""], resources: [pods]}
  - {verbs: ["*"], apiGroups: [""], resources: [secrets]}
`

// fingerprints are those of all findings of three rules, sorted.
func fingerprints(t *testing.T, name, text string) []string {
	t.Helper()
	in := judge.Input{
		Inventory: fact.NewInventory(specimen.Objects(t, specimen.File(name), text), "1.36", false), Now: now,
		Rules: all(t),
	}
	in.Rules = append(in.Rules,
		newRule(t, "privileged", "match: container", `assert: '!container.?securityContext.?privileged.orValue(false)'`, "at: securityContext.privileged"),
		newRule(t, "env", "match: container", "each: {variable: env}", "assert: 'false'", "at: value"),
		newRule(t, "volume", "match: workload", "each: {volume: spec.volumes}", "assert: 'false'", "at: hostPath.path"),
		newRule(t, "verbs", "match: Role.rbac.authorization.k8s.io", "each: {rule: rules}", "assert: 'false'", "at: verbs"))
	var list []string
	for _, f := range judge.Judge(in).Findings {
		if len(f.Fingerprint) != 16 || strings.Trim(f.Fingerprint, "0123456789abcdef") != "" {
			t.Errorf("fingerprint %q", f.Fingerprint)
		}
		list = append(list, f.Rule+" "+f.Fingerprint)
	}
	slices.Sort(list)
	if again := slices.Compact(slices.Clone(list)); len(again) != len(list) {
		t.Errorf("different faults with one fingerprint: %v", list)
	}
	return list
}

// TestFingerprintStays holds that the same fault of the same object keeps its name.
func TestFingerprintStays(t *testing.T) {
	want := fingerprints(t, "a.yaml", shop)
	docs := strings.Split(shop, "---\n")
	for name, text := range map[string]string{
		"lines move":        strings.ReplaceAll(shop, "\nspec:", "\n\n# a comment\n\nspec:"),
		"documents swap":    docs[1] + "---\n" + docs[0],
		"keys swap":         strings.NewReplacer("        - name: app\n          image: app\n", "        - image: app\n          name: app\n", "  name: web\n  namespace: shop", "  namespace: shop\n  name: web", "{verbs: [\"*\"], apiGroups: [\"\"], resources: [pods]}", "{resources: [pods], verbs: [\"*\"], apiGroups: [\"\"]}").Replace(shop),
		"items swap":        strings.NewReplacer("- {name: a, hostPath: {path: /a}}\n        - {name: b, hostPath: {path: /b}}", "- {name: b, hostPath: {path: /b}}\n        - {name: a, hostPath: {path: /a}}", "- {name: A, value: \"1\"}\n            - {name: B, value: \"2\"}", "- {name: B, value: \"2\"}\n            - {name: A, value: \"1\"}").Replace(shop),
		"nameless swap":     strings.NewReplacer("[pods]", "[secrets]", "[secrets]", "[pods]").Replace(shop),
		"another version":   strings.ReplaceAll(strings.ReplaceAll(shop, "apps/v1", "apps/v2"), "authorization.k8s.io/v1", "authorization.k8s.io/v2"),
		"a value changes":   strings.ReplaceAll(shop, "path: /a}", "path: /c}"),
		"in another style":  strings.ReplaceAll(shop, "kind: Deployment", "\"kind\": 'Deployment'"),
		"with anchors":      strings.ReplaceAll(shop, "name: web", "name: &n web"),
		"in windows' lines": strings.ReplaceAll(shop, "\n", "\r\n"),
	} {
		if diff := cmp.Diff(want, fingerprints(t, "b/c.yaml", text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestFingerprintDiffers holds that other faults have other names.
func TestFingerprintDiffers(t *testing.T) {
	have := fingerprints(t, "a.yaml", shop)
	for name, text := range map[string]string{
		"name":      strings.ReplaceAll(shop, "name: web", "name: api"),
		"namespace": strings.ReplaceAll(shop, "namespace: shop", "namespace: park"),
		"kind":      strings.ReplaceAll(strings.ReplaceAll(shop, "kind: Deployment", "kind: StatefulSet"), "kind: Role", "kind: ClusterRole"),
		"group":     strings.ReplaceAll(shop, "apps/v1", "extensions/v1beta1"),
	} {
		for _, f := range fingerprints(t, "a.yaml", text) {
			if slices.Contains(have, f) && (name != "group" && name != "name" || strings.HasPrefix(f, "privileged")) {
				t.Errorf("another %s, and still %s", name, f)
			}
		}
	}
}

// TestPlaces holds where a fault stands: its path, its line and column, and the lines shown.
func TestPlaces(t *testing.T) {
	const text = `# first
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations: {example.com/a.b: x}
spec:
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: app
          image: nginx
          securityContext:
            privileged: true
        - image: second
          ports: [{containerPort: 1}, {containerPort: 2, name: two}]
`
	tests := map[string]struct {
		rule        []string
		want        string // path line:column first marked
		firstAndEnd [2]string
	}{
		"a field":               {[]string{"match: container", "assert: container.?image.orValue('') != 'nginx'", "at: securityContext.privileged"}, "spec.template.spec.containers[app].securityContext.privileged 15:13 13 15", [2]string{"          image: nginx", "          ports: [{containerPort: 1}, {containerPort: 2, name: two}]"}},
		"nearest ancestor":      {[]string{"match: container", "assert: container.?image.orValue('') != 'nginx'", "at: securityContext.capabilities.drop"}, "spec.template.spec.containers[app].securityContext.capabilities.drop 14:11 12 14", [2]string{"        - name: app", "        - image: second"}},
		"no ancestor":           {[]string{"match: container", "assert: container.?image.orValue('') != 'second'", "at: resources.limits"}, "spec.template.spec.containers[1].resources.limits 16:11 14 16", [2]string{"          securityContext:", "          ports: [{containerPort: 1}, {containerPort: 2, name: two}]"}},
		"no at":                 {[]string{"match: container", "assert: container.?image.orValue('') != 'nginx'"}, "spec.template.spec.containers[app] 12:11 10 12", [2]string{"    spec:", "          securityContext:"}},
		"an item":               {[]string{"match: container", "each: {port: ports}", "assert: port.containerPort != 1"}, "spec.template.spec.containers[1].ports[0] 17:19 15 17", [2]string{"            privileged: true", "          ports: [{containerPort: 1}, {containerPort: 2, name: two}]"}},
		"a named item's field":  {[]string{"match: container", "each: {port: ports}", "assert: port.containerPort != 2", "at: containerPort"}, "spec.template.spec.containers[1].ports[two].containerPort 17:40 15 17", [2]string{"            privileged: true", "          ports: [{containerPort: 1}, {containerPort: 2, name: two}]"}},
		"a workload's field":    {[]string{"match: workload", "assert: 'false'", "at: spec.containers"}, "spec.template.spec.containers 11:7 9 11", [2]string{"    metadata: {labels: {app: web}}", "          image: nginx"}},
		"a template's metadata": {[]string{"match: workload", "assert: 'false'", "at: metadata.labels"}, "spec.template.metadata.labels 9:16 7 9", [2]string{"spec:", "      containers:"}},
		"the owner's metadata":  {[]string{"match: workload", "assert: 'false'", "at: metadata.name"}, "metadata.name 5:3 3 5", [2]string{"kind: Deployment", "spec:"}},
		"an object's field":     {[]string{"match: Deployment.apps", "assert: 'false'", "at: spec.replicas"}, "spec.replicas 7:1 5 7", [2]string{"  name: web", "    metadata: {labels: {app: web}}"}},
		"the whole object":      {[]string{"match: object", "assert: 'false'"}, " 2:1 2 2", [2]string{"apiVersion: apps/v1", "metadata:"}},
		"a map's entry":         {[]string{"match: object", "each: {annotation: metadata.annotations}", "assert: 'false'"}, "metadata.annotations[example.com/a.b] 6:17 4 6", [2]string{"metadata:", "  template:"}},
		"a key with dots":       {[]string{"match: object", "assert: 'false'", "at: 'metadata.annotations[example.com/a.b]'"}, "metadata.annotations[example.com/a.b] 6:17 4 6", [2]string{"metadata:", "  template:"}},
	}
	for name, test := range tests {
		for _, foreign := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, foreign %v", name, foreign), func(t *testing.T) {
				text := text
				if foreign {
					text = strings.Replace(text, "# first", "# first %YAML &a *a", 1) + "x: [&a 1, *a]\n"
				}
				res := judge.Judge(input(t, text, newRule(t, "a", test.rule...)))
				if len(res.Findings) != 1 {
					t.Fatalf("findings %v", outcomes(res))
				}
				f := res.Findings[0]
				got := fmt.Sprintf("%s %d:%d %d %d", f.Path, f.Location.Line, f.Location.Column, f.Excerpt.First, f.Excerpt.Marked)
				if foreign {
					got = strings.Replace(got, "2:1 1 2", "2:1 2 2", 1) // the comment above is of the document, if not of the object
				}
				if got != test.want {
					t.Errorf("got  %s\nwant %s", got, test.want)
				}
				lines := f.Excerpt.Lines
				if ends := [2]string{lines[0], lines[len(lines)-1]}; ends != test.firstAndEnd && !foreign {
					t.Errorf("lines %q", lines)
				}
			})
		}
	}
}

// TestServed holds that what a server sent has no lines: the value itself is shown.
func TestServed(t *testing.T) {
	origin := fact.Origin{Source: "cluster:prod", File: "/api/v1/namespaces/shop/pods/a", Served: true}
	text := `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"name": "app", "image": "nginx", "securityContext": {"privileged": true, "runAsUser": 0, "capabilities": {"add": ["ALL"]}}}]}}`
	for at, want := range map[string][]string{
		"securityContext.privileged": {"securityContext:", "  privileged: true"},
		"securityContext":            {"- ", "  securityContext:", "    privileged: true", "    runAsUser: 0", "    capabilities: …"},
		"nothing.there":              {"containers:", "  - ", "    name: app", "    image: nginx", "    securityContext: …"},
	} {
		in := judge.Input{Inventory: fact.NewInventory(specimen.Objects(t, origin, text), "1.36", true), Now: now, Rules: []*rule.Compiled{newRule(t, "a", "match: container", "assert: 'false'", "at: "+at)}}
		f := judge.Judge(in).Findings[0]
		if f.Location.Line != 0 || f.Location.Column != 0 || f.Excerpt.First != 1 {
			t.Errorf("%s: at %+v, excerpt from line %d", at, f.Location, f.Excerpt.First)
		}
		if diff := cmp.Diff(want, f.Excerpt.Lines); diff != "" {
			t.Errorf("%s (-want +got):\n%s", at, diff)
		}
	}
}

// TestLongLines holds that of a long line the part with the fault is shown, and no more.
func TestLongLines(t *testing.T) {
	long := strings.Repeat("é", 1000)
	text := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"x": "%s", "containers": [{"name": "app", "securityContext": {"privileged": true}, "y": "%s"}]}}`, long, long)
	f := judge.Judge(input(t, text, newRule(t, "a", "match: container", "assert: 'false'", "at: securityContext.privileged"))).Findings[0]
	line := f.Excerpt.Lines[0]
	if len(line) > 310 || !strings.Contains(line, `"privileged": true`) || !strings.HasPrefix(line, "…") || !strings.HasSuffix(line, "…") {
		t.Errorf("shown: %s", line)
	}
	says := `says: '"` + strings.Repeat("x", 900) + `".replace("x", "` + strings.Repeat("x", 100) + `")'`
	in := input(t, "{apiVersion: v1, kind: Pod, metadata: {name: a}}", newRule(t, "a", "match: object", "assert: 'false'", says))
	if got := judge.Judge(in).Findings[0].Message; len(got) > 310 {
		t.Errorf("a message of %d bytes", len(got))
	}
}

// TestVariants holds that the same fault of several variants of an object is one, told with its
// other places, and counted once.
func TestVariants(t *testing.T) {
	pod := func(name, image, privileged string) string {
		return fmt.Sprintf("{apiVersion: v1, kind: Pod, metadata: {name: %s}, spec: {containers: [{name: app, image: %s, securityContext: {privileged: %s}}]}}", name, image, privileged)
	}
	var objects []*fact.Object
	for i, text := range []string{pod("a", "x", "true"), pod("a", "z", "true"), pod("a", "x", "true"), pod("a", "v", `"?"`), pod("a", "w", "false"), pod("b", "x", "true"), pod("a", "u", "true")} {
		objects = append(objects, specimen.Objects(t, specimen.File(fmt.Sprintf("%d.yaml", i)), text)...)
	}
	privileged := newRule(t, "a", "match: container", "assert: '!container.securityContext.privileged'", "at: securityContext.privileged")
	res := judge.Judge(judge.Input{Inventory: fact.NewInventory(objects, "1.36", false), Rules: []*rule.Compiled{privileged}, Now: now, Width: 3})
	var got []string
	for _, f := range res.Findings {
		var text strings.Builder
		text.WriteString(f.Subject.Name + " " + f.Verdict.String() + " " + f.Location.File)
		for _, l := range f.Also {
			text.WriteString(" " + l.File)
		}
		got = append(got, text.String())
	}
	if diff := cmp.Diff([]string{"a fail 0.yaml 2.yaml 1.yaml 6.yaml", "a unknown 3.yaml", "b fail 5.yaml"}, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	want := []verdict.Tally{{Practice: "pod", Rules: 1, Pass: 1, Fail: 2, Unknown: 1}}
	if diff := cmp.Diff(want, res.Tally); diff != "" {
		t.Errorf("tally (-want +got):\n%s", diff)
	}
	if res.Coverage.Evaluations != 4 || res.Coverage.Objects != 6 {
		t.Errorf("%d evaluations of %d objects", res.Coverage.Evaluations, res.Coverage.Objects)
	}
}
