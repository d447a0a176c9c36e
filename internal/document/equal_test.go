package document_test

import (
	"bytes"
	"testing"

	"github.com/coaming/coaming/internal/document"
)

// TestEqual holds Equal to what AppendSorted writes, of every two of some values.
func TestEqual(t *testing.T) {
	var values []document.Value
	for _, text := range []string{
		`null`, `true`, `false`, `1`, `1.0`, `"1"`, `""`, `[]`, `{}`, `[1]`, `[1,2]`, `[2,1]`, `{"a":1}`, `{"a":null}`, `{"b":1}`, `{"a":1,"b":[2,{"c":3}]}`, `{"b":[2,{"c":3}],"a":1}`,
		`{"a":1,"b":[2,{"c":4}]}`, `{"b":[2,{"c":4}],"a":1}`, `{"a":1,"c":2}`,
	} {
		doc, bad := document.ParseJSON(text)
		if bad != nil {
			t.Fatal(bad)
		}
		values = append(values, doc.Root())
	}
	values = append(values, document.Value{})
	for _, a := range values {
		for _, b := range values {
			want := bytes.Equal(a.AppendSorted(nil), b.AppendSorted(nil))
			if got := document.Equal(a, b); got != want {
				t.Errorf("%s and %s: %v", a.AppendSorted(nil), b.AppendSorted(nil), got)
			}
		}
	}
}
