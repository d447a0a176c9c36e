// Package source observes: it reads manifests, charts, overlays, live clusters and archives into
// objects and a coverage ledger of what was not looked at. It judges nothing, and it makes no
// outbound call but to the cluster that it was told to read.
package source

import (
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// Reading is what one or several sources gave.
type Reading struct {
	Objects  []*fact.Object
	Coverage verdict.Coverage
	// Version is the cluster's version ("1.36"), "" when no cluster was read.
	Version string
	// Live is set when a cluster, or a snapshot of one, was read.
	Live bool
}

// Join adds what another source gave.
func (r *Reading) Join(other *Reading) {
	r.Objects = append(r.Objects, other.Objects...)
	c, o := &r.Coverage, &other.Coverage
	for _, s := range o.Sources {
		if !slices.Contains(c.Sources, s) {
			c.Sources = append(c.Sources, s)
		}
	}
	c.Files += o.Files
	c.Documents += o.Documents
	c.Gaps = append(c.Gaps, o.Gaps...)
	for _, e := range o.Exclusions {
		r.leaveOut(e)
	}
	r.Live = r.Live || other.Live
	if r.Version == "" {
		r.Version = other.Version
	}
}

// leaveOut tells an exclusion; equal ones are counted together.
func (r *Reading) leaveOut(e verdict.Exclusion) {
	c := &r.Coverage
	for i := range c.Exclusions {
		if c.Exclusions[i].What == e.What && c.Exclusions[i].Reason == e.Reason {
			c.Exclusions[i].Count += e.Count
			return
		}
	}
	c.Exclusions = append(c.Exclusions, e)
}

func (r *Reading) gap(g verdict.Gap) { r.Coverage.Gaps = append(r.Coverage.Gaps, g) }

// intake says how the documents of one text are taken.
type intake struct {
	origin *fact.Origin
	// chart is set for text that stands beside a chart: what is a template there is the chart's own.
	chart bool
	// rendered is set for what a chart or an overlay made: what does not parse is its maker's fault.
	rendered bool
	// namespace is where objects belong that leave it open; "" when nobody said.
	namespace string
	// drop names what is left out of the objects; nil keeps all.
	drop func(*fact.Object) (verdict.Exclusion, bool)

	doubt string
	kind  string // what the items of a list are that do not say it themselves
	group string // and their apiVersion
}

// take makes objects of documents: lists are opened, and what is no object is told. Every document
// ends as objects, gaps or an exclusion.
func (r *Reading) take(docs []*document.Doc, errs []*document.Error, origin *fact.Origin) {
	r.takeAs(docs, errs, intake{origin: origin})
}

func (r *Reading) takeAs(docs []*document.Doc, errs []*document.Error, in intake) {
	r.Coverage.Documents += len(docs) + len(errs)
	for _, d := range docs {
		in.doubt = ""
		if doubt := d.Doubt(); doubt != nil {
			in.doubt = doubt.Error()
			g := documentGap(doubt, in.origin)
			g.Kinds = kindsOf(d.Root())
			r.gap(g)
		}
		r.takeRoot(d.Root(), in)
	}
	for _, e := range errs {
		if in.chart && e.Code == document.CodeTemplate {
			r.leaveOut(verdict.Exclusion{What: "template files of charts", Reason: "the chart alone can read them; what it renders is judged", Count: 1})
			continue
		}
		g := documentGap(e, in.origin)
		if in.rendered {
			renderedGap(&g)
		}
		r.gap(g)
	}
}

// takeRoot takes one document's value.
func (r *Reading) takeRoot(v document.Value, in intake) {
	if v.Kind() == document.List && holdsObject(v) {
		r.gap(in.gapAt(v, verdict.GapNotObject, "a list of objects at the top of a document; kubectl refuses it",
			"Write the objects as documents of their own, or as items of a kind: List."))
		r.takeItems(v, in)
		return
	}
	if v.Kind() != document.Map || !v.Get("kind").Exists() && !v.Get("apiVersion").Exists() {
		r.leaveOut(verdict.Exclusion{What: "documents that are no Kubernetes objects", Reason: "they have neither apiVersion nor kind", Count: 1})
		return
	}
	r.takeMap(v, in)
}

func holdsObject(list document.Value) bool {
	for _, item := range list.Items() {
		if item.Get("kind").Exists() && item.Get("apiVersion").Exists() {
			return true
		}
	}
	return false
}

func (r *Reading) takeItems(list document.Value, in intake) {
	if list.Len() == 0 {
		r.leaveOut(verdict.Exclusion{What: "empty lists", Reason: "a list without items holds no object", Count: 1})
	}
	for _, item := range list.Items() {
		if item.Kind() != document.Map {
			r.gap(in.gapAt(item, verdict.GapNotObject, "an item of a list that is a "+item.Kind().String()+", not an object",
				"Remove the item, or write the object."))
			continue
		}
		r.takeMap(item, in)
	}
}

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
	case !v.Get("metadata").Exists() && (o.Kind == "" && version != document.String ||
		version == document.Missing && (o.Kind == "" || o.Kind[0] < 'A' || o.Kind[0] > 'Z')):
		// Grafana's "apiVersion: 1", Drone's "kind: pipeline".
		r.leaveOut(verdict.Exclusion{What: "documents that are no Kubernetes objects", Reason: "they have neither apiVersion nor kind", Count: 1})
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
	if in.namespace != "" && o.Namespace == "" && !clusterScoped(o) {
		o.Namespace = in.namespace
	}
	r.wrongTypes(v, o, in)
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

// isEmpty says whether there is no text where some is wanted; a wrong type is told elsewhere.
func isEmpty(v document.Value) bool {
	return v.Kind() <= document.Null || v.Kind() == document.String && v.Str() == ""
}

// wrongTypes tells the fields of an object's head that are of a type the API server refuses. The
// object is judged all the same.
func (r *Reading) wrongTypes(v document.Value, o *fact.Object, in intake) {
	check := func(at document.Value, name string, want document.Kind) bool {
		switch at.Kind() {
		case document.Missing, document.Null, want:
			return at.Kind() == want
		}
		g := in.gapAt(at, verdict.GapWrongType, name+" is a "+at.Kind().String()+", not a "+want.String()+"; the API server refuses it",
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

// gapAt is a gap at a value's place.
func (in *intake) gapAt(v document.Value, code verdict.GapCode, message, remedy string) verdict.Gap {
	g := verdict.Gap{Code: code, Location: place(in.origin), Message: message, Remedy: remedy}
	g.Location.Line, g.Location.Column = v.Position()
	return g
}

// place is an origin as a location without a line.
func place(origin *fact.Origin) verdict.Location {
	return verdict.Location{Source: origin.Source, File: origin.File, Rendered: origin.Rendered}
}

// documentGap is the ledger's entry of a document that could not be read.
func documentGap(e *document.Error, origin *fact.Origin) verdict.Gap {
	g := verdict.Gap{Code: verdict.GapCode(e.Code), Location: place(origin), Message: e.Message, Remedy: e.Remedy}
	g.Location.Line, g.Location.Column = e.Line, e.Column
	if e.Code == document.CodeTemplate || e.Kind == "" || strings.HasSuffix(e.Kind, "List") {
		return g
	}
	o := fact.Object{Kind: e.Kind, APIVersion: e.APIVersion}
	g.Kinds = []string{o.GroupKind()}
	return g
}

// renderedGap says of a text that a chart or an overlay made that it is the maker's fault.
func renderedGap(g *verdict.Gap) {
	if g.Code != verdict.GapSyntax && g.Code != verdict.GapTemplate {
		return
	}
	g.Code = verdict.GapRender
	g.Message = "what this renders to is no YAML: " + strings.TrimPrefix(strings.TrimPrefix(g.Message, "YAML: "), "a template, not YAML: ")
	g.Remedy = "Mend the template or the values; the line counts in the rendered text."
}

// kindsOf are the kinds of the objects in a document, nil when they cannot be told.
func kindsOf(v document.Value) []string {
	kind := v.Get("kind").Text()
	if kind == "" || strings.HasSuffix(kind, "List") {
		return nil
	}
	o := fact.Object{Kind: kind, APIVersion: v.Get("apiVersion").Text()}
	return []string{o.GroupKind()}
}
