// Package source observes: it reads manifests, charts, overlays, live clusters and archives into
// objects and a coverage ledger of what was not looked at. It judges nothing, and it makes no
// outbound call but to the cluster that it was told to read.
package source

import (
	"fmt"

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
	c.Sources = append(c.Sources, o.Sources...)
	c.Files += o.Files
	c.Documents += o.Documents
	c.Gaps = append(c.Gaps, o.Gaps...)
	for _, e := range o.Exclusions {
		c.exclude(e)
	}
	r.Live = r.Live || other.Live
	if r.Version == "" {
		r.Version = other.Version
	}
}

// take makes objects of documents: Lists are opened, what is no object is told.
func (r *Reading) take(docs []*document.Doc, errs []*document.Error, origin *fact.Origin) {
	for _, d := range docs {
		r.Coverage.Documents++
		r.takeDoc(d, origin)
	}
	for _, e := range errs {
		r.Coverage.Documents++
		r.Coverage.Gaps = append(r.Coverage.Gaps, documentGap(e, origin))
	}
}
