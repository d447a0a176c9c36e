package judge_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/verdict"
)

// crowd is n workloads and n of each kind that selects them, in one namespace; selector writes the
// i-th selector's labels.
func crowd(n int, selector func(i int) string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "---\n{apiVersion: v1, kind: Pod, metadata: {name: p%d, namespace: shop, labels: {app: a%d, tier: web}}, spec: {serviceAccountName: s%d, containers: [{name: app, image: nginx}]}}\n", i, i, i)
		fmt.Fprintf(&b, "---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: n%d, namespace: shop}, spec: {podSelector: %s, policyTypes: [Ingress]}}\n", i, selector(i))
		fmt.Fprintf(&b, "---\n{apiVersion: v1, kind: Service, metadata: {name: s%d, namespace: shop}, spec: {selector: {app: a%d}}}\n", i, i)
		fmt.Fprintf(&b, "---\n{apiVersion: v1, kind: ServiceAccount, metadata: {name: s%d, namespace: shop}}\n", i)
		fmt.Fprintf(&b, "---\n{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: r%d, namespace: shop}, rules: []}\n", i)
		fmt.Fprintf(&b, "---\n{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: b%d, namespace: shop}, roleRef: {kind: Role, name: r%d}, subjects: [{kind: ServiceAccount, name: s%d}]}\n", i, i, i)
	}
	return b.String()
}

// TestCrowds demands time in proportion to the input where every object is of one namespace.
func TestCrowds(t *testing.T) {
	n := 2000
	if testing.Short() {
		n = 300
	}
	rules := all(t)
	for name, selector := range map[string]func(int) string{
		"by label": func(i int) string { return fmt.Sprintf("{matchLabels: {tier: web, app: a%d}}", i) },
		"by expression": func(i int) string {
			return fmt.Sprintf("{matchExpressions: [{key: app, operator: In, values: [a%d]}]}", i)
		},
		"all": func(int) string { return "{}" },
	} {
		t.Run(name, func(t *testing.T) {
			in := input(t, crowd(n, selector), rules...)
			start := time.Now()
			judge.Judge(in)
			took := time.Since(start)
			t.Logf("%d of each kind: %v", n, took)
			if took > time.Minute {
				t.Errorf("%d of each kind took %v", n, took)
			}
		})
	}
}

// TestMalformedCrowds demands time in proportion to the input, and an end, where what stands in a list or a map is
// wrong throughout.
func TestMalformedCrowds(t *testing.T) {
	const n = 400_000
	head := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\ndata:\n"
	entries := make([]string, n)
	for i := range entries {
		entries[i] = fmt.Sprintf("  k%d: 1\n", i)
	}
	for name, text := range map[string]string{"list": strings.Repeat("- 1\n", n), "map": strings.Join(entries, "")} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			res := judge.Judge(input(t, head+text, all(t)...))
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("%d items took %v", n, took)
			}
			rest := 0
			for i := range res.Findings {
				if f := &res.Findings[i]; f.Rule == "secret-in-configmap" && f.Path == "data" && f.Verdict == verdict.Unknown {
					rest++
				}
			}
			if rest != 1 || len(res.Findings) > 15_000 {
				t.Errorf("%d findings, %d of them tell of the rest, want one", len(res.Findings), rest)
			}
		})
	}
}
