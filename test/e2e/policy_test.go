package e2e

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/specimen"
)

// sent is one object that is judged by a scan and sent to the API server.
type sent struct {
	name   string // of the example or fixture
	rule   string // the rule whose example it is; "" for all others
	object *fact.Object
}

// policyJudges asks the rules and the API server about the same objects. A refusal and the audit log
// name one policy, warnings all that the object violates.
type policyJudges struct {
	*applier
	rules    []*rule.Compiled // the exported ones
	accounts sync.Map         // namespaces and service accounts that were made
	home     string           // the namespace of objects that name none
	// export writes the policies that warn, or refuse.
	export func(t *testing.T, mode string) string
	// policies is how many there are at least.
	policies int

	counts map[string]int
}

// TestPolicyExport installs every policy that the catalogue gives and sends every example of the catalogue (to a gate, too), every
// Pod Security fixture of the newest version, and pods crossed from those to
// the API server: it refuses what a scan fails or cannot decide, policy by policy.
func TestPolicyExport(t *testing.T) {
	s := startSandbox(t)
	j := newPolicyJudges(t, s)
	j.export = func(t *testing.T, mode string) string {
		out := coaming(t, "policy", "export", "--namespace-selector", "", "--mode", mode)
		wantCode(t, out, verdict.ExitClean)
		return out.stdout
	}
	j.policies = len(j.rules)
	j.install(t, s)
	examples := j.examples(t)
	fixtures := securityFixtures(t)
	t.Run("examples by scan, policy and webhook", j.threeWays)
	j.compareAll(t, fixtures)
	j.compareAll(t, crossed(t, fixtures, 2000))
	j.enforce(t, s, examples)
	j.tell(t)
	if len(fixtures) < 140 {
		t.Errorf("%d fixtures: they have moved", len(fixtures))
	}
}

// TestPlannedExport installs the policies that a plan gives, of which one holds many rules, and sends every example of every exported rule to the API
// server: it warns of, and refuses, what a scan fails or cannot decide, rule by rule.
func TestPlannedExport(t *testing.T) {
	s := startSandbox(t)
	j := newPolicyJudges(t, s)
	j.export = func(t *testing.T, mode string) string {
		word := map[string]string{"warn": "warn", "deny": "enforce"}[mode]
		out := coaming(t, "policy", "export", "--plan", writeFile(t, "plan.yaml", "apiVersion: coaming.dev/v1alpha1\nkind: Enforcement\nspec: {mode: "+word+", onError: fail}\n"))
		wantCode(t, out, verdict.ExitClean)
		return out.stdout
	}
	j.policies = 30
	j.install(t, s)
	examples := slices.DeleteFunc(j.examples(t), func(s sent) bool { // a plan holds nowhere there
		return slices.Contains(enforcement.SystemNamespaces, s.object.Namespace) || s.object.Kind == "Namespace" && slices.Contains(enforcement.SystemNamespaces, s.object.Name)
	})
	j.compareAll(t, examples)
	j.enforce(t, s, examples)
	j.tell(t)
}

func newPolicyJudges(t *testing.T, s *sandbox) *policyJudges {
	t.Helper()
	j := &policyJudges{applier: newApplier(t, s), counts: map[string]int{}, home: "e2e"}
	listed := coaming(t, "policy", "export", "--list")
	wantCode(t, listed, verdict.ExitClean)
	rules, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		if !regexp.MustCompile(`(?m)^` + r.ID + ` +exported`).MatchString(listed.stdout) {
			j.counts["rules not exportable"]++
			continue
		}
		c, err := rule.Compile(r, catalog.Checked)
		if err != nil {
			t.Fatal(err)
		}
		j.rules = append(j.rules, c)
	}
	j.counts["rules exported"] = len(j.rules)
	return j
}

