// Command tally turns the output of go test -json into something to read, and counts it.
//
//	go test -json ./... | tally [-keep FILE]   print packages, failures and skips as they come, then one closing line
//	tally -total FILE...                       print one closing line for the sum of what was kept
//
// The closing line is "N passed, N failed, N skipped". The exit code is 1 if anything failed or nothing ran.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	keep := flag.String("keep", "", "write the closing line to `FILE` as well")
	total := flag.Bool("total", false, "add up the kept files given as arguments")
	flag.Parse()
	if err := run(*total, *keep, flag.Args(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "tally: %v\n", err)
		os.Exit(1)
	}
}

// errFailed ends a run whose failures have been printed.
var errFailed = errors.New("the tests did not pass")

func run(total bool, keep string, files []string, in io.Reader, out io.Writer) error {
	var counts Counts
	var err error
	if total {
		counts, err = sum(files)
	} else {
		counts, err = Read(in, out)
	}
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, counts); err != nil {
		return fmt.Errorf("print the count: %w", err)
	}
	if keep != "" {
		if err := write(keep, counts); err != nil {
			return err
		}
	}
	if counts.Failed > 0 || counts.Passed == 0 {
		return errFailed
	}
	return nil
}

func write(file string, counts Counts) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("keep the count: %w", err)
	}
	if err := os.WriteFile(file, []byte(counts.String()+"\n"), 0o644); err != nil {
		return fmt.Errorf("keep the count: %w", err)
	}
	return nil
}

func sum(files []string) (Counts, error) {
	var total Counts
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return Counts{}, fmt.Errorf("read a kept count: %w", err)
		}
		var c Counts
		if _, err := fmt.Sscanf(string(text), lineFormat, &c.Passed, &c.Failed, &c.Skipped); err != nil {
			return Counts{}, fmt.Errorf("read the count in %s: %w", file, err)
		}
		total.Passed += c.Passed
		total.Failed += c.Failed
		total.Skipped += c.Skipped
	}
	return total, nil
}
