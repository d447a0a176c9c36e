// Command catalog checks the built-in rules against the types of their facts and writes the checked
// expressions that the catalogue embeds, the pages that list the rules and the frameworks, and a
// page for each rule.
package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/kubetype"
	"github.com/coaming/coaming/internal/rule"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: catalog CHECKED.bin DOCS")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(checkedFile, docs string) error {
	rules, err := catalog.Rules()
	if err != nil {
		return err
	}
	checked, err := check(rules)
	if err != nil {
		return err
	}
	index, pages, err := write(rules, checked)
	if err != nil {
		return err
	}
	frameworks, err := frameworksPage(rules)
	if err != nil {
		return err
	}
	for _, file := range []struct {
		path string
		text []byte
	}{
		{checkedFile, catalog.WriteChecked(checked)},
		{filepath.Join(docs, "rules.md"), []byte(index)},
		{filepath.Join(docs, "frameworks.md"), []byte(frameworks)},
	} {
		if err := os.WriteFile(file.path, file.text, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", file.path, err)
		}
	}
	return replace(filepath.Join(docs, "rules"), pages)
}

// check is the checked expressions of the rules and their brief texts, as checked.bin keeps them.
func check(rules []*rule.Rule) (map[string][]byte, error) {
	all, err := catalog.BriefTexts()
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, r := range rules {
		checked, err := kubetype.Check(r)
		errs = append(errs, err)
		maps.Copy(all, checked)
	}
	return all, errors.Join(errs...)
}
