package attack

import (
	"fmt"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/test/specimen"
)

// TestPathOfLongDocuments holds the paths in a document that is too long to be walked through for each step to those of a
// short one, and demands that it is looked at once.
func TestPathOfLongDocuments(t *testing.T) {
	for _, n := range []int{3, longDocument} {
		text := `{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {volumes: [` + strings.Repeat(`{name: v, hostPath: {path: /}}, `, n) + `{hostPath: {}}]}}`
		o := specimen.Objects(t, specimen.File("pod.yaml"), text)[0]
		r := &rater{}
		last := o.Root.At("spec", "volumes").Index(n)
		for want, at := range map[string]document.Value{
			"spec.volumes[v].hostPath.path.a[b.c]":             o.Root.At("spec", "volumes").Index(1).At("hostPath", "path"),
			fmt.Sprintf("spec.volumes[%d].hostPath.a[b.c]", n): last.Get("hostPath"),
			"a[b.c]": o.Root,
		} {
			if got, ok := r.path(o.Root, at, []string{"a", "b.c"}); !ok || got != want {
				t.Errorf("of %d volumes: %q %t, want %q", n, got, ok, want)
			}
		}
		if got, want := len(r.ancestries), boolInt(n == longDocument); got != want {
			t.Errorf("of %d volumes: %d documents were looked at as a whole, want %d", n, got, want)
		}
	}
}
