package policy

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// all has each place of each example enlarged to what etcd takes, for minutes; without it a sample is.
var all = flag.Bool("all", false, "enlarge all places of all examples")

// eachPolicy hands over the policies of the catalogue's rules, each with what its rule is about.
func eachPolicy(t *testing.T, do func(id string, p *compiled, spec policySpec)) {
	t.Helper()
	for _, r := range catalogue(t) {
		p, err := compileFor(r, everywhere, purpose{open: true})
		if err != nil {
			continue // Native tells why
		}
		spec, err := p.spec()
		if err != nil {
			t.Errorf("%s: %v", r.ID, err)
			continue
		}
		spec.FailurePolicy = "Ignore"
		do(r.ID, p, spec)
	}
}

// enlarged are copies of an object in each of which one list, map or text is as large as etcd takes.
func enlarged(t *testing.T, text []byte, most, every int) map[string]any {
	t.Helper()
	copies := map[string]any{}
	places := 0
	var count func(v any)
	count = func(v any) {
		places++
		switch x := v.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(x)) {
				count(x[key])
			}
		case []any:
			for _, item := range x {
				count(item)
			}
		}
	}
	count(fresh(t, text))
	for wanted := range places {
		if wanted%every != len(text)%every {
			continue
		}
		for _, way := range []string{"same", "small", "short", "long"} {
			at, name := -1, ""
			var walk func(path string, v any) any
			walk = func(path string, v any) any {
				at++
				here := at == wanted
				switch x := v.(type) {
				case map[string]any:
					for _, key := range slices.Sorted(maps.Keys(x)) {
						x[key] = walk(path+"."+key, x[key])
					}
					if _, isText := anyOf(x).(string); here && isText && way == "small" {
						name = path
						for i := range most / 20 {
							x[fmt.Sprintf("key-%d", i)] = "a"
						}
					}
				case []any:
					for i := range x {
						x[i] = walk(fmt.Sprintf("%s[%d]", path, i), x[i])
					}
					if !here || len(x) == 0 {
						break
					}
					switch _, isText := x[0].(string); {
					case way == "same":
						name = path
						raw, _ := json.Marshal(x[0])
						for range most / max(len(raw), 10) {
							x = append(x, x[0])
						}
					case way == "small" && isText:
						name = path
						for range most / 10 {
							x = append(x, "a")
						}
					case way == "long" && isText:
						name = path
						for range 25 {
							x = append(x, strings.Repeat("nc ", most/75))
						}
					}
					return x
				case string:
					switch {
					case here && way == "long":
						name = path
						return x + strings.Repeat("/a", most/2)
					case here && way == "short":
						name = path
						return x + strings.Repeat(", 10.0.0.0/8", most/300)
					}
				}
				return v
			}
			if o := walk("", fresh(t, text)); name != "" {
				copies[way+name] = o
			}
		}
	}
	return copies
}

// anyOf is a value of a map.
func anyOf(m map[string]any) any {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		return m[key]
	}
	return nil
}

func fresh(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var o map[string]any
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&o); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestNoObjectSpendsTheBudget enlarges each list, map and text of the rules' own examples, and demands that the API server comes to an end with
// each rule: what it cannot finish it lets in where errors are ignored.
func TestNoObjectSpendsTheBudget(t *testing.T) {
	asked, refused := 0, 0
	eachPolicy(t, func(id string, p *compiled, spec policySpec) {
		e := newEvaluator(t, spec)
		for _, v := range p.rule.Bad[0] {
			text := v.AppendJSON(nil)
			if len(text) > 20_000 {
				continue
			}
			most, every := 1_400_000, 1
			if !*all {
				most, every = 300_000, 10
			}
			for name, o := range enlarged(t, text, most, every) {
				decisions, took, spent := e.judge(o, nil)
				asked++
				if spent != nil {
					t.Errorf("%s: %s: %v", id, name, spent)
				}
				for _, d := range decisions {
					if d.err != nil && strings.Contains(d.err.Error(), "cost limit") {
						t.Errorf("%s: %s: %v", id, name, d.err)
					}
					if d.denies {
						refused++
					}
				}
				if took.validations > int64(p.budget.Cost())+100_000 || took.messages > int64(p.budget.Cost())+1_000_000 {
					t.Errorf("%s: %s: took %+v, and at most %d is promised", id, name, took, p.budget.Cost())
				}
			}
		}
	})
	t.Logf("%d objects, %d refusals", asked, refused)
}

