package source

import (
	"context"
	"slices"

	"github.com/coaming/coaming/internal/document"
)

// findCustom reads the definitions of custom resources, and plans lists of those kinds that nobody
// asked for and that have a place for a pod. The list of the definitions is in the result when it
// was not planned anyway.
func (c *cluster) findCustom(ctx context.Context, s *served, planned []*list) []*list {
	var found []*list
	definitions := definitionList(s, planned)
	switch {
	case definitions == nil:
		return nil
	case definitions.unkept:
		found = append(found, definitions)
	}
	asked := c.asked()
	podded, others := map[string]bool{}, map[string]bool{}
	definitions.look = func(item document.Value) {
		spec := item.Get("spec")
		kind := groupKind(spec.At("names", "kind").Str(), spec.Get("group").Str())
		switch {
		case slices.Contains(asked, kind), slices.Contains(c.o.Also, kind):
		case definesPod(spec):
			podded[kind] = true
		default:
			others[kind] = true
		}
	}
	c.run(ctx, []*list{definitions})
	definitions.others = len(others)
	for _, r := range s.resources {
		if !podded[r.groupKind()] {
			continue
		}
		for _, l := range c.listsOf(r) {
			l.unasked = true
			found = append(found, l)
		}
	}
	return found
}

// definitionList is the list of the definitions of custom resources: the planned one, or one that is
// only looked at; nil when the cluster serves none.
func definitionList(s *served, planned []*list) *list {
	is := func(kind string) bool { return kind == definitionKind }
	if i := slices.IndexFunc(planned, func(l *list) bool { return is(l.groupKind()) }); i >= 0 {
		return planned[i]
	}
	i := slices.IndexFunc(s.resources, func(r resource) bool { return is(r.groupKind()) })
	if i < 0 || !s.resources[i].listable {
		return nil
	}
	return &list{resource: s.resources[i], unasked: true, unkept: true}
}

// podPlaces are the names under which a definition that says nothing more about what stands there
// would have a pod.
var podPlaces = []string{"spec", "template", "podTemplate", "podSpec"}

// definesPod says whether a definition has a place for containers, at any served version. A version
// without a schema may have one.
func definesPod(spec document.Value) bool {
	for _, version := range spec.Get("versions").Items() {
		if served := version.Get("served"); served.Exists() && !served.Bool() {
			continue
		}
		schema := version.At("schema", "openAPIV3Schema")
		if schema.Kind() != document.Map || openSchema(schema) {
			return true
		}
		for key, property := range schema.Get("properties").Fields() {
			if key != "status" && placeForPod(key, property) {
				return true
			}
		}
	}
	return false
}

func placeForPod(key string, schema document.Value) bool {
	if schema.Kind() != document.Map {
		return false
	}
	if openSchema(schema) && slices.Contains(podPlaces, key) {
		return true
	}
	if item := schema.Get("items"); key == "containers" && item.Exists() {
		if openSchema(item) || item.At("properties", "image").Exists() || item.At("properties", "name").Exists() {
			return true
		}
	}
	for name, property := range schema.Get("properties").Fields() {
		if placeForPod(name, property) {
			return true
		}
	}
	return placeForPod("", schema.Get("items")) || placeForPod("", schema.Get("additionalProperties"))
}

// openSchema says whether a schema leaves open what stands there.
func openSchema(schema document.Value) bool {
	return schema.Get("x-kubernetes-preserve-unknown-fields").Bool() || schema.Get("x-kubernetes-embedded-resource").Bool()
}
