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
// hundreds of pods and most a few, namespaces differ as much, and every pod has an address. There are
// 5% as many services, of which a tenth are open to outside and as many behind an Ingress, and 2% as many
// policies: one that denies by default for half of the namespaces, and allowances between applications.
// With a mesh, half of the namespaces are in it, and of the policies as many again are its own.
func cluster(t testing.TB, pods int, mesh bool) *fact.Inventory {
	t.Helper()
	random := rand.New(rand.NewPCG(1, uint64(pods)))
	skewed := func(n int) int { return int(float64(n) * random.Float64() * random.Float64() * random.Float64()) }
	spaces, apps := pods/100+1, pods/20+1
	var objects []*fact.Object
	add := func(format string, args ...any) {
		doc, err := document.ParseJSON(fmt.Sprintf(format, args...))
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, fact.NewObject(doc.Root(), &fact.Origin{Source: "made"}))
	}
	for i := range spaces {
		injection := ""
		if mesh && i%2 == 0 {
			injection = `,"istio-injection":"enabled"`
		}
		add(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"ns-%d","labels":{"team":"team-%d"%s}}}`, i, i%20, injection)
	}
	type app struct{ name, space int }
	all := make([]app, apps)
	for i := range all {
		all[i] = app{i, skewed(spaces)}
	}
	for i := range pods {
		a := all[skewed(apps)]
		add(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"pod-%d","namespace":"ns-%d","labels":{"app":"app-%d","tier":"tier-%d"}},"spec":{"serviceAccountName":"app-%d","containers":[{"name":"a","image":"a","ports":[{"name":"http","containerPort":8080}]}]},"status":{"podIP":"10.%d.%d.%d"}}`,
			i, a.space, a.name, a.name%3, a.name, i>>16, i>>8&255, i&255)
	}
	for i := range pods / 20 {
		a, kind := all[i%apps], "ClusterIP"
		if i%10 == 0 {
			kind = "LoadBalancer"
		}
		add(`{"apiVersion":"v1","kind":"Service","metadata":{"name":"svc-%d","namespace":"ns-%d"},"spec":{"type":%q,"selector":{"app":"app-%d"},"ports":[{"name":"http","port":80,"targetPort":"http"}]}}`, i, a.space, kind, a.name)
		if i%10 == 1 {
			add(`{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"in-%d","namespace":"ns-%d"},"spec":{"defaultBackend":{"service":{"name":"svc-%d","port":{"number":80}}}}}`, i, a.space, i)
		}
	}
	for i := range pods / 50 {
		a, b := all[skewed(apps)], all[skewed(apps)]
		spec := fmt.Sprintf(`{"podSelector":{"matchLabels":{"app":"app-%d"}},"ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"app-%d"}},"namespaceSelector":{"matchLabels":{"team":"team-%d"}}}],"ports":[{"port":"http"}]}]}`, a.name, b.name, b.space%20)
		if mesh {
			add(`{"apiVersion":"security.istio.io/v1","kind":"AuthorizationPolicy","metadata":{"name":"a-%d","namespace":"ns-%d"},"spec":{"selector":{"matchLabels":{"app":"app-%d"}},"rules":[{"from":[{"source":{"principals":["cluster.local/ns/ns-%d/sa/app-%d"]}}],"to":[{"operation":{"ports":["8080"]}}]}]}}`, i, a.space, a.name, b.space, b.name)
		}
		switch {
		case i < spaces/2:
			a.space, spec = i, `{"podSelector":{},"policyTypes":["Ingress"]}`
		case i%5 == 0:
			spec = fmt.Sprintf(`{"podSelector":{"matchLabels":{"app":"app-%d"}},"policyTypes":["Egress"],"egress":[{"to":[{"namespaceSelector":{}}],"ports":[{"port":53,"protocol":"UDP"}]},{"to":[{"ipBlock":{"cidr":"203.0.%d.0/24"}}]}]}`, a.name, i%250)
		}
		add(`{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"p-%d","namespace":"ns-%d"},"spec":%s}`, i, a.space, spec)
	}
	return fact.NewInventory(objects, "1.36", true)
}

