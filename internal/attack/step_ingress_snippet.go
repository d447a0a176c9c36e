package attack

import (
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
)

var ingressSnippet = Step{
	ID: "ingress-snippet", Title: "Write code into the configuration of ingress-nginx", Technique: "T1190",
	Needs: "an identity that may write ingresses, with a controller that takes snippets from them",
	Gives: "commands in the pods of the controller, whose account reads the secrets of the cluster",
	Why: "A snippet annotation is pasted into the configuration of NGINX, which reads files and runs Lua: the token of the controller is one line away (CVE-2021-25742). The controller takes snippets " +
		"where its ConfigMap says so.",
	Fix:    "Remove allow-snippet-annotations from the controller's ConfigMap.",
	Effort: Easy,
	Find: func(w *World, take func(Taken)) {
		for _, p := range w.Pods {
			if p.Labels().Get("app.kubernetes.io/name").Str() != "ingress-nginx" {
				continue
			}
			for _, o := range w.Inventory.In("ConfigMap", p.Namespace) {
				if at := o.Root.At("data", "allow-snippet-annotations"); at.Text() == "true" {
					w.snippets(p, Evidence{o, at, title(o) + " lets ingresses bring snippets"}, o, take)
				}
			}
		}
	},
}

func (w *World) snippets(p *Pods, at Evidence, o *fact.Object, take func(Taken)) {
	seen := map[rbac.Chain]bool{}
	for _, verb := range []string{"create", "update", "patch"} {
		q := rbac.Query{Verb: verb, Group: "networking.k8s.io", Resource: "ingresses"}
		holders := w.Rights.WhoCan(&q)
		for i := range holders.Holders {
			for _, c := range holders.Holders[i].Chains {
				key := rbac.Chain{Binding: c.Binding, Subject: c.Subject}
				if seen[key] || w.isEverything(c.Rule, c.Binding) {
					continue
				}
				seen[key] = true
				by := &chain{query: &q, all: []rbac.Chain{c}, who: HolderOf(c.Subject)}
				t := Taken{From: by.who, To: p.Node, Doubt: c.Doubt}
				by.joins(&t)
				t.Evidence = append(t.Evidence, at)
				t.Changes = append(t.Changes, Change{
					Object: o, Edits: []Edit{Set(o.Root, `"false"`, "data", "allow-snippet-annotations")}, Title: "Let ingresses bring no snippets, in " + title(o),
				})
				take(t)
			}
		}
	}
}
