package document

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	yamlv2 "go.yaml.in/yaml/v2"
	"sigs.k8s.io/yaml"
)

// library reads a stream as the YAML library splits it, and converts each document as
// sigs.k8s.io/yaml does: the JSON of every document that is not null, and the error that ended it.
func library(text string) (docs [][]byte, err error) {
	decoder := yamlv2.NewDecoder(strings.NewReader(text))
	for {
		var root any
		err := decode(decoder, &root)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return docs, err
		}
		if root == nil {
			continue
		}
		one, err := yamlv2.Marshal(root)
		if err != nil {
			return docs, err
		}
		converted, err := yaml.YAMLToJSON(one)
		if err != nil {
			return docs, err
		}
		docs = append(docs, converted)
	}
}

// compareRead holds Read to the library for a whole text: what the library accepts, Read accepts
// with the same value; what Read accepts, the library does, but for what is listed in excepted.
func compareRead(t *testing.T, text string) {
	t.Helper()
	decoded, fault := Decode(text)
	if fault != nil {
		checkError(t, text, fault)
		return
	}
	text = decoded.Content()
	docs, errs := Read(decoded, 1)
	for _, e := range errs {
		checkError(t, text, e)
	}
	for _, d := range docs {
		checkDoc(t, d)
	}
	want, err := library(text)
	switch {
	case err != nil && len(errs) == 0:
		if !excepted(text) {
			t.Fatalf("accepted what the library refuses (%v):\n%q\nas %s", err, text, all(docs))
		}
		return
	case err == nil && len(errs) > 0:
		for _, e := range errs {
			if e.Code != CodeTooLarge && e.Code != CodeDuplicate {
				t.Fatalf("refused what the library accepts (%v):\n%q\nas %s", e, text, bytes.Join(want, []byte("\n")))
			}
		}
		return
	case err != nil:
		return
	}
	if isJSONStream(text) {
		return // FuzzJSON's: JSON is read by JSON's rules
	}
	if len(docs) != len(want) {
		t.Fatalf("%d documents, library %d:\n%q", len(docs), len(want), text)
	}
	for i, d := range docs {
		got := meaning(t, d.Root().AppendJSON(nil))
		diff := cmp.Diff(meaning(t, want[i]), got)
		if diff == "" {
			continue
		}
		// The library's detour by its own writer loses a key like -.0: ask it for this document alone.
		if alone, err := yaml.YAMLToJSON([]byte(text[d.start:d.end])); err != nil || !cmp.Equal(meaning(t, alone), got) {
			t.Fatalf("document %d means something else (-library +read):\n%s\ntext:\n%q", i, diff, text)
		}
	}
}

func isJSONStream(text string) bool {
	_, err := parseJSONStream(NewText(text), maxDepth)
	return looksJSON(text) && err == nil
}

func all(docs []*Doc) string {
	var b []byte
	for _, d := range docs {
		b = append(d.Root().AppendJSON(b), '\n')
	}
	return string(b)
}

// excepted says whether Read may take what the library refuses: JSON values one after the other,
// or a stream of which every document by itself is fine to the library, whatever stands between
// them: markers without a document, a document behind "..." without "---", %YAML directives, and
// blank lines and comments with characters that YAML forbids.
func excepted(text string) bool {
	if isJSONStream(text) {
		return true
	}
	for _, p := range split(text) {
		if docs, err := library(text[p.start:p.end]); err != nil || len(docs) > 1 {
			return false
		}
	}
	return true
}

// checkError holds an Error to its promises.
func checkError(t *testing.T, text string, e *Error) {
	t.Helper()
	if e.Line < 1 || e.Line > strings.Count(text, "\n")+1 || e.Column < 0 || e.Remedy == "" || e.Message == "" || e.Code == "" {
		t.Fatalf("bad error %+v for %q", e, text)
	}
}

// checkDoc walks a document: every node is reached once, has a path that leads back to it, a
// parent and a place inside the document.
func checkDoc(t *testing.T, d *Doc) {
	t.Helper()
	if doubt := d.Doubt(); doubt != nil {
		checkError(t, d.source.content, doubt)
	}
	checkValue(t, d.Root(), Value{})
	start, end := d.Span()
	for i := range d.nodes {
		v := Value{d, uint32(i)}
		if back := d.Root().Follow(v.Steps()); back != v {
			t.Fatalf("path %v of node %d leads to node %d", v.Steps(), i, back.i)
		}
		line, column := v.Position()
		if at := d.source.Offset(line) + column - 1; line < 1 || at < start || at > end {
			t.Fatalf("node %d of %q is at %d:%d, offset %d, outside of %d to %d", i, d.source.content, line, column, at, start, end)
		}
		if from, to, ok := v.Extent(); ok && (from < start || to > end || from > to) {
			t.Fatalf("node %d of %q stands from %d to %d, outside of %d to %d", i, d.source.content, from, to, start, end)
		}
		if from, _, ok := v.Extent(); ok && v.Key() != "" {
			if text := d.source.content[from:]; text[0] != '"' && text[0] != '\'' && !strings.HasPrefix(text, v.Key()) {
				t.Fatalf("key %q of %q stands at %q", v.Key(), d.source.content, text)
			}
		}
		if i > 0 && d.foreign == nil && d.offset(uint32(i)) < d.offset(uint32(i-1)) {
			t.Fatalf("node %d of %q stands before the one before it", i, d.source.content)
		}
	}
}

func checkValue(t *testing.T, v, parent Value) {
	t.Helper()
	if v.Parent() != parent {
		t.Fatalf("parent of %v", v.Steps())
	}
	n := 0
	for key, entry := range v.Fields() {
		n++
		if entry.Key() != key || v.Get(key) != entry {
			t.Fatalf("key %q of %v", key, v.Steps())
		}
		if !slices.Contains(v.Find(key, entry.Kind()), entry) {
			t.Fatalf("not found: key %q of %v", key, v.Steps())
		}
		checkValue(t, entry, v)
	}
	for i, item := range v.Items() {
		if i != n || v.Index(i) != item || item.Key() != "" {
			t.Fatalf("item %d of %v", i, v.Steps())
		}
		n++
		checkValue(t, item, v)
	}
	if n != v.Len() {
		t.Fatalf("%d entries of %d in %v", n, v.Len(), v.Steps())
	}
}

func TestReadAsTheLibraryDoes(t *testing.T) {
	for _, text := range seeds() {
		compareRead(t, text)
	}
	for path, text := range corpusTextsOrNone(t) {
		if testing.Short() && len(text) > 100_000 {
			continue
		}
		if _, err := library(text); err != nil {
			continue // a template
		}
		docs, _ := Read(NewText(text), 1)
		want, _ := library(text)
		if len(docs) != len(want) {
			t.Fatalf("%s: %d documents, want %d", path, len(docs), len(want))
		}
		for i, d := range docs {
			if diff := cmp.Diff(meaning(t, want[i]), meaning(t, d.Root().AppendJSON(nil))); diff != "" {
				t.Errorf("%s: document %d (-library +read):\n%s", path, i, diff)
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, text := range seeds() {
		f.Add(text)
	}
	for _, text := range jsonSeeds {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		compareRead(t, text)
	})
}
