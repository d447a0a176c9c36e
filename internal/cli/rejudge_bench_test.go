package cli_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/cli"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/hold"
)

var (
	systemNames = []string{"openssl", "perl", "curl", "nginx", "glibc", "zlib", "expat", "git", "python3.11", "systemd"}
	moduleNames = []string{"lodash", "express", "minimist", "qs", "left-pad"}
)

// BenchmarkRejudge judges 10,000 stored images anew, each with 300 packages in versions of its own mix, some fifty of them with findings, by the
// index that COAMING_BENCH_DB names, or by a small one of the same packages.
func BenchmarkRejudge(b *testing.B) {
	db := os.Getenv("COAMING_BENCH_DB")
	if db == "" {
		db = smallIndex(b)
	}
	const images, packages = 10_000, 300
	dir := b.TempDir()
	store := &hold.Store{Dir: dir}
	for i := range images {
		r := &hold.Record{Name: fmt.Sprintf("registry.example/app-%d", i), Catalogued: time.Unix(1, 0).UTC()}
		r.Image = fact.Image{Name: r.Name, Digest: fmt.Sprintf("sha256:%064d", i)}
		for n := range packages {
			p := fact.Package{Ecosystem: "Debian:12", Name: systemNames[n%len(systemNames)], Version: fmt.Sprintf("%d:1.%d-%d", 99, (i+n)%40, n), Place: "var/lib/dpkg/status"}
			if n%2 == 1 {
				p = fact.Package{Ecosystem: "npm", Name: moduleNames[n%len(moduleNames)], Version: fmt.Sprintf("%d.%d.%d", 4+(i+n)%4, n%30, n), Place: fmt.Sprintf("srv/node_modules/m%d/package.json", n)}
			}
			if n == 0 {
				p.Version = "1.1-1" // one with all that was ever published about it
			}
			r.Image.Packages = append(r.Image.Packages, p)
		}
		raw, err := r.MarshalBinary()
		if err != nil {
			b.Fatal(err)
		}
		if err := store.Put(hold.Image, r.Name, raw); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for b.Loop() {
		code, out := run(b, "image", "rejudge", "--store", dir, "--db", db)
		if code != 1 || !bytes.Contains(out.Bytes(), []byte("10000 images judged again")) && !bytes.Contains(out.Bytes(), []byte("10,000 images judged again")) {
			b.Fatalf("exit %d: %.200s", code, out.String())
		}
	}
}

func run(b *testing.B, args ...string) (code int, out *bytes.Buffer) {
	out = &bytes.Buffer{}
	code = cli.Run(b.Context(), cli.Env{
		Args: args, Stdout: out, Stderr: io.Discard, Stdin: &bytes.Buffer{}, Now: time.Now, Name: "coaming", Getenv: func(string) string { return "" },
	})
	return code, out
}

// smallIndex is of advisories about the packages of the images: about each six, of which one in eight versions or so is affected.
func smallIndex(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	for i, name := range append(slices.Clone(systemNames), moduleNames...) {
		for n := range 6 {
			ecosystem, kind, fixed := "Debian:12", "ECOSYSTEM", fmt.Sprintf("99:1.%d-0", 2+n)
			if i >= len(systemNames) {
				ecosystem, kind, fixed = "npm", "SEMVER", fmt.Sprintf("4.%d.0", n)
			}
			text := fmt.Sprintf(`{"id": "A-%d-%d", "aliases": ["CVE-2026-%d%02d"], "modified": "2026-01-01T00:00:00Z",
				"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}],
				"affected": [{"package": {"ecosystem": %q, "name": %q}, "ranges": [{"type": %q, "events": [{"introduced": "0"}, {"fixed": %q}]}]}]}`,
				i, n, 100+i, n, ecosystem, name, kind, fixed)
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d-%d.json", i, n)), []byte(text), 0o600); err != nil {
				b.Fatal(err)
			}
		}
	}
	file := filepath.Join(b.TempDir(), "small.db")
	if code, out := run(b, "db", "build", dir, "-o", file); code != 0 {
		b.Fatalf("exit %d: %.200s", code, out.String())
	}
	return file
}
