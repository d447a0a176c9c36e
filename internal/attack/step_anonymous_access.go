package attack

import "github.com/coaming/coaming/internal/rbac"

var anonymousAccess = Step{
	ID: "anonymous-access", Title: "Call the API server as anybody", Technique: "T1078.001",
	Needs: "a connection to the API server",
	Gives: "the rights that somebody gave to everybody",
	Why: "Requests without credentials are of the group system:unauthenticated, and a binding that names it, or the user system:anonymous, is for whoever reaches the API server. In GKE every account " +
		"of Google is in system:authenticated. Whether the internet reaches the API server is not to be seen.",
	Fix:    "Bind nothing to these groups beyond what Kubernetes itself does.",
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		for _, b := range w.Rights.Bindings() {
			if !ours(b) {
				continue
			}
			for i := range b.Subjects {
				s := &b.Subjects[i]
				doubt := anybody[s.Kind+" "+s.Name]
				if doubt == "" || isShippedName(b.Object.Name) {
					continue
				}
				to := HolderOf(s)
				take(Taken{
					From: Node{Kind: Internet}, To: to, Doubt: doubt,
					Evidence: []Evidence{{b.Object, s.Value, title(b.Object) + " gives " + to.Title() + " the " + b.RoleKind + " " + b.RoleName}},
					Changes: []Change{{
						Object: b.Object, Edits: []Edit{Remove(s.Value)}, Title: "Take " + to.Title() + " out of " + title(b.Object),
					}},
				})
			}
		}
	},
}

// anybody are the subjects that strangers may be, with what is not known of it.
var anybody = map[string]string{
	rbac.GroupKind + " system:unauthenticated": "whether the internet reaches the API server, and whether it takes anonymous requests, is not known",
	rbac.UserKind + " system:anonymous":        "whether the internet reaches the API server, and whether it takes anonymous requests, is not known",
	rbac.GroupKind + " system:authenticated":   "whether strangers have accounts that the API server takes, as in GKE all of Google's do, is not known",
}

// isShippedName says whether a binding has the name of one that every cluster has, as a live one tells of.
func isShippedName(name string) bool {
	return name == "system:public-info-viewer" || name == "system:basic-user" || name == "system:discovery"
}
