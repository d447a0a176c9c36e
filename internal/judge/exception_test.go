package judge_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/specimen"
)

const (
	digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// estate is pods in three namespaces and none, with labels and images, and a cluster-wide role.
func estate() string {
	var b strings.Builder
	for _, ns := range []string{"shop", "other", "default", ""} {
		for i, image := range []string{"a@" + digestA, "b@" + digestB, "c:1"} {
			place := ""
			if ns != "" {
				place = ", namespace: " + ns
			}
			fmt.Fprintf(&b, "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p%d%s, labels: {app: a%d, tier: web}}\nspec: {containers: [{name: x, image: '%s'}, {name: side, image: d}]}\n", i, place, i, image)
		}
	}
	b.WriteString("---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: p0, labels: {app: a0}}\n")
	b.WriteString("---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n")
	return b.String()
}

func estateInput(t testing.TB) judge.Input {
	return input(t, estate(),
		newRule(t, "bad", "match: container", "assert: 'false'"), newRule(t, "worse", "match: workload", "assert: 'false'"), newRule(t, "odd", "match: container", "assert: container.nothing"),
		newRule(t, "good", "match: container", "assert: 'true'"), newRule(t, "any", "match: object", "assert: 'false'"))
}

func whole(rules ...string) verdict.Exception {
	return verdict.Exception{Rules: rules, Owner: "ann", Reason: "known", Expires: now.Add(time.Hour), Grant: verdict.GrantFile}
}

// exempted are the fingerprints that are exempt.
func exempted(res *verdict.Result) []string {
	var list []string
	for _, f := range res.Findings {
		if f.Verdict == verdict.Exempt {
			list = append(list, f.Fingerprint)
		}
	}
	return list
}

// TestScopes holds what each part of a scope reaches.
func TestScopes(t *testing.T) {
	in := estateInput(t)
	tests := map[string]struct {
		change func(*verdict.Exception)
		count  int
		word   verdict.Standing
	}{
		"one object": {func(e *verdict.Exception) {
			e.Selector = verdict.Selector{Kind: "Pod", Name: "p0"}
			e.Namespace = "shop"
		}, 2, verdict.Applied},
		"its container": {func(e *verdict.Exception) {
			e.Selector = verdict.Selector{Kind: "Pod", Name: "p0"}
			e.Namespace, e.Container = "shop", "side"
		}, 1, verdict.Applied},
		"a name in four namespaces": {func(e *verdict.Exception) { e.Selector = verdict.Selector{Kind: "Pod", Name: "p0"} }, 0, verdict.Refused},
		"the same, counted":         {func(e *verdict.Exception) { e.Selector = verdict.Selector{Kind: "Pod", Name: "p0"}; e.AtMost = 8 }, 8, verdict.Applied},
		"one too many":              {func(e *verdict.Exception) { e.Selector = verdict.Selector{Kind: "Pod", Name: "p0"}; e.AtMost = 7 }, 0, verdict.Refused},
		"another kind":              {func(e *verdict.Exception) { e.Selector = verdict.Selector{Kind: "Deployment", Name: "p0"} }, 0, verdict.Unused},
		"another group":             {func(e *verdict.Exception) { e.Selector = verdict.Selector{Kind: "Pod.apps", Name: "p0"} }, 0, verdict.Unused},
		"labels": {func(e *verdict.Exception) {
			e.Selector.Labels = map[string]string{"app": "a1", "tier": "web"}
			e.AtMost = 8
		}, 8, verdict.Applied},
		"another label": {func(e *verdict.Exception) {
			e.Selector.Labels = map[string]string{"app": "a1", "tier": "db"}
			e.AtMost = 8
		}, 0, verdict.Unused},
		"an image":                 {func(e *verdict.Exception) { e.Image, e.AtMost = digestA, 9 }, 4, verdict.Applied},
		"an image elsewhere":       {func(e *verdict.Exception) { e.Image, e.AtMost, e.Container = digestA, 9, "side" }, 0, verdict.Unused},
		"a namespace":              {func(e *verdict.Exception) { e.Namespace, e.AtMost = "shop", 6 }, 6, verdict.Applied},
		"default is where none is": {func(e *verdict.Exception) { e.Namespace, e.AtMost = "default", 12 }, 12, verdict.Applied},
		"no scope":                 {func(*verdict.Exception) {}, 0, verdict.Refused},
		"not counted":              {func(e *verdict.Exception) { e.Namespace = "shop" }, 0, verdict.Refused},
		"a rule not asked":         {func(e *verdict.Exception) { e.Rules = []string{"other"}; e.Namespace, e.AtMost = "shop", 6 }, 0, verdict.Unasked},
		"too far": {func(e *verdict.Exception) {
			e.Namespace, e.AtMost = "shop", 6
			e.Expires = now.Add(367 * 24 * time.Hour)
		}, 0, verdict.Refused},
		"expired":            {func(e *verdict.Exception) { e.Namespace, e.AtMost = "shop", 6; e.Expires = now }, 0, verdict.Expired},
		"a fault of its own": {func(e *verdict.Exception) { e.Namespace, e.AtMost, e.Fault = "shop", 6, "it is wrong" }, 0, verdict.Refused},
	}
	for name, test := range tests {
		e := whole("bad")
		test.change(&e)
		in.Exceptions = []verdict.Exception{e}
		res := judge.Judge(in)
		if got := exempted(res); len(got) != test.count || res.Ledger.Exceptions[0].Standing != test.word {
			t.Errorf("%s: %d exempt, want %d; %+v, want %s", name, len(got), test.count, res.Ledger.Exceptions[0], test.word)
		}
		if n := res.Ledger.Exceptions[0].Findings; test.word == verdict.Expired && n != 6 {
			t.Errorf("%s: would have excused %d, want 6", name, n)
		}
	}

	// What belongs to no namespace is not in default; a Namespace is in itself.
	e := whole("any")
	e.Namespace, e.AtMost = "default", 100
	in.Exceptions = []verdict.Exception{e}
	for _, f := range judge.Judge(in).Findings {
		if f.Subject.Kind == "ClusterRole" && f.Verdict == verdict.Exempt {
			t.Error("a ClusterRole is excused in namespace default")
		}
	}
	in.Exceptions[0].Namespace = "shop"
	for _, f := range judge.Judge(in).Findings {
		if f.Subject.Kind == "Namespace" && f.Verdict != verdict.Exempt {
			t.Error("a Namespace is not excused by its own name")
		}
	}
}

// random is a random exception over the estate's words.
func random(r *rand.Rand, fingerprints []string) verdict.Exception {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	e := whole(pick("bad", "worse", "odd", "good", "any", "other"))
	if r.IntN(3) == 0 {
		e.Rules = append(e.Rules, pick("bad", "any"))
	}
	if r.IntN(4) == 0 {
		e.Fingerprints = []string{pick(fingerprints...), pick(fingerprints...)}
	}
	if r.IntN(3) == 0 {
		e.Selector = verdict.Selector{Kind: pick("Pod", "ClusterRole", "Namespace"), Name: pick("p0", "p1", "shop")}
	}
	if r.IntN(4) == 0 {
		e.Selector.Labels = map[string]string{"app": pick("a0", "a1"), "tier": pick("web", "db")}
	}
	if r.IntN(3) == 0 {
		e.Namespace = pick("shop", "other", "default")
	}
	if r.IntN(5) == 0 {
		e.Image = pick(digestA, digestB)
	}
	if r.IntN(5) == 0 {
		e.Container = pick("x", "side")
	}
	if r.IntN(3) > 0 {
		e.AtMost = 1 + r.IntN(12)
	}
	return e
}

// named says whether an exception's words name the finding: the tests' own reading of them.
func named(e *verdict.Exception, f *verdict.Finding) bool {
	ns := f.Subject.Namespace
	switch {
	case f.Subject.Kind == "Namespace":
		ns = f.Subject.Name
	case f.Subject.Kind == "Pod" && ns == "":
		ns = "default"
	}
	number := strings.TrimPrefix(f.Subject.Name, "p")
	image := map[string]string{"p0x": digestA, "p1x": digestB}[f.Subject.Name+f.Subject.Container]
	labels := map[string]string{}
	switch f.Subject.Kind {
	case "Pod":
		labels["app"], labels["tier"] = "a"+number, "web"
	case "ClusterRole":
		labels["app"] = "a0"
	}
	for key, value := range e.Selector.Labels {
		if labels[key] != value {
			return false
		}
	}
	return slices.Contains(e.Rules, f.Rule) &&
		(len(e.Fingerprints) == 0 || slices.Contains(e.Fingerprints, f.Fingerprint)) &&
		(e.Selector.Kind == "" || e.Selector.Kind == f.Subject.Kind) && (e.Selector.Name == "" || e.Selector.Name == f.Subject.Name) &&
		(e.Namespace == "" || e.Namespace == ns) && (e.Container == "" || e.Container == f.Subject.Container) && (e.Image == "" || e.Image == image)
}

// TestExceptionProperties demands of random exceptions, one and several at once, that they change
// fails that they name and nothing else; of as many as they say and no more; and once they have
// expired nothing at all, to the byte.
func TestExceptionProperties(t *testing.T) {
	in := estateInput(t)
	plain := judge.Judge(in)
	var fingerprints []string
	for _, f := range plain.Findings {
		fingerprints = append(fingerprints, f.Fingerprint)
	}
	r := rand.New(rand.NewPCG(1, 2))
	applied := 0
	for range 500 {
		in.Exceptions = nil
		for range 1 + r.IntN(3) {
			in.Exceptions = append(in.Exceptions, random(r, fingerprints))
		}
		res := judge.Judge(in)
		for i, f := range res.Findings {
			was := plain.Findings[i]
			switch {
			case f.Fingerprint != was.Fingerprint:
				t.Fatal("the order of findings changed")
			case f.Verdict == was.Verdict:
			case was.Verdict != verdict.Fail || f.Verdict != verdict.Exempt:
				t.Fatalf("%s became %s", was.Verdict, f.Verdict)
			case !slices.ContainsFunc(in.Exceptions, func(e verdict.Exception) bool { return named(&e, &was) }):
				t.Fatalf("%+v is excused by none of %+v", was, in.Exceptions)
			default:
				applied++
			}
		}
		for n := range res.Ledger.Exceptions {
			e, count := &res.Ledger.Exceptions[n], 0
			for i := range plain.Findings {
				if f := &plain.Findings[i]; f.Verdict == verdict.Fail && named(&e.Exception, f) {
					count++
					if e.Standing == verdict.Applied && res.Findings[i].Verdict != verdict.Exempt {
						t.Fatalf("%+v is applied and does not excuse %+v", e, f)
					}
				}
			}
			if e.Standing == verdict.Applied && e.Findings != count || count > e.AtMost && e.AtMost > 0 && e.Standing == verdict.Applied || count == 0 && e.Standing == verdict.Applied {
				t.Fatalf("%d are named: %+v", count, e)
			}
		}
		if in.Exceptions[0].AtMost > 0 { // some of them
			in.Now = in.Exceptions[0].Expires
			late := judge.Judge(in)
			if diff := cmp.Diff(verdicts(t, plain), verdicts(t, late)); diff != "" {
				t.Fatalf("expired exceptions change something (-want +got):\n%s", diff)
			}
			in.Now = now
		}
	}
	if applied < 200 {
		t.Errorf("only %d findings were excused: the properties say little", applied)
	}
}

// verdicts is everything of a result but the ledger.
func verdicts(t *testing.T, res *verdict.Result) string {
	t.Helper()
	bare := *res
	bare.Ledger = nil
	text, err := json.Marshal(bare)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestInlineReachesItsOwnTextAlone demands that a comment excuses its object as it was read there,
// and no equal or similar one.
func TestInlineReachesItsOwnTextAlone(t *testing.T) {
	const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: b}\nspec:\n  containers:\n  - name: x%s\n"
	mark := " # coaming:ignore bad owner=a reason=b expires=2027-01-01"
	judged := func(texts ...string) *verdict.Result {
		in := judge.Input{Rules: estateInput(t).Rules[:1], Now: now}
		var objects []*fact.Object
		for i, text := range texts {
			objects = append(objects, specimen.Objects(t, specimen.File(fmt.Sprintf("%d.yaml", i)), text)...)
		}
		in.Inventory = fact.NewInventory(objects, "1.36", false)
		in.Exceptions = exception.Of(objects, true, true)
		return judge.Judge(in)
	}
	marked, plain := fmt.Sprintf(pod, mark), fmt.Sprintf(pod, "")
	if got := exempted(judged(marked)); len(got) != 1 {
		t.Errorf("alone: %v", got)
	}
	if got := exempted(judged(marked, marked)); len(got) != 1 {
		t.Errorf("at both places: %v", got)
	}
	for name, texts := range map[string][]string{"at the first of two places": {marked, plain}, "at the second": {plain, marked}} {
		res := judged(texts...)
		if got := exempted(res); len(got) != 0 || res.Ledger.Exceptions[0].Standing != verdict.Refused {
			t.Errorf("%s: %v %+v", name, got, res.Ledger.Exceptions)
		}
	}
	variant := strings.Replace(plain, "name: x", "image: y\n    name: x", 1)
	if got := exempted(judged(marked, variant)); len(got) != 0 {
		t.Errorf("a variant that nothing excuses: %v", got)
	}
}

// TestLapse demands that a result read back later is what a judgement would be then.
func TestLapse(t *testing.T) {
	in := estateInput(t)
	e := whole("bad")
	e.Namespace, e.AtMost = "shop", 6
	in.Exceptions = []verdict.Exception{e}
	res := judge.Judge(in)
	judge.Lapse(res, now)
	if len(exempted(res)) != 6 {
		t.Error("it lapses before its time")
	}
	judge.Lapse(res, e.Expires)
	plain := judge.Judge(estateInput(t))
	if len(exempted(res)) != 0 || !cmp.Equal(res.Tally, plain.Tally) || res.Ledger.Count(verdict.Expired) != 1 {
		t.Errorf("exempt %v, tally %+v, want %+v", exempted(res), res.Tally, plain.Tally)
	}
}

// TestAccept holds that a baseline covers fails alone, and counts what it changes.
func TestAccept(t *testing.T) {
	in := estateInput(t)
	plain := judge.Judge(in)
	b := &verdict.Baseline{File: "b", Entries: []verdict.BaselineEntry{{Fingerprint: "0000000000000000", Rule: "bad"}, {Fingerprint: "0000000000000000", Rule: "gone"}}}
	fails := 0
	for i, f := range plain.Findings {
		entry := verdict.BaselineEntry{Fingerprint: f.Fingerprint, Rule: f.Rule, Severity: f.Severity}
		if i%5 == 0 {
			entry.Severity = verdict.Low
		}
		b.Entries = append(b.Entries, entry)
		if f.Verdict == verdict.Fail && i%5 != 0 {
			fails++
		}
	}
	in.Baseline = b
	res := judge.Judge(in)
	for i, f := range res.Findings {
		if was := plain.Findings[i].Verdict; was == verdict.Unknown && f.Verdict != verdict.Unknown || was == verdict.Fail && (f.Verdict == verdict.Exempt) == (i%5 == 0) {
			t.Errorf("%s became %s (%d)", was, f.Verdict, i)
		}
	}
	l := res.Ledger.Baseline
	if l.Old != fails || len(exempted(res)) != fails || res.Tally[0].Exempt != fails || l.Unasked != 1 || len(l.Fixed) != 1 || l.Graver == 0 {
		t.Errorf("%d exempt, want %d; tally %+v; %+v", len(exempted(res)), fails, res.Tally, l)
	}
	after := judge.Judge(estateInput(t))
	judge.Accept(after, b)
	if verdicts(t, after) != verdicts(t, res) {
		t.Error("a baseline that is accepted later gives another result")
	}
}

// BenchmarkExceptions judges 100,000 fails by 5,000 exceptions of every scope.
func BenchmarkExceptions(b *testing.B) {
	for _, count := range []int{0, 5000} {
		b.Run(strconv.Itoa(count), func(b *testing.B) {
			var text strings.Builder
			for i := range 50_000 {
				fmt.Fprintf(&text, "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p%d, namespace: n%d, labels: {app: a%d}}\nspec: {containers: [{name: x, image: 'a@sha256:%064x'}, {name: side}]}\n", i, i%500, i%5000, i%1000)
			}
			in := input(b, text.String(), newRule(b, "bad", "match: container", "assert: 'false'"))
			for i := range count {
				e := whole("bad")
				e.AtMost = 1000
				switch i % 4 {
				case 0:
					e.Selector = verdict.Selector{Kind: "Pod", Name: fmt.Sprintf("p%d", i)}
				case 1:
					e.Selector.Labels = map[string]string{"app": fmt.Sprintf("a%d", i)}
				case 2:
					e.Image = fmt.Sprintf("sha256:%064x", i)
				case 3:
					e.Namespace, e.Container = fmt.Sprintf("n%d", i%500), "x"
				}
				in.Exceptions = append(in.Exceptions, e)
			}
			for b.Loop() {
				judge.Judge(in)
			}
		})
	}
}
