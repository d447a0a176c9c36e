package catalog_test

import (
	"fmt"
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

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// podSecurity asks the rules that map to Pod Security, and the evaluator of the API server's own
// admission plugin, about the same pod.
type podSecurity struct {
	evaluator policy.Evaluator
	rules     []*rule.Compiled
	levels    map[string][]string // by rule: the levels that its fail denies
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
	return p
}

// compare reports where the rules and the evaluator differ about a pod, and returns the evaluator's
// verdicts: whether each level allows it.
func (p *podSecurity) compare(t *testing.T, name, text string) map[api.Level]bool {
	t.Helper()
	var pod corev1.Pod
	if err := yaml.UnmarshalStrict([]byte(text), &pod); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, text)
	}
	ours, findings, decided := p.ours(t, text)
	if !decided {
		t.Errorf("%s: a rule could not decide\n%s\n%s", name, findings, text)
	}
	windows := pod.Spec.OS != nil && pod.Spec.OS.Name == corev1.Windows
	theirs := map[api.Level]bool{}
	for _, level := range []api.Level{api.LevelBaseline, api.LevelRestricted} {
		allowed, why := p.theirs(&pod, level)
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

// theirs is the evaluator's verdict under the latest version of the policy.
func (p *podSecurity) theirs(pod *corev1.Pod, level api.Level) (allowed bool, why string) {
	pod = pod.DeepCopy()
	for i := range pod.Spec.Volumes {
		// The API server fills this in before admission sees the pod.
		if v := &pod.Spec.Volumes[i]; (v.VolumeSource == corev1.VolumeSource{}) {
			v.EmptyDir = &corev1.EmptyDirVolumeSource{}
		}
	}
	latest := api.LevelVersion{Level: level, Version: api.LatestVersion()}
	result := policy.AggregateCheckResults(p.evaluator.EvaluatePod(latest, &pod.ObjectMeta, &pod.Spec))
	return result.Allowed, result.ForbiddenReason() + ": " + result.ForbiddenDetail()
}

// ours is the rules' verdict: whether they allow the pod at each level, and whether each of them
// came to one.
func (p *podSecurity) ours(t *testing.T, text string) (allowed map[api.Level]bool, findings string, decided bool) {
	t.Helper()
	docs, errs := document.Read(document.NewText(text), 1)
	if len(errs) > 0 || len(docs) != 1 {
		t.Fatalf("want one pod: %v\n%s", errs, text)
	}
	allowed, decided = map[api.Level]bool{api.LevelBaseline: true, api.LevelRestricted: true}, true
	var list strings.Builder
	for _, f := range judgeObjects(p.rules, []document.Value{docs[0].Root()}, "").Findings {
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

// TestPodSecurityFixtures compares on every pod that the upstream project publishes as a test of
// any version of the standards. What its folder says holds for that version; we follow the latest,
// so the evaluator is asked.
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
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p.compare(t, strings.TrimPrefix(file, dir), string(text))
	}
	t.Logf("%d fixtures, %d rules", len(files), len(p.rules))
	if len(files) < 4000 {
		t.Errorf("%d fixtures, of which there were 4,537 in v0.37.2: they have moved", len(files))
	}
}

// TestPodSecurityRandomPods compares on pods made up field by field, the same ones in every run.
// COAMING_PODS=100000 asks for more of them, COAMING_PODS_SEED for others.
func TestPodSecurityRandomPods(t *testing.T) {
	p := newPodSecurity(t)
	usual := 10_000
	if testing.Short() {
		usual = 1_000
	}
	count, seed := number(t, "COAMING_PODS", usual), number(t, "COAMING_PODS_SEED", 1)
	allowed := map[api.Level]int{}
	for i := range count {
		// A generator for each pod: its number alone is enough to make it again.
		maker := podMaker{rand.New(rand.NewPCG(uint64(seed), uint64(i)))}
		for level, allows := range p.compare(t, fmt.Sprintf("pod %d of seed %d", i, seed), maker.pod()) {
			if allows {
				allowed[level]++
			}
		}
		if t.Failed() {
			return // the first is enough to read
		}
	}
	baseline, restricted := allowed[api.LevelBaseline], allowed[api.LevelRestricted]
	t.Logf("%d pods; baseline allows %d of them, restricted %d", count, baseline, restricted)
	// Where nearly every pod fails, or passes, little was compared.
	if count >= 1000 && (baseline < count/5 || baseline > count*4/5 || restricted < count/50) {
		t.Errorf("baseline allows %d of %d pods, restricted %d: they are no good mixture", baseline, count, restricted)
	}
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
