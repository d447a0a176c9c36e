package reach

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// story is a small cluster with all that drawings show: open and unknown flows, blocks, a way in, a note.
const story = base + `
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: prod}, spec: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress, Egress],
  ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 5432}]}], egress: [{to: [{ipBlock: {cidr: 203.0.113.0/24, except: [203.0.113.128/25]}}]}]}}
---
{apiVersion: crd.antrea.io/v1beta1, kind: NetworkPolicy, metadata: {name: a, namespace: test}, spec: {}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: prod}, spec: {type: LoadBalancer, externalTrafficPolicy: Local, loadBalancerSourceRanges: [198.51.100.0/24], selector: {app: web}, ports: [{port: 80, targetPort: http}]}}
`

// TestGolden compares every format with its file.
func TestGolden(t *testing.T) {
	n := network(t, story)
	answer := n.Ask(n.everything(), n.everything(), AllPorts())
	for _, format := range Formats {
		var got bytes.Buffer
		if err := format.Write(&got, n, &answer); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", "story."+format.Name+".golden")
		if *update {
			if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s (-want +got; -update writes it anew):\n%s", file, diff)
		}
	}
}
