package source

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/verdict"
)

// gap is the ledger's entry of a list that could not be read, or not to its end.
func (l *list) gap(source string) verdict.Gap {
	g := verdict.Gap{
		Code:      verdict.GapUnreachable,
		Location:  verdict.Location{Source: source, File: l.path()},
		Message:   fmt.Sprintf("listing %s%s failed: %v", l.name(), l.where(), l.err),
		Remedy:    "Read the cluster again; 'kubectl get --raw " + l.path() + "?limit=1' shows whether it answers.",
		Kinds:     []string{l.groupKind()},
		Namespace: l.space(),
	}
	if fault, ok := errors.AsType[*document.Error](l.err); ok {
		g.Code = verdict.GapCode(fault.Code)
	}
	switch statusCode(l.err) {
	case forbidden:
		g.Code = verdict.GapForbidden
		g.Remedy = l.grant()
	case notFound:
		g.Code = verdict.GapMissing
	case expired:
		g.Remedy = "Read the cluster again when it has less to do: its pages expired before they were read."
	}
	return g
}

// grant names the smallest permission that would do.
func (l *list) grant() string {
	role := "a ClusterRole, or name the namespaces that may be read"
	names := ""
	switch {
	case l.only != "":
		role, names = "a ClusterRole", fmt.Sprintf(", resourceNames: [%q]", l.only)
	case l.namespace != "":
		role = "a Role of namespace " + l.namespace
	case !l.namespaced:
		role = "a ClusterRole"
	}
	return fmt.Sprintf("Grant {apiGroups: [%q], resources: [%q]%s, verbs: [\"list\"]} in %s.", l.group, l.plural, names, role)
}

// name is the resource as kubectl takes it: "deployments.apps".
func (l *list) name() string { return groupKind(l.plural, l.group) }

// space is the one namespace that the list is about, "" for all.
func (l *list) space() string {
	if l.only != "" {
		return l.only
	}
	return l.namespace
}

func (l *list) where() string {
	if ns := l.space(); ns != "" {
		return " in namespace " + ns
	}
	return ""
}

// lostLists are those that were not read to their end because the cluster went away: one fact, and
// so one entry of the ledger, or one for each namespace.
type lostLists struct {
	cause  error
	spaces []string
	kinds  map[string][]string
}

func (l *lostLists) add(lost *list, gone *goneError) {
	if l.kinds == nil {
		l.kinds = map[string][]string{}
	}
	l.cause = gone
	space := lost.space()
	if _, found := l.kinds[space]; !found {
		l.spaces = append(l.spaces, space)
	}
	l.kinds[space] = append(l.kinds[space], lost.groupKind())
}

func (l *lostLists) gaps(source string) []verdict.Gap {
	gaps := make([]verdict.Gap, 0, len(l.spaces))
	for _, space := range l.spaces {
		g := verdict.Gap{
			Code:      verdict.GapUnreachable,
			Location:  verdict.Location{Source: source},
			Message:   fmt.Sprintf("the cluster went away before everything was read: %v", l.cause),
			Remedy:    "Read the cluster again when it can be reached.",
			Kinds:     slices.Compact(l.kinds[space]),
			Namespace: space,
		}
		if statusCode(l.cause) == unauthorized {
			g.Message = fmt.Sprintf("the cluster refused the credentials before everything was read: %v", l.cause)
			g.Remedy = "Renew the credentials and read the cluster again."
		}
		gaps = append(gaps, g)
	}
	return gaps
}

// refusal is why nothing could be read at all, with what to do about it.
func (c *cluster) refusal(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("read cluster %s: %w", c.o.Context, context.Cause(ctx))
	}
	_, unverified := errors.AsType[*tls.CertificateVerificationError](err)
	remedy := "Check the server's address in the kubeconfig and that 'kubectl get --raw /version' answers."
	switch code := statusCode(err); {
	case code == unauthorized:
		err = fmt.Errorf("the API server refuses the credentials, which may have expired: %w", err)
		remedy = "Renew the credentials, by logging in again or with a new kubeconfig, and check them with 'kubectl auth whoami'."
	case code == forbidden:
		err = fmt.Errorf("the credentials may not ask what the cluster serves: %w", err)
		remedy = "Bind the ClusterRole system:discovery to the identity."
	case unverified:
		remedy = "Check certificate-authority and server in the kubeconfig: they are not of the same cluster."
	}
	return &verdict.RemedyError{Err: fmt.Errorf("read cluster %s: %w", c.o.Context, err), Remedy: remedy}
}
