package attack

import "github.com/coaming/coaming/internal/document"

var kubeletRights = Step{
	ID: "kubelet-rights", Title: "Ask as a kubelet for what its pods are given", Technique: "T1552.007",
	Needs: "the credentials of a kubelet",
	Gives: "the service accounts and the secrets of the pods that may run on its node",
	Why: "The API server lets a kubelet read the secrets that its pods name and have tokens issued for the accounts that they run as, mounted or not, and nothing of other nodes' pods " +
		"(the Node authorizer and NodeRestriction).",
	Fix:    "Keep what must not fall together on nodes apart, by node selectors and taints.",
	Effort: Easy,
	Find: func(w *World, take func(Taken)) {
		for _, m := range w.Machines() {
			for _, class := range w.Fitting(m) {
				take(Taken{From: Kubelet(m), To: Kubelet(class), Joint: true})
			}
			seen := map[Node]bool{}
			for _, p := range w.On(m) {
				if !seen[p.Account] {
					seen[p.Account] = !p.Stopped()
					take(Taken{From: Kubelet(m), To: p.Account, Doubt: p.stopped(), Evidence: []Evidence{{p.Object, p.accountValue(), "the pods of " + p.Node.Title() + " run as " + p.Account.Title()}}})
				}
				for _, v := range p.Spec.Get("imagePullSecrets").Items() {
					w.kubeletReads(p, v.Get("name").Str(), Evidence{p.Object, v, "images of " + p.Node.Title() + " are pulled with it"}, seen, take)
				}
			}
		}
		seen := map[Node]map[Node]bool{}
		uses := w.secretUses()
		for i := range uses {
			u := &uses[i]
			if seen[u.box.Pods.Machine] == nil {
				seen[u.box.Pods.Machine] = map[Node]bool{}
			}
			w.kubeletReads(u.box.Pods, u.name, value(u.box, u.at, u.box.Node.Title()+" is given it: "+u.tells), seen[u.box.Pods.Machine], take)
		}
	},
}

func (w *World) kubeletReads(p *Pods, name string, e Evidence, seen map[Node]bool, take func(Taken)) {
	to := SecretNode(p.Namespace, name)
	if name == "" || seen[to] {
		return
	}
	seen[to] = !p.Stopped()
	take(Taken{From: Kubelet(p.Machine), To: to, Doubt: p.stopped(), Evidence: []Evidence{e}})
}

// accountValue is what says which account the pods run as, or the pod spec that says nothing.
func (p *Pods) accountValue() document.Value {
	if v := p.Spec.Get("serviceAccountName"); v.Exists() {
		return v
	}
	return p.Spec
}
