package credential

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write published.txt anew from the sources that COAMING_PUBLISHED names")

// keysIn calls yield with every private key in the files below a directory.
func keysIn(t testing.TB, root string, yield func(at, lines string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || path.Ext(file) == ".txt" {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(text), "PRIVATE KEY-----") {
			return err
		}
		at, _ := filepath.Rel(root, file)
		for s := string(text); ; {
			head, rest, found := strings.Cut(s, "PRIVATE KEY-----")
			if !found {
				return nil
			}
			s = rest
			body, _, _ := strings.Cut(rest[:min(len(rest), maxKey)], "-----END ")
			if lines := materialOf(body); strings.Contains(head[max(0, len(head)-40):], "-----BEGIN ") && holdsKey(lines) {
				yield(filepath.ToSlash(at), lines)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestPublishedKeys asks that no key of Go's own sources is told where it belongs, and every one of them elsewhere. With -update it
// writes the list, from directories that COAMING_PUBLISHED names as NAME=DIR: the keys below DIR are those that end so there.
func TestPublishedKeys(t *testing.T) {
	if *update {
		lines := map[string]bool{}
		for word := range strings.FieldsSeq(os.Getenv("COAMING_PUBLISHED")) {
			name, dir, _ := strings.Cut(word, "=")
			keysIn(t, dir, func(at, key string) { lines[keyDigest(key)+" "+strings.TrimPrefix(name+"/"+at, "/")] = true })
		}
		text := "# Private keys that projects publish with their sources, for tests and examples: digest, and how the path of the file ends.\n" +
			"# From the sources of Go 1.26, the test suites of Python 3.11 and 3.13, and OpenSSL 3.5.\n" + strings.Join(slices.Sorted(maps.Keys(lines)), "\n") + "\n"
		if err := os.WriteFile("published.txt", []byte(text), 0o644); err != nil { //nolint:gosec // it is source
			t.Fatal(err)
		}
		t.Skip("published.txt is written: run the test again without -update")
	}
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Skipf("no go here: %v", err)
	}
	count := 0
	keysIn(t, strings.TrimSpace(string(out)), func(at, key string) {
		count++
		text := []byte(fmt.Sprintf("-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n", key))
		if got := InFile("usr/local/go/"+at, text); len(got) > 0 {
			t.Errorf("%s: %v", at, got)
		}
		if got := InFile("etc/tls/server.key", text); !slices.Equal(got, []string{PrivateKey}) {
			t.Errorf("%s at another path: %v", at, got)
		}
		own := []byte(strings.Replace(string(text), key[len(key)/2:len(key)/2+8], "AAAAAAAA", 1))
		if got := InFile("usr/local/go/"+at, own); !slices.Equal(got, []string{PrivateKey}) {
			t.Errorf("another key at %s: %v", at, got)
		}
	})
	t.Logf("%d keys in Go's sources, %d known", count, len(published()))
	if count == 0 || len(published()) < 100 {
		t.Errorf("%d keys found, %d known", count, len(published()))
	}
}
