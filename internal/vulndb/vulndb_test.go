package vulndb

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestWriteIsWhole fails in the middle: the old file stays, and nothing else.
func TestWriteIsWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "index")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the disk is full")
	err := Write(path, func(w io.Writer) error {
		_, _ = io.WriteString(w, "new") // the error below is the one that counts
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(path); err != nil || string(raw) != "old" {
		t.Errorf("%q %v, want the old file", raw, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%v %v is left, want the old file alone", left, err)
	}
}
