package document

import (
	"strings"
	"testing"
)

func TestErrors(t *testing.T) {
	deepJSON := strings.Repeat(`[`, 501) + strings.Repeat(`]`, 501)
	for name, test := range map[string]struct {
		text    string
		docs    int
		code    Code
		line    int
		column  int
		message string // a part of it
		remedy  string // a part of it
		kind    string
	}{
		"broken in the middle": {
			"kind: A\n---\nkind: B\napiVersion: v1\nx:\n  - a\n b: c\n---\nkind: C\n", 2,
			CodeSyntax, 7, 0, "did not find expected key", "Mend the YAML", "B",
		},
		"map in a map's line":            {"kind: Pod\na: b: c\n", 0, CodeSyntax, 2, 0, "mapping values are not allowed", "Mend the YAML", "Pod"},
		"on the first line":              {"a: b: c\nkind: 'Pod'\n", 0, CodeSyntax, 1, 0, "mapping values are not allowed", "Mend the YAML", "Pod"},
		"tab":                            {"a:\n\tb: c\n", 0, CodeSyntax, 2, 0, "cannot begin a value: a tab", "Mend the YAML", ""},
		"key without a colon":            {"a: 1\n\nfoo\n\n# x\nb: 2\n", 0, CodeSyntax, 3, 0, "could not find expected ':'", "Mend the YAML", ""},
		"key without a colon at the end": {"a: 1\nfoo\n", 0, CodeSyntax, 2, 0, "could not find expected ':'", "Mend the YAML", ""},
		"quote without an end":           {"a: 1\nb: 'x\nc: 2\n", 0, CodeSyntax, 3, 0, "found unexpected end of stream", "Mend the YAML", ""},
		"bracket without an end":         {"a: 1\nb: [x\nc: 2\n", 0, CodeSyntax, 3, 0, "did not find expected ',' or ']'", "Mend the YAML", ""},
		"list in a map":                  {"a: 1\n- b\n", 0, CodeSyntax, 2, 0, "did not find expected key", "Mend the YAML", ""},
		"unknown anchor":                 {"a: 1\nb:\n  c: *none\n", 0, CodeSyntax, 3, 6, "an alias names no anchor", "Mend the YAML", ""},
		"an anchor in itself":            {"a: &x [*x]\n", 0, CodeSyntax, 1, 0, "contains itself", "Mend the YAML", ""},
		"control character":              {"a: 1\nb: x\x01\n", 0, CodeSyntax, 2, 5, "control characters", "Mend the YAML", ""},
		"unknown escape":                 {"a: 1\nb: \"\\d\"\n", 0, CodeSyntax, 2, 0, "unknown escape", "Mend the YAML", ""},
		"template":                       {"kind: Pod\nmetadata:\n  name: {{ .Values.name }}\n  {{- if x }}\n", 0, CodeTemplate, 4, 0, "a template, not YAML", "Scan what the template renders to", "Pod"},
		"template of another kind":       {"{% if x %}\na: b\n{% endif %}\n", 0, CodeTemplate, 1, 0, "a template, not YAML", "Scan what the template renders to", ""},
		"text behind the end":            {"a: 1\n--- |2\n x\n", 1, CodeSyntax, 3, 0, "did not find expected <document start>", "Mend the YAML", ""},
		"key that is a map":              {"? {a: b}\n: c\n", 0, CodeSyntax, 1, 0, "stands where a key must", "Mend the YAML", ""},
		"key that is null":               {"a: 1\n---\n~: c\n", 1, CodeSyntax, 3, 1, "no JSON form", "Mend the YAML", ""},
		"infinity":                       {"a: .inf\n", 0, CodeSyntax, 1, 1, "no JSON form", "Mend the YAML", ""},
		"key twice, in two notations":    {"a:\n  1: x\n  \"1\": y\n", 0, CodeDuplicate, 3, 3, "in different notations", "Mend the YAML", ""},
		"nested too deep":                {"a: 1\n---\n? " + strings.Repeat("[", 501) + strings.Repeat("]", 501) + "\n", 1, CodeSyntax, 3, 0, "stands where a key must", "Mend", ""},
		"nested too deep in a value":     {"a: 1\n---\na: " + strings.Repeat("[", 501) + strings.Repeat("]", 501) + "\n", 1, CodeTooLarge, 3, 1, "nested more than 500", "Leave it out", ""},
		"laughs":                         {"a: 1\n---\n" + laughs(9, 9), 1, CodeTooLarge, 3, 1, "aliases expand", "Write out", ""},
		"JSON":                           {"{\"a\": 1,\n \"b\" 2}\n", 0, CodeSyntax, 2, 6, "JSON: want a colon", "Mend the JSON", ""},
		"JSON without an end":            {"{\"a\": [1, 2", 0, CodeSyntax, 1, 12, "JSON: the text ends early", "Mend the JSON", ""},
		"JSON broken after a document":   {"{\"a\": 1}\n{\"b\": }\n", 1, CodeSyntax, 2, 7, "JSON: want a value", "Mend the JSON", ""},
		"JSON nested too deep":           {deepJSON, 0, CodeTooLarge, 1, 501, "JSON: nested too deep", "Leave it out", ""},
		"flow that is no JSON":           {"{a: b, c: ]}\n", 0, CodeSyntax, 1, 0, "YAML: did not find", "Mend the YAML", ""},
		"CRLF":                           {"a: 1\r\nb:\r\n\tc: d\r\n", 0, CodeSyntax, 3, 0, "cannot begin a value: a tab", "Mend the YAML", ""},
		"CR alone":                       {"a: 1\rb:\r\tc: d\r", 0, CodeSyntax, 1, 0, "cannot begin a value: a tab", "Mend the YAML", ""},
		"directive without a document":   {"a: 1\n---\n\n%FOO x\n", 1, CodeSyntax, 4, 0, "directive", "Mend the YAML", ""},
		"too large for the library":      {"a: 1\n---\n? b\n: " + strings.Repeat("x", maxForeign) + "\n", 1, CodeTooLarge, 3, 1, "in more than plain YAML", "Split the document", ""},
	} {
		t.Run(name, func(t *testing.T) {
			docs, errs := Read(NewText(test.text), 1)
			if len(errs) != 1 {
				t.Fatalf("%d documents, errors %v, want one error", len(docs), errs)
			}
			e := errs[0]
			if len(docs) != test.docs || e.Code != test.code || e.Line != test.line || e.Column != test.column || e.Kind != test.kind {
				t.Errorf("%d documents, %s %d:%d of %q (%s), want %d, %s %d:%d of %q",
					len(docs), e.Code, e.Line, e.Column, e.Kind, e.Message, test.docs, test.code, test.line, test.column, test.kind)
			}
			if !strings.Contains(e.Message, test.message) || !strings.Contains(e.Remedy, test.remedy) {
				t.Errorf("message %q, remedy %q; want %q, %q", e.Message, e.Remedy, test.message, test.remedy)
			}
			if strings.Contains(e.Message, "\n") || strings.Contains(e.Message, "line ") {
				t.Errorf("message %q", e.Message)
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	e := Error{Line: 3, Message: "m"}
	if got := e.Error(); got != "line 3: m" {
		t.Error(got)
	}
	e.Column = 4
	if got := e.Error(); got != "line 3, column 4: m" {
		t.Error(got)
	}
}

func TestKeyGivenTwice(t *testing.T) {
	for name, test := range map[string]struct {
		text    string
		line    int // of the Doubt; 0 for none
		column  int
		message string
		want    string
	}{
		"block":                      {"a: 1\nb: 2\na: 3\n", 3, 1, `key "a" stands twice`, `{"a":3,"b":2}`},
		"nested block":               {"x:\n- u:\n    a: 1\n    a: 2\n", 4, 5, `key "a"`, `{"x":[{"u":{"a":2}}]}`},
		"flow":                       {"x: {a: 1, a: 2}\n", 1, 11, `key "a"`, `{"x":{"a":2}}`},
		"library":                    {"? x\n: {a: 1,\n  'a': 2}\n", 3, 3, `key "a"`, `{"x":{"a":2}}`},
		"second document":            {"b: 1\n---\n# c\na: 1\na: 2\n", 5, 1, `key "a"`, `{"a":2}`},
		"in two maps":                {"x: {a: 1}\nu: {a: 2}\n", 0, 0, "", `{"x":{"a":1},"u":{"a":2}}`},
		"the first in the text":      {"x:\n  b: 1\n  b: 2\nu: 3\nu: 4\n", 3, 3, `key "b"`, `{"u":4,"x":{"b":2}}`},
		"many keys":                  {numbered(300, "k%07d: 1\n") + "k0000003: 2\n", 26, 1, `key "k0000003"`, ""},
		"numbers":                    {"1: a\n0x1: b\n", 2, 1, `key "1"`, `{"1":"b"}`},
		"booleans":                   {"yes: a\ntrue: b\n", 2, 1, `key "true"`, `{"true":"b"}`},
		"merged keys are no doubt":   {"a: &x {b: 1}\nc:\n  <<: *x\n  b: 2\n", 0, 0, "", `{"a":{"b":1},"c":{"b":2}}`},
		"beside merged keys":         {"a: &x {b: 1}\nc:\n  <<: *x\n  b: 2\n  b: 3\n", 5, 3, `key "b"`, `{"a":{"b":1},"c":{"b":3}}`},
		"JSON":                       {`{"a": 1, "a": 2}`, 1, 10, `key "a"`, `{"a":2}`},
		"JSON, nested in a lost one": {`{"a": {"b": 1, "b": 2}, "c": 0, "a": {"b": 3}}`, 1, 16, `key "b"`, `{"c":0,"a":{"b":3}}`},
		"JSON, escaped":              {"{\"a\": \"\\n\",\n \"\\u0061\": 2}", 2, 2, `key "a"`, `{"a":2}`},
		"JSON, only the first":       {`{"a": 1, "a": 2} {"b": 3}`, 0, 0, "", `{"b":3}`},
		"a long key":                 {"{\"" + strings.Repeat("k", 500) + "\": 1,\n \"" + strings.Repeat("k", 500) + "\": 2}", 2, 2, "…", ""},
	} {
		t.Run(name, func(t *testing.T) {
			docs, errs := Read(NewText(test.text), 1)
			if len(errs) > 0 {
				t.Fatal(errs[0])
			}
			d := docs[len(docs)-1]
			if test.want != "" && string(d.Root().AppendJSON(nil)) != test.want {
				t.Errorf("got %s, want %s", d.Root().AppendJSON(nil), test.want)
			}
			doubt := d.Doubt()
			if test.line == 0 {
				if doubt != nil {
					t.Errorf("doubt %v, want none", doubt)
				}
				return
			}
			if doubt == nil {
				t.Fatal("no doubt")
			}
			if doubt.Line != test.line || doubt.Column != test.column || doubt.Code != CodeDuplicate ||
				!strings.Contains(doubt.Message, test.message) || len(doubt.Message) > 300 || !strings.Contains(doubt.Remedy, "Remove one of the two") {
				t.Errorf("doubt %+v, want %d:%d %s", doubt, test.line, test.column, test.message)
			}
		})
	}
}
