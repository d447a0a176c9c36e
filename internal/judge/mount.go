package judge

import (
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
)

// volumesOf is a workload's volumes by name. Who asks for each mount what volume it shows would else go through all of them for
// each; of two of one name, which the API server refuses, the first counts.
func volumesOf(w *fact.Workload) (rule.Fact, error) {
	list := w.Spec.Get("volumes")
	byName := make(map[string]document.Value, list.Len())
	for name, volume := range named(list) {
		if name == "" {
			return nil, &rule.NotSeen{Reason: rule.WrongType}
		}
		if !byName[name].Exists() {
			byName[name] = volume
		}
	}
	return rule.Lazy(func(name string) (rule.Fact, error) {
		if v, found := byName[name]; found {
			return rule.Of(v), nil
		}
		return nil, nil
	}), nil
}

// mountsOf is, by the name of a volume, the mounts of it in all containers.
func mountsOf(w *fact.Workload) (rule.Fact, error) {
	byName := map[string][]rule.Fact{}
	for i := range w.Containers {
		for name, mount := range named(w.Containers[i].Value.Get("volumeMounts")) {
			if name == "" {
				return nil, &rule.NotSeen{Reason: rule.WrongType}
			}
			byName[name] = append(byName[name], rule.Of(mount))
		}
	}
	return rule.Lazy(func(name string) (rule.Fact, error) {
		if mounts := byName[name]; mounts != nil {
			return rule.Facts(mounts), nil
		}
		return nil, nil
	}), nil
}

// named yields the items of a list with their names, "" for one that has none; what is no list is one such item.
func named(list document.Value) func(yield func(string, document.Value) bool) {
	return func(yield func(string, document.Value) bool) {
		if k := list.Kind(); k > document.Null && k != document.List {
			yield("", list)
			return
		}
		for _, item := range list.Items() {
			if !yield(item.Get("name").Str(), item) {
				return
			}
		}
	}
}
