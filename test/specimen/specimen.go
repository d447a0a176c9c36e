// Package specimen makes objects of the manifests that tests are written with. Tests alone import it.
package specimen

import (
	"testing"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// Values are the documents of a text, which must parse.
func Values(t testing.TB, text string) []document.Value {
	t.Helper()
	docs, errs := document.Read(document.NewText(text), 1)
	if len(errs) > 0 {
		t.Fatalf("%v in:\n%s", errs[0], text)
	}
	values := make([]document.Value, 0, len(docs))
	for _, d := range docs {
		values = append(values, d.Root())
	}
	return values
}

// Value is the one document of a text.
func Value(t testing.TB, text string) document.Value {
	t.Helper()
	values := Values(t, text)
	if len(values) != 1 {
		t.Fatalf("%d documents, want one:\n%s", len(values), text)
	}
	return values[0]
}

// Objects are those of a text, with the lists among them opened.
func Objects(t testing.TB, origin fact.Origin, text string) []*fact.Object {
	t.Helper()
	var objects []*fact.Object
	for _, v := range Values(t, text) {
		items := v.Get("items")
		if items.Kind() != document.List {
			objects = append(objects, fact.NewObject(v, &origin))
			continue
		}
		for _, item := range items.Items() {
			objects = append(objects, fact.NewObject(item, &origin))
		}
	}
	return objects
}

// File is where an object of a file comes from.
func File(name string) fact.Origin { return fact.Origin{Source: "files", File: name} }
