package advisory

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/osv-scalibr/semantic"
)

// realPackages draws packages out of the real records, each once: three in four at the newest version that the records name,
// as in an image that is mended, the others at the oldest.
func realPackages(b *testing.B, n int) []Package {
	all, err := realRecords()
	if err != nil {
		b.Fatal(err)
	}
	newest, oldest := map[Package]string{}, map[Package]string{}
	for _, records := range all {
		for _, r := range records {
			for _, a := range r.affected {
				p, order := Package{Ecosystem: a.ecosystem, Name: a.name}, schemeOf(a.ecosystem)
				for _, i := range a.intervals {
					if i.upper == "" {
						continue
					}
					if n, err := order.compareFrom(newest[p], i.upper); err == nil && n < 0 {
						newest[p] = i.upper
					}
					if n, err := order.compareFrom(i.upper, oldest[p]); err == nil && (oldest[p] == "" || n < 0) {
						oldest[p] = i.upper
					}
				}
			}
		}
	}
	list := slices.SortedFunc(maps.Keys(newest), func(a, b Package) int {
		return cmp.Or(strings.Compare(a.Ecosystem, b.Ecosystem), strings.Compare(a.Name, b.Name))
	})
	random := rand.New(rand.NewPCG(1, 2))
	random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	list = list[:n]
	for i := range list {
		if i%4 == 0 {
			list[i].Version = oldest[list[i]]
		} else {
			list[i].Version = newest[list[i]]
		}
	}
	return list
}

func BenchmarkAdvisory(b *testing.B) {
	x := openReal(b)
	path := filepath.Join(b.TempDir(), "index")
	if err := os.WriteFile(path, x.file, 0o644); err != nil {
		b.Fatal(err)
	}
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			if _, err := Open(x.file); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, n := range map[string]int{"500": 500, "5000": 5000} {
		q := &Question{Packages: realPackages(b, n), Today: "2026-11-22"}
		b.Run("warm-"+name, func(b *testing.B) {
			found := 0
			for b.Loop() {
				a, err := x.Match(q)
				if err != nil {
					b.Fatal(err)
				}
				found = len(a.Findings)
			}
			b.ReportMetric(float64(found), "findings")
		})
		b.Run("cold-"+name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				evict(b, path)
				b.StartTimer()
				matchMapped(b, path, q)
			}
		})
	}
}

// BenchmarkOrder compares two versions by their keys, and by semantic, which reads both texts.
func BenchmarkOrder(b *testing.B) {
	for ecosystem, pair := range map[string][2]string{
		"Debian": {"1:2.4.57-2+deb12u1", "1:2.4.59-1~deb12u1"}, "Alpine": {"3.0.12-r4", "3.0.12-r5"}, "PyPI": {"2.31.0rc1", "2.31.0"},
		"Maven": {"2.14.1-jre", "2.15.0-jre"}, "npm": {"4.17.20", "4.17.21-rc.1"}, "Red Hat": {"1:3.0.7-16.el9_2", "1:3.0.7-17.el9_2"},
	} {
		b.Run(ecosystem+"/keys-made", func(b *testing.B) {
			for b.Loop() {
				_, _ = Compare(ecosystem, pair[0], pair[1]) // both are versions
			}
		})
		b.Run(ecosystem+"/semantic", func(b *testing.B) {
			for b.Loop() {
				_, _ = semantic.MustParse(pair[0], ecosystem).CompareStr(pair[1]) // both are versions
			}
		})
	}
}

// matchMapped is a whole question of a file that was not in memory.
func matchMapped(b *testing.B, path string, q *Question) {
	file, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		b.Fatal(err)
	}
	raw, err := syscall.Mmap(int(file.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		b.Fatal(err)
	}
	x, err := Open(raw)
	if err == nil {
		_, err = x.Match(q)
	}
	if err != nil {
		b.Fatal(err)
	}
	_, _ = syscall.Munmap(raw), file.Close() // it was only read
}

// evict takes a file out of the kernel's cache (posix_fadvise, POSIX_FADV_DONTNEED).
func evict(b *testing.B, path string) {
	if runtime.GOOS != "linux" {
		b.Skip("only Linux takes a file out of its cache")
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	if err := file.Sync(); err != nil {
		b.Fatal(err)
	}
	const fadvise64, dontNeed = 221, 4
	if _, _, e := syscall.Syscall6(fadvise64, file.Fd(), 0, 0, dontNeed, 0, 0); e != 0 {
		b.Skip("the file stays in the cache:", e)
	}
	_ = file.Close() // nothing was written
}
