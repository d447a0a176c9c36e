package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Counts is how many tests ended how; subtests count, and so does a package that failed without a test of its own to blame.
type Counts struct {
	Passed, Failed, Skipped int
}

const lineFormat = "%d passed, %d failed, %d skipped"

func (c Counts) String() string { return fmt.Sprintf(lineFormat, c.Passed, c.Failed, c.Skipped) }

// event is one line of go test -json; cmd/test2json and cmd/go (go help buildjson) document the fields.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of a build-output
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

// name tells a test from those of the same name in other packages.
type name struct{ pkg, test string }

type tally struct {
	out     io.Writer
	total   Counts
	pkg     map[string]*Counts
	said    map[name][]string   // what a test that has not ended printed; test "" is the package's own
	built   map[string][]string // what the compiler said, by import path
	skipped []string
}

// Read follows one go test -json run and writes what a person wants to see of it.
func Read(in io.Reader, out io.Writer) (Counts, error) {
	t := &tally{out: out, pkg: map[string]*Counts{}, said: map[name][]string{}, built: map[string][]string{}}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			t.line(line)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return t.total, fmt.Errorf("read test events: %w", err)
		}
	}
	if len(t.skipped) > 0 {
		fmt.Fprintf(out, "\nskipped:\n%s\n", strings.Join(t.skipped, "\n"))
	}
	return t.total, nil
}

func (t *tally) line(line string) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil {
		fmt.Fprint(t.out, line) // the go command itself had something to say
		return
	}
	at := name{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		t.built[e.ImportPath] = append(t.built[e.ImportPath], e.Output)
	case "output":
		t.said[at] = append(t.said[at], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.packageEnded(e)
		} else {
			t.testEnded(at, e.Action)
		}
		delete(t.said, at)
	}
}

func (t *tally) of(pkg string) *Counts {
	if t.pkg[pkg] == nil {
		t.pkg[pkg] = new(Counts)
	}
	return t.pkg[pkg]
}

func (t *tally) testEnded(at name, action string) {
	switch action {
	case "pass":
		t.total.Passed++
		t.of(at.pkg).Passed++
	case "fail":
		t.total.Failed++
		t.of(at.pkg).Failed++
		fmt.Fprintf(t.out, "FAIL %s %s\n%s", at.pkg, at.test, spoken(t.said[at]))
	case "skip":
		t.total.Skipped++
		t.of(at.pkg).Skipped++
		t.skipped = append(t.skipped, fmt.Sprintf("  %s %s: %s", at.pkg, at.test, reason(t.said[at])))
	}
}

func (t *tally) packageEnded(e event) {
	counts := t.of(e.Package)
	switch {
	case e.Action == "fail":
		if counts.Failed == 0 { // it did not compile, or fell over outside a test
			t.total.Failed++
			fmt.Fprint(t.out, strings.Join(t.built[e.FailedBuild], ""))
		}
		for at, said := range t.said { // a test that was cut off: a panic, a time-out, an os.Exit
			if at.pkg == e.Package && at.test != "" {
				fmt.Fprintf(t.out, "CUT OFF %s %s\n%s", at.pkg, at.test, spoken(said))
				delete(t.said, at)
			}
		}
		fmt.Fprintf(t.out, "%sFAIL %s %.1fs\n", spoken(t.said[name{pkg: e.Package}]), e.Package, e.Elapsed)
	case *counts != Counts{}:
		fmt.Fprintf(t.out, "ok   %s %.1fs, %s\n", e.Package, e.Elapsed, counts)
	}
}

// spoken is what was printed, less what the testing package frames it with.
func spoken(said []string) string {
	var b strings.Builder
	for _, line := range said {
		if !framing(line) {
			b.WriteString(line)
		}
	}
	return b.String()
}

func framing(line string) bool {
	line = strings.TrimSpace(line)
	return strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "FAIL\t") || line == "FAIL" || line == "PASS"
}

// reason is the message of a skipped test, on one line.
func reason(said []string) string {
	var words []string
	for _, line := range said {
		if !framing(line) && !strings.HasPrefix(strings.TrimSpace(line), "--- SKIP") {
			words = append(words, strings.Fields(line)...)
		}
	}
	if len(words) == 0 {
		return "no reason given"
	}
	return strings.Join(words, " ")
}
