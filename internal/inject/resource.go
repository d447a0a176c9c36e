package inject

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/coaming/coaming/internal/enforcement"
)

// amounts are the requests and limits that the plan gives at a place, the last entry that fits deciding for each resource.
func (in *Injector) amounts(at enforcement.Place) map[string]map[string]string {
	all := map[string]map[string]string{"requests": {}, "limits": {}}
	for i := range in.Plan.Resources {
		e := &in.Plan.Resources[i]
		if holds, known := e.Where.Holds(at); holds && known {
			for _, side := range sides {
				maps.Copy(all[side], amountsOf(e, side))
			}
		}
	}
	return all
}

// sides are the two parts of a container's resources; a limit comes first, since the API server makes a request of it
// where there is none.
var sides = []string{"requests", "limits"}

// amountsOf are the requests, or the limits, of an entry.
func amountsOf(e *enforcement.ResourceEntry, side string) map[string]string {
	if side == "limits" {
		return e.Limits
	}
	return e.Requests
}

// giveResources gives requests and limits to the pod's own containers that have none, and returns the reason, "" where
// nothing was given. What the API server would refuse is left out: a limit below a request, or beside another request where both must be one.
func (in *Injector) giveResources(p *pod, at enforcement.Place) (why string, err error) {
	amounts := in.amounts(at)
	if len(amounts["requests"])+len(amounts["limits"]) == 0 || p.at(p.path("spec", "resources")...) != nil {
		return "", nil // resources of the whole pod were somebody's own thought
	}
	given := map[string]bool{}
	injected := versions(p.annotated())
	for _, field := range fields[:2] {
		for i, item := range p.list(p.path("spec", field)...) {
			c, ok := item.(map[string]any)
			if !ok || in.holdsAny(injected, nameOf(c)) {
				continue
			}
			has, _ := c["resources"].(map[string]any)
			for _, side := range sides {
				for _, name := range slices.Sorted(maps.Keys(amounts[side])) {
					if !fits(has, side, name, amounts) {
						continue
					}
					if err := p.put(amounts[side][name], p.item(field, i, "resources", side, name)...); err != nil {
						return "", err
					}
					given[side+" of "+name] = true
				}
			}
		}
	}
	if len(given) == 0 {
		return "", nil
	}
	return "resources: the plan's " + strings.Join(slices.Sorted(maps.Keys(given)), ", ") + " where a container had none", nil
}

// fits says whether a container lacks an amount, and the API server would take the plan's.
func fits(has map[string]any, side, name string, amounts map[string]map[string]string) bool {
	of := func(side string) string {
		m, _ := has[side].(map[string]any)
		return text(m[name])
	}
	if of(side) != "" {
		return false
	}
	request, limit := of("requests"), of("limits")
	switch side {
	case "requests":
		request = amounts[side][name]
		if limit == "" {
			limit = amounts["limits"][name]
		}
	case "limits":
		limit = amounts[side][name]
		if request == "" {
			request = amounts["requests"][name]
		}
	}
	if request == "" || limit == "" {
		return true
	}
	r, err := resource.ParseQuantity(request)
	if err != nil {
		return false
	}
	l, err := resource.ParseQuantity(limit)
	return err == nil && (r.Cmp(l) == 0 || r.Cmp(l) < 0 && !exact(name))
}

// exact says whether a request must be the limit: of what is not Kubernetes' own, and of huge pages, no node has more
// than it gives (k8s.io/kubernetes pkg/apis/core/v1/helper, IsOvercommitAllowed).
func exact(name string) bool {
	isOwn := !strings.Contains(name, "/") || strings.Contains(name, "kubernetes.io/")
	return !isOwn || strings.HasPrefix(name, "hugepages-")
}
