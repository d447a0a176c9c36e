package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/fix"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/source"
)

// trace says where a fix of an object is made.
func (c *court) trace(o *fact.Object, changes []rule.Change) (routes []fix.Route, refused string) {
	doubt := c.doubtOf(o)
	switch {
	case doubt != "":
		return nil, "the object is in doubt: " + doubt
	case o.Origin.Served:
		place, err := fix.ServedPlace(o)
		if err != nil {
			return nil, err.Error()
		}
		return []fix.Route{{Edits: []fix.Edit{{Place: place, Changes: changes}}}}, ""
	case strings.HasPrefix(o.Origin.Source, "kustomize:") && o.Origin.Rendered:
		routes = c.overlayRoutes(o, changes)
	case o.Origin.Rendered:
		routes = c.chartRoutes(o, changes)
	default:
		if reason := c.editable(o.Origin.File); reason != "" {
			return nil, reason
		}
		return []fix.Route{{Edits: []fix.Edit{{Place: fix.PlaceOf(o), Changes: changes}}}}, ""
	}
	if len(routes) == 0 {
		return nil, "what " + o.Origin.Source + " makes of " + o.Origin.File + " cannot be changed where it comes from"
	}
	return routes, ""
}

// doubtOf is why nobody knows what the object means: a key that stands twice, a pod that its controller fills in.
// Whether a value of a type that the API server refuses is set right, the proof tells.
func (c *court) doubtOf(o *fact.Object) string {
	doubt, known := c.doubts[o]
	if known {
		return doubt
	}
	doubt = o.Doubt
	for _, w := range fact.NewInventory([]*fact.Object{{Root: o.Root, APIVersion: o.APIVersion, Kind: o.Kind, Name: o.Name, Origin: o.Origin}}, c.version, false).Workloads {
		if doubt == "" {
			doubt = w.Settled()
		}
	}
	if c.doubts == nil {
		c.doubts = map[*fact.Object]string{}
	}
	c.doubts[o] = doubt
	return doubt
}

// overlayRoutes are the resource that the overlay builds on, and a patch added to the overlay.
func (c *court) overlayRoutes(o *fact.Object, changes []rule.Change) []fix.Route {
	var routes []fix.Route
	dir := filepath.FromSlash(strings.TrimPrefix(o.Origin.Source, "kustomize:"))
	name := o.Name
	if below := c.resource(o); below != nil {
		name = below.Name
		if moved, found := fix.Translate(o.Root, below.Root, changes); found && c.editable(below.Origin.File) == "" {
			place := fix.PlaceOf(below)
			place.File = filepath.ToSlash(place.File)
			routes = append(routes, fix.Route{Edits: []fix.Edit{{Place: place, Changes: moved}}, Through: place.File})
		}
	}
	file := source.KustomizationFile(dir)
	if file == "" || c.editable(file) != "" {
		return routes
	}
	doc, err := source.ReadValues(file)
	if err != nil {
		return routes
	}
	var patches []document.Value
	for n := range max(1, mostChoices(changes)) {
		patch, err := fix.Merge(o, name, changes, n)
		if err != nil {
			return routes
		}
		item, fault := document.ParseJSON(`{"patch":` + string(document.AppendString(nil, patch)) + `}`)
		if fault != nil {
			return routes
		}
		patches = append(patches, item.Root())
	}
	add := rule.Change{Op: rule.FixAppend, Steps: []document.Step{{Key: "patches"}}, Values: patches}
	place := fix.Place{File: filepath.ToSlash(file), Doc: doc}
	return append(routes, fix.Route{Edits: []fix.Edit{{Place: place, Changes: []rule.Change{add}}}, Through: place.File})
}

func mostChoices(changes []rule.Change) int {
	most := 0
	for _, c := range changes {
		if c.Op == rule.FixChoose {
			most = max(most, len(c.Values))
		}
	}
	return most
}

