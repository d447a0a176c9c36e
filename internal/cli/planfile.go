package cli

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/source"
	"github.com/coaming/coaming/internal/verdict"
)

// maxPlan bounds a plan's file, in bytes.
const maxPlan = 1 << 20

// readPlan reads a plan, and holds it to the rules that there are.
func readPlan(name string, rules []*rule.Compiled) (*enforcement.Plan, error) {
	file, err := source.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(file, maxPlan+1))
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	if len(text) > maxPlan {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("%s: over %d MiB", name, maxPlan>>20), Remedy: "Write fewer entries, with globs or selectors."}
	}
	plan, err := enforcement.Read(filepath.ToSlash(name), string(text))
	if err != nil {
		return nil, err
	}
	list := make([]*rule.Rule, 0, len(rules))
	for _, r := range rules {
		list = append(list, r.Rule)
	}
	return plan, plan.Check(list)
}

// placesOf are the namespaces among objects, with their labels, by name.
func placesOf(objects []*fact.Object) map[string]enforcement.Place {
	places := map[string]enforcement.Place{}
	for _, o := range objects {
		if o.GroupKind() != "Namespace" {
			continue
		}
		at := enforcement.Place{Namespace: o.Name, Labels: map[string]string{}, LabelsKnown: true}
		for _, label := range o.Root.At("metadata", "labels").Fields() {
			at.Labels[label.Key()] = label.Str()
		}
		places[o.Name] = at
	}
	return places
}