// TestBoundsAreForNobody demands that the bounds refuse no example of the catalogue, and nothing of a size that people need: among the pods 12
// containers with 40 variables and 10 mounts each and a script of 12 kB.
func TestBoundsAreForNobody(t *testing.T) {
	var container []string
	for i := range 12 {
		var env, mounts []string
		for j := range 40 {
			env = append(env, fmt.Sprintf(`{"name":"VARIABLE_%d","value":"https://service-%d.example.com:8443/a/path?that=is&rather=long"}`, j, j))
		}
		for j := range 10 {
			mounts = append(mounts, fmt.Sprintf(`{"name":"volume-%d","mountPath":"/var/lib/service/%d","subPath":"a"}`, j, j))
		}
		script := "set -e"
		if i == 0 {
			script = strings.Repeat("echo this is a line of a script that somebody wrote; ", 230)
		}
		container = append(container, fmt.Sprintf(`{"name":"container-%d","image":"registry.example.com/team/project/service-%d:v1.2.3@sha256:%064d","command":["sh","-c"],"args":[%q],"env":[%s],"volumeMounts":[%s],"ports":[{"containerPort":8080},{"containerPort":9090}],"resources":{"limits":{"cpu":"1","memory":"1Gi"},"requests":{"cpu":"1","memory":"1Gi"}},"securityContext":{"capabilities":{"drop":["ALL"],"add":["NET_BIND_SERVICE"]}}}`,
			i, i, i, script, strings.Join(env, ","), strings.Join(mounts, ",")))
	}
	var volumes, rules, subjects, peers, hosts []string
	for i := range 15 {
		volumes = append(volumes, fmt.Sprintf(`{"name":"volume-%d","configMap":{"name":"settings-%d"}},{"name":"host-%d","hostPath":{"path":"/var/log/service/%d"}}`, i, i, i, i))
	}
	for i := range 3 {
		volumes = append(volumes, fmt.Sprintf(`{"name":"image-%d","image":{"reference":"registry.example.com/team/project/model-%d:v1.2.3@sha256:%064d"}}`, i, i, i))
	}
	for i := range 100 {
		rules = append(rules, fmt.Sprintf(`{"apiGroups":["a%d.example.com"],"resources":["a","b","c","d","e","f","g","h","a/status","b/status"],"verbs":["get","list","watch","create","update","patch","delete"]}`, i))
	}
	for i := range 300 {
		subjects = append(subjects, fmt.Sprintf(`{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"somebody-%d@example.com"}`, i))
	}
	for i := range 30 {
		peers = append(peers, fmt.Sprintf(`{"ipBlock":{"cidr":"203.0.%d.0/24","except":["203.0.%d.0/28"]}}`, i, i))
	}
	for i := range 60 {
		hosts = append(hosts, fmt.Sprintf(`{"host":"host-%d.example.com","http":{"paths":[{"path":"/","pathType":"Prefix","backend":{"service":{"name":"a","port":{"number":80}}}}]}}`, i))
	}
	large := map[string]string{
		"Pod":                `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"a"},"spec":{"containers":[` + strings.Join(container, ",") + `],"volumes":[` + strings.Join(volumes, ",") + `]}}`,
		"Role":               `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role","metadata":{"name":"a"},"rules":[` + strings.Join(rules, ",") + `]}`,
		"ClusterRole":        `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{"name":"a"},"rules":[` + strings.Join(rules, ",") + `]}`,
		"RoleBinding":        `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"a"},"roleRef":{"kind":"Role","name":"a"},"subjects":[` + strings.Join(subjects, ",") + `]}`,
		"ClusterRoleBinding": `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"a"},"roleRef":{"kind":"ClusterRole","name":"a"},"subjects":[` + strings.Join(subjects, ",") + `]}`,
		"NetworkPolicy":      `{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"a"},"spec":{"podSelector":{},"egress":[{"to":[` + strings.Join(peers, ",") + `]}],"ingress":[{"from":[` + strings.Join(peers, ",") + `]}]}}`,
		"Ingress":            `{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"a"},"spec":{"rules":[` + strings.Join(hosts, ",") + `]}}`,
	}
	asked := 0
	eachPolicy(t, func(id string, p *compiled, spec policySpec) {
		if p.budget.guard == "" {
			return
		}
		e := newEvaluator(t, spec)
		try := func(name string, o map[string]any) {
			decisions, _, spent := e.judge(o, nil)
			if spent != nil {
				t.Errorf("%s, %s: %v", id, name, spent)
			}
			if len(decisions) == 2 {
				asked++
				if d := decisions[1]; d.denies || d.err != nil && decisions[0].err == nil {
					t.Errorf("%s, %s: %t %v", id, name, d.denies, d.err)
				}
			}
		}
		for i, example := range slices.Concat(p.rule.Bad, p.rule.Good) {
			for _, v := range example {
				if kind := v.Get("kind").Str(); isWorkload(p.rule.Match) == (kind == "Pod" || v.At("spec", "template").Exists()) {
					try(fmt.Sprintf("example %d", i), fresh(t, v.AppendJSON(nil)))
				}
			}
		}
		for kind, text := range large {
			if isWorkload(p.rule.Match) == (kind == "Pod") && (kind == "Pod" || slices.ContainsFunc(p.rule.Match.Kinds, func(k string) bool { return k == kind || strings.HasPrefix(k, kind+".") })) {
				try("a large "+kind, fresh(t, []byte(text)))
			}
		}
	})
	t.Logf("%d objects", asked)
}
