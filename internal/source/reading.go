// Package source observes: it reads manifests, charts, overlays, live clusters and archives into
// objects and a coverage ledger of what was not looked at. It judges nothing, and it makes no
// outbound call but to the cluster that it was told to read.
package source

import (
	"slices"

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
	// Asked are the kinds that one cluster was asked for, sorted; nil where files were read, or where a snapshot does not say.
	Asked []string
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

// noObject is what is told of a document that is not meant for a cluster.
var noObject = verdict.Exclusion{What: "documents that are no Kubernetes objects", Reason: "values, pipelines and the like, without apiVersion and kind", Count: 1}

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
		r.takeRoot(prune(d).Root(), in)
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
		r.leaveOut(noObject)
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
			r.gap(in.gapAt(item, verdict.GapNotObject, "an item of a list is of type "+item.Kind().String()+", not an object",
				"Remove the item, or write the object."))
			continue
		}
		r.takeMap(item, in)
	}
}
