package cli

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/coaming/coaming/internal/enforcement"
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
	return enforcement.ReadFor(filepath.ToSlash(name), string(text), plain(rules))
}

// plain are rules as they are read.
func plain(rules []*rule.Compiled) []*rule.Rule {
	list := make([]*rule.Rule, 0, len(rules))
	for _, r := range rules {
		list = append(list, r.Rule)
	}
	return list
}
