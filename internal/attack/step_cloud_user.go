package attack

import (
	"strings"

	"github.com/coaming/coaming/internal/rbac"
)

var cloudUser = Step{
	ID: "cloud-user", Title: "Enter the cluster with an identity of the cloud", Technique: "T1078.004",
	Needs: "an identity of the cloud that the cluster knows",
	Gives: "the user and the groups that it is mapped to",
	Why: "The cluster takes the cloud's word on who somebody is: aws-auth and access entries map roles of AWS to users and groups, bindings name the accounts and groups of others. " +
		"Whoever is that role in the cloud is that user in the cluster.",
	Fix:    "Map what needs the cluster, to groups that are bound to what it needs, and nothing to system:masters.",
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		links := w.Rights.Links()
		for i := range links {
			l := &links[i]
			if !l.Into || l.Object == nil {
				continue
			}
			for _, to := range entered(&l.Identity) {
				t := Taken{From: Cloud(l), To: to, Evidence: []Evidence{{l.Object, l.At, title(l.Object) + " lets " + l.Cloud + " in as " + to.Title() + " (" + l.Kind + ")"}}}
				if l.Object.Group() == rbacGroup {
					t.Changes = []Change{{Object: l.Object, Edits: []Edit{Remove(l.At)}, Title: "Take " + to.Title() + " out of " + title(l.Object)}}
				}
				take(t)
			}
		}
	},
}

// entered are the nodes that an identity gives: its user, unless that is filled in later, and its groups.
func entered(id *rbac.Identity) []Node {
	var list []Node
	if id.User != "" && !strings.Contains(id.User, "{{") {
		list = append(list, User(id.User))
	}
	for _, g := range id.Groups {
		switch g {
		case "system:authenticated":
		case "system:masters":
			list = append(list, Node{Kind: ClusterAdmin})
		default:
			list = append(list, Group(g))
		}
	}
	return list
}
