package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/coaming/coaming/internal/fact"
)

// Newest is the target where no version is named: the newest Kubernetes whose API server the tests run. The
// calendars know later ones.
const Newest = "1.36"

// API is what is known of one version of a built-in API.
type API struct {
	DeprecatedIn, RemovedIn string // Kubernetes versions, "" when not
	Replacement             string // the apiVersion to use instead, "" when there is none
}

// APIOf is what is known of an apiVersion and kind; ok is false for those with nothing to tell.
func APIOf(apiVersion, kind string) (api API, ok bool) {
	api, ok = apis()[apiVersion+" "+kind]
	return api, ok
}

var apis = sync.OnceValue(func() map[string]API {
	m := map[string]API{}
	root, err := support("apis.yaml")
	if err != nil {
		return m // TestSupport reads the same file and fails
	}
	for _, entry := range root.Get("apis").Items() {
		version := entry.Get("version").Str()
		if group := entry.Get("group").Str(); group != "" {
			version = group + "/" + version
		}
		api := API{entry.Get("deprecatedIn").Str(), entry.Get("removedIn").Str(), entry.Get("replacement").Str()}
		for _, kind := range entry.Get("kinds").Items() {
			m[version+" "+kind.Str()] = api
		}
	}
	return m
})

// Dropped is what is known of a version of an API that a project outside of Kubernetes has taken away.
type Dropped struct {
	By          string // the release without it: "cert-manager 1.6"; "" when it is still served
	Replacement string // the apiVersion to use instead
}

// DroppedAPI is what is known of an apiVersion and kind of a project outside of Kubernetes.
func DroppedAPI(apiVersion, kind string) Dropped {
	versions := dropped()[apiVersion]
	if d, found := versions[kind]; found {
		return d
	}
	return versions[""]
}

// dropped is by apiVersion and kind; the kind "" stands for all that are not named.
var dropped = sync.OnceValue(func() map[string]map[string]Dropped {
	m := map[string]map[string]Dropped{}
	root, err := support("dropped.yaml")
	if err != nil {
		return m // TestSupport reads the same file and fails
	}
	for _, entry := range root.Get("apis").Items() {
		version := entry.Get("group").Str() + "/" + entry.Get("version").Str()
		if m[version] == nil {
			m[version] = map[string]Dropped{}
		}
		d := Dropped{entry.Get("droppedBy").Str(), entry.Get("replacement").Str()}
		if entry.Get("kinds").Len() == 0 {
			m[version][""] = d
		}
		for _, kind := range entry.Get("kinds").Items() {
			m[version][kind.Str()] = d
		}
	}
	return m
})

// Reached says whether a version, "1.25", is at or past another; "" is never reached.
func Reached(version, milestone string) bool {
	v, ok1 := minor(version)
	m, ok2 := minor(milestone)
	return ok1 && ok2 && (v[0] > m[0] || v[0] == m[0] && v[1] >= m[1])
}

// Minor is the second number of a version: 36 of "1.36". Of the versions after 1, should they come, it
// is greater than any of 1; ok is false for what is no version.
func Minor(version string) (n int, ok bool) {
	v, ok := minor(version)
	return v[1] + max(v[0]-1, 0)*10_000, ok
}

// Short is a version by its two first numbers: 1.36 of v1.36.3 and 1.36+; ok is false for what is no version.
func Short(version string) (short string, ok bool) {
	v, ok := minor(version)
	return fmt.Sprintf("%d.%d", v[0], v[1]), ok
}

func minor(version string) ([2]int, bool) {
	major, rest, found := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	if !found {
		return [2]int{}, false
	}
	rest, _, _ = strings.Cut(rest, ".")
	a, err1 := strconv.Atoi(major)
	b, err2 := strconv.Atoi(strings.TrimRight(rest, "+"))
	return [2]int{a, b}, err1 == nil && err2 == nil
}

// EndOfLife is the date, "2027-06-28", until which the Kubernetes project mends a version; ok is
// false for versions the catalogue does not know.
func EndOfLife(version string) (date string, ok bool) {
	root, err := support("kubernetes.yaml")
	if err != nil {
		return "", false
	}
	for _, v := range root.Get("versions").Items() {
		if v.Get("version").Str() == version {
			return v.Get("endOfLife").Text(), true
		}
	}
	return "", false
}

// Shipped is the roles, cluster roles and bindings that every cluster has.
var Shipped = sync.OnceValue(func() []*fact.Object {
	var list []*fact.Object
	for _, name := range []string{"clusterroles.yaml", "roles.yaml", "bindings.yaml"} {
		root, err := support(name)
		if err != nil {
			return nil // TestSupport reads the same file and fails
		}
		for _, item := range root.Get("items").Items() {
			list = append(list, fact.NewObject(item, shipped))
		}
	}
	return list
})

var shipped = &fact.Origin{Source: "kubernetes", Served: true}

// Resources is what an API server serves by default.
var Resources = sync.OnceValue(func() []fact.Resource {
	root, err := support("resources.yaml")
	if err != nil {
		return nil // TestSupport reads the same file and fails
	}
	var list []fact.Resource
	for _, v := range root.Get("resources").Items() {
		r := fact.Resource{Group: v.Get("group").Str(), Name: v.Get("name").Str(), Kind: v.Get("kind").Str(), Namespaced: v.Get("namespaced").Bool()}
		for _, s := range v.Get("short").Items() {
			r.Short = append(r.Short, s.Str())
		}
		list = append(list, r)
	}
	return list
})

// IsOwnGroup says whether an API group is one of Kubernetes' own.
func IsOwnGroup(group string) bool { return ownKinds()[group] != nil }

// IsOwnKind says whether one of Kubernetes' own API groups has, or had, the kind.
func IsOwnKind(group, kind string) bool { return ownKinds()[group][kind] }

// OwnKinds is the kinds of Kubernetes' own API groups, by group; sorted.
func OwnKinds() map[string][]string {
	all := map[string][]string{}
	for group, kinds := range ownKinds() {
		all[group] = slices.Sorted(maps.Keys(kinds))
	}
	return all
}

// GroupsOf is Kubernetes' own API groups that have a kind of that name, whatever its case, each as
// "Kind" or "Kind.group"; sorted.
func GroupsOf(kind string) []string {
	var found []string
	for group, kinds := range ownKinds() {
		for own := range kinds {
			if strings.EqualFold(own, kind) {
				found = append(found, strings.TrimSuffix(own+"."+group, "."))
			}
		}
	}
	slices.Sort(found)
	return found
}

var ownKinds = sync.OnceValue(func() map[string]map[string]bool {
	m := map[string]map[string]bool{}
	root, err := support("kinds.yaml")
	if err != nil {
		return m // TestSupport reads the same file and fails
	}
	for _, entry := range root.Get("groups").Items() {
		kinds := map[string]bool{}
		for _, kind := range entry.Get("kinds").Items() {
			kinds[kind.Str()] = true
		}
		m[entry.Get("group").Str()] = kinds
	}
	return m
})