// resource is the object of a kustomization's resource that a built object came from; nil where that
// is not known.
func (c *court) resource(o *fact.Object) *fact.Object {
	file := filepath.FromSlash(o.Origin.File)
	if isDirectory(file) {
		return nil
	}
	objects, known := c.resources[file]
	if !known {
		objects, _ = source.ReadObjects(file) // what cannot be read has no objects
		if c.resources == nil {
			c.resources = map[string][]*fact.Object{}
		}
		c.resources[file] = objects
	}
	var best *fact.Object
	for _, candidate := range objects {
		if candidate.GroupKind() == o.GroupKind() && candidate.Name != "" && strings.Contains(o.Name, candidate.Name) && candidate.Doubt == "" &&
			(best == nil || len(candidate.Name) > len(best.Name)) {
			best = candidate
		}
	}
	return best
}

// chartRoutes are the chart's values where they look like the field, and a patch of what it renders.
func (c *court) chartRoutes(o *fact.Object, changes []rule.Change) []fix.Route {
	var routes []fix.Route
	if chart := c.chartOf(o); chart != "" {
		file := filepath.Join(chart, "values.yaml")
		doc, known := c.chartValues[file]
		if !known {
			doc, _ = source.ReadValues(file) // a chart without values has none to change
			if c.chartValues == nil {
				c.chartValues = map[string]*document.Doc{}
			}
			c.chartValues[file] = doc
		}
		if doc != nil && c.editable(file) == "" {
			routes = fix.Values(fix.Place{File: filepath.ToSlash(file), Doc: doc}, changes)
		}
	}
	own, added := parted(changes)
	var patches []string
	possible := false
	for n := range max(1, mostChoices(own)) {
		if len(own) == 0 {
			break
		}
		patch, err := fix.Merge(o, o.Name, own, n)
		if err != nil {
			patch = "" // of a candidate that the API server would refuse
		}
		possible = possible || patch != ""
		patches = append(patches, patch)
	}
	beside := fix.Route{Source: o.Origin.Source, Patches: patches, Through: "an overlay beside the chart (--beside)"}
	if !possible && len(own) > 0 {
		return routes
	}
	if len(added) > 0 {
		place, err := fix.ServedPlace(o)
		if err != nil {
			return routes
		}
		beside.Edits = []fix.Edit{{Place: place, Changes: added}}
	}
	return append(routes, beside)
}

// parted are the changes of an object itself, and the objects that are added beside it.
func parted(changes []rule.Change) (own, added []rule.Change) {
	for _, c := range changes {
		if c.Op == rule.FixAdd {
			added = append(added, c)
		} else {
			own = append(own, c)
		}
	}
	return own, added
}

// chartOf is the directory of the chart that rendered an object: the outermost that its template stands in.
func (c *court) chartOf(o *fact.Object) string {
	chart := ""
	for dir := filepath.Dir(filepath.FromSlash(o.Origin.File)); ; dir = filepath.Dir(dir) {
		if source.IsChart(dir) {
			chart = dir
		}
		if dir == filepath.Dir(dir) || filepath.Base(filepath.Dir(dir)) != "charts" && chart != "" {
			return chart
		}
	}
}

// editable is why a file is not to be edited; "" where it may be.
func (c *court) editable(file string) string {
	roots := filePaths(c.args)
	for _, r := range c.releases {
		_, chart, _ := strings.Cut(r, "=")
		roots = append(roots, chart)
	}
	for _, v := range c.values {
		roots = append(roots, strings.TrimPrefix(v, releasePrefix(v)+":"))
	}
	switch {
	case file == "-":
		return "" // shown, and not written
	case source.IsVendored(file):
		return "it stands in vendored files, which the next update overwrites: " + file
	case !source.IsWithin(file, source.Named(roots)):
		return "it stands outside of what was named: " + file
	}
	return ""
}

// patched puts patches over what a chart rendered.
func (c *court) patched(ctx context.Context, reading *source.Reading, name string, patches []string) error {
	var own, others []*fact.Object
	for _, o := range reading.Objects {
		if o.Origin.Source == name {
			own = append(own, o)
		} else {
			others = append(others, o)
		}
	}
	made, err := source.Patched(ctx, own, patches)
	if err != nil {
		return fmt.Errorf("prove the overlay of %s: %w", name, err)
	}
	reading.Objects = append(slices.Clip(others), made...)
	return nil
}
