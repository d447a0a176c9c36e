package image

import (
	"archive/tar"
	"fmt"
	"strings"
	"testing"
)

// TestKnownFiles finds files by the digests that a user gives, beside the one that is built in.
func TestKnownFiles(t *testing.T) {
	at := layout(t, tarOf(t, tar.Header{Name: "srv/a", Linkname: "malware"}, tar.Header{Name: "srv/b", Linkname: "harmless"}))
	digest := strings.TrimPrefix(digestOf([]byte("malware")), "sha256:")
	for name, tt := range map[string]struct {
		list string
		want int
	}{
		"none":                   {"", 0},
		"one":                    {digest + "  a miner", 1},
		"in capitals":            {strings.ToUpper(digest) + "\ta miner\r\n", 1},
		"with a prefix":          {"# of today\n\nsha256:" + digest + " *a miner\n", 1},
		"with its size":          {digest + " size=7 a miner", 1},
		"with another size":      {digest + " size=8 a miner", 0},
		"two sizes are doubtful": {digest + " size=8 another\n" + digest + " size=9 a miner", 1},
		"no such file":           {strings.Repeat("0", 64) + " x", 0},
	} {
		known, err := ReadKnownBad("list", strings.NewReader(tt.list))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		img, _ := mustRead(t, at, Options{Known: known})
		if got := img.Contents.Matches; len(got) != tt.want || tt.want == 1 && (got[0].Path != "srv/a" || got[0].What != "a miner") {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// TestReadKnownBad refuses lists that say less than they seem to.
func TestReadKnownBad(t *testing.T) {
	digest := strings.Repeat("ab", 32)
	for list, want := range map[string]string{
		"abc x":                            "line 1: it begins with no SHA-256",
		digest + " ok\n" + digest:          "line 2: nothing behind the digest",
		digest + " size=many x":            "is no size in bytes",
		digest + " size=0 x":               "is no size in bytes",
		digest + " size=3":                 "nothing behind the digest",
		strings.Repeat("g", 64) + " x":     "it begins with no SHA-256",
		digest + strings.Repeat(" x", 200): "more than 200 bytes",
		strings.Repeat("x", 1<<17):         "token too long",
		strings.Repeat("bad\n", 1000):      "line 20:",
	} {
		_, err := ReadKnownBad("list", strings.NewReader(list))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "line 21:") {
			t.Errorf("%.80q: got %.300v, want %q", list, err, want)
		}
	}
	if known, err := ReadKnownBad("list", strings.NewReader(digest+" size=3 x")); err != nil || known.mayHave(4) || !known.mayHave(3) || !known.mayHave(68) {
		t.Errorf("files of other sizes are hashed: %+v, %v", known, err)
	}
	var many strings.Builder
	for i := range maxKnownBad + 1 {
		fmt.Fprintf(&many, "%064x x\n", i)
	}
	if _, err := ReadKnownBad("list", strings.NewReader(many.String())); err == nil {
		t.Error("a list without end is read")
	}
}

// FuzzKnownBad reads anything as a list.
func FuzzKnownBad(f *testing.F) {
	f.Add(strings.Repeat("ab", 32) + " size=3 x\n# y\n")
	f.Fuzz(func(t *testing.T, list string) {
		if known, err := ReadKnownBad("list", strings.NewReader(list)); err == nil && len(known.files) == 0 {
			t.Error("the built-in one is lost")
		}
	})
}
