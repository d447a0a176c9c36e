package advisory

import (
	"bufio"
	"compress/gzip"
	"embed"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/osv-scalibr/semantic"
)

// vectors are ordered pairs of versions from the upstream package managers' own tools, as
// google/osv-scalibr publishes them (Apache-2.0).
const vectors = "../../../shared/vulndata/version-order"

//go:embed testdata/version-order
var sample embed.FS

// vectorEcosystems is the ecosystem of each file of vectors, by the first word of its name.
var vectorEcosystems = map[string]string{
	"alpine": "Alpine", "cran": "CRAN", "debian": "Debian", "hackage": "Hackage", "maven": "Maven", "nuget": "NuGet",
	"packagist": "Packagist", "pub": "Pub", "pypi": "PyPI", "redhat": "Red Hat", "rubygems": "RubyGems", "semver": "npm",
}

// leastKeyed is the share of versions that must have a key, in percent; others are compared by semantic.
var leastKeyed = map[string]int{
	"Alpine": 94, "Debian": 100, "Maven": 99, "NuGet": 95, "Packagist": 97, "PyPI": 99, "Red Hat": 97, "RubyGems": 97, "npm": 95,
}

type vector struct{ a, sign, b string }

func readVectors(t testing.TB, text io.Reader) []vector {
	var list []vector
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 || strings.HasPrefix(fields[0], "#") || strings.HasPrefix(fields[0], "//") {
			continue
		}
		if !slices.Contains([]string{"<", "=", ">"}, fields[1]) {
			continue
		}
		list = append(list, vector{fields[0], fields[1], fields[2]})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestOrderOfTheSample(t *testing.T) {
	files, err := fs.Glob(sample, "testdata/version-order/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no sample", err)
	}
	for _, name := range files {
		file, err := sample.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		checkOrder(t, path.Base(name), readVectors(t, file))
	}
}

func TestOrderOfAllVectors(t *testing.T) {
	entries, err := os.ReadDir(vectors)
	if err != nil {
		t.Skip("no ../shared/vulndata beside this checkout")
	}
	all := 0
	for _, e := range entries {
		file, err := os.Open(vectors + "/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(file)
		if err != nil {
			t.Fatal(err)
		}
		list := readVectors(t, z)
		_ = file.Close() // it was only read
		all += len(list)
		checkOrder(t, e.Name(), list)
	}
	if all < 71_000 {
		t.Errorf("%d pairs, want over 71,000", all)
	}
	t.Logf("%d pairs", all)
}

// checkOrder asks for the order of each pair, both ways round, and how many of the versions have a key.
func checkOrder(t *testing.T, file string, list []vector) {
	t.Helper()
	word, _, _ := strings.Cut(file, "-")
	ecosystem := vectorEcosystems[word]
	if ecosystem == "" || len(list) == 0 {
		t.Fatalf("%s: ecosystem %q, %d pairs", file, ecosystem, len(list))
	}
	keyed := 0
	for _, v := range list {
		want := map[string]int{"<": -1, "=": 0, ">": 1}[v.sign]
		x, okX := Key(nil, ecosystem, v.a)
		y, okY := Key(nil, ecosystem, v.b)
		if okX && okY {
			keyed++
		}
		for _, pair := range []struct {
			a, b string
			want int
		}{{v.a, v.b, want}, {v.b, v.a, -want}} {
			got, err := Compare(ecosystem, pair.a, pair.b)
			if err != nil || got != pair.want {
				t.Errorf("%s: %s and %s: %d %v, want %d (keys %x %v, %x %v)", file, pair.a, pair.b, got, err, pair.want, x, okX, y, okY)
			}
		}
	}
	share := keyed * 100 / len(list)
	if len(list) > 300 && share < leastKeyed[ecosystem] {
		t.Errorf("%s: %d%% of the pairs have keys, want %d%%", file, share, leastKeyed[ecosystem])
	}
	t.Logf("%-36s %6d pairs, %3d%% by keys", file, len(list), share)
}

// FuzzKeys asks semantic about every pair of versions that both have keys.
func FuzzKeys(f *testing.F) {
	ecosystems := []string{"Debian", "Red Hat", "Alpine", "npm", "PyPI", "Maven", "RubyGems", "NuGet", "Packagist", "Pub", "CRAN", "Hackage"}
	for i := range ecosystems {
		for _, pair := range [][2]string{
			{"1.0", "1.0.0"},
			{"1:1.0~rc1-1", "1.0-1"},
			{"1.0a1.dev1", "1.0.post1+l.1"},
			{"1.0-alpha-1", "1-SNAPSHOT"},
			{"v1.2.3-a.1+b", "1.2.3-a.b"},
			{"1.2.3_rc1-r1", "1.02a_p1"},
			{"1.0^git1", "1.0~a_b-2.el9"},
			{"1.0.a.0", "1.a0"},
			{"1.0.0.Beta1", "1-sp"},
			{"1!1.0-1", "1.0c1"},
		} {
			f.Add(i, pair[0], pair[1])
		}
	}
	f.Fuzz(func(t *testing.T, i int, a, b string) {
		ecosystem := ecosystems[uint(i)%uint(len(ecosystems))]
		x, ok1 := Key(nil, ecosystem, a)
		y, ok2 := Key(nil, ecosystem, b)
		if !ok1 || !ok2 || misread(ecosystem, a) || misread(ecosystem, b) {
			return
		}
		v, err := semantic.Parse(a, ecosystem)
		if err != nil {
			t.Fatalf("%s %q has a key and is no version: %v", ecosystem, a, err)
		}
		want, err := v.CompareStr(b)
		if err != nil {
			t.Fatalf("%s %q has a key and is no version: %v", ecosystem, b, err)
		}
		if got := schemeOf(ecosystem).order(x, y); got != sign(want) {
			t.Errorf("%s: %q and %q: %d by keys %x %x, want %d", ecosystem, a, b, got, x, y, want)
		}
	})
}

// misread are versions that semantic reads in another way than the ecosystem's own tool, which is asked in
// TestUpstreamTools: identifiers like -1 as numbers, hyphens and double zeros of gems, and separators in a row of PHP.
func misread(ecosystem, version string) bool {
	switch ecosystem {
	case "npm", "NuGet", "Pub":
		return regexp.MustCompile(`[-.][-+][0-9]`).MatchString(version)
	case "RubyGems":
		return strings.Contains(version, "-") || strings.Contains(version, "00") || strings.ContainsAny(version, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") && strings.Contains(version, "0")
	case "Packagist":
		return regexp.MustCompile(`[-._+]{2}`).MatchString(version)
	}
	return false
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}
