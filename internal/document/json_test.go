package document

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var jsonSeeds = []string{
	`{}`, `[]`, `""`, `0`, `-0`, `-`, `01`, `1.`, `1.0`, `.1`, `1e5`, `1E+5`, `1e-5`, `1e`, `1e999`, `12345678901234567890`, `true`, `tru`, `nulll`, `null`, `false `, ``, ` `,
	`{"a":1,"a":2}`, `{"a":{"b":1,"b":[1,2,{"c":1,"c":2}]},"a":{"b":3},"d":4}`, `{"a":1,"\u0061":2}`, `{"\u0061":"\n"}`, `{"a":1,}`, `[1,]`, `[,1]`, `[1 2]`, `{"a" 1}`, `{"a":}`, `{a:1}`, `{'a':1}`, `{"a":1}}`, `{"a":1} x`,
	`"\u00e9\ud83d\ude00\ud83d\ud83dx\udc00\u0000\"\\\/\b\f\n\r\t"`, `"\x"`, `"\u12"`, `"\u+123"`, "\"\t\"", "\"a\nb\"", `"a`, `"\`, `"\ud83d\u"`, "\"\x7f\u0085\u2028\"", "\ufeff{}", "{\"a\" : [ 1 ,\t2\r\n] }", `[[[[]]]]`, `[{},{"":""}]`,
	`{"apiVersion":"v1","kind":"List","items":[{"kind":"Pod","metadata":{"name":"a","labels":{"a/b":"c"}},"spec":{"containers":[{"name":"x","resources":{"limits":{"cpu":0.5}}}]}}]}`,
	`{"0":0,"1":1,"2":2,"3":3,"4":4,"5":5,"6":6,"7":7,"8":8,"9":9,"a":1,"b":2,"c":3,"0":{"x":1,"x":2},"c":4}`,
}

// compareJSON holds ParseJSON to encoding/json: the same texts are JSON, and mean the same.
func compareJSON(t *testing.T, text string) {
	t.Helper()
	d, fault := ParseJSON(text)
	if fault != nil {
		checkError(t, text, fault)
		if json.Valid([]byte(text)) && fault.Code != CodeTooLarge {
			t.Fatalf("refused (%v): %q", fault, text)
		}
		return
	}
	checkDoc(t, d)
	if !json.Valid([]byte(text)) {
		t.Fatalf("accepted: %q", text)
	}
	if !utf8.ValidString(text) {
		return // what is put in place of the invalid bytes differs
	}
	got := d.Root().AppendJSON(nil)
	if diff := cmp.Diff(meaning(t, []byte(text)), meaning(t, got)); diff != "" {
		t.Fatalf("means something else (-encoding/json +document):\n%s\ntext: %q", diff, text)
	}
	if twice := hasDuplicate(t, text); (d.Doubt() != nil) != twice {
		t.Fatalf("doubt %v, a key twice: %v, in %q", d.Doubt(), twice, text)
	}
	compareYAML(t, d.Root())
	if again, fault := ParseJSON(string(d.Root().AppendSorted(nil))); fault != nil {
		t.Fatalf("sorted: %v, from %q", fault, text)
	} else if diff := cmp.Diff(meaning(t, got), meaning(t, again.Root().AppendJSON(nil))); diff != "" {
		t.Fatalf("sorted means something else:\n%s\ntext: %q", diff, text)
	}
}

// compareYAML holds what YAML writes of a value to what Read makes of it.
func compareYAML(t *testing.T, v Value) {
	t.Helper()
	text := YAML(v)
	docs, errs := Read(NewText(text), 1)
	if len(errs) > 0 {
		t.Fatalf("%v, in\n%s", errs[0], text)
	}
	if len(docs) == 0 && v.Kind() == Null {
		return
	}
	if len(docs) != 1 {
		t.Fatalf("%d documents in\n%s", len(docs), text)
	}
	if diff := cmp.Diff(meaningInFloats(t, v.AppendJSON(nil)), meaningInFloats(t, docs[0].Root().AppendJSON(nil))); diff != "" {
		t.Fatalf("means something else (-value +YAML):\n%s\n%s", diff, text)
	}
}

// hasDuplicate says, by encoding/json's tokens, whether a key stands twice in one object.
func hasDuplicate(t *testing.T, text string) bool {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	var walk func() bool
	walk = func() bool {
		token, err := decoder.Token()
		if err != nil {
			t.Fatal(err)
		}
		twice := false
		switch token {
		case json.Delim('{'):
			seen := map[string]bool{}
			for decoder.More() {
				key, err := decoder.Token()
				if err != nil {
					t.Fatal(err)
				}
				twice = twice || seen[key.(string)]
				seen[key.(string)] = true
				twice = walk() || twice
			}
		case json.Delim('['):
			for decoder.More() {
				twice = walk() || twice
			}
		default:
			return false
		}
		if _, err := decoder.Token(); err != nil {
			t.Fatal(err)
		}
		return twice
	}
	return walk()
}

func TestJSONAsEncodingJSONDoes(t *testing.T) {
	for _, text := range jsonSeeds {
		compareJSON(t, text)
	}
}

func FuzzJSON(f *testing.F) {
	for _, text := range jsonSeeds {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) <= 4096 {
			compareJSON(t, text)
		}
	})
}
