package reach

import (
	"fmt"
	"strings"
	"testing"
)

// manyBlocks is that many blocks of one address each, none beside another.
func manyBlocks(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%d.%d.%d.%d/32", 11+i>>16, i>>8&255, i&255, i*7&255)
	}
	return strings.Join(list, ", ")
}

// TestGrowthOfBlocks holds the steps along parts of addresses to the number of blocks that one object names, and what comes
// of them to those blocks.
func TestGrowthOfBlocks(t *testing.T) {
	const pod = `
---
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: prod, labels: {app: a}}, spec: {containers: [{name: a, image: a, ports: [{containerPort: 80}]}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: a, namespace: prod}, spec: {type: LoadBalancer, selector: {app: a}, ports: [{port: 80}]`
	for name, text := range map[string]func(n int) string{
		"ranges of a load balancer": func(n int) string { return pod + `, loadBalancerSourceRanges: [` + manyBlocks(n) + `]}}` },
		"exceptions of a block": func(n int) string {
			return `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: prod}, spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [` + manyBlocks(n) + `]}}]}]}}` + pod + `}}`
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{500, 5000} {
				made := network(t, text(n))
				if most := 6 * (n + 50); made.walked == 0 || made.walked > most {
					t.Errorf("%d blocks: %d steps, want some and %d at most", n, made.walked, most)
				}
				if len(made.Ways) == 0 {
					t.Fatalf("%d blocks: no way in", n)
				}
				from := 0
				for _, w := range made.Ways {
					for i := range w.From.All() {
						if made.Endpoints[i].Kind == Addresses && !made.Endpoints[i].Rest && !w.Open.Empty() {
							from++
						}
					}
				}
				if open := name == "ranges of a load balancer"; open != (from >= n) {
					t.Errorf("%d blocks: %d of them have a way in", n, from)
				}
			}
		})
	}
}
