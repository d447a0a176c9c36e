package vulndb

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/advisory"
)

const realData = "../../../shared/vulndata"

// BenchmarkBuild is a whole build of the real records, from zips to the file.
func BenchmarkBuild(b *testing.B) {
	if _, err := os.Stat(realData); err != nil {
		b.Skip("no ../shared/vulndata beside this checkout")
	}
	for b.Loop() {
		builder := advisory.NewBuilder()
		if unread, err := Read(b.Context(), builder, realData); err != nil || len(unread) > 0 {
			b.Fatal(err, unread)
		}
		if err := Write(filepath.Join(b.TempDir(), FileName), func(w io.Writer) error {
			_, err := builder.Write(w, time.Unix(0, 0), 1)
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
}

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
