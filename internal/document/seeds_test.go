package document

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// seeds are texts of every shape that manifests have been seen in, and of shapes that only look
// like them: the block cases, and what is listed here.
func seeds() []string {
	list := append([]string{}, blockCases...)
	for _, head := range []string{"|", "|-", "|+", ">", ">-", ">+", "|2", "|2-", ">1+", "|-2", "| # comment", ">\t", "|0", "|10"} {
		list = append(
			list,
			"a: "+head+"\n  x\n  y\nb: 1\n",
			"a: "+head+"\n  x\n\n\nb: 1\n",
			"a: "+head+"\n  x",
			"a: "+head+"\n\n\n  x\n   y\n  z\n\n\n",
			"a: "+head+"\n\nb: "+head+"\n",
			"- "+head+"\n  x\n # comment\n- y\n",
			"- - "+head+"\n    x\n    # text\n  - z\n",
			"a:\n  "+head+"\n  x\n",
			head+"\n x\n",
		)
	}
	return append(list, oddSeeds...)
}

var oddSeeds = []string{
	// a CRD
	"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  annotations:\n    controller-gen.kubebuilder.io/version: v0.14.0\n  name: foos.example.org\nspec:\n  versions:\n  - additionalPrinterColumns:\n    - jsonPath: .status.conditions[?(@.type==\"Ready\")].status\n      name: Ready\n      type: string\n    name: v1\n    schema:\n      openAPIV3Schema:\n        description: Foo is the Schema for the foos API. It's\n          long, and goes on\n          for lines.\n        properties:\n          apiVersion:\n            description: 'APIVersion defines the versioned schema: more\n              info'\n            type: string\n          x:\n            description: |-\n              One.\n\n\n              Two:\n                - three\n            enum:\n            - \"\"\n            - a\n            pattern: ^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$\n            x-kubernetes-validations:\n            - message: is immutable\n              rule: self == oldSelf\n        type: object\n    served: true\n",
	// comments in odd places
	"# a\n\n# b\na: 1 # c\n  # d\n# e\nb:\n# f\n- 1\n  # g\n- 2 #h\n-#i\n",
	"a: #b\n  c\n", "a: b#c\n", "a: b #c\n d\n", "a: b\n # c\n d\n", "a: # x\n# y\n  # z\n  b: c\n", "a#b: c\n", "a #b: c\n", "# only\n", "a: 'x'#y\n", "a: [b, #c\n d]\n",
	// quoted
	"a: 'x\n  y'\n", "a: \"x\n\n  y\\\n  z \\\n  w\"\n", "a: 'x\n\n\n  y'\nb: 1\n", "a: \"x\\ty\\x41\\u00e9\\U0001F600\\N\\_\\L\\P\\e\\0\\a\\b\\v\\f\\/\"\n", "a: ''''\n", "a: ''\n", "a: \"\"\n", "a: \"\\\n  b\"\n", "a: \"b\nc\"\n", "a: 'b\n---\n  c'\n", "\"a\\\"b\": c\n", "'a''b': c\n", "\"a: b\": c\n", "'a' : b\n", "\"a\":b\n", "a: 'b' c\n", "a: \" b \n  c \"\n", "a: \" \\n \n  c\"\n", "a: 'b: c'\n- d\n", "\"a\nb\": c\n",
	// flow
	"a: {b: [c, {d: e}], f: }\n", "a: [\n  b,\n  c\n]\n", "a: [\n  b,\n  c\n  ]\n", "a: {b: c, b: d}\n", "a: [b: c, d]\n", "a: {b, c}\n", "a: [b,]\n", "a: [,]\n", "a: {\"b\":c}\n", "a: {\"b\": c, 'd': e}\n", "a: [a b, c  d]\n", "a: {? b : c}\n", "a: [[], {}, [[]]]\n", "a: [*b]\n", "a: [x y]\n", "a: {b: c d}\n", "a: [1, 0x1, 1.0, true, ~, null, -, --, -1]\n", "[a]: b\n", "{a: b}: c\n", "{a: b}\n", "[a, b]\n", "a: {b: 'c', d: \"e\"}\n", "a: [b\n  , c]\n", "- [a]\n- {b: c}\n", "- {a: 1,\n   b: 2}\n", "a: {{ .Values.x }}\n", "{{- if x }}\na: b\n{{- end }}\n", "a: [{b: c}, {d: e}] # x\n", "a: []b\n", "a: [b]: c\n", "a: [(b), $(c), d=e, f+g]\n",
	// sequences
	"a:\n- b\n- c\nd:\n- e\n", "a:\n  - b\n  -  c\n  -   d: e\n      f: g\n", "- - - a\n    - b\n  - c\n- d\n", "-\n- \n-  # x\n- a\n", "- -\n  -\n-\n", "a:\n-\n  - b\n", "- a: b\n  c:\n  - d\n  e: f\n", "- a:\n    b: c\n- a:\n  - b\n", "a: - b\n", "- a\n b\n", "- a\n  b\n- c\n", "-a\n", "- -a\n", "a:\n - b\n- c\n", "a:\n  - b\n - c\n", "- a: b\n   c: d\n", "- a: b\n c: d\n", "-\ta\n", "- \ta\n", "a:\n- b:\n  - c\n  d: e\n",
	// keys
	"a b: c\n", "a  b  : c\n", "a:b: c\n", "a::\n", "a: :\n", ": a\n", ":a: b\n", "? a\n: b\n", "? a: b\n", "?a: b\n", "-a: b\n", "--- a: b\n", "1: a\n", "1.5: a\n", "true: a\n", "yes: a\n", "null: a\n", "~: a\n", "<<: a\n", "a: &b c\nd: *b\n", "a: &b {c: d}\ne:\n  <<: *b\n  f: g\n", "a: !!str 1\n", "!!map {a: b}\n", "a: !b c\n", "=: a\n", "a: =\n", "a/b.c-d: e\n", "a\"b: c\n", "a'b: c\n", "@a: b\n", "%a: b\n", "a: %b\n", "a: `b`\n", "a: @b\n", "a,b: c\n", "a[0]: c\n", "a]: c\n", "é: ü\n", "日本: 語\n", "a: 😀\n", "a: \u2028b\n", "a: \u0085b\n", "a: \ufeffb\n", "\ufeffa: b\n", "a: \ufffd\n", strings.Repeat("k", 1100) + ": a\n", "a: b\na: c\n", "a:\n  b: 1\n  c: 2\n  b: 3\n",
	// empty values
	"a:\n", "a:", "a: ", "a:\nb:\n", "a:\n\n\n", "a:\n  b:\nc:\n", "a: ~\n", "a: null\n", "a: Null\nb: NULL\nc: nULL\n", "", "\n", " ", "---", "---\n", "...", "---\n---\n", "--- \n...\n---\n",
	// documents
	"# a\n--- b: c\n", "# a\n... b: c\n", "\n--- - a\n",
	"a: 1\n---\nb: 2\n---\n# x\n---\nc: 3", "--- # x\na: 1\n", "---\n- 1\n...\n# y\n---\n- 2\n", "a: 1\n--- |\n x\n", "--- a\n--- b\n", "%YAML 1.1\n---\na: 1\n", "%TAG ! tag:x,2000:\n---\na: !b c\n", "a: 1\n...\nb: 2\n", "a: |\n  ---\n  x\n---\nb: 1\n", "a: '\n---\n'\n", "----\n", "---a: b\n", "a:\n---\nb\n", "a: 1\r---\rb: 2\r", "a: 1\r\n---\r\nb: 2\r\n", "a: |\r\n  x\r\n  y\r\nb: 'c\r\n  d'\r\n",
	// plain, folded, numbers
	"a: b\n  c\n\n  d\ne: f\n", "a: b\n\n c: d\n", "a:\n  b\n  c\nd: e\n", "a:\n b\nc: d\n", "a: b:c\n", "a: b: c\n", "a: b ?\n", "a: -b\n", "a: - b\n", "a: ?b\n", "a: :b\n", "a: b\\n\n", "a: b\tc\n", "a: b \t\n", "a:\t b\n", "\ta: b\n", "a: 1e3\nb: 1e+3\nc: 1E5\nd: .5\ne: 5.\nf: +1\ng: 1_0\nh: 0b1\ni: 0o7\nj: 0x1F\nk: 007\nl: .inf\nm: -.INF\nn: .NaN\no: 1:30\np: 12345678901234567890\nq: 123456789012345678901234\nr: 2001-01-01\ns: 1.2.3\nt: -\nu: -0\nv: 0.0\nw: -1.50\nx: 1e\ny: 0x\nz: 1__0\n", "a: y\nb: Y\nc: yes\nd: On\ne: oFF\nf: n\ng: TRUE\nh: False\n", "a: b\n  - c\n", "a: b\n  # d\n  c\n", "a: b\n  c #d\n  e\n", "a: 'b'\n  c\n", "a:\n  'b'\n", "a:\n  \"b\n  c\"\n", "a:\n  [b,\n  c]\n", "a:\n    b: c\n  d: e\n", "a:\n  b: c\n d: e\n", "  a: b\n  c: d\n", "  a: b\nc: d\n", "a: b\n  c: d\n", "a\n", "a\nb\n", "'a'\n", "a:  b  \n", "a : b\n", "a: |x\n  b\n", "a: b|\n",
}

// corpus is the directory of real manifests beside the checkout.
const corpus = "../../../shared/corpus"

// corpusTexts are the texts of the real manifests beside the checkout, by their path.
func corpusTexts(tb testing.TB) map[string]string {
	tb.Helper()
	if _, err := os.Stat(corpus); err != nil {
		tb.Skip("no ../shared/corpus beside this checkout")
	}
	texts := map[string]string{}
	err := filepath.WalkDir(corpus, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".yaml" && filepath.Ext(path) != ".yml" && filepath.Ext(path) != ".json" {
			return err
		}
		raw, err := os.ReadFile(path)
		texts[path] = string(raw)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return texts
}

// corpusTextsOrNone is corpusTexts for tests that have more to do without it.
func corpusTextsOrNone(tb testing.TB) map[string]string {
	tb.Helper()
	if _, err := os.Stat(corpus); err != nil {
		tb.Log("no ../shared/corpus beside this checkout")
		return nil
	}
	return corpusTexts(tb)
}
