package source

import (
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// takeMap takes a map that is meant as an object.
func (r *Reading) takeMap(v document.Value, in intake) {
	o := fact.NewObject(v, in.origin)
	o.Doubt = in.doubt
	o.Kind, o.APIVersion = word(v.Get("kind"), in.kind), word(v.Get("apiVersion"), in.group)
	switch {
	case isList(v, o.Kind):
		in.kind, in.group = "", ""
		if singular := strings.TrimSuffix(o.Kind, "List"); singular != "" {
			in.kind, in.group = singular, o.APIVersion
		}
		r.takeItems(v.Get("items"), in)
	case o.Kind == "" || o.APIVersion == "":
		r.takeHalf(v, o, in)
	case clientSide(o):
		r.leaveOut(verdict.Exclusion{What: "client-side configuration", Reason: clientReason, Count: 1})
	default:
		r.takeObject(v, o, in)
	}
}

// word is a value's text, else the inherited one.
func word(v document.Value, inherited string) string {
	if v.Exists() {
		return v.Text()
	}
	return inherited
}

// isList says whether the map is a list of objects: PodList, List; a name makes it an object of its own.
func isList(v document.Value, kind string) bool {
	items := v.Get("items")
	return strings.HasSuffix(kind, "List") && (items.Kind() == document.List || items.Kind() == document.Null) && !v.At("metadata", "name").Exists()
}

// takeHalf takes a map that has only one of apiVersion and kind.
func (r *Reading) takeHalf(v document.Value, o *fact.Object, in intake) {
	kind, version := v.Get("kind").Kind(), v.Get("apiVersion").Kind()
	switch {
	case isChartFile(v):
		r.leaveOut(verdict.Exclusion{What: "client-side configuration", Reason: clientReason, Count: 1})
		return
	case !v.Get("metadata").Exists() && (o.Kind == "" && kind <= document.Null ||
		version == document.Missing && (o.Kind == "" || o.Kind[0] < 'A' || o.Kind[0] > 'Z')):
		// Grafana's "apiVersion: 1", the index of a chart repository, Drone's "kind: pipeline".
		r.leaveOut(noObject)
		return
	case kind > document.Null && kind != document.String, version > document.Null && version != document.String:
		r.wrongTypes(v, o, in)
	default:
		missing := "apiVersion"
		if o.Kind == "" {
			missing = "kind"
		}
		g := in.gapAt(v, verdict.GapNotObject, "looks like a Kubernetes object but has no "+missing, "Add "+missing+", or leave the file out in .coamingignore.")
		if o.Kind != "" {
			g.Kinds = []string{o.Kind}
		}
		r.gap(g)
		return
	}
	r.Objects = append(r.Objects, o)
}

// isChartFile knows Chart.yaml by its fields, wherever it stands.
func isChartFile(v document.Value) bool {
	version := v.Get("apiVersion").Text()
	return !v.Get("kind").Exists() && (version == "v1" || version == "v2") && v.Get("name").Exists() && v.Get("version").Exists()
}

func (r *Reading) takeObject(v document.Value, o *fact.Object, in intake) {
	if in.drop != nil {
		if e, drop := in.drop(o); drop {
			r.leaveOut(e)
			return
		}
	}
	if in.namespace != "" && o.Namespace == "" && !fact.ClusterScoped(o.GroupKind()) {
		o.Namespace = in.namespace
	}
	r.wrongTypes(v, o, in)
	r.wrongKind(v, o, in)
	meta := v.Get("metadata")
	if o.Name == "" && isEmpty(meta.Get("name")) && (meta.Kind() == document.Map || meta.Kind() == document.Missing || meta.Kind() == document.Null) && !nameless(o) {
		at := meta
		if !at.Exists() {
			at = v
		}
		g := in.gapAt(at, verdict.GapNotObject, o.Kind+" without metadata.name; the API server refuses it", "Give it a metadata.name.")
		g.Kinds = []string{o.GroupKind()}
		r.gap(g)
	}
	r.Objects = append(r.Objects, o)
}

// wrongKind tells a kind that one of Kubernetes' own groups does not have: the API server refuses
// the object, and no rule knows it.
func (r *Reading) wrongKind(v document.Value, o *fact.Object, in intake) {
	group := o.Group()
	if v.Get("kind").Kind() > document.Null && v.Get("kind").Kind() != document.String || !catalog.IsOwnGroup(group) || catalog.IsOwnKind(group, o.Kind) || slices.Contains(fact.PodKinds(), o.GroupKind()) {
		return
	}
	meant := catalog.GroupsOf(o.Kind)
	remedy := "Correct kind or apiVersion."
	if len(meant) > 0 {
		remedy = "Correct kind or apiVersion; there is " + strings.Join(meant, " and ") + "."
	}
	g := in.gapAt(v.Get("kind"), verdict.GapNotObject, o.APIVersion+" has no kind "+o.Kind+"; the API server refuses it, and no rule judges it", remedy)
	g.Kinds = append([]string{o.GroupKind()}, meant...)
	r.gap(g)
}

// isEmpty says whether there is no text where some is wanted; a wrong type is told elsewhere.
func isEmpty(v document.Value) bool {
	return v.Kind() <= document.Null || v.Kind() == document.String && v.Str() == ""
}

// wrongTypes tells the fields of an object's head that are of a type the API server refuses. The
// object is judged all the same.
func (r *Reading) wrongTypes(v document.Value, o *fact.Object, in intake) {
	check := func(at document.Value, name string, want document.Kind) bool {
		if at.Kind() == want || at.Kind() <= document.Null {
			return at.Kind() == want
		}
		g := in.gapAt(at, verdict.GapWrongType, name+" is of type "+at.Kind().String()+", not "+want.String()+"; the API server refuses it",
			"Write "+name+" as a "+want.String()+".")
		if want == document.String && at.Kind() != document.Map && at.Kind() != document.List {
			g.Remedy = "Put the value of " + name + " in quotes."
		}
		if o.Kind != "" {
			g.Kinds = []string{o.GroupKind()}
		}
		g.Namespace = o.Namespace
		r.gap(g)
		return false
	}
	check(v.Get("apiVersion"), "apiVersion", document.String)
	check(v.Get("kind"), "kind", document.String)
	meta := v.Get("metadata")
	if !check(meta, "metadata", document.Map) {
		return
	}
	for _, key := range [...]string{"name", "generateName", "namespace"} {
		if at := meta.Get(key); !check(at, "metadata."+key, document.String) && at.Exists() {
			if text := at.Text(); key == "namespace" {
				o.Namespace = text
			} else if o.Name == "" {
				o.Name = text
			}
		}
	}
	for _, key := range [...]string{"labels", "annotations"} {
		if m := meta.Get(key); check(m, "metadata."+key, document.Map) {
			for name, value := range m.Fields() {
				check(value, "metadata."+key+"."+name, document.String)
			}
		}
	}
}
