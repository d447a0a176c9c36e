package document

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	yamlv3 "go.yaml.in/yaml/v3"
)

// comparePlaces holds the position of every value of a document to the nodes of yaml.v3, which
// count characters where a Position counts bytes. It says how many values it compared.
func comparePlaces(t *testing.T, d *Doc) int {
	t.Helper()
	text := d.source.content[d.start:d.end]
	root := parseNodes(text)
	if root == nil {
		t.Fatalf("yaml.v3 cannot read %q", text)
	}
	lines := strings.SplitAfter(text, "\n")
	base, _ := d.source.Position(int(d.start))
	count := 0
	var walk func(v Value, entry, value *yamlv3.Node)
	walk = func(v Value, entry, value *yamlv3.Node) {
		count++
		line, column := v.Position()
		wantColumn := 1
		for range entry.Column - 1 {
			_, size := utf8.DecodeRuneInString(lines[entry.Line-1][wantColumn-1:])
			wantColumn += size
		}
		// A null without a sign of its own begins where the library found it missing.
		missing := v.Kind() == Null && v.Key() == "" && value.Value == ""
		if (line != base+entry.Line-1 || column != wantColumn) && !missing {
			t.Fatalf("%v is at %d:%d, want %d:%d, in\n%s", v.Steps(), line, column, base+entry.Line-1, wantColumn, text)
		}
		if value.Kind == yamlv3.AliasNode {
			value = value.Alias
		}
		for key, field := range v.Fields() {
			for i := len(value.Content) - 2; i >= 0; i -= 2 { // the last of equal keys
				if value.Content[i].Value == key {
					walk(field, value.Content[i], value.Content[i+1])
					break
				}
			}
		}
		for i, item := range v.Items() {
			walk(item, value.Content[i], value.Content[i])
		}
	}
	walk(d.Root(), root, root)
	return count
}

func TestPositionsAsYAMLv3HasThem(t *testing.T) {
	fast, foreign, values := 0, 0, 0
	for _, text := range corpusTexts(t) {
		docs, _ := Read(NewText(text), 1)
		for _, d := range docs {
			values += comparePlaces(t, d)
			if d.foreign != nil {
				foreign++
			} else {
				fast++
			}
			f := readAgain(t, d) // and by the library
			values += comparePlaces(t, f)
		}
	}
	t.Logf("%d values of %d documents of the block reader, %d of the library", values, fast, foreign)
	for _, text := range blockCases {
		docs, _ := Read(NewText(text), 1)
		for _, d := range docs {
			comparePlaces(t, d)
			comparePlaces(t, readAgain(t, d))
		}
	}
}

