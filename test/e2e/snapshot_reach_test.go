package e2e

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSnapshotForReach asks the same of a live cluster and of a snapshot of it, with the least rights that a snapshot needs.
func TestSnapshotForReach(t *testing.T) {
	s := startSandbox(t)
	s.apply(t, townsfolk())
	s.apply(t, `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: data, name: db}, spec: {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: shop}}}], ports: [{port: http}]}]}}`)
	live := coaming(t, "reach", "--cluster", "--kubeconfig", s.Kubeconfig, "--format", "json")
	wantCode(t, live, 0)

	role := coaming(t, "snapshot", "--print-role")
	wantCode(t, role, 0)
	s.apply(t, role.stdout)
	s.kubectl(t, "create", "clusterrolebinding", "reader", "--clusterrole=coaming-scan", "--user=reader")
	reader := s.User(t, "--user", "reader")
	file := filepath.Join(t.TempDir(), "cluster.coaming")
	wantCode(t, coaming(t, "snapshot", "-o", file, "--kubeconfig", reader), 0)
	same := func(name string, o outcome) {
		t.Helper()
		wantCode(t, o, 0)
		if diff := cmp.Diff(live.stdout, o.stdout); diff != "" {
			t.Errorf("%s (-administrator, live +this):\n%s", name, diff)
		}
	}
	same("live, with the least rights", coaming(t, "reach", "--cluster", "--kubeconfig", reader, "--format", "json"))
	same("a snapshot", coaming(t, "reach", "-f", file, "--format", "json"))
}
