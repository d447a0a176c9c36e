package attack

import "github.com/coaming/coaming/internal/rbac"

var escapeLogLink = Step{
	ID: "escape-log-link", Title: "Read the node's files through its logs", Technique: "T1611",
	Needs: "commands as root in a container that can write the node's /var/log and whose token may read logs",
	Gives: "what the kubelet there may do: the secrets and the tokens of every pod of the node",
	Why: "The kubelet opens what lies there when somebody asks for a log, as root and along links: a link in place of a log shows any file of the node, " +
		"a token or a key, to whoever may ask.",
	Fix:    "Mount /var/log with readOnly, as collectors of logs do, and give their account no pods/log and no nodes/proxy.",
	Effort: Moderate,
	Find: func(w *World, take func(Taken)) {
		for _, f := range w.Folders() {
			p := f.Box.Pods
			if f.ReadOnly || !f.Box.Root() || f.Path != "/var/log" && !within(f.Path, "/var/log/pods") && f.Path != "/var/log/pods" || !w.Automounts(p) {
				continue
			}
			c, doubt, may := w.readsLogs(p)
			if !may {
				continue
			}
			t := f.taken(Kubelet(p.Machine), "can put links into "+f.Path)
			t.Changes = append(t.Changes, f.lock())
			c.joins(&t)
			if t.Doubt == "" {
				t.Doubt = doubt
			}
			take(t)
		}
	},
}

// readsLogs says by which chain the account of pods may read logs of pods of their namespace, or of nodes.
func (w *World) readsLogs(p *Pods) (c *chain, doubt string, may bool) {
	id := rbac.Account(p.Account.Namespace, p.Account.Name)
	for _, q := range []rbac.Query{
		{Verb: "get", Resource: "pods", Subresource: "log", Namespace: p.Namespace},
		{Verb: "get", Resource: "nodes", Subresource: "log", Wide: true},
		{Verb: "get", Resource: "nodes", Subresource: "proxy", Wide: true},
	} {
		if c, doubt, may := w.may(&id, &q); may {
			return c, doubt, true
		}
	}
	return nil, "", false
}
