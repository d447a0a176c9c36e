package inject

import (
	"slices"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
)

// reach is what fixes may change of a pod: fields of containers, and of the pod spec. What lies below a field counts as the field.
type reach struct {
	container, spec map[string]bool
	all             bool // or anything
}

// reachOf is what the fixes of some rules may change.
func reachOf(rules []*rule.Compiled) *reach {
	t := &reach{container: map[string]bool{}, spec: map[string]bool{}}
	for _, r := range rules {
		for i := range r.Fix {
			t.note(r, &r.Fix[i])
		}
	}
	return t
}

func (t *reach) note(r *rule.Compiled, f *rule.Fix) {
	path := slices.Concat(r.EachPath, f.Path)
	switch {
	case f.Op == rule.FixAdd:
	case r.Match.Fact == "container" && len(path) > 0:
		t.container[path[0]] = true
	case r.Match.Fact == "workload" && len(path) > 1 && path[0] == "spec" && !slices.Contains(fact.ContainerFields, path[1]):
		t.spec[path[1]] = true
	default:
		t.all = true
	}
}

// within says whether all that a rule's fix changes is in reach.
func (t *reach) within(r *rule.Compiled) bool {
	own := reachOf([]*rule.Compiled{r})
	in := func(some, all map[string]bool) bool {
		for field := range some {
			if !all[field] {
				return false
			}
		}
		return true
	}
	return t.all || !own.all && in(own.container, t.container) && in(own.spec, t.spec)
}

// sees says whether how a rule comes out may depend on what is in reach: a rule depends on nothing but what it reads, the items
// that it asks about, and the place that its fault stands at.
func (t *reach) sees(r *rule.Compiled) bool {
	if t.all {
		return true
	}
	root := map[string]string{"container": "container", "workload": "pod"}[r.Match.Fact]
	if root == "" {
		root = "object"
	}
	below := r.At
	if r.EachName != "" {
		below = r.EachPath
	}
	if t.holds(append([]string{root}, below...)) {
		return true
	}
	for _, read := range r.Reads() {
		if keys := rule.Keys(read); keys[0] != r.EachName && t.holds(keys) {
			return true
		}
	}
	return false
}

// holds says whether what stands at a path may be in reach. All that is not known to be out of it is.
func (t *reach) holds(keys []string) bool {
	whole := len(keys) == 1 // nothing beneath it is named
	switch keys[0] {
	case "cluster", "settings", "support", "role", "api":
		return false
	case "container":
		if whole {
			return len(t.container) > 0
		}
		return t.container[keys[1]]
	case "pod", "workload":
		switch {
		case whole:
			return true
		case keys[1] == "spec":
			return t.holdsSpec(keys[2:])
		case keys[1] == "volumes":
			return t.spec["volumes"]
		case keys[1] == "mounts":
			return t.container["volumeMounts"]
		}
		return !slices.Contains([]string{"kind", "name", "namespace", "labels", "annotations", "metadata"}, keys[1])
	case "object":
		if whole {
			return len(t.container)+len(t.spec) > 0
		}
		return !slices.Contains([]string{"apiVersion", "kind", "metadata", "status"}, keys[1]) // the pod spec's place differs from kind to kind
	}
	return true
}

// holdsSpec is holds below the pod spec.
func (t *reach) holdsSpec(keys []string) bool {
	switch {
	case len(keys) == 0:
		return len(t.container)+len(t.spec) > 0
	case slices.Contains(fact.ContainerFields, keys[0]):
		return len(t.container) > 0
	}
	return t.spec[keys[0]]
}
