package report

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/specimen"
)

// accessRights is a service account with two ways to secrets, a superfluous binding and a role that is not there; names hold
// what a terminal must not see.
const accessRights = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot, namespace: shop, annotations: {iam.gke.io/gcp-service-account: "robot@p.iam.gserviceaccount.com"}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: "wide\e[31m"}
rules:
- {verbs: ["*"], apiGroups: [""], resources: [secrets, pods]}
- {verbs: [get], nonResourceURLs: ["/metrics"]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: wide}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "wide\e[31m"}
subjects: [{kind: ServiceAccount, name: robot, namespace: shop}, {apiGroup: rbac.authorization.k8s.io, kind: Group, name: "dev@example.com"}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: narrow, namespace: shop}
rules: [{verbs: [get], apiGroups: [""], resources: [secrets], resourceNames: [a]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: narrow, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: narrow}
subjects: [{kind: ServiceAccount, name: robot}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: lost, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: gone}
subjects: [{kind: ServiceAccount, name: robot}, {apiGroup: rbac.authorization.k8s.io, kind: User, name: ann}]
`

func accessModel(t *testing.T) *rbac.Model {
	t.Helper()
	return rbac.New(rbac.Input{
		Inventory: fact.NewInventory(specimen.Objects(t, specimen.File("rights.yaml"), accessRights), "1.36", false),
		Gaps:      []verdict.Gap{{Code: verdict.GapForbidden, Kinds: []string{rbac.RoleBindingKind}, Namespace: "park", Location: verdict.Location{Source: "cluster:a"}}},
	})
}

// accessAnswers are one of each kind, and one that nobody knows.
func accessAnswers(t *testing.T) []Access {
	t.Helper()
	m := accessModel(t)
	robot, ann := rbac.Account("shop", "robot"), rbac.User("ann")
	secrets := rbac.Query{Verb: "get", Resource: "secrets", Name: "a", Namespace: "shop"}
	nodes := rbac.Query{Verb: "get", Resource: "nodes", Wide: true}
	park := rbac.Query{Verb: "get", Resource: "pods", Namespace: "park"}
	may, not, unclear := m.Can(&robot, &secrets), m.Can(&robot, &nodes), m.Can(&ann, &park)
	who, profile := m.WhoCan(&secrets), m.Profile(robot)
	return []Access{
		{Can: NewCan(&may)}, {Can: NewCan(&not)}, {Can: NewCan(&unclear), Gaps: 1}, {World: "kustomize:overlays/dev", WhoCan: NewWhoCan(&who)}, {Who: NewWho(&profile)},
	}
}

func TestAccessGolden(t *testing.T) {
	answers := accessAnswers(t)
	for file, write := range map[string]func(io.Writer) error{
		"access.txt": func(w io.Writer) error { return AccessTerminal(w, answers, TerminalOptions{Width: 100}) },
		"access-color.txt": func(w io.Writer) error {
			return AccessTerminal(w, answers, TerminalOptions{Width: 80, Color: true, Verbose: true})
		},
		"access.json": func(w io.Writer) error { return AccessJSON(w, answers) },
	} {
		t.Run(file, func(t *testing.T) {
			var got bytes.Buffer
			if err := write(&got); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(file, "color") && strings.Contains(got.String(), "\x1b") {
				t.Error("a name moves the terminal")
			}
			golden := filepath.Join("testdata", file)
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("(-golden +got):\n%s", diff)
			}
		})
	}
}

// TestAccessJSON holds that machines are told every way, with the place of each of its steps.
func TestAccessJSON(t *testing.T) {
	var out bytes.Buffer
	if err := AccessJSON(&out, accessAnswers(t)); err != nil {
		t.Fatal(err)
	}
	var read struct {
		Schema  string
		Answers []Access
	}
	if err := json.Unmarshal(out.Bytes(), &read); err != nil || read.Schema != "coaming.access/v1" || len(read.Answers) != 5 {
		t.Fatalf("%v, schema %q, %d answers", err, read.Schema, len(read.Answers))
	}
	can := read.Answers[0].Can
	if can.Answer != "allowed" || len(can.Chains) != 2 || read.Answers[1].Can.Answer != "denied" || read.Answers[2].Can.Answer != "unknown" {
		t.Fatalf("%+v", can)
	}
	for _, c := range can.Chains {
		for _, place := range []*verdict.Location{c.Binding.Location, c.Role.Location, c.Rule.Written.Location} {
			if place == nil || place.File != "rights.yaml" || place.Line == 0 {
				t.Errorf("%s: a step without its place: %+v", c.Binding.Name, place)
			}
		}
	}
}
