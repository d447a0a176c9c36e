package source

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wholeOf is everything that a reading tells.
func wholeOf(t *testing.T, r *Reading) string {
	t.Helper()
	ledger, err := json.Marshal(r.Coverage)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	text.WriteString(string(ledger))
	for _, o := range r.Objects {
		line, column := o.Root.Position()
		place, err := json.Marshal([]any{o.Origin.Source, o.Origin.File, line, column})
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString("\n" + string(place) + string(o.Root.AppendJSON(nil)))
	}
	return text.String()
}

func digest(t *testing.T, o FileOptions) (sum string, ok bool) {
	t.Helper()
	p, err := Prepare(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	raw, ok, err := p.Digest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(raw[:]), ok
}

// TestDigest changes every file of a tree in several ways, one at a time: where another reading
// comes of it, the digest must be another, too.
func TestDigest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "shop")
	if err := os.CopyFS(dir, os.DirFS("../../examples/shop")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(dir))
	o := FileOptions{Paths: []string{"shop"}, Values: []string{"shop/chart/values-prod.yaml"}}
	same, ok := digest(t, o)
	if !ok {
		t.Fatal("no digest")
	}
	if again, _ := digest(t, o); again != same {
		t.Fatal("the digest of the same tree is another")
	}
	before := wholeOf(t, read(t, o))
	differed := 0
	try := func(what string) {
		if sum, ok := digest(t, o); ok && sum == same && wholeOf(t, read(t, o)) != before {
			t.Errorf("%s: another reading, and the same digest", what)
		} else if !ok || sum != same {
			differed++
		}
	}
	var files []string
	err := filepath.WalkDir("shop", func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		write := func(to []byte) {
			if err := os.WriteFile(path, to, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write(append(slices.Clone(text), "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n"...))
		try(path + " with more")
		write(bytes.ToUpper(text))
		try(path + " in capitals")
		write(nil)
		try(path + " empty")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(path, "values-prod") { // it is named, and must be there
			try("without " + path)
		}
		write(text)
		for _, name := range []string{".coamingignore", "added.yaml", "kustomization.yaml"} {
			more := filepath.Join(filepath.Dir(path), name)
			if _, err := os.Stat(more); err == nil {
				continue
			}
			if err := os.WriteFile(more, []byte(filepath.Base(path)+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			try(more)
			if err := os.Remove(more); err != nil {
				t.Fatal(err)
			}
		}
	}
	if sum, _ := digest(t, o); sum != same {
		t.Error("the digest of the tree as it was is another")
	}
	if differed < 2*len(files) {
		t.Errorf("%d of %d files and more changed the digest: the test compares nothing", differed, len(files))
	}
	for what, other := range map[string]FileOptions{
		"other paths":  {Paths: []string{"shop/base"}},
		"a value":      {Paths: o.Paths, Values: o.Values, Set: []string{"a=b"}},
		"no values":    {Paths: o.Paths},
		"a version":    {Paths: o.Paths, Values: o.Values, KubeVersion: "v1.30.0"},
		"another file": {Paths: []string{"shop", "shop/base/cart.yaml"}, Values: o.Values},
	} {
		if sum, _ := digest(t, other); sum == same {
			t.Errorf("%s: the same digest", what)
		}
	}
	if _, ok := digest(t, FileOptions{Paths: []string{"-"}, Stdin: strings.NewReader("")}); ok {
		t.Error("a digest of a stream")
	}
}
