package document

import (
	"maps"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"
)

// corpusParts are the documents of the real manifests that both readers read.
func corpusParts(b *testing.B) (texts []*Text, size int64) {
	b.Helper()
	all := corpusTexts(b)
	for _, path := range slices.Sorted(maps.Keys(all)) {
		text := NewText(all[path])
		if _, errs := Read(text, 1); len(errs) > 0 {
			continue
		}
		texts = append(texts, text)
		size += int64(len(text.content))
	}
	return texts, size
}

func BenchmarkRead(b *testing.B) {
	texts, size := corpusParts(b)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for _, t := range texts {
			Read(t, 1)
		}
	}
}

// BenchmarkLibrary is the same work by sigs.k8s.io/yaml, which knows no positions.
func BenchmarkLibrary(b *testing.B) {
	texts, size := corpusParts(b)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for _, t := range texts {
			for _, p := range split(t.content) {
				var v any
				if err := yaml.Unmarshal([]byte(t.content[p.start:p.end]), &v); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
}

func BenchmarkJSON(b *testing.B) {
	texts, _ := corpusParts(b)
	var list []string
	size := int64(0)
	for _, t := range texts {
		docs, _ := Read(t, 1)
		for _, d := range docs {
			list = append(list, string(d.Root().AppendJSON(nil)))
			size += int64(len(list[len(list)-1]))
		}
	}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for _, text := range list {
			if _, err := ParseJSON(text); err != nil {
				b.Fatal(err)
			}
		}
	}
}
