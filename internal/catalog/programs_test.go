package catalog_test

import (
	"regexp"
	"testing"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
)

// checkPrograms holds that no repository stands for two programs.
func checkPrograms(t *testing.T, root document.Value) {
	only(t, root, "stores", "consoles")
	name := regexp.MustCompile(`^([a-z0-9._-]+/)?[a-z0-9._-]+$`)
	seen := map[string]bool{}
	for _, key := range []string{"stores", "consoles"} {
		if root.Get(key).Len() == 0 {
			t.Errorf("no %s", key)
		}
		for program, names := range root.Get(key).Fields() {
			if names.Len() == 0 {
				t.Errorf("%s has no image", program)
			}
			for _, n := range names.Items() {
				if !name.MatchString(n.Str()) || seen[n.Str()] {
					t.Errorf("%q is no last part of a repository, or stands there twice", n.Str())
				}
				seen[n.Str()] = true
			}
		}
	}
}

func TestPrograms(t *testing.T) {
	tests := map[string]struct{ store, console string }{
		"postgres":        {store: "PostgreSQL"},
		"postgres:16.2":   {store: "PostgreSQL"},
		"PostgreSQL":      {store: "PostgreSQL"},
		"my/postgres-job": {},
		"quay.io/argoproj/argocd:v3@sha256:0123456789012345678901234567890123456789012345678901234567890123": {console: "Argo CD"},
		"registry.example.com:5000/data/redis": {store: "Redis"},
		"":                                     {},
		"postgres/":                            {},
		"nginx":                                {},
		"kubernetesui/dashboard:v2.7.0":        {console: "Kubernetes Dashboard"},
		"mcr.microsoft.com/mssql/server:2022":  {store: "SQL Server"},
		"example.com/my/dashboard":             {},
	}
	for image, want := range tests {
		if got := catalog.StoreOf(image); got != want.store {
			t.Errorf("%q runs the store %q, want %q", image, got, want.store)
		}
		if got := catalog.ConsoleOf(image); got != want.console {
			t.Errorf("%q runs the console %q, want %q", image, got, want.console)
		}
	}
}
