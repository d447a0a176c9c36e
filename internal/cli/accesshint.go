package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/rbac"
)

// httpVerbs are those of rules on URLs, beside the ones that resources have, too.
var httpVerbs = []string{"post", "put", "head", "options"}

// hintVerb tells of a verb that nobody knows: a role with * allows it all the same.
func hintVerb(env *Env, verb string) {
	if verb != "*" && !slices.Contains(verbs, verb) && !slices.Contains(httpVerbs, verb) {
		_, _ = fmt.Fprintf(env.Stderr, "%s: hint: %q is no verb that Kubernetes asks for; mistyped?\n", env.Name, verb)
	}
}

// hintAccount tells where a user's name is that of a service account, too: the two are different identities.
func hintAccount(env *Env, worlds []world, id *rbac.Identity) {
	if id.User == "" || id.Account != "" || strings.Contains(id.User, ":") {
		return
	}
	var names []string
	for i := range worlds {
		for _, o := range worlds[i].model.Inventory().OfKind("ServiceAccount") {
			if name := "sa:" + o.Namespace + "/" + o.Name; o.Name == id.User && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) > 0 {
		_, _ = fmt.Fprintf(env.Stderr, "%s: hint: this is about the user %s; of that name there are service accounts, too: %s.\n", env.Name, id.User, strings.Join(names, ", "))
	}
}