// readAgain reads the text of a document by the library.
func readAgain(t *testing.T, d *Doc) *Doc {
	t.Helper()
	f, err := readForeign(d.source, int(d.start), int(d.end))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestPositions(t *testing.T) {
	for name, test := range map[string]struct {
		text    string
		steps   []Step
		line    int
		column  int
		foreign bool
	}{
		"key":                          {"a:\n  b: c\n", keys("a", "b"), 2, 3, false},
		"item of words":                {"a:\n- b\n- c\n", []Step{{Key: "a"}, {Index: 1}}, 3, 3, false},
		"item that is a map":           {"a:\n-   b: c\n", []Step{{Key: "a"}, {Index: 0}}, 2, 5, false},
		"key in it":                    {"a:\n-   b: c\n    d: e\n", []Step{{Key: "a"}, {Index: 0}, {Key: "d"}}, 3, 5, false},
		"item below its dash":          {"a:\n-\n  b: c\n", []Step{{Key: "a"}, {Index: 0}}, 3, 3, false},
		"empty item":                   {"a:\n- \n- b\n", []Step{{Key: "a"}, {Index: 0}}, 2, 1, false},
		"quoted key":                   {"'a': 1\n\"b\": 2\n", keys("b"), 2, 1, false},
		"key in flow":                  {"a: {b: c, d: [e, f]}\n", keys("a", "d"), 1, 11, false},
		"item in flow":                 {"a: {b: c, d: [e, f]}\n", []Step{{Key: "a"}, {Key: "d"}, {Index: 1}}, 1, 18, false},
		"second document":              {"a: 1\n---\n# x\nb: 2\n", keys("b"), 4, 1, false},
		"bytes, not characters":        {"a: {é: ü, b: c}\n", keys("a", "b"), 1, 13, true},
		"CRLF":                         {"a: 1\r\nb:\r\n  c: d\r\n", keys("b", "c"), 3, 3, true},
		"CR alone":                     {"a: 1\rb: 2\r", keys("b"), 1, 6, true},
		"tab before a value":           {"a:\t1\nb:\n  c:\td\n", keys("b", "c"), 3, 3, true},
		"tab in flow":                  {"a: {b: c,\td: e}\n", keys("a", "d"), 1, 11, true},
		"byte order mark":              {"\ufeffa: 1\nb: 2\n", keys("b"), 2, 1, false},
		"byte order mark, first line":  {"\ufeffa: 1\n", keys("a"), 1, 1, false},
		"foreign second document":      {"a: 1\n---\n? b\n: c\nd: {e: f}\n", keys("d", "e"), 5, 5, true},
		"anchor":                       {"a: &x {b: c}\nd: *x\n", keys("a", "b"), 1, 8, true},
		"through an alias":             {"a: &x {b: c}\nd: *x\n", keys("d", "b"), 1, 8, true},
		"alias":                        {"a: &x {b: c}\nd: *x\n", keys("d"), 2, 1, true},
		"merged":                       {"a: &x\n  b: c\nd:\n  e: f\n  <<: *x\n", keys("d", "b"), 2, 3, true},
		"merged from two":              {"a: &x {b: c}\ng: &y {b: d, h: i}\nd:\n  <<: [*x, *y]\n", keys("d", "h"), 2, 14, true},
		"merged from two, first wins":  {"a: &x {b: c}\ng: &y {b: d, h: i}\nd:\n  <<: [*x, *y]\n", keys("d", "b"), 1, 8, true},
		"key that is a number":         {"a: 1\n0x10: b\n", keys("16"), 2, 1, true},
		"key that is a boolean":        {"a: 1\nyes: b\n", keys("true"), 2, 1, true},
		"last of two keys":             {"a: 1\nb: 2\na: 3\n", keys("a"), 3, 1, true},
		"last of two keys, fast path":  {"{\"a\": 1, \"a\": {\"b\": 2}}", keys("a", "b"), 1, 16, false},
		"JSON":                         {"{\"a\":\n  [1, {\"b\": 2}]}", []Step{{Key: "a"}, {Index: 1}, {Key: "b"}}, 2, 8, false},
		"JSON, key with escapes":       {"{\"a\": 1,\n \"\\u0062\": \"\\n\"}", keys("b"), 2, 2, false},
		"JSON, key with escapes twice": {"{\"\\u0062\": 1,\n \"\\u0062\": \"\\n\"}", keys("b"), 2, 2, false},
		"root of JSON":                 {"\n\n {\"a\": 1}", nil, 3, 2, false},
		"root of a block":              {"# x\n\n  a: 1\n", nil, 3, 3, false},
		"behind a marker":              {"--- {a: b}\n", keys("a"), 1, 6, true},
		"empty key":                    {"\"\": 1\n", []Step{{}}, 1, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			text, fault := Decode(test.text)
			if fault != nil {
				t.Fatal(fault)
			}
			docs, errs := Read(text, 1)
			if len(errs) > 0 {
				t.Fatal(errs[0])
			}
			d := docs[len(docs)-1]
			v := d.Root().Follow(test.steps)
			if !v.Exists() {
				t.Fatalf("no %v in %s", test.steps, d.Root().AppendJSON(nil))
			}
			if line, column := v.Position(); line != test.line || column != test.column {
				t.Errorf("position is %d:%d, want %d:%d", line, column, test.line, test.column)
			}
			if foreign := d.foreign != nil; foreign != test.foreign {
				t.Errorf("read by the library: %v, want %v", foreign, test.foreign)
			}
			if diff := cmp.Diff(test.steps, v.Steps()); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}

func keys(names ...string) []Step {
	var steps []Step
	for _, name := range names {
		steps = append(steps, Step{Key: name})
	}
	return steps
}

func TestPositionsInUTF16(t *testing.T) {
	const plain = "a: ü\nb:\n- 😀\n- c: d\n"
	for name, order := range map[string]binary.AppendByteOrder{"little endian": binary.LittleEndian, "big endian": binary.BigEndian} {
		t.Run(name, func(t *testing.T) {
			raw := order.AppendUint16(nil, 0xfeff)
			for _, unit := range utf16.Encode([]rune(plain)) {
				raw = order.AppendUint16(raw, unit)
			}
			text, fault := Decode(string(raw))
			if fault != nil || text.Content() != plain {
				t.Fatalf("%v, %q", fault, text.Content())
			}
			docs, _ := Read(text, 1)
			if line, column := docs[0].Root().Get("b").Index(1).Get("c").Position(); line != 4 || column != 3 {
				t.Errorf("position is %d:%d, want 4:3", line, column)
			}
		})
	}
}

func TestZeroValueHasNoPlace(t *testing.T) {
	var v Value
	if line, column := v.Position(); line != 0 || column != 0 || v.Steps() != nil || v.Doc() != nil || v.Parent() != v || v.Key() != "" {
		t.Error("the zero Value has a place")
	}
	if _, _, ok := v.Extent(); ok || v.Leaves(0, 10) != nil || v.Find("a", Map) != nil || v.Nodes() != 0 || v.Len() != 0 {
		t.Error("the zero Value has an extent")
	}
	if v.Follow(keys("a")) != v || v.Index(0) != v || v.At("a", "b") != v || v.Text() != "" || v.Exists() {
		t.Error("the zero Value has content")
	}
}

func TestExtent(t *testing.T) {
	const text = "# head\na:\n  b: c # d\n  e: [f, {g: h}]\n\ni: j\n"
	docs, _ := Read(NewText(text), 1)
	root := docs[0].Root()
	for name, want := range map[string]string{
		"":    "a:\n  b: c # d\n  e: [f, {g: h}]\n\ni: j\n",
		"a":   "a:\n  b: c # d\n  e: [f, {g: h}]\n\n",
		"a b": "b: c # d\n  ",
		"a e": "e: [f, {g: h}]\n\n",
		"i":   "i: j\n",
	} {
		v := root.At(strings.Fields(name)...)
		start, end, ok := v.Extent()
		if !ok || text[start:end] != want {
			t.Errorf("extent of %q is %q, want %q", name, text[start:end], want)
		}
	}
	if _, _, ok := readAgain(t, docs[0]).Root().Extent(); ok {
		t.Error("a document of the library has an extent")
	}
}

func TestLeaves(t *testing.T) {
	const text = "a: 1\nb:\n  c: x\n  d:\n  - u\n  - v\ne: {f: g}\nh: |\n  i\n  j\nk: []\n"
	docs, _ := Read(NewText(text), 1)
	root, source := docs[0].Root(), docs[0].Source()
	for _, test := range []struct {
		first, last int
		want        []string
	}{
		{1, 1, []string{"a=1"}},
		{2, 2, []string{"a=1"}}, // the leaf before is there too: it reaches to what follows it
		{4, 4, []string{"c=x"}},
		{5, 6, []string{"=u", "=v"}},
		{7, 7, []string{"=v", "f=g"}},
		{10, 10, []string{"h=i\nj\n"}},
		{1, 99, []string{"a=1", "c=x", "=u", "=v", "f=g", "h=i\nj\n"}},
	} {
		var got []string
		for _, leaf := range root.Leaves(source.Offset(test.first), source.Offset(test.last+1)) {
			got = append(got, leaf.Key+"="+leaf.Value.Text())
			if leaf.Start >= leaf.End || leaf.Value.Key() != leaf.Key {
				t.Errorf("leaf %+v", leaf)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("leaves of lines %d to %d (-want +got):\n%s", test.first, test.last, diff)
		}
	}
}
