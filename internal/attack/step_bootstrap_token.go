package attack

import (
	"encoding/base64"
	"strings"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
)

var bootstrapToken = Step{
	ID: "bootstrap-token", Title: "Join the cluster under the name of one of its nodes", Technique: "T1649",
	Needs: "the content of a bootstrap token",
	Gives: "what the kubelets of the cluster may do",
	Why: "With a bootstrap token one asks for a kubelet's certificate, and the cluster signs it by itself for whatever node name it says, one of those that are there too. " +
		"As that kubelet one reads what its pods are given.",
	Fix:    "Delete bootstrap tokens when the nodes have joined; take usage-bootstrap-authentication from those that stay.",
	Effort: Easy,
	Find: func(w *World, take func(Taken)) {
		for _, o := range w.Inventory.In("Secret", rbac.SystemNamespace) {
			if o.Root.Get("type").Str() != "bootstrap.kubernetes.io/token" || secretText(o, "usage-bootstrap-authentication") != "true" {
				continue
			}
			id := rbac.Group("system:bootstrappers")
			for group := range strings.SplitSeq(secretText(o, "auth-extra-groups"), ",") {
				if group = strings.TrimSpace(group); group != "" {
					id.Groups = append(id.Groups, group)
				}
			}
			t := Taken{From: SecretNode(o.Namespace, o.Name), Evidence: []Evidence{{o, o.Root.Get("type"), title(o) + " is a bootstrap token"}}}
			q := rbac.Query{Verb: "create", Group: certGroup, Resource: "certificatesigningrequests", Subresource: "nodeclient", Wide: true}
			if c, doubt, may := w.may(&id, &q); may {
				c.joins(&t)
				t.Doubt = doubt
			} else {
				t.Doubt = "whether the cluster signs certificates of new kubelets by itself is not known"
			}
			// Without the binding a person may still sign what is asked for.
			t.Changes = []Change{{
				Object: o, Edits: []Edit{Set(o.Root, `"false"`, "stringData", "usage-bootstrap-authentication")},
				Title: "Let nobody sign in with " + title(o),
			}}
			for _, m := range w.Machines() {
				t.To = Kubelet(m)
				take(t)
			}
		}
	},
}

// secretText is one entry of a Secret that is no secret itself.
func secretText(o *fact.Object, key string) string {
	if text := o.Root.At("stringData", key).Str(); text != "" {
		return text
	}
	raw, err := base64.StdEncoding.DecodeString(o.Root.At("data", key).Str())
	if err != nil {
		return ""
	}
	return string(raw)
}
