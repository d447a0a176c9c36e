package catalog_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/specimen"
)

// podSecurity asks the rules that map to Pod Security, and the evaluator of the API server's own
// admission plugin, about the same pod.
type podSecurity struct {
	evaluator policy.Evaluator
	rules     []*rule.Compiled
	levels    map[string][]string // by rule: the levels that its fail denies
	// epochs are the minor versions whose policy differs from the one before, sorted; newest is the last
	// version that has a policy of its own.
	epochs []int
	newest int
}

func newPodSecurity(t *testing.T) *podSecurity {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &podSecurity{evaluator: evaluator, levels: map[string][]string{}}
	for _, r := range compiled(t) {
		if levels := r.Maps["pss"]; len(levels) > 0 {
			p.rules = append(p.rules, r)
			p.levels[r.ID] = levels
		}
	}
	changes := map[int]bool{}
	for _, check := range policy.DefaultChecks() {
		for _, v := range check.Versions {
			changes[v.MinimumVersion.Minor()] = true
		}
	}
	p.epochs = slices.Sorted(maps.Keys(changes))
	p.newest = p.epochs[len(p.epochs)-1]
	return p
}

// aPod is one pod as each side reads it.
type aPod struct {
	name, text string
	typed      *corev1.Pod
	object     *fact.Object
}

// readPod reads a pod once for all versions that it is judged under.
func readPod(t *testing.T, name, text string) aPod {
	t.Helper()
	pod := aPod{name: name, text: text, typed: &corev1.Pod{}}
	if err := yaml.UnmarshalStrict([]byte(text), pod.typed); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, text)
	}
	// As from a server: a pod of a file is judged the same, but each finding shows its lines, which takes most of the time.
	pod.object = fact.NewObject(specimen.Value(t, text), &fact.Origin{Source: "files", File: "pod.yaml", Served: true})
	for i := range pod.typed.Spec.Volumes {
		// The API server fills this in before admission sees the pod.
		if v := &pod.typed.Spec.Volumes[i]; (v.VolumeSource == corev1.VolumeSource{}) {
			v.EmptyDir = &corev1.EmptyDirVolumeSource{}
		}
	}
	return pod
}

// compare reports where the rules and the evaluator differ about a pod under the policy of Kubernetes
// 1.minor, and returns the evaluator's verdicts: whether each level allows it.
func (p *podSecurity) compare(t *testing.T, pod aPod, minor int) map[api.Level]bool {
	t.Helper()
	name, text := fmt.Sprintf("%s under 1.%d", pod.name, minor), pod.text
	ours, findings, decided := p.ours(pod.object, minor)
	if !decided {
		t.Errorf("%s: a rule could not decide\n%s\n%s", name, findings, text)
	}
	windows := minor >= 25 && pod.typed.Spec.OS != nil && pod.typed.Spec.OS.Name == corev1.Windows
	theirs := map[api.Level]bool{}
	for _, level := range []api.Level{api.LevelBaseline, api.LevelRestricted} {
		allowed, why := p.theirs(pod.typed, level, minor)
		theirs[level] = allowed
		if level == api.LevelRestricted && windows && !theirs[api.LevelBaseline] {
			// Of a Windows pod, restricted leaves out checks of fields that validation refuses there;
			// baseline makes some of them, and to us what baseline denies, restricted denies too.
			continue
		}
		if allowed != ours[level] {
			t.Errorf("%s: whether %s allows it: Pod Security says %t (%s), the rules %t\n%s\n%s", name, level, allowed, why, ours[level], findings, text)
		}
	}
	return theirs
}

// theirs is the evaluator's verdict under the policy of Kubernetes 1.minor.
func (p *podSecurity) theirs(pod *corev1.Pod, level api.Level, minor int) (allowed bool, why string) {
	at := api.LevelVersion{Level: level, Version: api.MajorMinorVersion(1, minor)}
	result := policy.AggregateCheckResults(p.evaluator.EvaluatePod(at, &pod.ObjectMeta, &pod.Spec))
	return result.Allowed, result.ForbiddenReason() + ": " + result.ForbiddenDetail()
}

// ours is the rules' verdict for a cluster of that version: whether they allow the pod at each level,
// and whether each of them came to one.
func (p *podSecurity) ours(pod *fact.Object, minor int) (allowed map[api.Level]bool, findings string, decided bool) {
	inventory := fact.NewInventory([]*fact.Object{pod}, "1."+strconv.Itoa(minor), false)
	allowed, decided = map[api.Level]bool{api.LevelBaseline: true, api.LevelRestricted: true}, true
	var list strings.Builder
	for _, f := range judge.Judge(judge.Input{Inventory: inventory, Rules: p.rules, Now: now}).Findings {
		fmt.Fprintf(&list, "%s %s: %s (%s) at %s\n", f.Verdict, f.Rule, f.Message, f.Reason, f.Path)
		if f.Verdict != verdict.Fail {
			decided = false
			continue
		}
		allowed[api.LevelRestricted] = false // which includes baseline
		if slices.Contains(p.levels[f.Rule], string(api.LevelBaseline)) {
			allowed[api.LevelBaseline] = false
		}
	}
	return allowed, list.String(), decided
}