// install applies the definitions of the custom kinds, and the policies, and waits until they hold
// and the API server has checked their types.
func (j *policyJudges) install(t *testing.T, s *sandbox) {
	t.Helper()
	s.apply(t, strings.Join(j.definitions(), "---\n"))
	s.apply(t, j.export(t, "warn"))
	eventually(t, "custom kinds are served", func() bool {
		j.discover(t)
		for _, r := range j.rules {
			for _, kind := range r.Match.Kinds {
				if name, group, _ := strings.Cut(kind, "."); !catalog.IsOwnGroup(group) && j.served[group+"/v1 "+name].plural == "" {
					return false
				}
			}
		}
		return true
	})
	within(t, 5*patience, "the types of all policies are checked", func() bool {
		return j.typesChecked(t, s)
	})
	bad := &sent{name: "canary", object: parseObject(t, `{apiVersion: v1, kind: Pod, metadata: {name: canary, namespace: default}, spec: {hostNetwork: true, hostPID: true, containers: [{name: a, image: a, securityContext: {privileged: true}}]}}`)}
	want := len(j.ours(bad.object))
	eventually(t, "the policies hold", func() bool {
		return len(j.dryRun(t, bad.object).violated) >= want
	})
	time.Sleep(2 * time.Second) //nolint:forbidigo // policies are taken up once a second, and nothing tells of the last
}

// typesChecked fails the test for every warning of the type checker.
func (j *policyJudges) typesChecked(t *testing.T, s *sandbox) bool {
	t.Helper()
	var list struct {
		Items []struct {
			Metadata struct{ Name string }
			Status   struct {
				ObservedGeneration int
				TypeChecking       *struct {
					ExpressionWarnings []struct{ FieldRef, Warning string }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(s.kubectl(t, "get", "validatingadmissionpolicies", "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	for _, item := range list.Items {
		if item.Status.TypeChecking == nil {
			return false
		}
	}
	for _, item := range list.Items {
		for _, w := range item.Status.TypeChecking.ExpressionWarnings {
			t.Errorf("%s: %s: %s", item.Metadata.Name, w.FieldRef, w.Warning)
		}
	}
	return len(list.Items) >= j.policies
}

// definitions are definitions of the kinds that are not Kubernetes' own, without a schema: the
// server keeps what is sent, nulls included.
func (j *policyJudges) definitions() []string {
	kinds, served := map[string]bool{}, map[string][]string{}
	for _, r := range j.rules {
		for _, kind := range r.Match.Kinds {
			if _, group, _ := strings.Cut(kind, "."); !catalog.IsOwnGroup(group) {
				kinds[kind] = true
			}
		}
		for _, e := range slices.Concat(r.Bad, r.Good) {
			for _, v := range e {
				o := fact.NewObject(v, &fact.Origin{})
				if _, version, found := strings.Cut(o.APIVersion, "/"); found && !slices.Contains(served[o.GroupKind()], version) && version != "v1" {
					served[o.GroupKind()] = append(served[o.GroupKind()], version)
				}
			}
		}
	}
	var list []string
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		name, group, _ := strings.Cut(kind, ".")
		plural := strings.ToLower(name) + "s"
		var versions strings.Builder
		for i, v := range append([]string{"v1"}, served[kind]...) {
			fmt.Fprintf(&versions, "  - {name: %s, served: true, storage: %t, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}\n", v, i == 0)
		}
		list = append(list, fmt.Sprintf("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: %[1]s.%[2]s\n"+
			"  annotations: {api-approved.kubernetes.io: unapproved}\nspec:\n  group: %[2]s\n  scope: Namespaced\n  names: {kind: %[3]s, plural: %[1]s}\n  versions:\n%[4]s", plural, group, name, versions.String()))
	}
	return list
}

func (j *policyJudges) examples(t *testing.T) []sent {
	t.Helper()
	var list []sent
	for _, r := range j.rules {
		for i, e := range slices.Concat(r.Bad, r.Good) {
			for n, v := range e {
				if v.At("metadata", "uid").Exists() {
					j.counts["examples as a server holds them, which nobody creates"]++
					continue
				}
				list = append(list, sent{fmt.Sprintf("%s, example %d.%d", r.ID, i, n), r.ID, fact.NewObject(v, &fact.Origin{})})
			}
		}
	}
	return list
}

// securityFixtures are the pods that the Pod Security project publishes for its newest version.
func securityFixtures(t *testing.T) []sent {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/pod-security-admission").Output()
	if err != nil {
		t.Fatal(err)
	}
	versions, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "test", "testdata", "baseline", "v1.*"))
	if err != nil || len(versions) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	newest := slices.MaxFunc(versions, func(a, b string) int { return minorOf(a) - minorOf(b) })
	files, err := filepath.Glob(filepath.Join(strings.Replace(newest, "baseline", "*", 1), "*", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var list []sent
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".yaml") // which the server would refuse where it has an underscore
		renamed := strings.Replace(string(text), "name: "+name, "name: "+strings.ReplaceAll(name, "_", "-"), 1)
		list = append(list, sent{name: strings.TrimPrefix(file, filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(file))))), object: parseObject(t, renamed)})
	}
	return list
}

