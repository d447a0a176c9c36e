package document_test

import (
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/document"
)

// TestPositionWithin writes one text in every style of scalar, and looks for each of its words
// where it stands in the file.
func TestPositionWithin(t *testing.T) {
	const words = "one 'two' three"
	tests := map[string]string{
		"plain":                   "a: 1\nk: one 'two' three\n",
		"plain on the next line":  "k:\n  one 'two'\n\n  three\n",
		"plain over lines":        "k: one\n  'two'\n  three # not a word\n",
		"single":                  "k: 'one ''two'' three'\n",
		"single over lines":       "k: 'one\n\n   ''two''\n  three'\n",
		"double":                  `k: "one 'two' three"` + "\n",
		"double with escapes":     `k: "\x6fne \u0027two' \U00000074hree"` + "\n",
		"double over lines":       "k: \"one \\\n   'two'\n  three\"\n",
		"literal":                 "k: |\n  one\n  'two'\n\n    three\nz: 1\n",
		"literal with marks":      "k: |2-\n  one 'two' three\n",
		"literal with a comment":  "k: | # a comment\n  one 'two' three\n",
		"folded":                  "k: >-\n\n    one\n    'two'\n    three\n",
		"folded and kept":         "k: >+\n    one 'two'\n\n    three\n\n",
		"in a flow":               "{a: 1, k: one 'two' three, z: 1}\n",
		"in a flow, quoted":       `{"k": 'one ''two'' three', z: 1}` + "\n",
		"a quoted key":            "'k' : one 'two' three\n",
		"JSON":                    `{"a": [1], "k": "one 'two' three"}`,
		"JSON with escapes":       `{"k": "\u006fne 'two' three", "z": 1}`,
		"a comment between":       "k: # a comment\n  one 'two' three\n",
		"a tag":                   "k: !!str one 'two' three\nz: 1\n",
		"an anchor":               "k: &x one 'two' three\nz: *x\n",
		"carriage returns":        "a: 1\r\nk: |\r\n  one\r\n  'two'\r\n  three\r\n",
		"behind a longer mapping": "m: {k: 1}\nk: one 'two' three\n",
		"a tab":                   "k: \"one\\t'two'\\tthree\"\n",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			docs, errs := document.Read(document.NewText(text), 1)
			if len(errs) > 0 || len(docs) != 1 {
				t.Fatalf("%d documents, %v", len(docs), errs)
			}
			v := docs[0].Root().Get("k")
			if got := strings.Join(strings.Fields(v.Text()), " "); got != words {
				t.Fatalf("the text is %q", v.Text())
			}
			for _, word := range []string{"ne", "two", "hree"} {
				line, column := v.PositionWithin(strings.Index(v.Text(), word))
				wantLine, wantColumn := document.NewText(text).Position(strings.Index(text, word))
				if line != wantLine || column != wantColumn {
					t.Errorf("%s is at %d:%d, want %d:%d", word, line, column, wantLine, wantColumn)
				}
			}
			behind := strings.LastIndex(text, "hree") + len("hree")
			wantLine, wantColumn := document.NewText(text).Position(behind)
			for _, offset := range []int{len(strings.TrimRight(v.Text(), "\n")), len(v.Text()) + 5} {
				if line, column := v.PositionWithin(offset); line != wantLine || column != wantColumn {
					t.Errorf("the end (%d) is at %d:%d, want %d:%d", offset, line, column, wantLine, wantColumn)
				}
			}
		})
	}
}

func TestPositionWithinFallsBack(t *testing.T) {
	docs, errs := document.Read(document.NewText("a: &x one two\nk: *x\nm: 12\n"), 1)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for key, want := range map[string]int{"k": 2, "m": 3} {
		v := docs[0].Root().Get(key)
		if line, column := v.PositionWithin(4); line != want || column != 1 {
			t.Errorf("%s is at %d:%d, want %d:1", key, line, column, want)
		}
	}
	if line, column := (document.Value{}).PositionWithin(3); line != 0 || column != 0 {
		t.Errorf("nothing is at %d:%d", line, column)
	}
}

// FuzzPositionWithin demands that whatever is found is inside the document and holds the character
// that was asked for, unless it was written as an escape.
func FuzzPositionWithin(f *testing.F) {
	for _, seed := range []string{"k: one 'two'", "k: |\n  a\n  b", "k: 'a''b'", `{"k": "a\u0027b"}`, "k: >-\n  a\n\n  b", "k: *x", "k: &a !!str x"} {
		f.Add(seed, 2)
	}
	f.Fuzz(func(t *testing.T, text string, offset int) {
		if len(text) > 10_000 {
			return
		}
		source := document.NewText(text)
		docs, _ := document.Read(source, 1)
		for _, d := range docs {
			for _, v := range d.Root().Find("k", document.String) {
				line, _ := v.PositionWithin(offset)
				if line < 1 || line > max(source.Lines(), 1)+1 {
					t.Errorf("line %d of %d", line, source.Lines())
				}
			}
		}
	})
}
