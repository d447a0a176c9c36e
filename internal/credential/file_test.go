package credential_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/credential"
)

// inPieces searches a text that comes so many bytes at a time.
func inPieces(at, text string, size int) []string {
	var s credential.Search
	s.Reset("another file")
	_, _ = s.Write([]byte("x"))
	s.Reset(at)
	for len(text) > 0 && s.More() {
		n := min(size, len(text))
		_, _ = s.Write([]byte(text[:n]))
		text = text[n:]
	}
	return s.Kinds()
}

// TestSearchInPieces asks that it does not matter how a file comes.
func TestSearchInPieces(t *testing.T) {
	text := strings.Repeat("a line of nothing\n", 20_000) + "DB_PASSWORD=kT9vQ2mZx7\nURL=postgres://a:kT9vQ2mZx7@db/x\n" + strings.Repeat("another\n", 3000) + "AKIAQ3EGR5T7ZXCV2BNM\n"
	want := []string{credential.AWSKey, credential.Password, credential.URLPassword}
	for _, size := range []int{1, 7, 4096, 1 << 20} {
		if got := inPieces("app/.env", text, size); !slices.Equal(got, want) {
			t.Errorf("%d bytes at a time: %v", size, got)
		}
	}
	if got := inPieces("app/key.p12", "\x30\x82\x01", 1); !slices.Equal(got, []string{credential.PrivateKey}) {
		t.Errorf("a store of keys: %v", got)
	}
}

// TestSearchTime demands time in proportion to the text, whatever it holds.
func TestSearchTime(t *testing.T) {
	for _, at := range []string{"a.yaml", "a.py", "a.sh", "a", "a.md", ".env", ".npmrc", "credentials.json"} {
		for _, piece := range append(slices.Clone(hostile), "password = '", "password='a' ", "eyJhbGciOiJub25lIn0.eyJpc3MiOiJh.", "-----BEGIN PRIVATE KEY-----\n") {
			text := strings.Repeat(piece, 1<<18/len(piece))
			start := time.Now()
			credential.InFile(at, []byte(text))
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("%s: a quarter MiB of %q took %v", at, piece, took)
			}
		}
	}
}

// FuzzSearch demands that nothing panics, and that what a file holds does not depend on the pieces that it comes in.
func FuzzSearch(f *testing.F) {
	for _, piece := range hostile {
		f.Add("app/a.yaml", piece+"x"+piece, 3)
	}
	f.Add("app/settings.py", "SECRET_KEY = 'kT9vQ2mZx7'\n", 5)
	f.Add("app/wp-config.php", "define( 'DB_PASSWORD', 'kT9vQ2mZx7' );\n", 5)
	f.Fuzz(func(t *testing.T, at, text string, size int) {
		whole := credential.InFile(at, []byte(text))
		if got := inPieces(at, text, max(1, size)); !slices.Equal(got, whole) {
			t.Errorf("%v in pieces of %d, %v as a whole", got, size, whole)
		}
	})
}