func minorOf(path string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(filepath.Base(path), "v1."))
	return n
}

// crossed are pods with the pod's fields of one fixture and the first container's of another.
func crossed(t *testing.T, pods []sent, count int) []sent {
	t.Helper()
	random := rand.New(rand.NewPCG(7, 7))
	var list []sent
	for i := range count {
		a, b := pods[random.IntN(len(pods))], pods[random.IntN(len(pods))]
		var pod, other map[string]any
		if err := errors.Join(json.Unmarshal(a.object.Root.AppendJSON(nil), &pod), json.Unmarshal(b.object.Root.AppendJSON(nil), &other)); err != nil {
			t.Fatal(err)
		}
		to, from := pod["spec"].(map[string]any), other["spec"].(map[string]any)
		key := "containers"
		if random.IntN(2) == 0 {
			key = "initContainers"
		}
		if from[key] == nil || to[key] == nil {
			continue
		}
		to[key].([]any)[0] = from[key].([]any)[0]
		pod["metadata"].(map[string]any)["name"] = fmt.Sprintf("crossed-%d", i)
		text, err := json.Marshal(pod)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, sent{name: fmt.Sprintf("crossed %d", i), object: parseObject(t, string(text))})
	}
	return list
}

func parseObject(t *testing.T, text string) *fact.Object {
	t.Helper()
	return fact.NewObject(specimen.Value(t, text), &fact.Origin{})
}

// ours are the exported rules that a scan of the object alone fails or cannot decide.
func (j *policyJudges) ours(o *fact.Object) map[string]string {
	res := judge.Judge(judge.Input{Inventory: fact.NewInventory([]*fact.Object{o}, catalog.Newest, false), Rules: j.rules})
	found := map[string]string{}
	for _, f := range res.Findings {
		found[f.Rule] = f.Verdict.String() + " " + f.Message + " " + f.Reason
	}
	return found
}

// answer is what the API server made of an object without keeping it.
type answer struct {
	body     []byte
	violated map[string]string // what each policy warns of
	cut      bool              // there are more warnings than the server tells
	refused  string            // why the server refuses it
}

var (
	// warned takes apart a warning: the policy and the message.
	warned = regexp.MustCompile(`(?s)^Validation failed for ValidatingAdmissionPolicy '([a-z0-9.-]+)' with binding '[^']*': (.*)$`)
	// saying finds the rule in a message, or in the expression that an error tells.
	saying = regexp.MustCompile(`^([a-z][a-z0-9-]*): |^expression '[^"]*"([a-z][a-z0-9-]*)" == "" `)
)

// ruleOf is the rule that a message of a policy of ours is of: that of the policy's name where the message names none. Of others' it is the policy.
func ruleOf(policy, message string) string {
	policy, ours := strings.CutPrefix(policy, "coaming-")
	if !ours {
		return policy
	}
	if match := saying.FindStringSubmatch(message); match != nil {
		return match[1] + match[2]
	}
	name, _, _ := strings.Cut(policy, ".")
	return name
}

