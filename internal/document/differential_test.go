package document

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// meaning decodes JSON for comparison, numbers by value: integers to the last digit.
func meaning(t *testing.T, text []byte) any {
	t.Helper()
	return byValue(decodeJSON(t, text), false)
}

// meaningInFloats is meaning with every number as a float: a number with a fraction of zero is an
// integer once the library wrote it, and its digits are others.
func meaningInFloats(t *testing.T, text []byte) any {
	t.Helper()
	return byValue(decodeJSON(t, text), true)
}

func decodeJSON(t *testing.T, text []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("decode %q: %v", text, err)
	}
	return v
}

func byValue(v any, floats bool) any {
	switch v := v.(type) {
	case map[string]any:
		for k, entry := range v {
			v[k] = byValue(entry, floats)
		}
	case []any:
		for i, item := range v {
			v[i] = byValue(item, floats)
		}
	case json.Number:
		return numberValue(v, floats)
	}
	return v
}

func numberValue(v json.Number, floats bool) any {
	f, err := v.Float64()
	if err != nil {
		return v.String() // out of range
	}
	if floats {
		return f
	}
	if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
		return n
	}
	if n, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
		return n
	}
	if n := int64(f); float64(n) == f && math.Abs(f) < 1<<63 {
		return n
	}
	return f
}

// compareFast holds what the block reader accepts against sigs.k8s.io/yaml, and says whether it accepted.
func compareFast(t *testing.T, text string) bool {
	t.Helper()
	if !tame(text) {
		return false
	}
	var b block
	if !b.readBlock(text, 0, len(text)) {
		return false
	}
	d := &Doc{text: text, source: NewText(text)}
	d.take(b.nodes, b.side)
	want, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		t.Fatalf("accepted what the library refuses (%v):\n%s\nas %s", err, text, d.Root().AppendJSON(nil))
	}
	got := d.Root().AppendJSON(nil)
	if diff := cmp.Diff(meaning(t, want), meaning(t, got)); diff != "" {
		t.Fatalf("means something else (-library +block):\n%s\ntext:\n%s", diff, text)
	}
	return true
}

func FuzzDifferential(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range split(text) {
			compareFast(t, text[p.start:p.end])
		}
	})
}

// TestCorpus holds every document of the real manifests beside the checkout against the library.
func TestCorpus(t *testing.T) {
	fast, slow := 0, 0
	for path, text := range corpusTexts(t) {
		for _, p := range split(text) {
			if compareFast(t, text[p.start:p.end]) {
				fast++
				continue
			}
			slow++
			if os.Getenv("SHOW_SLOW") != "" {
				var b block
				b.readBlock(text, p.start, p.end)
				l, _ := NewText(text).Position(b.p)
				t.Logf("%s:%d %q", path, l, NewText(text).Line(l))
			}
		}
	}
	t.Logf("%d documents by the block reader, %d by the library", fast, slow)
	if slow > fast/20 {
		t.Error("the library is meant for the rare documents")
	}
}

// TestWhatKubectlWritesIsReadFast holds the block reader to what sigs.k8s.io/yaml writes, and so
// kubectl get -o yaml: such documents are Lists of any size, which the library gets no more of
// than maxForeign.
func TestWhatKubectlWritesIsReadFast(t *testing.T) {
	for path, text := range corpusTexts(t) {
		docs, _ := Read(NewText(text), 1)
		for _, d := range docs {
			written, err := yaml.JSONToYAML(d.Root().AppendJSON(nil))
			if err != nil {
				t.Fatal(err)
			}
			if !compareFast(t, string(written)) {
				t.Errorf("%s: left to the library:\n%s", path, written)
			}
		}
	}
}

// TestMutations changes real manifests at random, line by line and token by token, which byte by
// byte a fuzzer takes long to do, and holds the block reader against the library. MUTATIONS is how
// many to try, SEED where to begin.
func TestMutations(t *testing.T) {
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
			return n
		}
		return otherwise
	}
	r := rand.New(rand.NewPCG(uint64(number("SEED", 1)), 0))
	lines := strings.SplitAfter(strings.Join(seeds(), "---\n"), "\n")
	texts := corpusTextsOrNone(t)
	for _, path := range slices.Sorted(maps.Keys(texts)) {
		if text := texts[path]; len(text) < 20_000 {
			lines = append(lines, strings.SplitAfter(text, "\n")...)
		}
	}
	fast, count := 0, number("MUTATIONS", 20_000)
	for range count {
		text := mutate(r, lines)
		if compareFast(t, text) {
			fast++
		}
	}
	t.Logf("%d of %d read by the block reader", fast, count)
}

