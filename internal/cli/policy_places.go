package cli

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/policy"
	"github.com/coaming/coaming/internal/source"
	"github.com/coaming/coaming/internal/verdict"
)

// writePlaces writes what the plan asks for in each namespace: quotas, labels, or both.
func (o *policyExportOptions) writePlaces(env *Env, reading *source.Reading) error {
	for _, gap := range reading.Coverage.Gaps {
		_, _ = fmt.Fprintf(env.Stderr, "not read: %s: %s\n", gap.Location.File, gap.Message)
	}
	places := o.places(env, reading)
	var files []outFile
	unknown := len(reading.Coverage.Gaps)
	for _, at := range places {
		var list []policy.Manifest
		known := true
		if o.podSecurity {
			m, ok, sure := policy.PodSecurity(o.enforced, at)
			if known = sure; ok {
				list = append(list, m)
			}
		}
		if o.quotas {
			quotas, sure := policy.Quotas(o.enforced, at)
			known, list = known && sure, append(list, quotas...)
		}
		if !known {
			unknown++
			_, _ = fmt.Fprintf(env.Stderr, "not exported: namespace %s: the plan goes by its labels, which nobody told: name its manifest, or --cluster\n", at.Namespace)
			continue
		}
		if len(list) == 0 {
			continue
		}
		text, err := policy.YAML(list...)
		if err != nil {
			return err
		}
		files = append(files, outFile{at.Namespace + ".yaml", text})
	}
	_, _ = fmt.Fprintf(env.Stderr, "%d of %d namespaces have what the plan asks for\n", len(files), len(places))
	if len(files) == 0 && unknown == 0 {
		return &verdict.RemedyError{Err: errors.New("the plan asks for nothing in these namespaces"), Remedy: "Write quotas or podSecurity into the plan, or name --cluster."}
	}
	if err := o.writeFiles(env, files); err != nil {
		return err
	}
	if unknown > 0 {
		return exitError(verdict.ExitUnknown)
	}
	return nil
}

// places are the namespaces that were read, or, where nothing was, those that the plan names exactly; entries that are for
// others besides are told.
func (o *policyExportOptions) places(env *Env, reading *source.Reading) []enforcement.Place {
	if found := placesOf(reading.Objects); len(found) > 0 {
		var list []enforcement.Place
		for _, name := range slices.Sorted(maps.Keys(found)) {
			list = append(list, found[name])
		}
		return list
	}
	var where []enforcement.Selection
	look := func(s enforcement.Selection, line int) {
		where = append(where, s)
		if _, all := policy.NamedPlaces([]enforcement.Selection{s}); !all {
			_, _ = fmt.Fprintf(env.Stderr, "the entry on line %d of %s is for namespaces which the plan does not tell: name --cluster, or their manifests\n", line, o.planFile)
		}
	}
	if o.podSecurity {
		for i := range o.enforced.PodSecurity {
			look(o.enforced.PodSecurity[i].Where, o.enforced.PodSecurity[i].At.Line)
		}
	}
	if o.quotas {
		for i := range o.enforced.Quotas {
			look(o.enforced.Quotas[i].Where, o.enforced.Quotas[i].At.Line)
		}
	}
	list, _ := policy.NamedPlaces(where)
	return list
}
