package advisory

import (
	"bytes"
	"testing"

	"github.com/coaming/coaming/internal/purl"
)

// FuzzJoin reads the catalogues that are joined in.
func FuzzJoin(f *testing.F) {
	f.Add([]byte(`{"vulnerabilities":[{"cveID":"CVE-2026-1"}]}`), uint8(0))
	f.Add([]byte("#m\ncve,epss,percentile\nCVE-2026-1,0.5,0.9\n"), uint8(1))
	f.Add([]byte("CVE-2026-1\t9.8\tCVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\t0\n"), uint8(2))
	f.Fuzz(func(t *testing.T, text []byte, which uint8) {
		b := NewBuilder()
		in := bytes.NewReader(text)
		if err := []error{b.JoinKEV(in), b.JoinEPSS(bytes.NewReader(text)), b.JoinCVSS(bytes.NewReader(text))}[which%3]; err != nil {
			return
		}
		for name, c := range b.cves {
			if c.likelihood > 1 || c.score < 0 || c.score > 10 || name == "" {
				t.Errorf("%s: %+v", name, c)
			}
		}
	})
}

// FuzzPURL reads package URLs, and asks about them.
func FuzzPURL(f *testing.F) {
	for _, text := range []string{"pkg:npm/%40a/b@1.0.0", "pkg:deb/debian/openssl@3?distro=debian-12&epoch=1&upstream=a@2", "pkg:rpm/suse/a@1?distro=sles-15.5", "pkg:golang/a/b@v1#c"} {
		f.Add(text)
	}
	x, err := Open(widest(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := purl.Parse(text)
		if err != nil {
			return
		}
		if _, err := x.Match(&Question{Packages: []Package{Named(u)}}); err != nil {
			t.Error(err)
		}
	})
}