// mutate takes some lines that stand together, and does a few things to them.
func mutate(r *rand.Rand, lines []string) string {
	from := r.IntN(len(lines))
	taken := slices.Clone(lines[from:min(len(lines), from+1+r.IntN(12))])
	for range r.IntN(4) {
		i, other := r.IntN(len(taken)), lines[r.IntN(len(lines))]
		switch line := taken[i]; r.IntN(9) {
		case 0: // indented more
			taken[i] = strings.Repeat(" ", 1+r.IntN(3)) + line
		case 1: // or less
			taken[i] = strings.TrimPrefix(line, strings.Repeat(" ", 1+r.IntN(2)))
		case 2: // with the end of another
			taken[i] = line[:r.IntN(len(line)+1)] + other[r.IntN(len(other)+1):]
		case 3: // followed by another
			taken[i] = line + other
		case 4: // left out
			taken[i] = ""
		case 5, 6: // with a token somewhere
			token := tokens[r.IntN(len(tokens))]
			at := r.IntN(len(line) + 1)
			taken[i] = line[:at] + token + line[at:]
		case 7: // with another value
			if key, _, found := strings.Cut(line, ": "); found {
				taken[i] = key + ": " + values[r.IntN(len(values))] + "\n"
			}
		case 8: // as an item
			taken[i] = "- " + line
		}
	}
	return strings.TrimLeft(strings.Join(taken, ""), "\n")
}

var tokens = []string{
	" ", "  ", "\n", "\n\n", ":", ": ", " #", "# ", "- ", "'", "\"", "''", "\\", "\\\n", "[", "]", "{", "}", ", ", "|", ">", "?", "&a ", "*a",
	"!!str ", "~", "\t", "---\n", "...\n", "%", "@", "<<: ", "é", "0", "-", ".", "e", "_", "\\x41", "\\u00e9", "x", "\n  ", "\n ", " \n",
}

var values = []string{
	"|", "|-", "|+", ">", ">-", ">+", "|2", "|1-", ">2+", "'a'", "\"a\"", "\"a\\", "'a", "[a, b]", "[a,", "{a: b}", "{a: b, c: [d]}", "[]", "{}",
	"1", "-1", "0", "007", "1.5", "1.", ".5", "1e3", "1_0", "0x1F", "-0b1", "+1", "-c", "--a", "-", "-1-2", "1-2", "2001-01-01", "1.2.3", "0.0", "-.inf", ".nan", "1e", "1e+",
	"12345678901234567890", "yes", "No", "on", "y", "null", "~", "Null", "<<", "=", "a b", "a: b", "a #b", "a# b", "*a", "&a b", "!a b", "% a", "@a", "`a`", "a:", ":a", "a ", "", "\"a\\n  \"", "\"\\u12", "\"\\x4g\"",
}

var blockCases = []string{
	"a: 1\nb: two\nc: [x, \"y\", 3]\nd: {e: f}\n",
	"a:\n- b\n- c: d\n  e: f\n-\n  g: h\n- - i\n  - j\n",
	"a: |\n  x\n   y\n\n  z\nb: >-\n  one\n  two\n\n  three\n",
	"a: text that\n  goes on\n\n  and on\nb: 'it''s'\nc: \"q\\n\\\"\"\n",
	"a: # comment\n  b: 1 # more\n# comment\n  c: yes\n",
	"---\na: 1\n---\nb: 2\n...\n",
	"- 1\n- -1\n- 0x10\n- 1_000\n- 1e3\n- .5\n- 010\n- 1.50\n- 10Gi\n- 2024-01-01\n- ~\n- null\n- 'null'\n",
	"\"a b\": 1\n'c': 2\n",
	"a: |+\n  x\n\n\nb: |\n\n  lead\nc:\n",
	"args: [\"--a=b\", '--c', -d, e]\nempty: {}\nnone: []\n",
	"key: value\nkey2:\n    deep:\n        - a\n        - b\n    more: c\n",
}

func TestBlockCases(t *testing.T) {
	for _, text := range blockCases {
		for _, p := range split(text) {
			if !compareFast(t, text[p.start:p.end]) {
				t.Logf("left to the library: %q", text[p.start:p.end])
			}
		}
	}
}
