package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/verdict"
)

// TestForbidden reads clusters that refuse, are gone, or go away on the way: what was not read is told, and nothing passes for it.
func TestForbidden(t *testing.T) {
	s := startSandbox(t, "--no-controller-manager")
	s.apply(t, twoTeams)

	t.Run("no rights", s.testNoRights)
	t.Run("rights in one namespace", s.testOneNamespace)
	t.Run("rights to one kind", s.testOneKind)
	t.Run("expired credentials", s.testExpired)
	t.Run("nobody listens", s.testNobodyListens)
	t.Run("no answer", s.testNoAnswer)
	t.Run("goes away", s.testGoesAway)
	t.Run("no discovery", s.testNoDiscovery) // last: it takes a right away
}

// refusable is the kinds that a scan asks this server for, sorted.
func (s *sandbox) refusable(t *testing.T) (namespaced, clustered []string) {
	t.Helper()
	for _, g := range s.granted(t) {
		if g.Namespaced {
			namespaced = append(namespaced, join(g.Kind, g.Group))
		} else {
			clustered = append(clustered, join(g.Kind, g.Group))
		}
	}
	slices.Sort(namespaced)
	slices.Sort(clustered)
	return slices.Compact(namespaced), slices.Compact(clustered)
}

// missed is the kinds that the ledger says were not read, sorted. Definitions of custom resources are looked at on
// the way, for kinds that nobody asked for: that they are forbidden is told, and is no gap.
func missed(t *testing.T, r *verdict.Result, code verdict.GapCode) []string {
	t.Helper()
	var kinds []string
	for _, g := range r.Coverage.Gaps {
		if g.Code != code || g.Message == "" || g.Remedy == "" {
			t.Errorf("gap: %+v", g)
		}
		kinds = append(kinds, g.Kinds...)
	}
	for _, e := range r.Coverage.Exclusions {
		if strings.HasPrefix(e.What, "CustomResourceDefinition.") && strings.Contains(e.Reason, "may not list") {
			kinds = append(kinds, e.What)
		}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

func passes(r *verdict.Result) int {
	n := 0
	for _, tally := range r.Tally {
		n += tally.Pass
	}
	return n
}

func (s *sandbox) testNoRights(t *testing.T) {
	nobody := s.User(t, "--user", "nobody")
	r := scan(t, []int{3}, "--cluster", "--kubeconfig", nobody)
	namespaced, clustered := s.refusable(t)
	want := append(namespaced, clustered...)
	slices.Sort(want)
	if diff := cmp.Diff(want, missed(t, r, verdict.GapForbidden)); diff != "" {
		t.Errorf("kinds that were not listed (-want +told):\n%s", diff)
	}
	if r.Coverage.Objects != 0 {
		t.Errorf("%d objects", r.Coverage.Objects)
	}
	// Only the server's version is known, and only one rule needs nothing else.
	if n := passes(r); n > 1 {
		t.Errorf("%d verdicts are pass: %+v", n, r.Tally)
	}
	text := coaming(t, "scan", "--cluster", "--kubeconfig", nobody)
	wantCode(t, text, 3)
	for _, kind := range []string{"deployments.apps", "clusterroles.rbac.authorization.k8s.io", "configmaps"} {
		if !strings.Contains(text.stdout, kind) {
			t.Errorf("the terminal report does not name %s:\n%s", kind, text.stdout)
		}
	}
}

// testNoDiscovery scans as somebody who may not even ask what there is. The server does not forget that again.
func (s *sandbox) testNoDiscovery(t *testing.T) {
	s.kubectl(t, "delete", "clusterrolebinding", "system:discovery")
	nobody := s.User(t, "--user", "nobody")
	var o outcome
	eventually(t, "nobody may ask what the cluster serves", func() bool {
		o = coaming(t, "scan", "--cluster", "--kubeconfig", nobody)
		return o.code != verdict.ExitUnknown
	})
	wantError(t, o, "may not ask what the cluster serves", "Bind the ClusterRole system:discovery")
}

func (s *sandbox) testOneNamespace(t *testing.T) {
	s.apply(t, strings.NewReplacer("kind: ClusterRole\n", "kind: Role\n", "name: coaming-scan", "{name: coaming-scan, namespace: shop}", "metadata:\n  {", "metadata: {").
		Replace(coaming(t, "snapshot", "--print-role").stdout))
	s.kubectl(t, "create", "rolebinding", "coaming-scan", "-n", "shop", "--role=coaming-scan", "--user=shopper")
	shopper := s.User(t, "--user", "shopper")
	namespaced, clustered := s.refusable(t)

	all := scan(t, []int{3}, "--cluster", "--kubeconfig", shopper)
	want := append(slices.Clone(namespaced), clustered...)
	slices.Sort(want)
	if diff := cmp.Diff(want, missed(t, all, verdict.GapForbidden)); diff != "" {
		t.Errorf("everywhere: kinds that were not listed (-want +told):\n%s", diff)
	}

	r := scan(t, []int{1}, "--cluster", "--kubeconfig", shopper, "-n", "shop")
	if diff := cmp.Diff(clustered, missed(t, r, verdict.GapForbidden)); diff != "" {
		t.Errorf("in shop: kinds that were not listed (-want +told):\n%s", diff)
	}
	whole := scan(t, []int{1}, "--cluster", "--kubeconfig", s.Kubeconfig, "-n", "shop")
	if knowsLess(t, clustered, r, whole) == 0 {
		t.Error("nothing is unknown")
	}
	for i := range r.Findings {
		if ns := r.Findings[i].Subject.Namespace; ns != "shop" && r.Findings[i].Subject.Kind != "Cluster" {
			t.Errorf("outside shop: %s", keyOf(&r.Findings[i]))
		}
	}
	both := scan(t, []int{1}, "--cluster", "--kubeconfig", shopper, "-n", "shop,other")
	for _, kind := range namespaced {
		if !slices.ContainsFunc(both.Coverage.Gaps, func(g verdict.Gap) bool { return g.Namespace == "other" && slices.Contains(g.Kinds, kind) }) {
			t.Errorf("that %s of namespace other was not listed is not told", kind)
		}
		if slices.ContainsFunc(both.Coverage.Gaps, func(g verdict.Gap) bool { return g.Namespace == "shop" && slices.Contains(g.Kinds, kind) }) {
			t.Errorf("%s of namespace shop was listed, and the ledger says that it was not", kind)
		}
	}
}

// knowsLess holds a scan that could not read everything to one that could: what it found is right, and what it
// did not find is unknown or of a kind that the ledger says was not read. It returns how many findings are unknown.
func knowsLess(t *testing.T, told []string, less, whole *verdict.Result) int {
	t.Helper()
	type asked struct {
		rule    string
		subject identity
	}
	found, unknown := map[key]bool{}, map[asked]int{}
	for i := range less.Findings {
		switch f := &less.Findings[i]; f.Verdict {
		case verdict.Fail:
			found[keyOf(f)] = true
		case verdict.Unknown:
			unknown[asked{f.Rule, subjectOf(f)}]++
			if f.Reason == "" {
				t.Errorf("unknown without a reason: %s", keyOf(f))
			}
		default:
			t.Errorf("%s: %s", f.Verdict, keyOf(f))
		}
	}
	for i := range whole.Findings {
		k := keyOf(&whole.Findings[i])
		if !found[k] && unknown[asked{k.rule, k.subject}] == 0 && !slices.Contains(told, k.subject.kind) {
			t.Errorf("passes silently: %s", k)
		}
		delete(found, k)
	}
	for k := range found {
		t.Errorf("found, and not there when everything is read: %s", k)
	}
	for i, tally := range less.Tally {
		if tally.Pass > whole.Tally[i].Pass {
			t.Errorf("%s: %d pass, and %d when everything is read", tally.Practice, tally.Pass, whole.Tally[i].Pass)
		}
	}
	n := 0
	for _, count := range unknown {
		n += count
	}
	t.Logf("%d findings, %d of them unknown; %d when everything is read", len(less.Findings), n, len(whole.Findings))
	return n
}

// testOneKind reads Deployments and nothing that they would be judged beside.
func (s *sandbox) testOneKind(t *testing.T) {
	s.kubectl(t, "create", "clusterrole", "see-deployments", "--verb=list", "--resource=deployments.apps")
	s.kubectl(t, "create", "clusterrolebinding", "see-deployments", "--clusterrole=see-deployments", "--user=onlooker")
	onlooker := s.User(t, "--user", "onlooker")
	r := scan(t, []int{1}, "--cluster", "--kubeconfig", onlooker)
	namespaced, clustered := s.refusable(t)
	want := slices.DeleteFunc(append(namespaced, clustered...), func(kind string) bool { return kind == "Deployment.apps" })
	slices.Sort(want)
	if diff := cmp.Diff(want, missed(t, r, verdict.GapForbidden)); diff != "" {
		t.Errorf("kinds that were not listed (-want +told):\n%s", diff)
	}
	if knowsLess(t, want, r, scan(t, []int{1}, "--cluster", "--kubeconfig", s.Kubeconfig)) == 0 {
		t.Error("nothing is unknown")
	}
	for _, rule := range []string{"workload-without-network-policy", "service-account-token-unused", "service-account-token-powerful"} {
		r := scan(t, []int{3}, "--cluster", "--kubeconfig", onlooker, "--rule", rule)
		if n := passes(r); n > 0 || len(r.Findings) == 0 || r.Findings[0].Verdict != verdict.Unknown {
			t.Errorf("%s: %d pass, findings %+v", rule, n, r.Findings)
		}
	}
}

func (s *sandbox) testExpired(t *testing.T) {
	o := coaming(t, "scan", "--cluster", "--kubeconfig", s.User(t, "--user", "late", "--expired"))
	wantError(t, o, "refuses the credentials", "Renew the credentials")
}

func (s *sandbox) testNobodyListens(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	o := coaming(t, "scan", "--cluster", "--kubeconfig", s.elsewhere(t, "https://"+address))
	wantError(t, o, "refused", "Check the server's address")
	if o.took > 20*time.Second {
		t.Errorf("took %s", o.took)
	}
	wantError(t, coaming(t, "snapshot", "-o", "-", "--kubeconfig", s.elsewhere(t, "https://"+address)), "refused", "Check the server's address")
}

// testNoAnswer asks a server that takes the connection and says nothing.
func (s *sandbox) testNoAnswer(t *testing.T) {
	p := startProxy(t, s.Server, 0, stall)
	o := coaming(t, "scan", "--cluster", "--kubeconfig", s.elsewhere(t, p.server), "--request-timeout", "2s")
	wantError(t, o, "imeout", "Check the server's address")
	if o.took > 30*time.Second {
		t.Errorf("took %s", o.took)
	}
}

// wantError is exit code 2 and nothing on standard output, with what is wrong and what to do about it.
func wantError(t *testing.T, o outcome, says, hint string) {
	t.Helper()
	t.Logf("after %s: %s", o.took.Round(time.Millisecond), strings.TrimSpace(o.stderr))
	if o.code != verdict.ExitError || o.stdout != "" {
		t.Errorf("exit code %d, standard output %q", o.code, o.stdout)
	}
	if !strings.Contains(o.stderr, says) || !strings.Contains(o.stderr, "hint: "+hint) {
		t.Errorf("want %q and the hint %q", says, hint)
	}
	if strings.Count(o.stderr, "\n") > 2 {
		t.Errorf("%d lines", strings.Count(o.stderr, "\n"))
	}
}

// testGoesAway cuts the connection, or lets it hang, somewhere in a large list.
func (s *sandbox) testGoesAway(t *testing.T) {
	const many = 3000
	s.fill(t, many)
	count := startProxy(t, s.Server, 1<<40, cut)
	whole := scan(t, []int{1}, "--cluster", "--kubeconfig", s.elsewhere(t, count.server))
	if n := planted(whole); n != many || len(whole.Coverage.Gaps) > 0 {
		t.Fatalf("%d of %d planted faults found, gaps %+v", n, many, whole.Coverage.Gaps)
	}
	half := count.sent() / 2

	for name, end := range map[string]ending{"cut off": cut, "hanging": stall} {
		t.Run(name, func(t *testing.T) {
			p := startProxy(t, s.Server, half, end)
			begun := time.Now()
			r := scan(t, []int{1}, "--cluster", "--kubeconfig", s.elsewhere(t, p.server), "--request-timeout", "2s")
			t.Logf("after %s: %d of %d planted faults, %d objects", time.Since(begun).Round(time.Millisecond), planted(r), many, r.Coverage.Objects)
			if n := planted(r); n == 0 || n >= many {
				t.Errorf("%d planted faults: it did not go away in the middle", n)
			}
			told := missed(t, r, verdict.GapUnreachable)
			if !slices.Contains(told, "ConfigMap") {
				t.Errorf("told: %v", told)
			}
			knowsLess(t, told, r, whole)
		})
	}
	t.Run("anywhere", func(t *testing.T) {
		for _, percent := range []int64{1, 2, 4, 6, 8, 12, 16, 25, 75, 95} {
			p := startProxy(t, s.Server, count.sent()*percent/100, cut)
			o := coaming(t, "scan", "--format", "json", "--cluster", "--kubeconfig", s.elsewhere(t, p.server))
			if o.code == verdict.ExitError {
				wantError(t, o, "read cluster", "")
				continue
			}
			r := readResult(t, o)
			told := missed(t, r, verdict.GapUnreachable)
			t.Logf("%d%%: %d objects, %d kinds not read to their end", percent, r.Coverage.Objects, len(told))
			if len(told) == 0 {
				t.Error("no gap tells it")
			}
			knowsLess(t, told, r, whole)
		}
	})
	t.Run("exit code", func(t *testing.T) {
		p := startProxy(t, s.Server, half, cut)
		scan(t, []int{3}, "--cluster", "--kubeconfig", s.elsewhere(t, p.server), "--rule", "secret-in-configmap", "--fail-on", "critical")
		p = startProxy(t, s.Server, half, cut)
		o := coaming(t, "snapshot", "-o", filepath.Join(t.TempDir(), "half.coaming"), "--kubeconfig", s.elsewhere(t, p.server))
		wantCode(t, o, 3)
		if !strings.Contains(o.stderr, "went away") {
			t.Errorf("standard error: %s", o.stderr)
		}
	})
}

func planted(r *verdict.Result) int {
	n := 0
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Rule == "secret-in-configmap" && f.Subject.Namespace == "many" {
			n++
		}
	}
	return n
}

// fill makes ConfigMaps with a credential and with noise that does not compress.
func (s *sandbox) fill(t *testing.T, n int) {
	t.Helper()
	client := s.client(t).RESTClient()
	noise := rand.New(rand.NewPCG(1, 2))
	bodies := make(chan string)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for body := range bodies {
				err := client.Post().AbsPath("/api/v1/namespaces/many/configmaps").SetHeader("Content-Type", "application/json").Body([]byte(body)).Do(t.Context()).Error()
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range n {
		var b strings.Builder
		for range 128 {
			fmt.Fprintf(&b, "%016x", noise.Uint64())
		}
		bodies <- fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m%04d"},"data":{"credentials":"aws_access_key_id = AKIA%016X\n","noise":%q}}`, i, noise.Uint64(), b.String())
	}
	close(bodies)
	wg.Wait()
}

const twoTeams = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Namespace
metadata: {name: other}
---
apiVersion: v1
kind: Namespace
metadata: {name: many}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop}
spec:
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart}}
    spec: {serviceAccountName: cart, containers: [{name: cart, image: "example.test/cart:latest", securityContext: {privileged: true}}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: cart, namespace: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: till, namespace: other}
spec:
  selector: {matchLabels: {app: till}}
  template:
    metadata: {labels: {app: till}}
    spec: {containers: [{name: till, image: "example.test/till:latest"}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: other}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
`
