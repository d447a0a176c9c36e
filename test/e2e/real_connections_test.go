package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/coaming/coaming/test/enforcer"
)

// TestRealConnections holds what 'coaming reach' says of a live cluster against connections that are really made: pods on a
// real node, policies that packet filters enforce, and for each attempt the answer that came, or the refusal. What is
// unknown is counted apart: it promises nothing that could be wrong.
func TestRealConnections(t *testing.T) {
	const (
		seed       = 20260731
		random     = 8   // rounds with random policies
		perRound   = 120 // connections that are tried in a round
		leastTried = 200
	)
	begun := time.Now()
	f := newField(t)
	t.Logf("the node and its pods were ready after %s", time.Since(begun).Round(100*time.Millisecond))

	rounds := writtenRounds()
	for i := range random {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		rounds = append(rounds, round{fmt.Sprintf("random %d", i), randomPolicies(r)})
	}
	var sum tally
	for i, r := range rounds {
		t.Run(r.name, func(t *testing.T) {
			sum.add(f.hold(t, r.policies, perRound, rand.New(rand.NewPCG(seed, uint64(1000+i)))))
		})
	}
	t.Logf("%d real connections in %d rounds: %d predicted open, %d closed; %d agree; %d more combinations are unknown; %s in all",
		sum.open+sum.closed, len(rounds), sum.open, sum.closed, sum.agree, sum.unknown, time.Since(begun).Round(time.Second))
	if sum.open+sum.closed < leastTried || min(sum.open, sum.closed)*3 < sum.open+sum.closed {
		t.Errorf("%d open and %d closed connections are too few, or too much of one kind", sum.open, sum.closed)
	}
}

// tally counts attempts by prediction.
type tally struct{ open, closed, agree, unknown int }

func (a *tally) add(b tally) {
	a.open += b.open
	a.closed += b.closed
	a.agree += b.agree
	a.unknown += b.unknown
}

// field is a sandbox with a node and pods that answer and try connections.
type field struct {
	*sandbox
	enforcer *enforcer.Enforcer
	probe    string // path of the program that pods run
	pods     []core.Pod
	services map[string]core.Service
}

func newField(t *testing.T) *field {
	t.Helper()
	f := &field{sandbox: startSandbox(t, "--node"), services: map[string]core.Service{}, probe: filepath.Join(t.TempDir(), "probe")}
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", f.probe, "./probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the pods' program: %v\n%s", err, out)
	}
	f.onNode(t, "load", "--dir", f.Dir, "--image", probeImage, f.probe)
	f.startEnforcer(t)
	f.apply(t, townsfolk())
	f.kubectl(t, "wait", "pod", "--all", "--all-namespaces", "--for=condition=Ready", "--timeout=60s")
	f.serveBeside(t, []string{"in", "--dir", f.Dir, f.probe}, nodePorts)
	f.serveBeside(t, []string{"in", "--dir", f.Dir, "--outside", f.probe}, outsidePorts)
	var pods core.PodList
	f.read(t, &pods, "pods")
	for _, pod := range pods.Items {
		if pod.Namespace != "kube-system" {
			f.pods = append(f.pods, pod)
		}
	}
	var services core.ServiceList
	f.read(t, &services, "services")
	for _, service := range services.Items {
		f.services[service.Name] = service
	}
	return f
}

// read lists a resource of all namespaces.
func (f *field) read(t *testing.T, into any, resource string) {
	t.Helper()
	if err := json.Unmarshal([]byte(f.kubectl(t, "get", resource, "--all-namespaces", "-o", "json")), into); err != nil {
		t.Fatalf("read %s: %v", resource, err)
	}
}

// onNode runs a command of the sandbox's that goes to the node.
func (f *field) onNode(t *testing.T, args ...string) string {
	t.Helper()
	out, err := f.tryOnNode(t.Context(), "", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (f *field) tryOnNode(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, f.Binary, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("sandbox %s: %w: %s", strings.Join(args, " "), err, complaint.String())
	}
	return string(out), nil
}

// serveBeside answers connections until the test ends, on the node itself or outside of the cluster.
func (f *field) serveBeside(t *testing.T, command, ports []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), f.Binary, slices.Concat(command, []string{"serve"}, lower(ports))...)
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // the context's end kills it
}

