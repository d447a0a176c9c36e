package attack

import (
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/test/specimen"
)

// TestNotesOfSecrets holds when what secrets of a cluster may hold is told: where the way from the entries leads to them.
func TestNotesOfSecrets(t *testing.T) {
	const reader = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: shop}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: shop}
rules: [{apiGroups: [""], resources: [secrets], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: shop}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: other, namespace: shop}
`
	const secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\n"
	for name, test := range map[string]struct {
		text     string
		live     bool
		from, to Node
		told     bool
	}{
		"of a cluster":           {reader, true, Account("shop", "reader"), Node{Kind: ClusterAdmin}, true},
		"of files":               {reader, false, Account("shop", "reader"), Node{Kind: ClusterAdmin}, false},
		"read":                   {reader + secret, true, Account("shop", "reader"), Node{Kind: ClusterAdmin}, false},
		"out of reach":           {reader, true, Account("shop", "other"), Node{Kind: ClusterAdmin}, false},
		"themselves asked about": {reader, true, Account("shop", "reader"), SecretsIn("shop"), false},
	} {
		t.Run(name, func(t *testing.T) {
			objects := specimen.Objects(t, specimen.File("cluster.yaml"), test.text)
			w := NewWorld(Input{Inventory: fact.NewInventory(objects, "1.36", test.live)})
			from, to := Ends{Nodes: []Node{test.from}}, Ends{Nodes: []Node{test.to}}
			g := New(w, Steps(), from, to)
			notes := strings.Join(g.Notes(g.Resolve(from), g.Resolve(to)), "\n")
			if strings.Contains(notes, "tokens of service accounts") != test.told {
				t.Errorf("notes: %q", notes)
			}
		})
	}
}
