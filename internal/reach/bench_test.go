package reach

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// cluster makes an inventory of that many pods in the shape of real ones: some applications have
// hundreds of pods and most a few, namespaces differ as much, and there are 2% as many policies: one
// that denies by default for half of the namespaces, and allowances between applications.
func cluster(t testing.TB, pods int) *fact.Inventory {
	t.Helper()
	random := rand.New(rand.NewPCG(1, uint64(pods)))
	skewed := func(n int) int { return int(float64(n) * random.Float64() * random.Float64() * random.Float64()) }
	spaces, apps := pods/100+1, pods/20+1
	var objects []*fact.Object
	add := func(text string) {
		doc, err := document.ParseJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, fact.NewObject(doc.Root(), &fact.Origin{Source: "made"}))
	}
	for i := range spaces {
		add(fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"ns-%d","labels":{"team":"team-%d"}}}`, i, i%20))
	}
	type app struct{ name, space int }
	all := make([]app, apps)
	for i := range all {
		all[i] = app{i, skewed(spaces)}
	}
	for i := range pods {
		a := all[skewed(apps)]
		add(fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"pod-%d","namespace":"ns-%d","labels":{"app":"app-%d","tier":"tier-%d"}},"spec":{"containers":[{"name":"a","image":"a","ports":[{"name":"http","containerPort":8080}]}]}}`, i, a.space, a.name, a.name%3))
	}
	for i := range pods / 50 {
		a, b := all[skewed(apps)], all[skewed(apps)]
		spec := fmt.Sprintf(`{"podSelector":{"matchLabels":{"app":"app-%d"}},"ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"app-%d"}},"namespaceSelector":{"matchLabels":{"team":"team-%d"}}}],"ports":[{"port":"http"}]}]}`, a.name, b.name, b.space%20)
		switch {
		case i < spaces/2:
			a.space, spec = i, `{"podSelector":{},"policyTypes":["Ingress"]}`
		case i%5 == 0:
			spec = fmt.Sprintf(`{"podSelector":{"matchLabels":{"app":"app-%d"}},"policyTypes":["Egress"],"egress":[{"to":[{"namespaceSelector":{}}],"ports":[{"port":53,"protocol":"UDP"}]},{"to":[{"ipBlock":{"cidr":"203.0.%d.0/24"}}]}]}`, a.name, i%250)
		}
		add(fmt.Sprintf(`{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"p-%d","namespace":"ns-%d"},"spec":%s}`, i, a.space, spec))
	}
	return fact.NewInventory(objects, "1.36", false)
}

// BenchmarkFlows reads a cluster's policies and finds all of who can talk to whom.
func BenchmarkFlows(b *testing.B) {
	for _, pods := range []int{1_000, 10_000, 100_000} {
		b.Run(strconv.Itoa(pods), func(b *testing.B) {
			inventory := cluster(b, pods)
			b.ReportAllocs()
			for b.Loop() {
				n := New(Input{Inventory: inventory})
				flows := n.Flows()
				b.ReportMetric(float64(len(n.Endpoints)), "endpoints")
				b.ReportMetric(float64(len(flows)), "flows")
			}
		})
	}
}

// TestEqualPodsAreOne holds that pods that no policy tells apart cost as one.
func TestEqualPodsAreOne(t *testing.T) {
	var text strings.Builder
	text.WriteString(base)
	for i := range 10_000 {
		fmt.Fprintf(&text, "---\n{apiVersion: v1, kind: Pod, metadata: {name: w-%d, namespace: prod, labels: {app: web, id: '%d'}}, spec: {containers: [{name: a, image: a}]}}\n", i, i)
	}
	text.WriteString("---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: prod}, spec: {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}}")
	n := network(t, text.String())
	pods := 0
	for i := range n.pods.All() {
		if len(n.Endpoints[i].Workloads) > pods {
			pods = len(n.Endpoints[i].Workloads)
		}
	}
	if got := len(n.pods.list()); got != 5 || pods < 10_000 {
		t.Errorf("%d classes, the largest of %d pods; want 5, and one of all 10,000", got, pods)
	}
}