// BenchmarkFlows reads a cluster's policies and finds all of who can talk to whom.
func BenchmarkFlows(b *testing.B) {
	for _, mesh := range []bool{false, true} {
		for _, pods := range []int{1_000, 10_000, 100_000} {
			b.Run(fmt.Sprintf("mesh=%t/%d", mesh, pods), func(b *testing.B) {
				inventory := cluster(b, pods, mesh)
				b.ReportAllocs()
				for b.Loop() {
					n := New(Input{Inventory: inventory})
					flows := n.Flows()
					b.ReportMetric(float64(len(n.Endpoints)), "endpoints")
					b.ReportMetric(float64(len(flows)), "flows")
					b.ReportMetric(float64(len(n.Ways)), "ways")
				}
			})
		}
	}
}

// hardened makes an inventory of that many workloads, each with a policy of its own: in from two others and
// from the monitoring of its namespace, out to two others, to the cluster's DNS and, of some, to addresses.
// Ten are on their nodes' network.
func hardened(t testing.TB, workloads int) *fact.Inventory {
	t.Helper()
	var objects []*fact.Object
	add := func(format string, args ...any) {
		doc, err := document.ParseJSON(fmt.Sprintf(format, args...))
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, fact.NewObject(doc.Root(), &fact.Origin{Source: "made"}))
	}
	peer := func(i int) string {
		i = (i%workloads + workloads) % workloads
		return fmt.Sprintf(`{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"ns-%d"}},"podSelector":{"matchLabels":{"app":"w-%d"}}}`, i/20, i)
	}
	for i := range workloads/20 + 1 {
		add(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"ns-%d"}}`, i)
		add(`{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"deny","namespace":"ns-%d"},"spec":{"podSelector":{},"policyTypes":["Ingress","Egress"]}}`, i)
	}
	add(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"dns","namespace":"kube-system"},"spec":{"template":{"metadata":{"labels":{"app":"dns"}},"spec":{"containers":[{"name":"a","image":"a"}]}}}}`)
	for i := range workloads {
		add(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"w-%d","namespace":"ns-%d"},"spec":{"template":{"metadata":{"labels":{"app":"w-%d","tier":"tier-%d"}},"spec":{"hostNetwork":%t,"containers":[{"name":"a","image":"a","ports":[{"name":"http","containerPort":%d}]}]}}}}`,
			i, i/20, i, i%3, i%(workloads/10) == 7, 8080+i%4)
		out := ""
		if i%4 == 0 {
			out = fmt.Sprintf(`,{"to":[{"ipBlock":{"cidr":"203.0.%d.0/24"}}],"ports":[{"port":443}]}`, i%250)
		}
		add(`{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"w-%d","namespace":"ns-%d"},"spec":{"podSelector":{"matchLabels":{"app":"w-%d"}},"policyTypes":["Ingress","Egress"],"ingress":[{"from":[%s,%s],"ports":[{"port":"http"}]},{"from":[{"podSelector":{"matchLabels":{"tier":"tier-0"}}}],"ports":[{"port":9090}]}],"egress":[{"to":[{"namespaceSelector":{}}],"ports":[{"port":53,"protocol":"UDP"}]},{"to":[%s,%s]}%s]}}`,
			i, i/20, i, peer(i-1), peer(i*7), peer(i+1), peer(i/7), out)
	}
	return fact.NewInventory(objects, "1.36", true)
}

// BenchmarkHardened is BenchmarkFlows where no two workloads are alike.
func BenchmarkHardened(b *testing.B) {
	for _, workloads := range []int{2_000, 10_000} {
		b.Run(strconv.Itoa(workloads), func(b *testing.B) {
			inventory := hardened(b, workloads)
			b.ReportAllocs()
			for b.Loop() {
				b.ReportMetric(float64(len(New(Input{Inventory: inventory}).Flows())), "flows")
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
