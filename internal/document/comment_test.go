package document_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/document"
)

// comments are "text@place -> path [from, to)" of every marked comment of a text.
func comments(t *testing.T, text string) []string {
	t.Helper()
	docs, errs := document.Read(document.NewText(text), 1)
	if len(errs) > 0 {
		t.Fatalf("%v in:\n%s", errs[0], text)
	}
	var list []string
	for _, d := range docs {
		found, _ := d.Comments("mark")
		for _, c := range found {
			on := "nothing"
			if c.On.Exists() {
				on = fmt.Sprintf("%v [%d:%d, %d:%d)", path(c.On), c.FromLine, c.FromColumn, c.ToLine, c.ToColumn)
			}
			list = append(list, fmt.Sprintf("%s@%d:%d -> %s", c.Text, c.Line, c.Column, on))
		}
	}
	return list
}

func path(v document.Value) string {
	var text strings.Builder
	text.WriteString(".")
	for _, s := range v.Steps() {
		if s.Key != "" {
			text.WriteString(s.Key + ".")
		} else {
			_, _ = fmt.Fprintf(&text, "%d.", s.Index)
		}
	}
	return text.String()
}

// TestComments holds what a marked comment stands at, in plain documents and in those that the
// library reads.
func TestComments(t *testing.T) {
	tests := map[string]struct {
		text string
		want []string
	}{
		"none":                   {"a: 1 # other\n", nil},
		"on the line":            {"a: 1\nb:\n  c: 2 # mark x y\n  d: 3\n", []string{"x y@3:8 -> .b.c. [3:3, 4:3)"}},
		"above":                  {"a: 1\nb:\n  # mark x\n\n  # other\n  c: 2\n  d: 3\n", []string{"x@3:3 -> .b.c. [6:3, 7:3)"}},
		"at an item":             {"a:\n- b: 1 # mark x\n  c: 2\n- b: 3\n", []string{"x@2:8 -> .a.0. [2:3, 4:3)"}},
		"behind a dash":          {"a:\n- # mark x\n  b: 1\n- b: 2\n", []string{"x@2:3 -> .a.0. [3:3, 4:3)"}},
		"at a bracket":           {"z: 1\na: {\n  b: 1\n} # mark x\nc: 1\n", []string{"x@4:3 -> nothing"}},
		"above the object":       {"# mark x\na: 1\nb: 2\n", []string{"x@1:1 -> . [2:1, 4:1)"}},
		"behind a marker":        {"a: 1\n---\n# mark x\nb: 2\n", []string{"x@3:1 -> . [4:1, 5:1)"}},
		"before a marker":        {"a: 1\n# mark x\n---\nb: 2\n", []string{"x@2:1 -> nothing"}},
		"at the end":             {"a: 1\n# mark x", []string{"x@2:1 -> nothing"}},
		"at a map":               {"a: # mark x\n  b: 1\nc: 2\n", []string{"x@1:4 -> . [1:1, 4:1)"}},
		"flow":                   {"z: 1\na: {b: [1, 2], c: 3} # mark x\nd: 1\n", []string{"x@2:22 -> .a. [2:1, 3:1)"}},
		"another word":           {"a: 1 # marked x\nb: 2 # re mark\nc: 3 #mark y\n", []string{"y@3:6 -> .c. [3:1, 4:1)"}},
		"in a block":             {"a: |\n  # mark x\n  b\nc: 1 # mark y\n", []string{"y@4:6 -> .c. [4:1, 5:1)"}},
		"behind a block":         {"z: 1\na: |\n  # mark x\n# mark y\nc: 1\n", []string{"y@4:1 -> .c. [5:1, 6:1)"}},
		"in quotes":              {"z: 1\na: \"b # mark x\"\nc: 'd\n  # mark y\n  ' # mark z\n", []string{"z@5:5 -> nothing"}},
		"in a key":               {"z: 1\n\"a # mark x\": 2\n", nil},
		"in JSON":                {`{"a": "b # mark x"}`, nil},
		"an anchor":              {"z: 1\na: &x\n  b: 1 # mark x\n  c: 2\nd: *x\n", []string{"x@3:8 -> .a.b. [3:3, 4:3)"}},
		"a block with an anchor": {"z: &x 1\na: |\n  # mark x\nc: *x # mark y\n", []string{"y@4:7 -> .c. [4:1, 5:1)"}},
		"windows":                {"z: 1\r\na: 1 # mark x\r\nb: 2\r\n", []string{"x@2:6 -> .a. [2:1, 3:1)"}},
	}
	for name, test := range tests {
		if got := comments(t, test.text); strings.Join(got, "\n") != strings.Join(test.want, "\n") {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// FuzzComments demands that no text makes the search fail, and that what it finds is a comment: the
// text without it means the same.
func FuzzComments(f *testing.F) {
	for _, seed := range []string{
		"a: 1 # mark x\n", "a: |\n  # mark x\n# mark y\nb: 1\n", "a: &x {b: 1} # mark x\nc: *x\n", "'# mark': \"# mark\"\n", "- # mark x\n  - a\n", "? # mark\n: b\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		docs, errs := document.Read(document.NewText(text), 1)
		if len(errs) > 0 {
			return
		}
		for _, d := range docs {
			found, _ := d.Comments("mark")
			for _, c := range found {
				at := d.Source().Offset(c.Line) + c.Column - 1
				end := at + len(d.Source().Line(c.Line)[c.Column-1:])
				rest, errs := document.Read(document.NewText(text[:at]+text[end:]), 1)
				if len(errs) > 0 || meaning(rest) != meaning(docs) {
					t.Fatalf("%q: what stands at line %d is no comment", text, c.Line)
				}
			}
		}
	})
}

func meaning(docs []*document.Doc) string {
	var b []byte
	for _, d := range docs {
		b = append(d.Root().AppendJSON(b), '\n')
	}
	return string(b)
}