// mostWarned is about how many characters of warnings the API server tells (k8s.io/apiserver
// pkg/endpoints/filters/warning.go); past it, each is cut short and the last are left out.
const mostWarned = 4096

// dryRun creates the object without keeping it.
func (j *policyJudges) dryRun(t *testing.T, o *fact.Object) answer {
	t.Helper()
	r, ok := j.served[o.APIVersion+" "+o.Kind]
	if !ok {
		return answer{refused: "the API server does not serve " + o.APIVersion + " " + o.Kind}
	}
	path := r.path
	if r.namespaced {
		namespace := cmp.Or(o.Namespace, j.home)
		j.account(t, o, namespace)
		path += "/namespaces/" + namespace
	}
	return j.post(t, path, r.plural, o.Root.AppendJSON(nil))
}

// post creates what a body says without keeping it.
func (j *policyJudges) post(t *testing.T, path, plural string, body []byte) answer {
	t.Helper()
	return j.postAs(t, "", path, plural, body)
}

// postAs does so as another, with all rights.
func (j *policyJudges) postAs(t *testing.T, user, path, plural string, body []byte) answer {
	t.Helper()
	request := j.client.RESTClient().Post().AbsPath(path, plural).Param("dryRun", "All")
	if user != "" {
		request = request.SetHeader("Impersonate-User", user).SetHeader("Impersonate-Group", "system:masters")
	}
	result := request.SetHeader("Content-Type", "application/json").SetHeader("Accept", "application/json").Body(body).Do(t.Context())
	a := answer{violated: map[string]string{}}
	length := 0
	for _, w := range result.Warnings() {
		length += len(w.Text)
		if match := warned.FindStringSubmatch(w.Text); match != nil {
			a.violated[ruleOf(match[1], match[2])] = match[2]
		}
	}
	a.cut = length > mostWarned-300
	a.body, _ = result.Raw() // its error says less than the one below
	if err := result.Error(); err != nil {
		a.refused = err.Error()
	}
	return a
}

// account makes the namespace and the service account that a pod names: what is not there refuses it.
func (j *policyJudges) account(t *testing.T, o *fact.Object, namespace string) {
	t.Helper()
	post := func(path, body string) {
		err := j.client.RESTClient().Post().AbsPath(path).SetHeader("Content-Type", "application/json").Body([]byte(body)).Do(t.Context()).Error()
		if err != nil && !apierrors.IsAlreadyExists(err) {
			t.Logf("%s: %v", path, err)
		}
	}
	if _, known := j.accounts.LoadOrStore(namespace, true); !known && namespace != "default" {
		post("/api/v1/namespaces", fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}`, namespace))
	}
	home := "/api/v1/namespaces/" + namespace
	eventually(t, home, func() bool {
		return j.client.RESTClient().Get().AbsPath(home+"/serviceaccounts/default").Do(t.Context()).Error() == nil
	})
	name := o.Root.At("spec", "serviceAccountName").Str()
	if name == "" || o.Kind != "Pod" {
		return
	}
	if _, known := j.accounts.LoadOrStore(namespace+"/"+name, true); !known {
		post("/api/v1/namespaces/"+namespace+"/serviceaccounts", fmt.Sprintf(`{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":%q}}`, name))
	}
}

// answers are what the API server makes of the objects, which are sent several at a time.
func (j *policyJudges) answers(t *testing.T, objects []sent) []answer {
	t.Helper()
	list := make([]answer, len(objects))
	var at atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := int(at.Add(1)) - 1; i < len(objects); i = int(at.Add(1)) - 1 {
				list[i] = j.dryRun(t, objects[i].object)
			}
		})
	}
	wg.Wait()
	return list
}

// compareAll sends the objects, and then compares the answers with the findings of a scan.
func (j *policyJudges) compareAll(t *testing.T, objects []sent) {
	t.Helper()
	answers := j.answers(t, objects)
	for i, s := range objects {
		j.compare(t, s, j.ours(s.object), answers[i])
	}
}