// TestPodSecurityFixtures compares on every pod that the upstream project publishes as a test of any
// version of the standards, each under every version. The evaluator, in its turn, is held to what a
// pod's folder says of it for that folder's version.
func TestPodSecurityFixtures(t *testing.T) {
	p := newPodSecurity(t)
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/pod-security-admission").Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		t.Skipf("the go command cannot say where the fixtures are: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "test", "testdata", "*", "v1.*", "*", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	newest := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(file, filepath.Join(dir, "test", "testdata")+"/")
		newest = max(newest, p.published(t, name, string(text)))
		if seen[string(text)] {
			continue // most are published again with every version
		}
		seen[string(text)] = true
		pod := readPod(t, name, string(text))
		for minor := range p.newest + 1 {
			p.compare(t, pod, minor)
		}
	}
	t.Logf("%d fixtures, %d of them different, each under %d versions by %d rules", len(files), len(seen), p.newest+1, len(p.rules))
	if len(files) < 4000 || newest != p.newest {
		t.Errorf("%d fixtures up to 1.%d, of which there were 4,537 up to 1.%d: they have moved", len(files), newest, p.newest)
	}
}

// published holds the evaluator to what a fixture's path, "baseline/v1.34/fail/x.yaml", says of it,
// and returns the path's minor version.
func (p *podSecurity) published(t *testing.T, name, text string) (minor int) {
	t.Helper()
	parts := strings.Split(name, "/")
	minor, err := strconv.Atoi(strings.TrimPrefix(parts[1], "v1."))
	if err != nil {
		t.Fatalf("%s: no version: %v", name, err)
	}
	if allowed, why := p.theirs(readPod(t, name, text).typed, api.Level(parts[0]), minor); allowed != (parts[2] == "pass") {
		t.Errorf("%s: the evaluator allows it: %t (%s)", name, allowed, why)
	}
	return minor
}

// TestPodSecurityRandomPods compares on pods made up field by field, the same ones in every run, each
// under one version in turn. COAMING_PODS=100000 asks for more of them, each under every policy that
// differs from the one before; COAMING_PODS_SEED asks for others.
func TestPodSecurityRandomPods(t *testing.T) {
	p := newPodSecurity(t)
	usual := 10_000
	if testing.Short() {
		usual = 1_000
	}
	count, seed := number(t, "COAMING_PODS", usual), number(t, "COAMING_PODS_SEED", 1)
	full := os.Getenv("COAMING_PODS") != ""
	allowed, compared := map[api.Level]int{}, 0
	for i := range count {
		// A generator for each pod: its number alone is enough to make it again.
		maker := podMaker{rand.New(rand.NewPCG(uint64(seed), uint64(i)))}
		pod := readPod(t, fmt.Sprintf("pod %d of seed %d", i, seed), maker.pod())
		for _, minor := range p.turn(i, full) {
			compared++
			for level, allows := range p.compare(t, pod, minor) {
				if allows {
					allowed[level]++
				}
			}
		}
		if t.Failed() {
			return // the first is enough to read
		}
	}
	baseline, restricted := allowed[api.LevelBaseline], allowed[api.LevelRestricted]
	t.Logf("%d pods, %d verdicts at each level; baseline allows %d, restricted %d", count, compared, baseline, restricted)
	// Where nearly every pod fails, or passes, little was compared.
	if count >= 1000 && (baseline < compared/5 || baseline > compared*4/5 || restricted < compared/50) {
		t.Errorf("baseline allows %d of %d, restricted %d: they are no good mixture", baseline, compared, restricted)
	}
}

// turn is the minor versions that a pod is judged under: one of all, or one of each epoch.
func (p *podSecurity) turn(pod int, full bool) []int {
	if !full {
		return []int{pod % (p.newest + 1)}
	}
	minors := make([]int, len(p.epochs))
	for i, from := range p.epochs {
		to := p.newest + 1
		if i+1 < len(p.epochs) {
			to = p.epochs[i+1]
		}
		minors[i] = from + pod%(to-from)
	}
	return minors
}

// number is an environment variable's number.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is no number of 1 or more", name, text)
	}
	return n
}
