package drift

import (
	"encoding/json"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestFirst(t *testing.T) {
	const want = `{"apiVersion":"v1","kind":"P","metadata":{"name":"a","labels":{"l":"1"}},"spec":{"n":3,"list":[{"a":"b"}],"hard":{"pods":"20"},"none":{}}}`
	for name, test := range map[string]struct{ live, at string }{
		"the same":         {`{"metadata":{"name":"a","uid":"u","labels":{"l":"1","other":"2"}},"spec":{"n":3,"list":[{"a":"b"}],"hard":{"pods":"20"}},"status":{"x":1}}`, ""},
		"filled in":        {`{"metadata":{"labels":{"l":"1"}},"spec":{"n":3.0,"list":[{"a":"b","scope":"*"}],"hard":{"pods":"20"},"matchPolicy":"Equivalent","timeoutSeconds":10,"objectSelector":{}}}`, ""},
		"another value":    {`{"metadata":{"labels":{"l":"1"}},"spec":{"n":4,"list":[{"a":"b"}],"hard":{"pods":"20"}}}`, "spec.n"},
		"one more":         {`{"metadata":{"labels":{"l":"1"}},"spec":{"n":3,"list":[{"a":"b"},{"a":"c"}],"hard":{"pods":"20"}}}`, "spec.list"},
		"a field more":     {`{"metadata":{"labels":{"l":"1"}},"spec":{"n":3,"list":[{"a":"b"}],"hard":{"pods":"20"},"scopes":["Terminating"]}}`, "spec.scopes"},
		"a part more":      {`{"metadata":{"labels":{"l":"1"}},"spec":{"n":3,"list":[{"a":"b"}],"hard":{"pods":"20"}},"data":{"a":"b"}}`, "data"},
		"no label":         {`{"metadata":{},"spec":{"n":3,"list":[{"a":"b"}],"hard":{"pods":"20"}}}`, "metadata.labels[l]"},
		"a field less":     {`{"metadata":{"labels":{"l":"1"}},"spec":{"n":3,"list":[{"a":"b"}]}}`, "spec.hard"},
		"another selector": {`{"metadata":{"labels":{"l":"1"}},"spec":{"n":3,"list":[{"a":"b"}],"hard":{"pods":"20"},"objectSelector":{"matchLabels":{"a":"b"}}}}`, "spec.objectSelector"},
		"nothing":          {`{}`, "metadata.labels[l]"},
	} {
		if got := First(read(t, want), read(t, test.live)); got != test.at {
			t.Errorf("%s: at %q, want %q", name, got, test.at)
		}
	}
}

func read(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(text), &o.Object); err != nil {
		t.Fatal(err)
	}
	return o
}
