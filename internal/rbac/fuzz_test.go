package rbac_test

import (
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
)

// FuzzModel reads any manifests: nothing panics, an answer is the same however it is asked, and what is
// listed of an identity is what it may.
func FuzzModel(f *testing.F) {
	f.Add(object("Role", "shop", "r", reader)+bind("RoleBinding", "shop", "b", "Role r", ann+", "+robot), "ann", "get", "pods")
	f.Add(object("ClusterRole", "", "r", ", aggregationRule: {clusterRoleSelectors: [{}, null, 7, {matchLabels: 3}]}, rules: [7, {verbs: [1]}]")+bind("ClusterRoleBinding", "", "b", "ClusterRole r", "7, {kind: 3}"), "sa:shop/robot", "*", "*")
	f.Add("---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: aws-auth, namespace: kube-system}, data: {mapRoles: \"- {rolearn: a, groups: [b, 3]}\", mapUsers: \"x\", mapAccounts: \"- 1\"}}\n", "arn:aws:iam::1:role/a", "get", "/x")
	f.Fuzz(func(t *testing.T, text, who, verb, what string) {
		docs, _ := document.Read(document.NewText(text), 1)
		var objects []*fact.Object
		for _, doc := range docs {
			objects = append(objects, fact.NewObject(doc.Root(), &fact.Origin{Source: "files"}))
		}
		id, err := rbac.ParseIdentity(who, "shop", nil)
		if err != nil {
			return
		}
		for _, live := range []bool{false, true} {
			m := rbac.New(rbac.Input{Inventory: fact.NewInventory(objects, "1.36", live), Shipped: catalog.Shipped()})
			q, err := rbac.ParseQuery(verb, what, catalog.Resources())
			if err != nil {
				return
			}
			q.Namespace = "shop"
			a := m.Can(&id, &q)
			if fast := m.Decide(&id, &q); fast != a.Verdict {
				t.Errorf("decided %s, answered %s", fast, a.Verdict)
			}
			if a.Verdict == rbac.Unknown && len(a.Reasons) == 0 || a.Verdict == rbac.Allowed && len(a.Chains) == 0 && a.Bypass == "" {
				t.Errorf("%s without a reason", a.Verdict)
			}
			who := m.WhoCan(&q)
			for i := range who.Holders {
				held := who.Holders[i].Subject.Identity()
				if got := m.Decide(&held, &q); got != rbac.Allowed {
					t.Errorf("%+v is listed and is %s", who.Holders[i].Subject, got)
				}
			}
			_, _ = m.Resolve(id)
			m.Profile(id)
		}
	})
}

// FuzzExport reads any export of a cloud.
func FuzzExport(f *testing.F) {
	f.Add(`{"accessEntry": {"principalArn": "arn:aws:iam::1:role/a", "kubernetesGroups": ["dev"], "username": "a"}}`)
	f.Add(`[{"accessEntries": ["arn"]}, {"principalArn": "arn", "associatedAccessPolicies": [{"policyArn": "x/AmazonEKSViewPolicy", "accessScope": {"type": "namespace", "namespaces": ["a", 3]}}]}]`)
	f.Add(`{"associations": [{"namespace": "a", "serviceAccount": "b"}, 7], "association": 3}`)
	f.Fuzz(func(t *testing.T, text string) {
		docs, _ := document.Read(document.NewText(text), 1)
		var cloud rbac.Cloud
		for _, doc := range docs {
			if err := cloud.Read(doc.Root(), &fact.Origin{Source: "files"}); err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %v", err)
			}
		}
		m := rbac.New(rbac.Input{Inventory: fact.NewInventory(nil, "1.36", true), Cloud: cloud})
		m.Links()
		m.WhoCan(&rbac.Query{Verb: "get", Resource: "pods"})
	})
}