func (f *field) startEnforcer(t *testing.T) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", f.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	f.enforcer = &enforcer.Enforcer{Apply: func(ctx context.Context, rules string) error {
		_, err := f.tryOnNode(ctx, rules, "in", "--dir", f.Dir, "nft", "--file", "-")
		return err
	}}
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() {
		if err := f.enforcer.Run(ctx, config); err != nil {
			t.Errorf("enforce policies: %v", err)
		}
	})
	t.Cleanup(func() {
		end()
		running.Wait()
	})
}

// hold puts policies in force and compares what is predicted with what connections do.
func (f *field) hold(t *testing.T, policies []networking.NetworkPolicy, tries int, r *rand.Rand) tally {
	t.Helper()
	f.enforce(t, policies)
	o := coaming(t, "reach", "--cluster", "--kubeconfig", f.Kubeconfig, "--format", "json", "--allow-unknown")
	wantCode(t, o, 0)
	p := readPrediction(t, o.stdout)
	attempts, unknown := f.choose(p, tries, r)
	f.try(t, attempts)
	sum := tally{unknown: unknown}
	for _, a := range attempts {
		if a.predicted == "open" {
			sum.open++
		} else {
			sum.closed++
		}
		if wrong := a.disagrees(); wrong != "" {
			t.Errorf("%s: predicted %s, but %s", a, a.predicted, wrong)
			continue
		}
		sum.agree++
	}
	t.Logf("%d policies: %d open and %d closed connections tried, %d agree, %d combinations unknown", len(policies), sum.open, sum.closed, sum.agree, unknown)
	if t.Failed() {
		text, _ := json.MarshalIndent(policies, "", " ")
		t.Logf("the policies were\n%s", text)
	}
	return sum
}

// enforce replaces the policies of the cluster and returns when they are in force.
func (f *field) enforce(t *testing.T, policies []networking.NetworkPolicy) {
	t.Helper()
	f.kubectl(t, "delete", "networkpolicies", "--all", "--all-namespaces", "--wait=true")
	if len(policies) > 0 {
		list := networking.NetworkPolicyList{Items: policies}
		list.APIVersion, list.Kind = "v1", "List"
		for i := range list.Items {
			list.Items[i].APIVersion, list.Items[i].Kind = "networking.k8s.io/v1", "NetworkPolicy"
		}
		text, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		f.apply(t, string(text))
	}
	var stored networking.NetworkPolicyList
	f.read(t, &stored, "networkpolicies")
	var pods core.PodList
	f.read(t, &pods, "pods")
	eventually(t, "policies in force", func() bool { return f.enforcer.InForce(stored.Items, pods.Items) })
}

// try makes attempts, each from where it begins.
func (f *field) try(t *testing.T, attempts []*attempt) {
	t.Helper()
	groups := map[string][]*attempt{}
	for i, a := range attempts {
		a.ID = i
		groups[a.source] = append(groups[a.source], a)
	}
	const side = 4 // processes at once: each is a kubectl
	room := make(chan struct{}, side)
	var all sync.WaitGroup
	for source, group := range groups {
		all.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			if err := f.tryFrom(t.Context(), source, group); err != nil {
				t.Errorf("try connections from %s: %v", source, err)
			}
		})
	}
	all.Wait()
}

func (f *field) tryFrom(ctx context.Context, source string, group []*attempt) error {
	question, err := json.Marshal(group)
	if err != nil {
		return err
	}
	command := []string{"in", "--dir", f.Dir, f.probe, "try"}
	switch namespace, name, isPod := strings.Cut(source, "/"); {
	case isPod:
		command = []string{"kubectl", "--kubeconfig=" + f.Kubeconfig, "exec", "--stdin", "--namespace=" + namespace, name, "--", "/program", "try"}
	case source != "node":
		command = []string{"in", "--dir", f.Dir, "--outside", f.probe, "try"}
	}
	answer, err := f.tryOnNode(ctx, string(question), command...)
	if err != nil {
		return err
	}
	var told []attempt
	if err := json.Unmarshal([]byte(answer), &told); err != nil {
		return fmt.Errorf("read what was told: %w", err)
	}
	byID := map[int]attempt{}
	for _, one := range told {
		byID[one.ID] = one
	}
	for _, a := range group {
		a.Outcome, a.By, a.Error = byID[a.ID].Outcome, byID[a.ID].By, byID[a.ID].Error
	}
	return nil
}
