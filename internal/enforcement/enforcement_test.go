package enforcement_test

import (
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/rule"
)

func rules(t testing.TB) map[string]*rule.Rule {
	t.Helper()
	list, err := catalog.Brief()
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]*rule.Rule{}
	for _, r := range list {
		m[r.ID] = r
	}
	return m
}

func read(t testing.TB, text string) *enforcement.Plan {
	t.Helper()
	p, err := enforcement.Read("plan.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const head = "apiVersion: coaming.dev/v1alpha1\nkind: Enforcement\nspec:\n"

func TestWholePlan(t *testing.T) {
	text, err := os.ReadFile("testdata/whole.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var list []*rule.Rule
	for _, r := range rules(t) {
		list = append(list, r)
	}
	p, err := enforcement.ReadFor("plan.yaml", string(text), list)
	if err != nil {
		t.Fatal(err)
	}
	if !p.Rest || p.Name != "default" || p.Default != (enforcement.Setting{Mode: enforcement.Audit, Timeout: 2 * time.Second}) {
		t.Errorf("%q: default is %+v", p.Name, p.Default)
	}
	for n, want := range map[string]int{
		"rules": len(p.Entries) - 2, "images": len(p.Images) - 1, "defaults": len(p.Defaults) - 1, "resources": len(p.Resources) - 1,
		"sidecars": len(p.Sidecars) - 1, "quotas": len(p.Quotas) - 1, "podSecurity": len(p.PodSecurity) - 1,
	} {
		if want != 0 {
			t.Errorf("%s: not all entries were read", n)
		}
	}
	if got := p.Quotas[0].Limits; len(got) != 1 || got[0].Type != "Container" || got[0].DefaultRequest["cpu"] != "50m" {
		t.Errorf("limits are %+v", got)
	}
	if v := p.Sidecars[0].Values; v["image"] != "registry.example.com/fluent-bit:4" || v["keep"] != "3" || v["verbose"] != "true" {
		t.Errorf("the sidecar's values are %v", v)
	}
	if s := p.Sidecars[0].Workload; s == nil || s.MatchLabels["audit"] != "on" {
		t.Errorf("the sidecar's workloads are %v", s)
	}
}

func TestOf(t *testing.T) {
	all := rules(t)
	p := read(t, head+`  mode: warn
  onError: ignore
  timeoutSeconds: 3
  excludeNamespaces: [ops, 'open*shift']
  rules:
  - {practices: [pod], mode: audit}
  - {rules: [privileged-container], namespaces: [shop, 'team-*'], mode: enforce, onError: fail}
  - {rules: [privileged-container], namespaceSelector: {matchLabels: {tier: lab}}, mode: off}
  - {severity: critical, namespaceSelector: {matchExpressions: [{key: env, operator: In, values: [prod]}]}, mode: enforce}
  - {frameworks: [pss], namespaces: [only-pss], mode: enforce}
`)
	in := func(namespace string, labels map[string]string) enforcement.Place {
		return enforcement.Place{Namespace: namespace, Labels: labels, LabelsKnown: true}
	}
	for name, c := range map[string]struct {
		rule string
		at   enforcement.Place
		mode enforcement.Mode
		fail bool
	}{
		"another practice":            {"service-external-ips", in("x", nil), enforcement.Warn, false},
		"a practice":                  {"privileged-container", in("x", nil), enforcement.Audit, false},
		"a name":                      {"privileged-container", in("shop", nil), enforcement.Enforce, true},
		"a glob":                      {"privileged-container", in("team-a", nil), enforcement.Enforce, true},
		"a label takes the mode":      {"privileged-container", in("team-a", map[string]string{"tier": "lab"}), enforcement.Off, true},
		"labels that are unknown":     {"privileged-container", enforcement.Place{Namespace: "team-a"}, enforcement.Enforce, true},
		"unknown is the stricter":     {"privileged-container", enforcement.Place{Namespace: "x"}, enforcement.Enforce, false},
		"a severity":                  {"privileged-container", in("x", map[string]string{"env": "prod"}), enforcement.Enforce, false},
		"below that severity":         {"host-port", in("x", map[string]string{"env": "prod"}), enforcement.Audit, false},
		"the system":                  {"privileged-container", in("kube-system", map[string]string{"env": "prod"}), enforcement.Off, false},
		"excluded":                    {"privileged-container", in("ops", nil), enforcement.Off, false},
		"excluded by a glob":          {"privileged-container", in("open-and-shift", nil), enforcement.Off, false},
		"what has no namespace":       {"privileged-container", in("", nil), enforcement.Audit, false},
		"a framework":                 {"host-port", in("only-pss", nil), enforcement.Enforce, false},
		"a rule of no such framework": {"service-external-ips", in("only-pss", nil), enforcement.Warn, false},
	} {
		r := all[c.rule]
		if r == nil {
			t.Fatalf("%s: there is no rule %s", name, c.rule)
		}
		want := enforcement.Setting{Mode: c.mode, Fail: c.fail, Timeout: 3 * time.Second}
		if got := p.Of(r, c.at); got != want {
			t.Errorf("%s: %s at %+v is %+v, want %+v", name, c.rule, c.at, got, want)
		}
	}
}

func TestImagesAt(t *testing.T) {
	p := read(t, head+`  mode: warn
  images:
  - {unseen: wait, waitSeconds: 1, failOn: high}
  - {namespaces: [shop], mode: enforce, onError: fail, unseen: deny, pin: true, failOn: severity >= critical && fixed}
  - {namespaces: [quiet], mode: off}
  - {namespaces: [quiet], pin: true}
`)
	at := func(n string) enforcement.ImageSetting {
		return p.ImagesAt(enforcement.Place{Namespace: n, LabelsKnown: true})
	}
	if s := at("x"); s.Mode != enforcement.Warn || s.Unseen != enforcement.UnseenWait || s.Wait != time.Second || s.Pin || s.FailOn.String() != "high" {
		t.Errorf("everywhere: %+v", s)
	}
	if s := at("shop"); s.Mode != enforcement.Enforce || !s.Fail || s.Unseen != enforcement.UnseenDeny || !s.Pin || s.FailOn.String() != "severity >= critical && fixed" {
		t.Errorf("shop: %+v", s)
	}
	if s := at("quiet"); s.Mode != enforcement.Off || !s.Pin {
		t.Errorf("quiet: %+v", s)
	}
	if s := at("kube-system"); s.Mode != enforcement.Off || s.Pin || s.FailOn != nil {
		t.Errorf("kube-system: %+v", s)
	}
	if s := read(t, head+"  mode: enforce\n").ImagesAt(enforcement.Place{Namespace: "x"}); s.Mode != enforcement.Off {
		t.Errorf("without entries: %+v", s)
	}
}

func TestEveryFaultAtOnce(t *testing.T) {
	_, err := enforcement.Read("p.yaml", `apiVersion: coaming.dev/v1
kind: Enforcement
spec:
  mode: block
  onError: maybe
  timeoutSeconds: 9
  excludeNamespaces: [Ops, '']
  rules:
  - {rules: [], mode: warn}
  - {practices: [pods], mode: warn}
  - {namespaces: [a]}
  - {frameworks: [ciss], severity: grave, mode: enforce, colour: red}
  - {namespaceSelector: {}, mode: warn}
  - {namespaceSelector: {matchLabels: {a: 1}}, mode: warn}
  - {namespaceSelector: {matchExpressions: [{key: a, operator: Like}]}, mode: warn}
  images: {failOn: "severity >", unseen: never, waitSeconds: 7, pin: 1}
  mutations:
    defaults: [{namespaces: [a]}]
    resources: [{requests: {cpu: much}}, {namespaces: [a]}]
    sidecars: [{template: A B}]
  quotas: [{hard: {pods: -1}}, {limitRange: {type: Node}}]
  podSecurity: [{enforce: strict}, {version: "1.30"}]
  more: 1
`)
	if err == nil {
		t.Fatal("read without a fault")
	}
	lines := strings.Split(err.Error(), "\n")
	for _, want := range []string{
		"p.yaml:1:1: apiVersion is \"coaming.dev/v1\"", "mode is \"block\"", "onError is \"maybe\"", "timeoutSeconds is \"9\", not 1 to 3", "\"Ops\" is no name",
		"an item of excludeNamespaces", "rules is no list with something", "no practice \"pods\". Did you mean pod?", "the entry says nothing", "no framework \"ciss\". Did you mean cis?",
		"severity is \"grave\"", "unknown key \"colour\"", "is empty and selects everything", "the value of a is of type", "namespaceSelector: \"Like\"", "failOn: ", "unseen is \"never\"",
		"waitSeconds is \"7\"", "pin is of type", "rules is missing", "cpu is \"much\"", "gives no resources", "\"A B\" is no name", "pods is below 0", "type is \"Node\"",
		"enforce is \"strict\"", "version is \"1.30\"", "asks for no level", "p.yaml:23:3: unknown key \"more\" in spec. Its fields are mode,",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing says %q", want)
		}
	}
	last := 0
	for _, line := range lines {
		if !strings.HasPrefix(line, "p.yaml:") || !strings.HasSuffix(line, ".") && !strings.HasSuffix(line, "?") {
			t.Errorf("no place or no remedy: %q", line)
		}
		last = max(last, len(line))
	}
	if t.Failed() || last > 400 {
		t.Log(err)
	}
}

func TestNoPlan(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "there is no plan",
		"a: [":                                 "p:1:",
		"[]":                                   "not a map",
		"kind: Enforcement":                    "apiVersion is missing",
		head + "---\na: 1\n":                   "spec is of type null",
		head + "  mode: warn\n  mode: audit\n": "mode",
		head + "  {}\n---\nkind: X\n":          "a second document",
		head + "  rules: {a: 1}\n":             "rules is of type map, not a list",
		"\xff\xfe\x00":                         "p:1:1",
		strings.Repeat(" ", 1<<20+1):           "has 1048577 bytes",
	} {
		if p, err := enforcement.Read("p", text); err == nil || p != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	var list []*rule.Rule
	for _, r := range rules(t) {
		list = append(list, r)
	}
	text := head + `  rules:
  - {rules: [privileged-contaner], mode: warn}
  - {rules: [host-port], severity: critical, mode: warn}
  - {practices: [audit], severity: critical, mode: warn}
  mutations: {defaults: [{rules: [nothing-at-all, privileged-container, "privilege*", "x*y"]}]}
`
	if _, err := enforcement.Read("plan.yaml", text); err != nil {
		t.Fatal(err)
	}
	p, err := enforcement.ReadFor("plan.yaml", text, list)
	if err == nil || p != nil {
		t.Fatal("no fault")
	}
	if strings.Contains(err.Error(), "privilege*") {
		t.Errorf("a glob that names rules with fixes is refused:\n%v", err)
	}
	for _, want := range []string{"plan.yaml:5:5: there is no rule \"privileged-contaner\". Did you mean privileged-container?", "rule host-port is of severity", "no rule \"nothing-at-all\"", "no rule with a fix is one of \"x*y\""} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing says %q:\n%v", want, err)
		}
	}
}

