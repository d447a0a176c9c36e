package document

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parse reads one document of JSON.
func parse(t *testing.T, text string) Value {
	t.Helper()
	d, err := ParseJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	return d.Root()
}

func TestScalars(t *testing.T) {
	root := parse(t, `{"s": "x", "i": 12, "n": -9223372036854775808, "big": 9223372036854775808, "f": 1.50, "e": 1e3, "huge": 1e999, "t": true, "u": false, "z": null, "l": [1], "m": {"a": 1}}`)
	for key, want := range map[string]struct {
		kind Kind
		text string
		str  string
		i    int64
		isI  bool
		f    float64
		isF  bool
		b    bool
		n    int
		name string
	}{
		"s":    {kind: String, text: "x", str: "x", name: "string"},
		"i":    {kind: Int, text: "12", i: 12, isI: true, f: 12, isF: true, name: "integer"},
		"n":    {kind: Int, text: "-9223372036854775808", i: math.MinInt64, isI: true, f: math.MinInt64, isF: true, name: "integer"},
		"big":  {kind: Int, text: "9223372036854775808", i: math.MaxInt64, f: 9223372036854775808, isF: true, name: "integer"},
		"f":    {kind: Float, text: "1.50", f: 1.5, isF: true, name: "number"},
		"e":    {kind: Float, text: "1e3", f: 1000, isF: true, name: "number"},
		"huge": {kind: Float, text: "1e999", f: math.Inf(1), name: "number"},
		"t":    {kind: Bool, b: true, name: "boolean"},
		"u":    {kind: Bool, name: "boolean"},
		"z":    {kind: Null, name: "null"},
		"l":    {kind: List, n: 1, name: "list"},
		"m":    {kind: Map, n: 1, name: "map"},
		"none": {kind: Missing, name: "missing"},
	} {
		v := root.Get(key)
		i, isI := v.Int()
		f, isF := v.Float()
		if v.Kind() != want.kind || v.Kind().String() != want.name || v.Text() != want.text || v.Str() != want.str || isI != want.isI || isF != want.isF ||
			isI && i != want.i || f != want.f || v.Bool() != want.b || v.Len() != want.n || v.Exists() != (key != "none") {
			t.Errorf("%s: kind %v, text %q, string %q, integer %d %v, number %g %v, boolean %v, length %d",
				key, v.Kind(), v.Text(), v.Str(), i, isI, f, isF, v.Bool(), v.Len())
		}
	}
	if n := root.Nodes(); n != 15 {
		t.Errorf("%d nodes, want 15", n)
	}
}

func TestFollowAndFind(t *testing.T) {
	root := parse(t, `{"a": {"b": [{"c": 1}, {"c": [2]}]}, "c": 3, "": {"": 4}}`)
	for name, test := range map[string]struct {
		steps []Step
		want  string
	}{
		"nowhere":               {nil, `{"a":{"b":[{"c":1},{"c":[2]}]},"c":3,"":{"":4}}`},
		"keys and indexes":      {[]Step{{Key: "a"}, {Key: "b"}, {Index: 1}, {Key: "c"}, {Index: 0}}, `2`},
		"empty keys":            {[]Step{{}, {}}, `4`},
		"a key that is not":     {[]Step{{Key: "a"}, {Key: "x"}}, `null`},
		"an index beyond":       {[]Step{{Key: "a"}, {Key: "b"}, {Index: 2}}, `null`},
		"a negative index":      {[]Step{{Key: "a"}, {Key: "b"}, {Index: -1}}, `null`},
		"a key of a list":       {[]Step{{Key: "a"}, {Key: "b"}, {Key: "c"}}, `null`},
		"an index of a scalar":  {[]Step{{Key: "c"}, {Index: 0}}, `null`},
		"further than a scalar": {[]Step{{Key: "c"}, {Key: "c"}}, `null`},
	} {
		if got := string(root.Follow(test.steps).AppendJSON(nil)); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
	for kind, want := range map[Kind]int{Int: 2, List: 1, Map: 0} {
		if got := root.Find("c", kind); len(got) != want {
			t.Errorf("%d values of kind %v under c, want %d", len(got), kind, want)
		}
	}
}

func TestAppendJSON(t *testing.T) {
	root := parse(t, `{"b": [1, "é\n\u0001\"\\", null, true, {}], "a": {"z": 1.0, "y": []}}`)
	for name, test := range map[string]struct{ got, want []byte }{
		"in the order of the text": {root.AppendJSON([]byte("x")), []byte(`x{"b":[1,"é\n\u0001\"\\",null,true,{}],"a":{"z":1.0,"y":[]}}`)},
		"sorted":                   {root.AppendSorted(nil), []byte(`{"a":{"y":[],"z":1.0},"b":[1,"é\n\u0001\"\\",null,true,{}]}`)},
		"nothing":                  {Value{}.AppendJSON(nil), []byte(`null`)},
		"without a key": {root.AppendJSONWithout(nil, func(depth int, key string, entry Value) bool {
			return depth == 2 && key == "z" && entry.Kind() == Float || depth == 1 && key == "z"
		}), []byte(`{"b":[1,"é\n\u0001\"\\",null,true,{}],"a":{"y":[]}}`)},
		"without the first": {root.AppendJSONWithout(nil, func(depth int, key string, _ Value) bool { return key == "b" }), []byte(`{"a":{"z":1.0,"y":[]}}`)},
		"without any":       {root.AppendJSONWithout(nil, func(depth int, _ string, _ Value) bool { return true }), []byte(`{}`)},
	} {
		if diff := cmp.Diff(string(test.want), string(test.got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestYAML(t *testing.T) {
	for text, want := range map[string]string{
		`{"a": {"b": [1, {"c": "d", "e": []}, [2, "x y"]], "f": {}}, "g": null}`: "a:\n  b:\n  - 1\n  - c: d\n    e: []\n  - - 2\n    - x y\n  f: {}\ng: null\n",
		`"yes"`: "\"yes\"\n",
		`[]`:    "[]\n",
		`["1", "0x1", "", "a: b", "a #b", "- a", "a\nb", "x ", "'x'", "~", "<<", "=", "-c", "1.2.3", "a:b", "*a", "a:", "a\u2028b", "\u007f", "\ufeff", "null", "é", "😀", "a\u0000"]`: "- \"1\"\n- \"0x1\"\n- \"\"\n- \"a: b\"\n- \"a #b\"\n- \"- a\"\n- \"a\\nb\"\n- \"x \"\n- \"'x'\"\n- \"~\"\n- \"<<\"\n- =\n- -c\n- 1.2.3\n- a:b\n- \"*a\"\n- \"a:\"\n- \"a\\u2028b\"\n- \"\\u007f\"\n- \"\\ufeff\"\n- \"null\"\n- é\n- 😀\n- \"a\\u0000\"\n",
		`{"yes": 1, "a: b": 2, "": 3, "1": 4}`: "\"yes\": 1\n\"a: b\": 2\n\"\": 3\n\"1\": 4\n",
	} {
		v := parse(t, text)
		if diff := cmp.Diff(want, YAML(v)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
		compareYAML(t, v)
	}
}

// TestYAMLOfTheCorpus reads again what YAML writes of every real document.
func TestYAMLOfTheCorpus(t *testing.T) {
	for _, text := range corpusTexts(t) {
		docs, _ := Read(NewText(text), 1)
		for _, d := range docs {
			compareYAML(t, d.Root())
		}
	}
}
