// Command catalog checks the built-in rules against the types of their facts and writes the checked
// expressions that the catalogue embeds.
package main

import (
	"errors"
	"fmt"
	"maps"
	"os"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/kubetype"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(file string) error {
	rules, err := catalog.Rules()
	if err != nil {
		return err
	}
	all := map[string][]byte{}
	var errs []error
	for _, r := range rules {
		checked, err := kubetype.Check(r)
		errs = append(errs, err)
		maps.Copy(all, checked)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := os.WriteFile(file, catalog.WriteChecked(all), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}