// TestFaultsAndRulesAtOnce: what is wrong with the file keeps nobody from being told which rules there are not.
func TestFaultsAndRulesAtOnce(t *testing.T) {
	_, err := enforcement.ReadFor("plan.yaml", head+"  mode: loud\n  rules:\n  - {rules: [no-such-rule], mode: warn}\n", []*rule.Rule{rules(t)["host-port"]})
	for _, want := range []string{"loud", `there is no rule "no-such-rule"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("nothing says %q:\n%v", want, err)
		}
	}
}

func TestAsks(t *testing.T) {
	known := rules(t)
	p := read(t, head+"  mode: \"off\"\n  rules:\n  - {rules: [host-pid], namespaces: [shop], mode: warn}\n  - {rules: [host-port], onError: fail}\n")
	if !p.Asks(known["host-pid"]) || p.Asks(known["host-port"]) || p.Asks(known["host-network"]) {
		t.Error("only what some entry has not off may hold somewhere")
	}
	if !read(t, head+"  mode: audit\n").Asks(known["host-port"]) {
		t.Error("what holds where no entry says otherwise is off")
	}
}

func TestMatches(t *testing.T) {
	for pattern, names := range map[string][2][]string{
		"a":     {{"a"}, {"", "aa", "b"}},
		"*":     {{"", "a"}, nil},
		"a*":    {{"a", "ab"}, {"ba"}},
		"*a":    {{"a", "ba"}, {"ab"}},
		"a*a":   {{"aa", "aba"}, {"a", "ab"}},
		"a*b*c": {{"abc", "a-b-c", "abbc"}, {"acb", "ab"}},
		"**":    {{"", "x"}, nil},
	} {
		for i, list := range names {
			for _, name := range list {
				if got := enforcement.Matches(pattern, name); got != (i == 0) {
					t.Errorf("%q matches %q: %v", pattern, name, got)
				}
			}
		}
	}
}

func TestSelectionOfALiteral(t *testing.T) {
	s := enforcement.Selection{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}}
	if holds, known := s.Holds(enforcement.Place{Namespace: "x", LabelsKnown: true}); holds || !known {
		t.Errorf("holds %v, known %v", holds, known)
	}
	own := enforcement.Selection{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": "x"}}}
	if holds, known := own.Holds(enforcement.Place{Namespace: "x"}); !holds || !known {
		t.Errorf("a namespace's name is known by itself: holds %v, known %v", holds, known)
	}
}

func FuzzRead(f *testing.F) {
	whole, err := os.ReadFile("testdata/whole.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(whole))
	f.Add(head + "  mode: off\n  rules: [1, null, {mode: enforce, namespaces: ['*']}]\n  images: {pin: true}\n")
	f.Add(head + "  quotas: [{hard: {a: 1e999}}]\n")
	f.Add(head + "  podSecurity: &a [*a]\n")
	all := rules(f)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := enforcement.Read("f", text)
		if err != nil {
			if p != nil {
				t.Fatal("half a plan was read")
			}
			for line := range strings.Lines(err.Error()) {
				if !strings.HasPrefix(line, "f:") {
					t.Fatalf("a fault without a place: %q", line)
				}
			}
			return
		}
		for _, r := range []*rule.Rule{all["privileged-container"], all["host-port"]} {
			for _, namespace := range []string{"", "a", "kube-system"} {
				known := p.Of(r, enforcement.Place{Namespace: namespace, LabelsKnown: true})
				if namespace == "kube-system" && known.Mode != enforcement.Off {
					t.Fatal("the system's namespace is not let alone")
				}
				if known.Timeout < time.Second || known.Timeout > 3*time.Second || known.Mode > enforcement.Enforce {
					t.Fatalf("%+v", known)
				}
				_ = p.ImagesAt(enforcement.Place{Namespace: namespace})
			}
		}
	})
}
