package vulndb

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/advisory"
)

// TestNamesTellEcosystemsApart asks that zips of one name are told by their folders, however they are named on the command line.
func TestNamesTellEcosystemsApart(t *testing.T) {
	root := t.TempDir()
	for _, file := range []string{"npm/all.zip", "Go/all.zip", "Go/more.zip", "loose/1.json"} {
		put(t, filepath.Join(root, file), `{"id":"`+filepath.Base(filepath.Dir(file))+`","affected":[{"package":{"ecosystem":"npm","name":"a"},"versions":["1.0.0"]}]}`)
	}
	t.Chdir(filepath.Join(root, "npm"))
	for name, of := range map[string]struct{ paths, want []string }{
		"the folder above":  {[]string{root}, []string{"Go/all.zip", "Go/more.zip", filepath.Base(root), "npm/all.zip"}},
		"each folder":       {[]string{root + "/npm", root + "/Go"}, []string{"Go/all.zip", "more.zip", "npm/all.zip"}},
		"each zip":          {[]string{root + "/npm/all.zip", root + "/Go/all.zip"}, []string{"Go/all.zip", "npm/all.zip"}},
		"the folder itself": {[]string{"."}, []string{"npm/all.zip"}},
		"the zip beside us": {[]string{"all.zip"}, []string{"npm/all.zip"}},
		"a relative path":   {[]string{"../Go/all.zip"}, []string{"Go/all.zip"}},
		"loose records":     {[]string{"../loose"}, []string{"loose"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := advisory.NewBuilder()
			for _, path := range of.paths {
				if unread, err := Read(t.Context(), b, path); err != nil || len(unread) > 0 {
					t.Fatal(unread, err)
				}
			}
			about, err := b.Write(io.Discard, time.Unix(0, 0), 1)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range about.Sources {
				got = append(got, s.Name)
			}
			if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(of.want))) {
				t.Errorf("%q, want %q", got, of.want)
			}
		})
	}
}

// put writes a record, into a zip where the name says so.
func put(t *testing.T, path, record string) {
	t.Helper()
	content := []byte(record)
	if filepath.Ext(path) == ".zip" {
		var packed bytes.Buffer
		z := zip.NewWriter(&packed)
		w, err := z.Create("1.json")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		content = packed.Bytes()
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}
