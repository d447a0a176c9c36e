// Command catalog checks the built-in rules against the types of their facts and writes the checked
// expressions that the catalogue embeds, and the pages that list the rules and the frameworks.
package main

import (
	"errors"
	"fmt"
	"maps"
	"os"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/kubetype"
	"github.com/coaming/coaming/internal/rule"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: catalog CHECKED.bin RULES.md FRAMEWORKS.md")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(checkedFile, pageFile, frameworksFile string) error {
	rules, err := catalog.Rules()
	if err != nil {
		return err
	}
	checked, err := check(rules)
	if err != nil {
		return err
	}
	text, err := page(rules)
	if err != nil {
		return err
	}
	frameworks, err := frameworksPage(rules)
	if err != nil {
		return err
	}
	if err := os.WriteFile(frameworksFile, []byte(frameworks), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", frameworksFile, err)
	}
	if err := os.WriteFile(checkedFile, checked, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", checkedFile, err)
	}
	if err := os.WriteFile(pageFile, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", pageFile, err)
	}
	return nil
}

func check(rules []*rule.Rule) ([]byte, error) {
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
	return catalog.WriteChecked(all), errors.Join(errs...)
}
