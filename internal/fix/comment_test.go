package fix_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fix"
)

var suggestion = regexp.MustCompile("(?s)` lines? (\\d+)(?: to (\\d+))?\n\n```suggestion\n(.*?)```\n")

// TestSuggestionsTogether takes every suggestion of a comment: no line has two, and together they are the change.
func TestSuggestionsTogether(t *testing.T) {
	const before = "a: 1\nb: 2\nc: 3\nd: 4\ne:\n  f: 5\n  g: 6\nh: 7\ni: 8\nj: 9\nk: 10\n"
	insert := func(after string, text string) document.Splice {
		at := strings.Index(before, after) + len(after)
		return document.Splice{Start: at, End: at, Text: text}
	}
	remove := func(line string) document.Splice {
		at := strings.Index(before, line)
		return document.Splice{Start: at, End: at + len(line)}
	}
	for name, splices := range map[string][]document.Splice{
		"twice at one line":        {insert("  g: 6\n", "  x: 1\n"), insert("  g: 6\n", "y: 1\n")},
		"removed, then inserted":   {remove("  f: 5\n"), remove("  g: 6\n"), insert("  g: 6\n", "  x: 1\n")},
		"a line between":           {insert("a: 1\n", "x: 1\n"), insert("b: 2\n", "y: 1\n")},
		"before the first":         {{Start: 0, End: 0, Text: "x: 1\n"}, insert("a: 1\n", "y: 1\n")},
		"far from each other":      {remove("a: 1\n"), insert("h: 7\n", "x: 1\n"), insert("k: 10\n", "y: 1\n")},
		"a line, and one below it": {remove("b: 2\n"), insert("c: 3\n", "x: 1\n"), remove("d: 4\n")},
	} {
		t.Run(name, func(t *testing.T) {
			after, err := document.Apply(before, splices)
			if err != nil {
				t.Fatal(err)
			}
			res := fix.Result{
				Files:    []fix.File{{Path: "a.yaml", Before: before, After: after, Splices: splices}},
				Outcomes: []fix.Outcome{{Case: &fix.Case{}, State: fix.Proved}, {Case: &fix.Case{}, State: fix.Proved}},
			}
			var b strings.Builder
			if err := res.Comment(&b, nil); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(b.String(), "2 proved fixes,") {
				t.Errorf("the head is %q", b.String()[:40])
			}
			lines := strings.SplitAfter(before, "\n")
			var got strings.Builder
			at := 0
			for _, m := range suggestion.FindAllStringSubmatch(b.String(), -1) {
				from, _ := strconv.Atoi(m[1])
				to, err := strconv.Atoi(m[2])
				if err != nil {
					to = from
				}
				if from <= at {
					t.Fatalf("line %d has two suggestions:\n%s", from, b.String())
				}
				got.WriteString(strings.Join(lines[at:from-1], "") + m[3])
				at = to
			}
			got.WriteString(strings.Join(lines[at:], ""))
			if got.String() != after {
				t.Errorf("the suggestions give %q, want %q\n%s", got.String(), after, b.String())
			}
		})
	}
}