// enforce has the policies refuse, and demands that they refuse exactly what a scan fails.
func (j *policyJudges) enforce(t *testing.T, s *sandbox, objects []sent) {
	t.Helper()
	s.apply(t, j.export(t, "deny"))
	bad := parseObject(t, `{apiVersion: v1, kind: Pod, metadata: {name: canary}, spec: {hostPID: true, containers: [{name: a, image: a}]}}`)
	eventually(t, "the policies refuse", func() bool { return strings.Contains(j.dryRun(t, bad).refused, "denied request") })
	time.Sleep(3 * time.Second) //nolint:forbidigo // bindings are taken up once a second, and nothing tells of the last
	for _, o := range objects {
		ours := j.ours(o.object)
		other := j.dryRun(t, o.object).refused
		switch denied := strings.Contains(other, "denied request"); {
		case other != "" && !denied:
			continue // the server's own reason, which was counted
		case defaulted[o.rule] != "", denied && defaulted[denying(other)] != "", ofCustomKind(o.object):
		case denied != (len(ours) > 0):
			t.Errorf("%s: a scan finds %v, the API server says %q", o.name, ours, other)
		case denied:
			j.counts["objects denied"]++
		default:
			j.counts["objects let in"]++
		}
	}
}

// defaulted are rules that read what the API server fills in, so that of what is written a scan says
// other than the server of what it makes of it; with the reason.
var defaulted = map[string]string{
	"apparmor-unconfined":      "the server copies the annotation, which another rule judges, into the field",
	"load-balancer-node-ports": "the server gives each port of a load balancer a port of the nodes",
	"bootstrap-token-endless":  "the server makes an empty entry of one that is null",
	"role-write-namespace":     "the server gives a Role that names no namespace that of the request, and so it no longer may be any",
}

func (j *policyJudges) compare(t *testing.T, s sent, ours map[string]string, got answer) {
	t.Helper()
	if got.refused != "" {
		j.counts["objects that the server itself refuses"]++
		t.Logf("refused by the server itself: %s: %.300s", s.name, got.refused)
		return
	}
	if got.cut {
		j.counts["objects with more warnings than the server tells"]++
	}
	j.counts["objects compared"]++
	for _, r := range j.rules {
		a, b := ours[r.ID], got.violated[r.ID]
		switch {
		case (a == "") == (b == ""):
			j.counts["verdicts agreed"]++
			if a != "" {
				j.counts["of them refusals"]++
			}
		case got.cut && b == "":
		case ofCustomKind(s.object) && b == "" && (r.Match.Fact == "container" || r.Match.Fact == "workload"):
			j.counts["verdicts on the pod templates of custom resources, which policies do not see"]++
		case defaulted[r.ID] != "":
			j.counts["verdicts that differ by what the server fills in"]++
		default:
			t.Errorf("%s: %s: a scan says %q, the API server %q\n%s", s.name, r.ID, a, b, s.object.Root.AppendJSON(nil))
		}
		if b != "" && (strings.Contains(b, "expression") || !strings.HasPrefix(b, r.ID+": ")) && !strings.HasPrefix(a, "unknown") {
			t.Errorf("%s: %s: message %q", s.name, r.ID, b)
		}
	}
}

// denying is the rule whose violation a refusal tells.
func denying(refusal string) string {
	if match := regexp.MustCompile(`(?s)ValidatingAdmissionPolicy '(coaming-[a-z0-9.-]+)' with binding '[^']*' denied request: (.*)$`).FindStringSubmatch(refusal); match != nil {
		return ruleOf(match[1], match[2])
	}
	return ""
}

// ofCustomKind says whether an object is of a kind that is not Kubernetes' own: the pod templates
// in it a scan judges, and no policy.
func ofCustomKind(o *fact.Object) bool { return !catalog.IsOwnGroup(o.Group()) }

func (j *policyJudges) tell(t *testing.T) {
	t.Helper()
	for _, what := range slices.Sorted(maps.Keys(j.counts)) {
		t.Logf("%d %s", j.counts[what], what)
	}
}
