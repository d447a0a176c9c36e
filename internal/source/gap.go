package source

import (
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

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
