package document

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// meaning decodes JSON for comparison, numbers by value: integers to the last digit.
func meaning(t *testing.T, text []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("decode %q: %v", text, err)
	}
	return byValue(v)
}

func byValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, entry := range v {
			v[k] = byValue(entry)
		}
	case []any:
		for i, item := range v {
			v[i] = byValue(item)
		}
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n
		}
		if n, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		if n := int64(f); float64(n) == f && n > -1<<53 && n < 1<<53 {
			return n
		}
		return f
	}
	return v
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
	root := "../../../shared/corpus"
	if _, err := os.Stat(root); err != nil {
		t.Skip("no ../shared/corpus beside this checkout")
	}
	fast, slow := 0, 0
	err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, p := range split(string(raw)) {
			if compareFast(t, string(raw[p.start:p.end])) {
				fast++
				continue
			}
			slow++
			if os.Getenv("SHOW_SLOW") != "" {
				var b block
				b.readBlock(string(raw), p.start, p.end)
				l, _ := NewText(string(raw)).Position(b.p)
				t.Logf("%s:%d %q", path, l, NewText(string(raw)).Line(l))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d documents by the block reader, %d by the library", fast, slow)
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
