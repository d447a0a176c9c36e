package attack

import (
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/rbac"
)

var cloudRole = Step{
	ID: "cloud-role", Title: "Act in the cloud as the identity that pods are linked to", Technique: "T1078.004",
	Needs: "commands in a container whose service account, or pods, are linked to an identity of the cloud",
	Gives: "that identity, outside of the cluster",
	Why: "The link is made so that the pods may call the cloud without a key of their own: a token or an address within reach of every process gives the identity's credentials. What it may do there " +
		"is up to the cloud.",
	Fix:    "Link an account of its own for the one workload that needs it, to a role that may do just that.",
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		links := w.Rights.Links()
		for i := range links {
			l := &links[i]
			if l.Into || l.Identity.Account == "" {
				continue
			}
			for _, of := range w.Rights.WorkloadsOf(l.Identity.Namespace, l.Identity.Account) {
				if p := w.Of(of); p != nil && p.uses(l) {
					w.acts(p, l, take)
				}
			}
		}
	},
}

// uses says whether the link is for these pods: one of a pod's own is for no others, and Microsoft's asks
// for a label.
func (p *Pods) uses(l *rbac.Link) bool {
	if of := l.Object; of != nil && of.Kind != "ServiceAccount" && of.Root.At("spec", "template").Exists() || l.Object != nil && l.Object.Kind == "Pod" {
		return l.Object == p.Object
	}
	return l.Kind != "Microsoft Entra Workload ID" || p.Labels().Get("azure.workload.identity/use").Text() == "true"
}

func (w *World) acts(p *Pods, l *rbac.Link, take func(Taken)) {
	to := Cloud(l)
	for _, b := range p.Containers {
		if !b.Runs() {
			continue
		}
		t := Taken{From: b.Node, To: to}
		if l.Object != nil {
			t.Evidence = append(t.Evidence, Evidence{l.Object, l.At, title(l.Object) + " links to " + to.Name + " (" + l.Kind + ")"})
			if isMeta(l.At) {
				t.Changes = []Change{{Object: l.Object, Edits: []Edit{Remove(l.At)}, Last: true, Breadth: WholePurpose, Title: "Unlink " + title(l.Object) + " from " + to.Name}}
			}
		}
		t.Evidence = append(t.Evidence, Evidence{p.Object, p.accountValue(), "the pods of " + p.Node.Title() + " run as " + p.Account.Title()})
		take(t)
	}
}

// Cloud is the node of a link's identity in the cloud. Where an export does not say which it is, it goes by
// the account that it is linked to.
func Cloud(l *rbac.Link) Node {
	if l.Cloud == "?" || l.Cloud == "" {
		return Node{Kind: CloudIdentity, Name: "linked to " + l.Identity.String()}
	}
	return Node{Kind: CloudIdentity, Name: l.Cloud}
}

// isMeta says whether a value is a label or an annotation.
func isMeta(at document.Value) bool {
	steps := at.Steps()
	return len(steps) > 1 && (steps[len(steps)-2].Key == "annotations" || steps[len(steps)-2].Key == "labels") && !strings.HasPrefix(steps[len(steps)-1].Key, "[")
}
