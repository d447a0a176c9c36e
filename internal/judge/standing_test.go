package judge_test

import (
	"testing"

	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/verdict"
)

const exposedStore = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: data}
spec:
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: 'postgres:17'}]}
`

// TestWaysThatWereMissed holds that a Service that nobody could read makes what asks for ways in unknown,
// and only where it may lead.
func TestWaysThatWereMissed(t *testing.T) {
	tests := map[string]struct {
		gap  verdict.Gap
		want verdict.Verdict
	}{
		"a service of the namespace": {verdict.Gap{Code: verdict.GapSyntax, Kinds: []string{"Service"}, Namespace: "data", Message: "line 3"}, verdict.Unknown},
		"any service":                {verdict.Gap{Code: verdict.GapSyntax, Kinds: []string{"Service"}, Message: "line 3"}, verdict.Unknown},
		"a service elsewhere":        {verdict.Gap{Code: verdict.GapSyntax, Kinds: []string{"Service"}, Namespace: "shop", Message: "line 3"}, verdict.Pass},
		"a ConfigMap":                {verdict.Gap{Code: verdict.GapSyntax, Kinds: []string{"ConfigMap"}, Message: "line 3"}, verdict.Pass},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			in := input(t, "---"+exposedStore, newRule(t, "exposed", "match: workload", "assert: '!workload.exposed.there'"))
			in.Coverage.Gaps = []verdict.Gap{test.gap}
			got := verdict.Pass
			for _, f := range judge.Judge(in).Findings {
				got = f.Verdict
			}
			if got != test.want {
				t.Errorf("the verdict is %s, want %s", got, test.want)
			}
		})
	}
}
