package source

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/coaming/coaming/internal/verdict"
)

// resource is what the API server serves of one kind, at the version that it prefers.
type resource struct {
	group, version, plural, kind string
	namespaced, listable         bool
}

func (r *resource) groupKind() string { return groupKind(r.kind, r.group) }

func (r *resource) apiVersion() string {
	if r.group == "" {
		return r.version
	}
	return r.group + "/" + r.version
}

// base is the API path below which the resource stands, in a namespace when there is one.
func (r *resource) base(namespace string) string {
	path := "/apis/" + r.apiVersion()
	if r.group == "" {
		path = "/api/" + r.version
	}
	if namespace != "" {
		path += "/namespaces/" + namespace
	}
	return path
}

// served is what discovery found.
type served struct {
	resources []resource // sorted
	failed    map[schema.GroupVersion]error
}

// discover asks what the API server serves. A group that it cannot speak for (an extension's server
// that is down) is no reason to stop.
func (c *cluster) discover(ctx context.Context) (*served, error) {
	lists, err := c.client.ServerPreferredResourcesWithContext(ctx)
	s := &served{}
	if partial, ok := errors.AsType[*discovery.ErrGroupDiscoveryFailed](err); ok {
		s.failed = partial.Groups
	} else if err != nil {
		return nil, err
	}
	for _, list := range lists {
		s.add(list)
	}
	slices.SortFunc(s.resources, func(a, b resource) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.plural, b.plural))
	})
	if !slices.ContainsFunc(s.resources, func(r resource) bool { return r.group == "" && r.kind == namespaceKind }) {
		if err := s.failed[schema.GroupVersion{Version: "v1"}]; err != nil {
			return nil, err
		}
		return nil, errNoKubernetes
	}
	return s, nil
}

// errNoKubernetes is an address that answers discovery, and has no namespaces.
var errNoKubernetes = errors.New("this is not the address of a Kubernetes API server")

func (s *served) add(list *metav1.APIResourceList) {
	gv, err := schema.ParseGroupVersion(list.GroupVersion)
	if err != nil {
		return // a resource list without a version cannot be asked for
	}
	for _, r := range list.APIResources {
		if strings.Contains(r.Name, "/") {
			continue // a part of an object: its status, its scale
		}
		s.resources = append(s.resources, resource{
			group: gv.Group, version: gv.Version, plural: r.Name, kind: r.Kind,
			namespaced: r.Namespaced, listable: slices.Contains(r.Verbs, "list"),
		})
	}
}

// has says whether a kind is served at some version.
func (s *served) has(kind string) bool {
	return slices.ContainsFunc(s.resources, func(r resource) bool { return r.groupKind() == kind })
}

// missing is the kinds of a failed group that are asked for and not served at another version.
func (s *served) missing(group string, asked []string) []string {
	var kinds []string
	for _, kind := range asked {
		if _, of, _ := strings.Cut(kind, "."); of == group && !s.has(kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// gaps are the groups that rules need and the API server could not speak for.
func (s *served) gaps(source string, asked []string) []verdict.Gap {
	var gaps []verdict.Gap
	for _, gv := range s.failedVersions() {
		kinds := s.missing(gv.Group, asked)
		if len(kinds) == 0 {
			continue
		}
		gaps = append(gaps, verdict.Gap{
			Code:     verdict.GapUnreachable,
			Location: verdict.Location{Source: source, File: "/apis/" + gv.String()},
			Message:  "the API server could not say what it serves in " + gv.String() + ": " + s.failed[gv].Error(),
			Remedy:   "Mend the API service that 'kubectl get apiservices' shows as unavailable.",
			Kinds:    kinds,
		})
	}
	return gaps
}

// unneeded is the groups that the API server could not speak for and that no rule needs.
func (s *served) unneeded(asked []string) []string {
	var groups []string
	for _, gv := range s.failedVersions() {
		if len(s.missing(gv.Group, asked)) == 0 {
			groups = append(groups, gv.String())
		}
	}
	return groups
}

func (s *served) failedVersions() []schema.GroupVersion {
	versions := make([]schema.GroupVersion, 0, len(s.failed))
	for gv := range s.failed {
		versions = append(versions, gv)
	}
	slices.SortFunc(versions, func(a, b schema.GroupVersion) int { return cmp.Compare(a.String(), b.String()) })
	return versions
}

// plan is the lists of what is asked for.
func (c *cluster) plan(s *served) []*list {
	asked := map[string]bool{}
	for _, kind := range c.asked() {
		asked[kind] = true
	}
	var lists []*list
	for _, r := range s.resources {
		// With Namespaces that they exist is asked in any case: nothing would be found in a
		// namespace with a typing error, either.
		also := slices.Contains(c.o.Also, r.groupKind())
		if !asked[r.groupKind()] && !also && (r.groupKind() != namespaceKind || len(c.o.Namespaces) == 0) {
			continue
		}
		own := c.listsOf(r)
		if also && len(c.o.Namespaces) > 0 && r.namespaced && r.listable && !slices.Contains(c.o.Namespaces, c.o.AlsoIn) {
			own = append(own, &list{resource: r, namespace: c.o.AlsoIn})
		}
		for _, l := range own {
			l.unasked = !asked[r.groupKind()]
			l.unkept = l.unasked && !also
			lists = append(lists, l)
		}
	}
	return lists
}

// listsOf is the lists of one resource: one, or one for each namespace.
func (c *cluster) listsOf(r resource) []*list {
	switch {
	case r.groupKind() == secretKind || !r.listable:
		return nil
	case len(c.o.Namespaces) == 0 || !r.namespaced && r.groupKind() != namespaceKind:
		return []*list{{resource: r}}
	}
	lists := make([]*list, 0, len(c.o.Namespaces))
	for _, ns := range c.o.Namespaces {
		if r.namespaced {
			lists = append(lists, &list{resource: r, namespace: ns})
		} else {
			lists = append(lists, &list{resource: r, only: ns})
		}
	}
	return lists
}
