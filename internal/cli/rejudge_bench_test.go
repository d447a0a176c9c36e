package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/cli"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/hold"
)

// BenchmarkRejudge judges 10,000 stored images anew, each with 300 packages in versions of its own mix, some fifty of them with findings, by the
// index that COAMING_BENCH_DB names.
func BenchmarkRejudge(b *testing.B) {
	db := os.Getenv("COAMING_BENCH_DB")
	if db == "" {
		b.Skip("COAMING_BENCH_DB names no index of advisories")
	}
	const images, packages = 10_000, 300
	dir := b.TempDir()
	store := &hold.Store{Dir: dir}
	names := []string{"openssl", "perl", "curl", "nginx", "glibc", "zlib", "expat", "git", "python3.11", "systemd"}
	for i := range images {
		r := &hold.Record{Name: fmt.Sprintf("registry.example/app-%d", i), Catalogued: time.Unix(1, 0).UTC()}
		r.Image = fact.Image{Name: r.Name, Digest: fmt.Sprintf("sha256:%064d", i)}
		for n := range packages {
			p := fact.Package{Ecosystem: "Debian:12", Name: names[n%len(names)], Version: fmt.Sprintf("%d:1.%d-%d", 99, (i+n)%40, n), Place: "var/lib/dpkg/status"}
			if n%2 == 1 {
				p = fact.Package{Ecosystem: "npm", Name: []string{"lodash", "express", "minimist", "qs", "left-pad"}[n%5], Version: fmt.Sprintf("%d.%d.%d", 4+(i+n)%4, n%30, n), Place: fmt.Sprintf("srv/node_modules/m%d/package.json", n)}
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
		var out bytes.Buffer
		code := cli.Run(context.Background(), cli.Env{
			Args: []string{"image", "rejudge", "--store", dir, "--db", db}, Stdout: &out, Stderr: io.Discard, Stdin: &out, Now: time.Now, Name: "coaming",
			Getenv: func(string) string { return "" },
		})
		if code != 1 || !bytes.Contains(out.Bytes(), []byte("10000 images judged again")) && !bytes.Contains(out.Bytes(), []byte("10,000 images judged again")) {
			b.Fatalf("exit %d: %.200s", code, out.String())
		}
	}
}
