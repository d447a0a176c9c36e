package document

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecode(t *testing.T) {
	for name, test := range map[string]struct {
		raw, want string
		line      int // of the error; 0 for none
		column    int
	}{
		"nothing":                       {"", "", 0, 0},
		"plain":                         {"a: ü\n", "a: ü\n", 0, 0},
		"byte order mark":               {"\xef\xbb\xbfa: 1\n", "a: 1\n", 0, 0},
		"byte order mark alone":         {"\xef\xbb\xbf", "", 0, 0},
		"UTF-16, little endian":         {"\xff\xfea\x00:\x00\x3d\xd8\x00\xde", "a:😀", 0, 0},
		"UTF-16, big endian":            {"\xfe\xff\x00a\x00:\xd8\x3d\xde\x00", "a:😀", 0, 0},
		"UTF-16, half a character":      {"\xff\xfea\x00b", "a", 0, 0},
		"UTF-16, lone surrogate":        {"\xfe\xff\xd8\x3d\x00a", "\ufffda", 0, 0},
		"UTF-16 without a mark":         {"a\x00:\x00", "", 1, 2},
		"UTF-32":                        {"\xff\xfe\x00\x00a\x00\x00\x00", "", 1, 1},
		"NUL":                           {"a: 1\nb: \x00\n", "", 2, 4},
		"Latin-1":                       {"a: 1\n\nb: \xfc\n", "", 3, 4},
		"Latin-1 behind the real thing": {"a: \ufffd \xfc\n", "", 1, 8},
		"a gzip file":                   {"\x1f\x8b\x08\x00\x00", "", 1, 4},
		"half a character at the end":   {"a: \xc3", "", 1, 4},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := Decode(test.raw)
			if test.line > 0 {
				if err == nil {
					t.Fatalf("got %q, want an error", text.Content())
				}
				if err.Line != test.line || err.Column != test.column || err.Code != CodeBinary || err.Remedy == "" {
					t.Errorf("error %+v, want one at %d:%d", err, test.line, test.column)
				}
				return
			}
			if err != nil || text.Content() != test.want {
				t.Errorf("got %q, %v", text.Content(), err)
			}
		})
	}
}

func TestTextPlaces(t *testing.T) {
	text := NewText("one\ntwo\r\n\nfour ü!")
	for offset, want := range map[int][2]int{0: {1, 1}, 3: {1, 4}, 4: {2, 1}, 8: {2, 5}, 9: {3, 1}, 10: {4, 1}, 15: {4, 6}, 17: {4, 8}, 18: {4, 9}, 99: {4, 90}} {
		if line, column := text.Position(offset); line != want[0] || column != want[1] {
			t.Errorf("offset %d is at %d:%d, want %d:%d", offset, line, column, want[0], want[1])
		}
	}
	for n, want := range map[int]string{-1: "", 0: "", 1: "one", 2: "two", 3: "", 4: "four ü!", 5: ""} {
		if got := text.Line(n); got != want {
			t.Errorf("line %d is %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int]int{-1: 18, 1: 0, 2: 4, 3: 9, 4: 10, 5: 18, 6: 18} {
		if got := text.Offset(n); got != want {
			t.Errorf("line %d begins at %d, want %d", n, got, want)
		}
	}
	for content, want := range map[string]int{"": 1, "a": 1, "a\n": 1, "a\nb": 2, "\n": 1, "\n\n": 2, "a\r\nb\r\n": 2} {
		if got := NewText(content).Lines(); got != want {
			t.Errorf("%q has %d lines, want %d", content, got, want)
		}
	}
}

// TestTextPlacesAgree asks every offset of a text for its line, and the line for its offset.
func TestTextPlacesAgree(t *testing.T) {
	const content = "a\n\nbcd\n\xc3\xbc\r\n\n"
	text := NewText(content)
	for offset := range len(content) + 1 {
		line, column := text.Position(offset)
		if back := text.Offset(line) + column - 1; back != offset {
			t.Errorf("offset %d is at %d:%d, which is offset %d", offset, line, column, back)
		}
		if want := strings.Count(content[:offset], "\n") + 1; line != want {
			t.Errorf("offset %d is in line %d, want %d", offset, line, want)
		}
	}
}

func TestSplit(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"nothing":                     {"", nil},
		"blank lines and comments":    {"\n# a\n  # b\n---\n# c\n...\n", nil},
		"one document":                {"a: 1\n", []string{"a: 1\n"}},
		"two":                         {"a: 1\n---\nb: 2\n", []string{"a: 1\n", "b: 2\n"}},
		"a marker first":              {"---\na: 1\n---\nb: 2", []string{"a: 1\n", "b: 2"}},
		"comments before the marker":  {"# a\n---\nb: 2\n", []string{"b: 2\n"}},
		"comments behind the marker":  {"--- # a\n# b\nb: 2\n", []string{"# b\nb: 2\n"}},
		"content behind the marker":   {"--- a\n--- b\n", []string{"--- a\n", "--- b\n"}},
		"comment, content behind it":  {"# a\n--- b: c\n", []string{"# a\n--- b: c\n"}},
		"tab behind the marker":       {"---\ta\n", []string{"---\ta\n"}},
		"end markers":                 {"a: 1\n...\n---\nb: 2\n...\n", []string{"a: 1\n", "b: 2\n"}},
		"behind an end marker":        {"a: 1\n...\nb: 2\n", []string{"a: 1\n", "b: 2\n"}},
		"no marker":                   {"a: 1\n----\n--- \n ---\nb:---\n", []string{"a: 1\n----\n", " ---\nb:---\n"}},
		"marker in a block scalar":    {"a: |\n  ---\n  b\n", []string{"a: |\n  ---\n  b\n"}},
		"CRLF":                        {"---\r\na: 1\r\n---\r\nb: 2\r\n", []string{"a: 1\r\n", "b: 2\r\n"}},
		"CR alone":                    {"a: 1\r---\rb: 2\r", []string{"a: 1\r", "b: 2\r"}},
		"line separator":              {"a: 1\u2028---\u2028b: 2", []string{"a: 1\u2028", "b: 2"}},
		"next line":                   {"a: 1\u0085---\u0085b: 2", []string{"a: 1\u0085", "b: 2"}},
		"content behind an odd break": {"# a\rb: 1", []string{"# a\rb: 1"}},
		"behind an odd break in a marker's comment": {"--- # a\rb: 1", []string{"--- # a\rb: 1"}},
		"YAML directive":               {"%YAML 1.2\n---\na: 1\n", []string{"a: 1\n"}},
		"TAG directive":                {"%TAG ! x\n---\na: !b 1\n---\nc: 2\n", []string{"%TAG ! x\n---\na: !b 1\n", "c: 2\n"}},
		"TAG directive, second":        {"a: 1\n...\n%TAG ! x\n---\nb: 2\n", []string{"a: 1\n", "%TAG ! x\n---\nb: 2\n"}},
		"directive without a document": {"a: 1\n---\n%FOO\n", []string{"a: 1\n", "%FOO\n"}},
		"empty documents":              {"---\n---\n--- \n---", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, p := range split(test.text) {
				got = append(got, test.text[p.start:p.end])
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("documents (-want +got):\n%s", diff)
			}
		})
	}
}
