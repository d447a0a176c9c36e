package catalog_test

import (
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
)

// checkTools demands that each name stands once among the tools and once among the daemons, as the name of a file, and is found.
func checkTools(t *testing.T, root document.Value) {
	t.Helper()
	for key, find := range map[string]func(string) string{"tools": catalog.ToolOf, "daemons": catalog.DaemonOf} {
		if root.Get(key).Len() == 0 {
			t.Errorf("%s is empty", key)
		}
		for class, names := range root.Get(key).Fields() {
			for _, name := range names.Items() {
				if n := name.Str(); n == "" || strings.ContainsAny(n, "/ ") || find(n) != class {
					t.Errorf("%s: %q is of %q, and found as %q", key, n, class, find(n))
				}
			}
		}
	}
}
