package rbac

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// subresources are those of Kubernetes' own resources (what an API server of 1.36 serves). Others'
// may have any.
var subresources = []string{
	"*", "approval", "attach", "binding", "ephemeralcontainers", "eviction", "exec", "finalize", "log", "portforward", "proxy", "resize", "scale", "status", "token",
}

// ParseQuery reads what is asked: a verb and "pods", "pods/exec", "deployments.apps/scale", "deploy",
// "*" for every resource of every group, or a URL path, "/metrics". Of resources those named in known
// go by any of their names, too; others by their group.
func ParseQuery(verb, what string, known []fact.Resource) (Query, error) {
	q := Query{Verb: verb}
	switch {
	case verb == "":
		return q, errors.New("no verb: write one such as get, list, create or '*'")
	case strings.ContainsAny(verb, " \t\n"):
		return q, fmt.Errorf("%q is no verb", verb)
	case strings.HasPrefix(what, "/"):
		q.URL = what
		return q, nil
	}
	q.Resource, q.Subresource, _ = strings.Cut(what, "/")
	grouped := false
	q.Resource, q.Group, grouped = strings.Cut(q.Resource, ".")
	switch {
	case q.Resource == "" || strings.ContainsAny(what, " \t\n") || strings.HasSuffix(what, "/") || strings.Contains(q.Subresource, "/"):
		return q, fmt.Errorf("%q is no resource: write one such as pods, pods/exec, deployments.apps, or a path such as /metrics", what)
	case q.Resource == "*":
		if !grouped {
			q.Group = "*"
		}
		return q, nil
	}
	i := slices.IndexFunc(known, func(r fact.Resource) bool {
		return (!grouped || r.Group == q.Group) && named(&r, q.Resource)
	})
	switch {
	case i < 0 && grouped && q.Group != "":
		return q, nil
	case i < 0 && slices.Contains(anyone, q.Resource):
		q.Wide = true // what impersonation asks about is served by nobody
		return q, nil
	case i < 0 && q.Resource == "signers":
		q.Group, q.Wide = certGroup, true
		return q, nil
	case i < 0:
		return q, fmt.Errorf("no resource is known as %q: name its API group, %s.GROUP", q.Resource, q.Resource)
	}
	r := &known[i]
	q.Resource, q.Group = r.Name, r.Group
	// A namespace is asked about in itself.
	q.Wide = !r.Namespaced && (r.Name != "namespaces" || r.Group != "")
	if q.Subresource != "" && !slices.Contains(subresources, q.Subresource) && ownGroup(r.Group) {
		return q, fmt.Errorf("%s has no subresource %q; name an object with --name", r.Name, q.Subresource)
	}
	return q, nil
}

func ownGroup(group string) bool {
	return !strings.Contains(group, ".") || strings.HasSuffix(group, ".k8s.io")
}

func named(r *fact.Resource, text string) bool {
	return strings.EqualFold(r.Name, text) || strings.EqualFold(r.Kind, text) || slices.Contains(r.Short, text)
}
